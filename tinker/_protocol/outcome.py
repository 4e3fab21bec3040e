"""What an attempt tells about a request: whether the server has carried it out, and who has responded. Pure.

| the attempt ended with | the request was |
|---|---|
| no connection: refused, a name that cannot be resolved, no token, a proxy that does not work | not sent |
| a usable 2xx | carried out |
| 4xx, and a 5xx that says that it is final | refused, if no earlier attempt may have been carried out |
| a broken connection, no response in time, 408, 5xx, a body that cannot be decompressed, a 2xx that cannot be used | perhaps carried out |
| 400, 404, 405, 409 without a body or with an HTML page | perhaps carried out: a proxy has responded, not the server |

Only a request that was not sent, or was refused, leaves its number (`seq_id`) free for another.
"""

from __future__ import annotations

import httpx

from tinker._http.http1 import SENT_TWICE
from tinker._protocol.server_traits import is_html

READS = frozenset(
    [
        "client_config",
        "client_dynamic_config",
        "get_info",
        "weights_info",
        "retrieve_future",
        "retrieve_futures",
        "search_sessions",
        "search_checkpoints",
    ]
)
"""Operations with POST that change nothing, as those with GET."""
_MAY_BE_DONE = "tinker: an earlier attempt may have been carried out"
"""The extension of a response that says so."""
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
_STATUSES_OF_PROXIES = frozenset({400, 404, 405, 409})
_FOLLOW_SUCCESS = frozenset({400, 404, 405, 409, 410, 415, 422})


def was_not_sent(error: httpx.RequestError) -> bool:
    """Whether it is certain that the server has not received the request."""
    return isinstance(error, _NOT_SENT)


def cause_of(error: httpx.RequestError) -> str:
    """What is counted as the cause of a retry when there was no response."""
    late = isinstance(error, httpx.TimeoutException) and not was_not_sent(error)
    return "timeout" if late else "no response"


def was_sent_twice(response: httpx.Response) -> bool:
    return SENT_TWICE in response.extensions


def mark(response: httpx.Response) -> None:
    """Remember with a response that an earlier attempt may have been carried out."""
    response.extensions[_MAY_BE_DONE] = True


def may_be_done(response: httpx.Response) -> bool:
    """Whether the server may have carried out the request, or will, in this attempt or an earlier one."""
    return _MAY_BE_DONE in response.extensions or is_unknown(response.status_code)


def is_from_proxy(status: int, body: object) -> bool:
    """Whether a response comes from a proxy: the server itself would give a reason."""
    return status in _STATUSES_OF_PROXIES and (body is None or is_html(body))


def is_unknown(status: int) -> bool:
    """Whether the server may have carried out, or may still carry out, a request with this response."""
    return status == 408 or status >= 500


def changes_nothing(method: str, operation: str) -> bool:
    """Whether it does not matter how often a request is carried out."""
    return method == "GET" or operation in READS


def may_follow_success(status: int) -> bool:
    """Whether a retry may be rejected in this way because an earlier attempt was carried out."""
    return status in _FOLLOW_SUCCESS

"""Sample token by token"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...types import UNSET, StreamRequest, Unset, loads

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient
    from ...models.sample_request import SampleRequest
    from ...models.stream_sample_event import StreamSampleEvent


def request(
    *,
    body: SampleRequest,
    x_tinker_sampling_backpressure: str | Unset = UNSET,
    x_sdk_version: str | Unset = UNSET,
    x_sdk_method: str | Unset = UNSET,
) -> StreamRequest[StreamSampleEvent]:
    """Sample token by token

    Takes the request of `asample` and returns a stream of server-sent events. The data of each event is a
    `StreamSampleEvent`; one with a `finish_reason` ends its sample, one with an `error` ends the stream. Not every
    server
    offers it (404): use `asample` there.

    Args:
        x_tinker_sampling_backpressure (str | Unset):
        x_sdk_version (str | Unset):
        x_sdk_method (str | Unset):
        body (SampleRequest): A prompt to complete.
    """

    headers: dict[str, str] = {}
    if not isinstance(x_tinker_sampling_backpressure, Unset):
        headers["X-Tinker-Sampling-Backpressure"] = x_tinker_sampling_backpressure

    if not isinstance(x_sdk_version, Unset):
        headers["X-Sdk-Version"] = x_sdk_version

    if not isinstance(x_sdk_method, Unset):
        headers["X-Sdk-Method"] = x_sdk_method

    headers["Accept"] = "text/event-stream"
    headers["Content-Type"] = "application/json"
    return StreamRequest(
        operation="stream_sample",
        method="POST",
        path="/api/v1/stream_sample",
        parse=_parse,
        body=body,
        headers=headers,
    )


def _parse(content: bytes) -> StreamSampleEvent:
    from ...models.stream_sample_event import StreamSampleEvent

    return StreamSampleEvent.from_dict(loads(content))


def sync_streamed(
    *,
    client: AuthenticatedClient,
    body: SampleRequest,
    x_tinker_sampling_backpressure: str | Unset = UNSET,
    x_sdk_version: str | Unset = UNSET,
    x_sdk_method: str | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> httpx.Response:
    """Send `request`. The body of a 2xx is still to come: read it with `iter_bytes()`, then call `close()`."""
    http = client.get_httpx_client()
    message = request(
        body=body,
        x_tinker_sampling_backpressure=x_tinker_sampling_backpressure,
        x_sdk_version=x_sdk_version,
        x_sdk_method=x_sdk_method,
    )
    raw = http.send(message.build(http, headers=headers, timeout=timeout), stream=True)
    if not raw.is_success:
        raw.read()
    return raw


async def asyncio_streamed(
    *,
    client: AuthenticatedClient,
    body: SampleRequest,
    x_tinker_sampling_backpressure: str | Unset = UNSET,
    x_sdk_version: str | Unset = UNSET,
    x_sdk_method: str | Unset = UNSET,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout | None = None,
) -> httpx.Response:
    """Send `request`. The body of a 2xx is still to come: read it with `aiter_bytes()`, then call `aclose()`."""
    http = client.get_async_httpx_client()
    message = request(
        body=body,
        x_tinker_sampling_backpressure=x_tinker_sampling_backpressure,
        x_sdk_version=x_sdk_version,
        x_sdk_method=x_sdk_method,
    )
    raw = await http.send(message.build(http, headers=headers, timeout=timeout), stream=True)
    if not raw.is_success:
        await raw.aread()
    return raw

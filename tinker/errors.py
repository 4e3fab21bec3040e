"""Exceptions.

    TinkerError                        everything this package raises on purpose
    ├── APIError                       a request failed
    │   ├── APIConnectionError         no response: refused, reset, unresolvable
    │   │   └── APITimeoutError        no response in time
    │   ├── APIResponseValidationError a response that does not match the contract
    │   └── APIStatusError             a response with an error status
    │       ├── BadRequestError            400
    │       ├── AuthenticationError        401
    │       ├── BillingError               402
    │       ├── PermissionDeniedError      403
    │       ├── NotFoundError              404
    │       ├── ConflictError              409
    │       ├── UnprocessableEntityError   422
    │       ├── RateLimitError             429
    │       └── InternalServerError        5xx
    ├── UploadInterruptedError         an upload of weights stopped between two files (tinker.types)
    ├── RequestFailedError             the operation was accepted and failed while it ran
    ├── RunPoisonedError               a training run whose order of operations is no longer known
    ├── RunLostError                   a training run that no process can go on with
    └── JournalError                   a journal that is in use, or of another run or program

Bad arguments are rejected before anything is sent, with `ValueError`, `TypeError` or `KeyError`.
Messages name the operation, its ids, the status, the tries and what to do; never a credential.
"""

from __future__ import annotations

import copyreg
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import httpx


__all__ = [
    "APIConnectionError",
    "APIError",
    "APIResponseValidationError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "BillingError",
    "ConflictError",
    "ExperimentalWarning",
    "InternalServerError",
    "JournalError",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitError",
    "RequestFailedError",
    "RunLostError",
    "RunPoisonedError",
    "TinkerError",
    "UnprocessableEntityError",
]


class RequestErrorCategory(StrEnum):
    """Who has to act on a failed operation; `tinker.types` has it too."""

    Unknown = "unknown"
    Server = "server"
    User = "user"


class TinkerError(Exception):
    """Base class of all errors that this package raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the attributes; the arguments of `__init__` are not kept."""
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]


class ExperimentalWarning(FutureWarning):
    """The feature may change or go away."""


class APIError(TinkerError):
    """A request failed.

    `message` is the message, `request` the `httpx.Request`, `body` the decoded JSON body of the
    response, its text if it is not JSON, or None without a response. `outcome_unknown` is True if the server
    may have carried out the request nevertheless, and False if it has not.
    """

    message: str
    request: httpx.Request
    body: object | None
    outcome_unknown: bool = False

    def __init__(self, message: str, request: httpx.Request, *, body: object | None) -> None:
        super().__init__(message)
        self.message = message
        self.request = request
        self.body = body


class APIConnectionError(APIError):
    """No response arrived."""

    def __init__(self, request: httpx.Request, message: str = "Connection error.") -> None:
        super().__init__(message, request, body=None)


class APITimeoutError(APIConnectionError):
    """No response arrived in time."""

    def __init__(self, request: httpx.Request, message: str = "Request timed out.") -> None:
        super().__init__(request, message)


class APIResponseValidationError(APIError):
    """The response does not match the contract."""

    response: httpx.Response
    status_code: int

    def __init__(
        self, response: httpx.Response, body: object | None, message: str | None = None
    ) -> None:
        super().__init__(
            message or "The response does not match the contract.", response.request, body=body
        )
        self.response = response
        self.status_code = response.status_code


class APIStatusError(APIError):
    """The response has an error status."""

    response: httpx.Response
    status_code: int

    def __init__(self, message: str, response: httpx.Response, body: object | None) -> None:
        super().__init__(message, response.request, body=body)
        self.response = response
        self.status_code = response.status_code


class BadRequestError(APIStatusError):
    status_code: Literal[400]


class AuthenticationError(APIStatusError):
    status_code: Literal[401]


class BillingError(APIStatusError):
    status_code: Literal[402]


class PermissionDeniedError(APIStatusError):
    status_code: Literal[403]


class NotFoundError(APIStatusError):
    status_code: Literal[404]


class ConflictError(APIStatusError):
    status_code: Literal[409]


class UnprocessableEntityError(APIStatusError):
    status_code: Literal[422]


class RateLimitError(APIStatusError):
    status_code: Literal[429]


class InternalServerError(APIStatusError):
    """Any status from 500."""


class RequestFailedError(TinkerError):
    """The operation was accepted and failed while it ran.

    `category` tells who can fix it: the caller (`user`), the server's operator (`server`), or `unknown`.
    """

    request_id: str
    category: RequestErrorCategory
    message: str

    def __init__(self, message: str, request_id: str, category: RequestErrorCategory) -> None:
        super().__init__(message)
        self.message = message
        self.request_id = request_id
        self.category = category


class RunPoisonedError(TinkerError):
    """It is not known whether the server accepted an operation, or another program submits to the same run: the order of
    later operations is not known.

    The training client rejects further work. Create one from the last checkpoint.
    """


class RunLostError(TinkerError):
    """No process can go on with a training run: the server has forgotten it, or its order is not known.

    `checkpoint` is the tinker path of its last training checkpoint, None if it has none. Go on from there with
    `ServiceClient.create_training_client_from_state_with_optimizer`.
    """

    checkpoint: str | None

    def __init__(self, message: str, checkpoint: str | None = None) -> None:
        super().__init__(message)
        self.checkpoint = checkpoint


class JournalError(TinkerError):
    """A journal cannot be used: another process uses it, or it is of another run or of another program."""


_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: BillingError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def status_error_class(status: int) -> type[APIStatusError]:
    """The exception class for an HTTP status of 400 or more."""
    if status >= 500:
        return InternalServerError
    return _BY_STATUS.get(status, APIStatusError)

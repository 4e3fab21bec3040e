"""Types and functions that the generated modules share."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

import orjson
from attrs import define, frozen

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Unset:
    """The type of UNSET."""

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Unset = Unset()
"""Stands for a field that is left out."""


@define
class File:
    """A body of bytes, sent as they are."""

    payload: bytes


class JSONBody(Protocol):
    """A model that is sent as JSON."""

    def to_dict(self) -> dict[str, Any]: ...


@frozen(kw_only=True, eq=False)
class Message(Generic[T_co]):
    """The request of one operation, and how to parse its response. Does no I/O.

    The `request` function of an operation's module returns it; `build` makes the `httpx.Request`.
    """

    operation: str
    """The contract's operationId."""
    method: str
    path: str
    """Relative to the server's base URL, with its parameters filled in."""
    parse: Callable[[bytes], T_co]
    """Parses the body of a success. Raises ValueError, KeyError, TypeError or AttributeError if it does not match the contract."""
    body: JSONBody | File | None = None
    query: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = {}

    @property
    def content(self) -> bytes | None:
        """The body as it is sent. Encoded each time it is read, so that a waiting message does not hold a copy."""
        if self.body is None:
            return None
        return self.body.payload if isinstance(self.body, File) else dumps(self.body.to_dict())

    def build(
        self,
        http: httpx.Client | httpx.AsyncClient,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: httpx.Timeout | None = None,
    ) -> httpx.Request:
        """The request, for `http.send`; `headers` are added, and `timeout` replaces the client's."""
        return http.build_request(
            self.method,
            self.path,
            params=self.query,
            content=self.content,
            headers={**self.headers, **headers} if headers else self.headers,
            timeout=http.timeout if timeout is None else timeout,
        )


class Request(Message[T_co]):
    """A message whose successful response has one body, of type T."""

    def read(self, raw: httpx.Response) -> T_co:
        """Parse the body of a 2xx."""
        return self.parse(raw.content)


class StreamRequest(Message[T_co]):
    """A message whose successful response is a stream of server-sent events, the data of each of type T."""


class Response(Generic[T]):
    """A response with any status code. Its body is parsed when `parsed` is first read."""

    __slots__ = ("_parse", "_parsed", "raw")

    def __init__(self, raw: httpx.Response, parse: Callable[[httpx.Response], T]) -> None:
        self.raw = raw
        self._parse = parse
        self._parsed: T | Unset = UNSET

    @property
    def status_code(self) -> int:
        return self.raw.status_code

    @property
    def content(self) -> bytes:
        return self.raw.content

    @property
    def headers(self) -> httpx.Headers:
        return self.raw.headers

    @property
    def parsed(self) -> T:
        """The body as the model of its status code; None for a status code that the contract does not have.

        Raises ValueError for a body that is not JSON (protobuf: read `content`), ValueError, KeyError, TypeError
        or AttributeError for one that does not match the model.
        """
        if isinstance(self._parsed, Unset):
            try:
                self._parsed = self._parse(self.raw)
            except orjson.JSONDecodeError as error:
                kind = self.headers.get("Content-Type", "no Content-Type")
                raise ValueError(f"the body ({kind}) is not JSON: {error}") from None
        return self._parsed

    def __repr__(self) -> str:
        return f"<Response [{self.status_code}]>"


def nothing(content: bytes) -> None:
    """Parse a success without a body."""


def dumps(value: Any) -> bytes:
    """Encode as JSON; numpy arrays become lists."""
    content = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    # orjson over-allocates: a copy spares a waiting request kilobytes of unused memory.
    return content if len(content) > 65536 else bytes(memoryview(content))


def loads(content: bytes) -> Any:
    """Decode JSON, also with NaN, Infinity and -Infinity, which servers in Python write although JSON has no such numbers."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        if b"NaN" in content or b"Infinity" in content:
            import json  # noqa: PLC0415  # few servers write them

            with contextlib.suppress(ValueError, RecursionError):
                return json.loads(content)
        raise


def const(value: Any, expected: Any, name: str) -> Any:
    """Return the value if it is the expected constant."""
    if value != expected:
        raise ValueError(f"{name} is {value!r}; it must be {expected!r}")
    return value


def tagged(
    data: Any, tag: str, alternatives: Mapping[str, type[Any]], other: type[Any] | None = None
) -> Any:
    """Parse the alternative of a union that the tag names; `other`, if given, takes all other tags."""
    chosen = alternatives.get(data[tag], other)
    if chosen is None:
        raise ValueError(f"unknown {tag}: {data[tag]!r}; known: {', '.join(alternatives)}")
    return chosen.from_dict(data)


def parse_time(value: str | float | None) -> datetime.datetime:
    """Parse a time in the contract's format, or as some servers send it: without a zone, which is UTC then; in seconds
    since 1970; null if unknown."""
    if isinstance(value, str):
        time = datetime.datetime.fromisoformat(value)
        return time if time.tzinfo else time.replace(tzinfo=datetime.UTC)
    return datetime.datetime.fromtimestamp(value or 0, datetime.UTC)


__all__ = [
    "UNSET",
    "File",
    "Message",
    "Request",
    "Response",
    "StreamRequest",
    "Unset",
    "const",
    "dumps",
    "loads",
    "nothing",
    "parse_time",
    "tagged",
]

"""What the generated modules share."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import orjson
from attrs import define

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")


class Unset:
    """The type of UNSET."""

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Unset = Unset()
"""Stands for a member that is left out."""


@define
class File:
    """A body of bytes, sent as they are."""

    payload: bytes


class Response(Generic[T]):
    """An answer of any status. Its body is parsed when `parsed` is first read."""

    __slots__ = ("_parse", "_parsed", "raw")

    def __init__(self, raw: httpx.Response, parse: Callable[[httpx.Response], T | None]) -> None:
        self.raw = raw
        self._parse: Callable[[httpx.Response], T | None] | None = parse
        self._parsed: T | None = None

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
    def parsed(self) -> T | None:
        """The body as the model of its status; None for a status the contract does not have.

        Raises ValueError for a body that is not JSON (protobuf: read `content`), ValueError, KeyError, TypeError
        or AttributeError for one that does not fit the model.
        """
        if self._parse is not None:
            try:
                self._parsed = self._parse(self.raw)
            except orjson.JSONDecodeError as error:
                kind = self.headers.get("Content-Type", "no type")
                raise ValueError(f"the body, of {kind}, is not JSON: {error}") from None
            self._parse = None
        return self._parsed

    def __repr__(self) -> str:
        return f"<Response [{self.status_code}]>"


def dumps(value: Any) -> bytes:
    """JSON; numpy arrays are written like lists."""
    content = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    # orjson leaves kilobytes of room behind a short text, which a request that waits would hold.
    return content if len(content) > 65536 else bytes(memoryview(content))


def loads(content: bytes) -> Any:
    """JSON, and besides what servers in Python write for numbers that JSON does not have: NaN, Infinity, -Infinity."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        if b"NaN" in content or b"Infinity" in content:
            import json  # noqa: PLC0415  # few servers write them

            with contextlib.suppress(ValueError, RecursionError):
                return json.loads(content)
        raise


def const(value: Any, expected: Any, name: str) -> Any:
    """The value, if it is the one the contract says."""
    if value != expected:
        raise ValueError(f"{name} is {value!r}; it must be {expected!r}")
    return value


def tagged(
    data: Any, tag: str, members: Mapping[str, type[Any]], other: type[Any] | None = None
) -> Any:
    """The member of a union that the tag names; `other`, if there is one, has the tags that none names."""
    member = members.get(data[tag], other)
    if member is None:
        raise ValueError(f"unknown {tag}: {data[tag]!r}; known: {', '.join(members)}")
    return member.from_dict(data)


def parse_time(value: str | float | None) -> datetime.datetime:
    """A time in the contract's form, or as some servers give it: in seconds since 1970, null for none they know."""
    if isinstance(value, str):
        return datetime.datetime.fromisoformat(value)
    return datetime.datetime.fromtimestamp(value or 0, datetime.UTC)


__all__ = ["UNSET", "File", "Response", "Unset", "const", "dumps", "loads", "parse_time", "tagged"]

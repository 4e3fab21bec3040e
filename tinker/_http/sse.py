"""Parse server-sent events from the bytes of a stream, however the bytes are split. Pure.

As in the HTML standard: UTF-8 with or without a byte order mark; lines end with CR, LF or both; an event ends with an
empty line and has at least one line of data; an unfinished event at the end is dropped. An event is returned as soon as
its last byte has arrived.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

from attrs import frozen

EVENT_STREAM: Final = "text/event-stream"
"""The media type."""
_LINE_END = re.compile(r"\r\n|\n|\r")
_make_text_decoder = codecs.getincrementaldecoder("utf-8-sig")


@frozen
class ServerSentEvent:
    data: str
    event: str = "message"
    """Its type."""
    id: str = ""
    """The last id of the stream, up to this event."""


class SSEDecoder:
    """Incremental parser: `feed` takes bytes and returns the events that they complete."""

    def __init__(self) -> None:
        self.retry: int | None = None
        """Milliseconds to wait before a broken stream is reopened; None if the server has not set it."""
        self._text = _make_text_decoder("replace")
        self._begun: list[str] = []  # the parts of an unfinished line
        self._after_cr = False
        self._data: list[str] = []
        self._event = self._id = ""

    def feed(self, piece: bytes) -> list[ServerSentEvent]:
        text = self._text.decode(piece)
        if not text:
            return []
        if self._after_cr:
            text = text.removeprefix("\n")  # the second half of a CRLF
        self._after_cr = text.endswith("\r")
        *lines, begun = _LINE_END.split(text)
        if lines:
            lines[0] = "".join([*self._begun, lines[0]])
            self._begun.clear()
        self._begun.append(begun)
        return [event for line in lines if (event := self._line(line)) is not None]

    def _line(self, line: str) -> ServerSentEvent | None:
        if not line:
            return self._end()
        name, _, value = line.partition(":")  # a comment has no field name
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._event = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self.retry = int(value)
        return None

    def _end(self) -> ServerSentEvent | None:
        data, event = self._data, self._event
        self._data, self._event = [], ""
        return ServerSentEvent("\n".join(data), event or "message", self._id) if data else None

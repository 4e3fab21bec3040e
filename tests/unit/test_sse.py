"""Server-sent events: whatever the stream holds and however it is cut, the events are those that were written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from tinker._http.sse import ServerSentEvent, SSEDecoder

LINE_ENDS = st.sampled_from(["\n", "\r", "\r\n"])
LINE = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=12)
WORD = st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), min_size=1, max_size=8)
NOISE = st.sampled_from([":", ": a comment", "data-is-not-data: x", "x", "retry: soon", "id: a\0b"])


@st.composite
def streams(draw: st.DrawFn) -> tuple[str, list[ServerSentEvent], int | None]:
    """The text of a stream, the events in it, and the last `retry`."""
    text, events, last_id, retry = "", [], "", None
    for _ in range(draw(st.integers(0, 5))):
        data = draw(st.lists(LINE, max_size=3))
        fields: list[tuple[str, str]] = [("data", line) for line in data]
        kind = draw(st.none() | WORD)
        if kind is not None:
            fields.append(("event", kind))
        if draw(st.booleans()):
            last_id = draw(WORD)
            fields.append(("id", last_id))
        if draw(st.booleans()):
            retry = draw(st.integers(0, 10**6))
            fields.append(("retry", str(retry)))
        lines = [f"{name}:{' ' * _needs_space(value, draw)}{value}" for name, value in fields]
        lines += draw(st.lists(NOISE, max_size=2))
        # In any order, as long as lines of data keep theirs.
        order = draw(st.permutations(range(len(lines))))
        placed = iter(lines[: len(data)])
        mixed = [next(placed) if n < len(data) else lines[n] for n in order]
        for line in [*mixed, ""]:
            end = draw(LINE_ENDS)
            # A CR and then an LF would be one end of a line.
            text += line + ("\r" if not line and text.endswith("\r") and end == "\n" else end)
        if data:
            events.append(ServerSentEvent("\n".join(data), kind or "message", last_id))
    return text, events, retry


def _needs_space(value: str, draw: st.DrawFn) -> bool:
    """One space after the colon is not part of the value."""
    return True if value.startswith(" ") else draw(st.booleans())


@given(
    streams(),
    st.booleans(),
    st.sampled_from(["", "data: unfinished", "data: x\n", "\ufeff"]),
    st.data(),
)
def test_events_do_not_depend_on_how_the_stream_is_cut(
    stream: tuple[str, list[ServerSentEvent], int | None],
    mark: bool,
    rest: str,
    data: st.DataObject,
) -> None:
    text, events, retry = stream
    content = (("\ufeff" if mark else "") + text + rest).encode()
    cuts = data.draw(st.lists(st.integers(0, len(content)), max_size=8).map(sorted))
    decoder, found = SSEDecoder(), []
    for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
        found += decoder.feed(content[start:end])
    assert found == events
    assert decoder.retry == retry


@given(streams())
def test_byte_by_byte(stream: tuple[str, list[ServerSentEvent], int | None]) -> None:
    text, events, _ = stream
    decoder = SSEDecoder()
    assert [event for byte in text.encode() for event in decoder.feed(bytes([byte]))] == events


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_an_event_is_there_as_soon_as_it_has_ended(end: bytes) -> None:
    decoder = SSEDecoder()
    # With CRLF the LF that follows changes nothing: the empty line has ended with the CR.
    first = (b"data: now" + end + end)[: None if end != b"\r\n" else -1]
    assert [event.data for event in decoder.feed(first)] == ["now"]


@pytest.mark.parametrize(
    ("content", "events"),
    [
        (b"data\n\n", [ServerSentEvent("")]),
        (b"data:\ndata:\n\n", [ServerSentEvent("\n")]),
        (b"data:  two spaces\n\n", [ServerSentEvent(" two spaces")]),
        (b"event: only\n\ndata: x\n\n", [ServerSentEvent("x")]),
        (b"id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
         [ServerSentEvent("a", id="7"), ServerSentEvent("b", id="7"), ServerSentEvent("c")]),
        ("data: \u2028\x0b\x0c\x1c\x85\n\n".encode(), [ServerSentEvent("\u2028\x0b\x0c\x1c\x85")]),
        (b"data: \xff\n\n", [ServerSentEvent("\ufffd")]),
        (b"retry: 5\nretry: -1\nretry: \xd9\xa3\n\n", []),
    ],
)  # fmt: skip
def test_what_the_standard_says(content: bytes, events: Any) -> None:
    decoder = SSEDecoder()
    assert decoder.feed(content) == events
    assert decoder.retry in (None, 5)


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_garbage_is_not_an_error_and_its_cut_does_not_matter(pieces: list[bytes]) -> None:
    one, other = SSEDecoder(), SSEDecoder()
    cut = [event for piece in pieces for event in one.feed(piece)]
    assert cut == other.feed(b"".join(pieces))
    assert one.retry == other.retry

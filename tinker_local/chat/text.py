"""Turns sampled tokens into what clients read: text up to a stop string, reasoning apart from content, and tool calls.

Each stage takes a part of the text and returns what is final of it. It holds back what may be the beginning of a stop
string, a tag or a tool call, and returns that at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol

from attrs import frozen

from tinker_local.chat.tool_calls import Family, NotACall, ToolCall

Kind = Literal["reasoning", "content"]


@frozen
class Piece:
    """A final part of the text."""

    kind: Kind
    text: str


class StopStrings:
    """The text before the first stop string."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.released = 0
        """How many characters were returned."""
        self.found: str | None = None
        """The stop string that ended the text."""

    def push(self, text: str) -> str:
        if self.found is not None:
            return ""
        self._held += text
        places = [(self._held.find(stop), stop) for stop in self._stops]
        if hits := [(place, stop) for place, stop in places if place >= 0]:
            place, self.found = min(hits)
            return self._release(place)
        return self._release(len(self._held) - _open_end(self._held, self._stops))

    def finish(self) -> str:
        return "" if self.found is not None else self._release(len(self._held))

    def _release(self, length: int) -> str:
        text, self._held = self._held[:length], self._held[length:]
        self.released += length
        return text


class Splitter(Protocol):
    """Separates reasoning from content."""

    def push(self, text: str) -> Iterator[Piece]: ...

    def finish(self) -> Iterator[Piece]: ...

    def calls(self) -> list[ToolCall]:
        """Tool calls that the splitter has found itself."""
        ...


class ThinkTags:
    """`<think>…</think>` at the beginning is reasoning; it may have been opened by the prompt."""

    def __init__(self, *, is_open: bool) -> None:
        self._kind: Kind = "reasoning" if is_open else "content"
        self._may_open = not is_open
        self._held = ""
        self._strip = is_open

    def push(self, text: str) -> Iterator[Piece]:
        self._held += text
        while self._step():
            pass
        if self._strip:
            self._held = self._held.lstrip()
        if self._kind == "reasoning":
            # Blanks before a tag are not reasoning.
            length = len(
                self._held[: len(self._held) - _open_end(self._held, ["</think>"])].rstrip()
            )
        elif self._may_open:
            length = 0  # blanks, or the beginning of a tag
        else:
            length = len(self._held)
        yield from self._release(length)

    def _step(self) -> bool:
        """Consume a complete tag. Returns whether another one may follow."""
        if self._may_open:
            lead = self._held.lstrip()
            if lead.startswith("<think>"):
                self._held = lead.removeprefix("<think>")
                self._kind, self._may_open, self._strip = "reasoning", False, True
                return True
            if lead and not "<think>".startswith(lead):
                self._may_open = False
        return False

    def _release(self, length: int) -> Iterator[Piece]:
        before, tag, after = self._held.partition("</think>")
        if self._kind == "reasoning" and tag:
            if before.strip():
                yield Piece("reasoning", before.rstrip())
            self._kind, self._strip, self._held = "content", True, ""
            yield from self.push(after)
            return
        text, self._held = self._held[:length], self._held[length:]
        if text:
            self._strip = False
            yield Piece(self._kind, text)

    def finish(self) -> Iterator[Piece]:
        text = self._held.rstrip() if self._kind == "reasoning" else self._held
        self._held = ""
        if text:
            yield Piece(self._kind, text)

    def calls(self) -> list[ToolCall]:
        return []


class Channels:
    """gpt-oss: `<|channel|>analysis<|message|>…<|end|>` is reasoning, `final` is content, and what is addressed to
    `functions.NAME` is a tool call."""

    _ENDS = ("<|end|>", "<|return|>", "<|call|>", "<|start|>")

    def __init__(self) -> None:
        self._held = ""
        self._in_header = True
        self._header = ""
        self._recipient: str | None = None
        self._arguments = ""
        self._calls: list[ToolCall] = []

    def push(self, text: str) -> Iterator[Piece]:
        self._held += text
        while True:
            if self._in_header:
                header, mark, rest = self._held.partition("<|message|>")
                if not mark:
                    return
                self._begin(header, rest)
            places = [self._held.find(end) for end in self._ENDS]
            end = min((place for place in places if place >= 0), default=-1)
            if end < 0:
                yield from self._emit(len(self._held) - _open_end(self._held, self._ENDS))
                return
            yield from self._emit(end)
            self._close()

    def _begin(self, header: str, rest: str) -> None:
        self._in_header, self._held = False, rest
        self._header = header.rpartition("<|channel|>")[2]
        _, addressed, recipient = header.partition("to=")
        name = recipient.split()[0].partition("<|")[0] if addressed and recipient.split() else ""
        self._recipient = name.removeprefix("functions.") or None

    def _emit(self, length: int) -> Iterator[Piece]:
        text, self._held = self._held[:length], self._held[length:]
        if self._recipient is not None:
            self._arguments += text
        elif text:
            yield Piece("reasoning" if self._header.startswith("analysis") else "content", text)

    def _close(self) -> None:
        """End a message; what follows is the header of the next one."""
        if self._recipient is not None:
            self._calls.append(ToolCall(self._recipient, self._arguments.strip() or "{}"))
        self._recipient, self._arguments, self._in_header = None, "", True

    def finish(self) -> Iterator[Piece]:
        if not self._in_header:
            yield from self._emit(len(self._held))
            self._close()
        elif self._header == "" and self._held:  # not gpt-oss's format: keep the text as it is
            yield Piece("content", self._held)
        self._held = ""

    def calls(self) -> list[ToolCall]:
        return self._calls


class Calls:
    """The content before the tool calls; these are parsed at the end."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._held = ""
        self._found = False
        self._begun = False

    def push(self, text: str) -> str:
        self._held += text
        marker = self._family.marker
        if self._found:
            return ""
        if self._family.only_at_the_start:
            lead = self._held.lstrip()
            if self._begun or (
                lead and not lead.startswith((marker, "<|python_tag|>"[: len(lead)]))
            ):
                return self._release(len(self._held))
            self._found = bool(lead)
            return ""
        place = self._held.find(marker)
        if place >= 0:
            self._found = True
            self._held, before = self._held[place:], self._held[:place]
            return before.rstrip()
        open_end = _open_end(self._held, [marker])
        before = self._held[: len(self._held) - open_end]
        return self._release(len(before.rstrip()))  # blanks before a marker are not content

    def _release(self, length: int) -> str:
        text, self._held = self._held[:length], self._held[length:]
        self._begun = self._begun or bool(text)
        return text

    def finish(self) -> tuple[str, list[ToolCall]]:
        """The rest of the content, and the calls. Calls that cannot be parsed are content."""
        if self._found:
            try:
                return "", self._family.parse(self._held)
            except NotACall:
                pass
        return self._held, []


class Assembler:
    """Assembles one choice: turns tokens into text and tool calls.

    Args:
        decode: Incremental decoder: `push` returns the text that a token adds, `finish` the rest.
        ends: Tokens that end a turn; as the last token of a choice they are not text.
        stops: Stop strings.
        splitter: Separates reasoning from content; None leaves everything in the content.
        family: Format of tool calls; None leaves them in the content.
    """

    def __init__(
        self,
        decode: tuple[Callable[[int], str], Callable[[], str]],
        ends: frozenset[int],
        stops: Sequence[str],
        splitter: Splitter | None,
        family: Family | None,
    ) -> None:
        self._decode, self._flush = decode
        self._ends = ends
        self._stops = StopStrings(stops)
        self._splitter = splitter
        self._calls = None if family is None else Calls(family)
        self._last: int | None = None
        self._length = 0
        self._kind: Kind = "content"
        self.starts: list[int] = []
        """Position of each token in the text, in characters."""
        self.reasoning_tokens = 0
        self.tool_calls: list[ToolCall] = []

    @property
    def stop_string(self) -> str | None:
        """The stop string that ended the choice."""
        return self._stops.found

    @property
    def shown(self) -> int:
        """Number of tokens whose text was returned."""
        return sum(start < self._stops.released for start in self.starts)

    def push(self, token: int) -> list[Piece]:
        """The text that is final with this token. Each token waits for the next one, because it may be the last."""
        last, self._last = self._last, token
        return [] if last is None else self._take(last)

    def finish(self) -> list[Piece]:
        """The rest of the text, after the last token."""
        pieces = []
        if self._last is not None and self._last not in self._ends:
            pieces += self._take(self._last)
        pieces += self._split(self._stops.push(self._flush()) + self._stops.finish())
        if self._splitter is not None:
            pieces += [piece for each in self._splitter.finish() for piece in self._called(each)]
            self.tool_calls += self._splitter.calls()
        if self._calls is not None:
            text, calls = self._calls.finish()
            self.tool_calls += calls
            pieces += [Piece("content", text)] if text else []
        return pieces

    def _take(self, token: int) -> list[Piece]:
        text = self._decode(token)
        self.starts.append(self._length)
        self._length += len(text)
        pieces = self._split(self._stops.push(text))
        if pieces:
            self._kind = pieces[-1].kind
        self.reasoning_tokens += self._kind == "reasoning"
        return pieces

    def _split(self, text: str) -> list[Piece]:
        if not text:
            return []
        found = [Piece("content", text)] if self._splitter is None else self._splitter.push(text)
        return [piece for each in found for piece in self._called(each)]

    def _called(self, piece: Piece) -> list[Piece]:
        if self._calls is None or piece.kind == "reasoning":
            return [piece]
        text = self._calls.push(piece.text)
        return [Piece("content", text)] if text else []


def _open_end(text: str, marks: Sequence[str]) -> int:
    """Number of characters at the end that may be the beginning of a mark."""
    longest = max((len(mark) for mark in marks), default=0) - 1
    for length in range(min(longest, len(text)), 0, -1):
        if any(mark.startswith(text[-length:]) for mark in marks):
            return length
    return 0

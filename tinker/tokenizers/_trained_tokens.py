"""Finds the tokens of a conversation that a model is trained on, by its chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

from attrs import define, field, frozen

from . import _chat_template
from ._assistant_masks import mask_of
from ._chat_template import Span
from ._errors import TokenizerError
from ._tokenizer import Tokenizer

TrainOn: TypeAlias = Literal["assistant", "last", "all", "flags"]
"""Every assistant message; the last one; every token; or as the messages' own `train` or `weight` say."""

_FLAGS = ("train", "weight")
_WRITTEN = ("content", "tool_calls", "reasoning_content", "thinking", "reasoning")
"""The parts of a message of the model."""
_PROBE = "\ue0f4probe\ue0f5"
"""Placeholder for a message's content; its first and last characters occur in no text."""


@frozen
class TrainedTokens:
    """A conversation as the model sees it."""

    text: str = field(repr=False)
    tokens: list[int] = field(repr=False)
    trained: list[bool] = field(repr=False)
    """For each token, whether the model is trained to predict it."""


def trained_tokens(
    tokenizer: Tokenizer,
    messages: Sequence[Mapping[str, Any]],
    *,
    train_on: TrainOn = "assistant",
    tools: Sequence[Mapping[str, Any]] | None = None,
    documents: Sequence[Mapping[str, Any]] | None = None,
    chat_template: str | None = None,
    **variables: Any,
) -> TrainedTokens:
    """Render a conversation with the model's chat template, and tell which tokens to train on.

        chat = trained_tokens(tokenizer, messages)
        datum = Datum(
            model_input=ModelInput.from_ints(chat.tokens[:-1]),
            loss_fn_inputs={
                "target_tokens": np.array(chat.tokens[1:]),
                "weights": np.array(chat.trained[1:], np.float32),
            },
        )

    The trained part of an assistant message is what the model itself writes: what follows the template's
    generation prompt, up to and including the token that ends the turn, but not the white space behind it.
    Where the template marks it with `{% generation %}`, it is what that marks.

    It is found by rendering the conversation up to the message, and again with another content in its place, so it
    is exact also for templates that rewrite earlier messages (as those do that drop old reasoning). Templates that
    leave it open are refused.

    Args:
        tokenizer: The model's.
        messages: Dicts with `role` and `content` and whatever else the template reads.
        train_on: `assistant`: all assistant messages. `last`: the last message, which must be the assistant's.
            `all`: every token. `flags`: the assistant messages, except those with `train: False` or `weight: 0`.
        tools: JSON schemas of functions.
        documents: Dicts, for templates that read them.
        chat_template: Template to use instead of the tokenizer's, by name or as text.
        variables: Further variables of the template, such as `enable_thinking`.

    Raises:
        TokenizerError: There is no template, it refuses the messages, or leaves open what the model writes; no
            message is to be trained on; or a flag is on a message that is not the assistant's.
    """
    if train_on not in get_args(TrainOn):
        raise ValueError(f"train_on is {train_on!r}; it must be one of {get_args(TrainOn)}.")
    template = tokenizer.get_chat_template(chat_template, tools)
    chosen = _chosen(messages, train_on)
    renderer = _Renderer(
        template,
        [{key: one[key] for key in one if key not in _FLAGS} for one in messages],
        {
            "tools": tools,
            "documents": documents,
            "variables": {**tokenizer.special_tokens_map, **variables},
        },
        [token for token in tokenizer.get_added_vocab() if token],
        tokenizer.eos_token,
    )
    if train_on == "all":
        text = renderer.text()
        spans = [(0, len(text))]
    else:
        text, spans = renderer.spans(chosen)
    tokens, trained = mask_of(tokenizer._backend, text, spans)
    return TrainedTokens(text, tokens, trained)


def _chosen(messages: Sequence[Mapping[str, Any]], train_on: TrainOn) -> list[int]:
    """The indices of the messages to train on."""
    for index, message in enumerate(messages):
        if not isinstance(message, Mapping) or "role" not in message:
            raise TypeError(f"messages[{index}] is not a dict with a role: {message!r}.")
    written = [index for index, one in enumerate(messages) if one["role"] == "assistant"]
    if train_on == "last":
        if not messages or written[-1:] != [len(messages) - 1]:
            raise TokenizerError(
                "train_on='last' needs a conversation that ends with an assistant message."
            )
        return written[-1:]
    if train_on == "flags":
        for index, message in enumerate(messages):
            if index not in written and _flag(message, index, default=False):
                raise TokenizerError(
                    f"messages[{index}] is flagged to be trained on, but its role is"
                    f" {message['role']!r}: only assistant messages can be."
                )
        written = [index for index in written if _flag(messages[index], index, default=True)]
    if not written and train_on != "all":
        raise TokenizerError("No message of the conversation is to be trained on.")
    return written


def _flag(message: Mapping[str, Any], index: int, *, default: bool) -> bool:
    found = [message[name] for name in _FLAGS if message.get(name) is not None]
    if any(flag not in (0, 1) for flag in found) or len(set(map(bool, found))) > 1:
        raise TokenizerError(
            f"messages[{index}]: `train` must be true or false and `weight` 0 or 1, and both must"
            f" agree; found {found}."
        )
    return bool(found[0]) if found else default


@define
class _Renderer:
    template: str
    messages: list[dict[str, Any]]
    options: dict[str, Any]
    added_tokens: Sequence[str]
    eos_token: str | None

    def text(
        self, messages: Sequence[Mapping[str, Any]] | None = None, *, prompt: bool = False
    ) -> str:
        return _chat_template.render(
            self.template,
            self.messages if messages is None else messages,
            add_generation_prompt=prompt,
            **self.options,
        )

    def spans(self, chosen: Sequence[int]) -> tuple[str, list[Span]]:
        """The text, and in it what the model writes of the chosen messages."""
        if _chat_template.marks_generation(self.template):
            text, marked = _chat_template.render_marked(
                self.template, self.messages, **self.options
            )
            written = [n for n, one in enumerate(self.messages) if one["role"] == "assistant"]
            if len(chosen) == len(written):
                return text, marked
            if len(marked) == len(written):
                return text, [marked[written.index(index)] for index in chosen]
            turns = [self._turn(text, index) for index in chosen]
            return text, [
                span
                for span in marked
                if any(begin < span[1] and span[0] < end for begin, end in turns)
            ]
        text = self.text()
        return text, [self._turn(text, index) for index in chosen]

    def _turn(self, text: str, index: int) -> Span:
        """Where in the text the model writes the message at `index`."""
        try:
            begin, end = self._begin(text, index), self._end(text, index)
            if begin > end:
                raise _Open("the generation prompt contains a part of the message")
        except _Open as reason:
            raise TokenizerError(
                f"The chat template leaves open what the model writes of messages[{index}]: {reason}. Use"
                " train_on='last' or 'all', or pass a chat_template that marks it with {% generation %}."
            ) from None
        for name in _called(self.messages[index]):
            if name not in text[begin:end]:
                raise TokenizerError(
                    f"The chat template leaves out the call of {name!r} in messages[{index}]."
                )
        return begin, end

    def _begin(self, text: str, index: int) -> int:
        """Behind the generation prompt of the message."""
        if index == 0:
            raise _Open("the template cannot render a generation prompt before the first message")
        earlier = self.messages[:index]
        prompt = self.text(earlier, prompt=True)
        if text.startswith(prompt):
            return len(prompt)
        # The template writes earlier messages differently once there are later ones.
        bare = self.text(earlier)
        opening = prompt[len(bare) :] if prompt.startswith(bare) else ""
        if not opening.strip():
            raise _Open("it has no generation prompt that shows where the message begins")
        if any(opening.strip() in one for one in _strings(self.messages)):
            raise _Open(f"a message contains {opening.strip()!r}, which opens its messages")
        before, _ = self._around_content(text, self.messages, index)
        _, previous_end = self._around_content(text, self.messages, index - 1)
        place = text.rfind(opening, previous_end, before)
        if place < 0:
            raise _Open(f"its generation prompt, {opening!r}, is not how the message begins")
        return place + len(opening)

    def _end(self, text: str, index: int) -> int:
        """Behind the tokens that end the message, or behind its content if there are none."""
        if index == len(self.messages) - 1:
            closed = self._around_content(text, self.messages, index)[1]
            return closed + len(self._closing(text[closed:])[0])
        until = self.messages[: index + 1]
        try:
            alone = self.text(until)
        except TokenizerError as error:
            raise _Open(f"it refuses the conversation up to there ({error})") from None
        try:
            next_content, _ = self._around_content(text, self.messages, index + 1)
            _, closed = self._around_content(text, self.messages, index)
            if closed > next_content:
                raise _Open("it writes it together with the next message")
            _, closed_alone = self._around_content(alone, until, index)
        except _Open:
            if not text.startswith(alone):
                raise
            end = len(alone.rstrip())
            if not any(alone.endswith(token, 0, end) for token in self.added_tokens):
                raise
            return end
        # What only separates the message from the next one is not the model's to write.
        found, found_alone = (
            self._closing(rest)[1] for rest in (text[closed:], alone[closed_alone:])
        )
        closing = found[: _shared(found, found_alone)] or self._end_of_text(found)
        return closed + sum(map(len, closing))

    def _around_content(self, text: str, messages: Sequence[Mapping[str, Any]], index: int) -> Span:
        """Where another content of the message makes the text differ, up to where it is the same again."""
        message = messages[index]
        content = message.get("content")
        other = [{"type": "text", "text": _PROBE}] if isinstance(content, list) else _PROBE
        kept = {key: value for key, value in message.items() if key not in _WRITTEN}
        try:
            probed = self.text(
                [*messages[:index], {**kept, "content": other}, *messages[index + 1 :]]
            )
        except TokenizerError as error:
            raise _Open(f"it refuses another content there ({error})") from None
        if probed.count(_PROBE) != 1:
            raise _Open(f"it prints the content {probed.count(_PROBE)} times, not once")
        before = _shared(text, probed)
        rest, probed_rest = text[before:], probed[before:]
        return before, len(text) - _shared(rest[::-1], probed_rest[::-1])

    def _closing(self, rest: str) -> tuple[str, list[str]]:
        """The white space and added tokens that the rest of a text begins with, as one and as parts."""
        space = rest[: len(rest) - len(rest.lstrip())]
        parts: list[str] = []
        place = len(space)
        while found := [token for token in self.added_tokens if rest.startswith(token, place)]:
            parts.append(max(found, key=len))
            place += len(parts[-1])
        parts = [space, *parts] if parts else []
        return "".join(parts), parts

    def _end_of_text(self, parts: list[str]) -> list[str]:
        """The end-of-text token, which some templates write only once another message follows."""
        return parts[:2] if parts[1:2] == [self.eos_token] else []


def _shared(a: Sequence[object], b: Sequence[object]) -> int:
    """Length of the common beginning."""
    pairs = zip(a, b, strict=False)
    return next((n for n, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b)))


class _Open(Exception):
    """The template leaves something open; the message says what."""


def _called(message: Mapping[str, Any]) -> list[str]:
    """Names of the functions that a message calls."""
    calls = message.get("tool_calls") or []
    functions = [call.get("function", call) for call in calls if isinstance(call, Mapping)]
    return [one["name"] for one in functions if isinstance(one, Mapping) and "name" in one]


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [text for item in value for text in _strings(item)]
    return []

"""Interprets the rows of a data file: conversations, completions, documents, preference pairs.

    format      a row has                                             becomes
    chat        messages: [{role, content, …}], tools?                Conversation
    sharegpt    conversations: [{from, value}], system?, tools?       Conversation
    alpaca      instruction, output, input?, system?                  Conversation
    completion  prompt, completion                                    Completion, or Conversation if they are messages
    preference  chosen, rejected, prompt?                             Preference
    text        text                                                  Document

A message may say whether it is trained on: `train: true|false` or `weight: 0|1`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

from attrs import field, frozen

from tinker.recipes.errors import DataError, Problem
from tinker.recipes.rows import Row, Rows

Format = Literal["chat", "sharegpt", "alpaca", "completion", "preference", "text"]
Message: TypeAlias = dict[str, Any]
"""`role`, `content` and what the chat template takes; `train` (bool) where the row says it."""

ROLES = ("system", "developer", "user", "assistant", "tool")
_SHAREGPT_ROLES = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "model": "assistant",
    "assistant": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "function_response": "tool",
}


@frozen
class Conversation:
    """Chat messages, to be rendered by the model's chat template."""

    line: int
    messages: list[Message]
    tools: list[dict[str, Any]] | None = None

    @property
    def has_flags(self) -> bool:
        """Whether any message says if it is trained on."""
        return any("train" in message for message in self.messages)


@frozen
class Completion:
    """A prompt and its continuation, without a chat template. The continuation is trained on."""

    line: int
    prompt: str
    completion: str


@frozen
class Document:
    """A text, all of which is trained on."""

    line: int
    text: str


@frozen
class Preference:
    """Two continuations of one prompt, the first of which is better."""

    line: int
    chosen: Conversation | Completion
    rejected: Conversation | Completion


Example: TypeAlias = Conversation | Completion | Document | Preference


@frozen
class Examples:
    """The examples of one source, and how they were recognized."""

    source: str
    format: Format
    reason: str
    """Why this format was recognized, as a phrase."""
    examples: Sequence[Example] = field(repr=False)
    sha256: str = field(repr=False)

    def __len__(self) -> int:
        return len(self.examples)


def recognize(rows: Rows, input_format: Format | None = None) -> Examples:
    """Turn rows into examples.

    Args:
        rows: From `rows.read`.
        input_format: Their format; None recognizes it by the keys of the rows.

    Raises:
        DataError: The format is not known, differs between rows, or rows do not fit it. It lists the lines.
    """
    if input_format is not None and input_format not in get_args(Format):
        raise DataError(
            f"The format {input_format!r} is not known; it is one of {', '.join(get_args(Format))}."
        )
    if not rows.rows:
        raise DataError(f"{rows.source} has no rows.")
    name, reason = (input_format, "given by you") if input_format else _format_of_all(rows)
    parse = _PARSERS[name]
    examples: list[Example] = []
    problems: list[Problem] = []
    for row in rows.rows:
        try:
            examples.append(parse(row.line, row.value))
        except _RowError as error:
            problems.append(Problem(row.line, str(error)))
    if problems:
        raise DataError(
            f"{len(problems)} of {len(rows.rows)} rows of {rows.source} do not fit the format {name!r} ({reason}).",
            problems,
        )
    return Examples(rows.source, name, reason, examples, rows.sha256)


class _RowError(ValueError):
    """What is wrong with one row."""


def _format_of_all(rows: Rows) -> tuple[Format, str]:
    found: dict[int, tuple[Format, str] | None] = {
        row.line: _format_of(row.value) for row in rows.rows
    }
    names = Counter(name[0] for name in found.values() if name)
    if not names:
        row = rows.rows[0]
        raise DataError(
            f"The rows of {rows.source} are in no known format: the row on line {row.line} {_shape(row.value)}. "
            "Known are messages, conversations, instruction+output, prompt+completion, chosen+rejected and text."
        )
    name, count = names.most_common(1)[0]
    if count < len(found):
        others = [
            Problem(
                line, f"this row looks like {kind[0]}" if kind else f"this row {_shape(row.value)}"
            )
            for row in rows.rows
            for line, kind in [(row.line, found[row.line])]
            if kind is None or kind[0] != name
        ]
        raise DataError(
            f"{rows.source} mixes formats: {count} of {len(found)} rows look like {name!r}. "
            "Split the file, or set input_format (--input-format).",
            others,
        )
    return name, next(kind[1] for kind in found.values() if kind)


_KINDS = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
}
"""JSON's names of what is not an object."""


def _shape(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"has the keys {', '.join(map(str, value)) or '(none)'}"
    return f"is {_KINDS.get(type(value), type(value).__name__)}"


def _format_of(value: Any) -> tuple[Format, str] | None:
    if isinstance(value, str):
        return "text", "rows are texts"
    if isinstance(value, list) and value and _is_message(value[0]):
        return "chat", "rows are lists of messages"
    if not isinstance(value, Mapping):
        return None
    keys = value.keys()
    if {"chosen", "rejected"} <= keys or {"preferred_output", "non_preferred_output"} <= keys:
        return "preference", "rows have a better and a worse answer"
    if "messages" in keys:
        return "chat", "rows have `messages`"
    if "conversations" in keys or "conversation" in keys:
        turns = value.get("conversations", value.get("conversation"))
        if isinstance(turns, list) and turns and _is_message(turns[0]):
            return "chat", "rows have `conversations` with `role` and `content`"
        return "sharegpt", "rows have `conversations` with `from` and `value`"
    if {"instruction", "output"} <= keys:
        return "alpaca", "rows have `instruction` and `output`"
    if "prompt" in keys and ("completion" in keys or "response" in keys):
        return "completion", "rows have `prompt` and `completion`"
    if "text" in keys:
        return "text", "rows have `text`"
    return None


def _is_message(value: Any) -> bool:
    return isinstance(value, Mapping) and "role" in value


# ---- one parser for each format -------------------------------------------------------------


def _chat(line: int, value: Any) -> Conversation:
    if isinstance(value, Mapping):
        messages = value.get("messages", value.get("conversations", value.get("conversation")))
        tools = value.get("tools")
    else:
        messages, tools = value, None
    conversation = Conversation(line, _messages(messages, "messages"), _tools(tools))
    _check_answered(conversation)
    return conversation


def _check_answered(conversation: Conversation) -> None:
    if not any(message["role"] == "assistant" for message in conversation.messages):
        raise _RowError("there is no message of the assistant, so there is nothing to train on")


def _tools(value: Any) -> list[dict[str, Any]] | None:
    if isinstance(value, str) and value.strip():
        import orjson  # noqa: PLC0415  # only for tools that are JSON in a string

        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise _RowError("`tools` is a string that is not JSON") from None
    if not value:
        return None
    if not isinstance(value, list) or not all(isinstance(tool, Mapping) for tool in value):
        raise _RowError("`tools` must be a list of objects")
    return [dict(tool) for tool in value]


def _messages(value: Any, key: str) -> list[Message]:
    if not isinstance(value, list):
        raise _RowError(f"`{key}` must be a list of messages")
    if not value:
        raise _RowError(f"`{key}` is empty")
    return [_message(message, f"{key}[{number}]") for number, message in enumerate(value)]


def _message(value: Any, place: str) -> Message:
    if not isinstance(value, Mapping):
        raise _RowError(f"{place} must be an object with `role` and `content`")
    message = {name: part for name, part in value.items() if part is not None}
    role = message.get("role")
    if role is None:
        raise _RowError(f"{place} has no `role`")
    if role not in ROLES:
        raise _RowError(f"{place}: the role {role!r} is not one of {', '.join(ROLES)}")
    calls = message.get("tool_calls")
    if calls is not None and not isinstance(calls, list):
        raise _RowError(f"{place}: `tool_calls` must be a list")
    content = message.setdefault("content", "" if calls else None)
    if content is None:
        raise _RowError(f"{place} has no `content`")
    if not isinstance(content, str | list):
        raise _RowError(f"{place}: `content` must be a string or a list of parts")
    if isinstance(content, list) and not all(map(_is_part, content)):
        raise _RowError(
            f"{place}: each part of `content` must be an object, and its `text` a string"
        )
    trained = _flag(message, place)
    if trained is not None:
        message["train"] = trained
    return message


def _is_part(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("text", ""), str)


def _flag(message: Message, place: str) -> bool | None:
    """Whether the message says that it is trained on; its keys for that are taken out."""
    flags = {name: message.pop(name) for name in ("train", "weight") if name in message}
    for name, value in flags.items():
        if value not in (0, 1):
            raise _RowError(f"{place}: `{name}` is {value!r}; it must be 0 or 1 (false or true)")
    values = {bool(value) for value in flags.values()}
    if len(values) > 1:
        raise _RowError(f"{place}: `train` and `weight` contradict each other")
    return values.pop() if values else None


def _sharegpt(line: int, value: Mapping[str, Any]) -> Conversation:
    turns = value.get("conversations", value.get("conversation"))
    if not isinstance(turns, list) or not turns:
        raise _RowError("`conversations` must be a non-empty list")
    messages: list[Message] = []
    if system := value.get("system"):
        messages.append({"role": "system", "content": str(system)})
    for number, turn in enumerate(turns):
        place = f"conversations[{number}]"
        if not isinstance(turn, Mapping) or "from" not in turn or "value" not in turn:
            raise _RowError(f"{place} must have `from` and `value`")
        role = _SHAREGPT_ROLES.get(str(turn["from"]))
        if role is None:
            raise _RowError(
                f"{place}: `from` is {turn['from']!r}; it is one of {', '.join(_SHAREGPT_ROLES)}"
            )
        others = {name: part for name, part in turn.items() if name in ("train", "weight")}
        messages.append(_message({"role": role, "content": turn["value"], **others}, place))
    conversation = Conversation(line, messages, _tools(value.get("tools")))
    _check_answered(conversation)
    return conversation


def _alpaca(line: int, value: Mapping[str, Any]) -> Conversation:
    instruction, given, output = (
        _string(value, name) for name in ("instruction", "input", "output")
    )
    if not instruction:
        raise _RowError("`instruction` is empty")
    if not output:
        raise _RowError("`output` is empty, so there is nothing to train on")
    question = f"{instruction}\n\n{given}" if given else instruction
    messages: list[Message] = []
    if system := _string(value, "system"):
        messages.append({"role": "system", "content": system})
    messages += [{"role": "user", "content": question}, {"role": "assistant", "content": output}]
    return Conversation(line, messages)


def _string(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise _RowError(f"`{name}` {_shape(text)}; it must be a string")
    return text


def _completion(line: int, value: Mapping[str, Any]) -> Conversation | Completion:
    prompt = value.get("prompt")
    completion = value.get("completion", value.get("response"))
    return _continued(line, prompt, completion, "completion")


def _continued(line: int, prompt: Any, answer: Any, name: str) -> Conversation | Completion:
    if isinstance(prompt, list) or isinstance(answer, list):
        before = _messages(prompt, "prompt") if prompt else []
        if isinstance(answer, str):
            answer = [{"role": "assistant", "content": answer}]
        after = _messages(answer, name)
        messages = [{**message, "train": False} for message in before]
        messages += [{**message, "train": message["role"] == "assistant"} for message in after]
        conversation = Conversation(line, messages)
        if not any(message["train"] for message in messages):
            raise _RowError(f"`{name}` has no message of the assistant")
        return conversation
    if not isinstance(prompt, str | None):
        raise _RowError("`prompt` must be a string or a list of messages")
    if not isinstance(answer, str) or not answer:
        raise _RowError(f"`{name}` must be a non-empty string")
    return Completion(line, prompt or "", answer)


def _preference(line: int, value: Mapping[str, Any]) -> Preference:
    if "preferred_output" in value:
        given = value.get("input")
        prompt = given.get("messages") if isinstance(given, Mapping) else given
        names = ("preferred_output", "non_preferred_output")
    else:
        prompt, names = value.get("prompt"), ("chosen", "rejected")
    answers: Sequence[Any] = [value.get(name) for name in names]
    if prompt is None and all(isinstance(answer, list) for answer in answers):
        # Whole conversations: the prompt is what they share.
        prompt, answers = _shared(
            *(_messages(answer, name) for answer, name in zip(answers, names, strict=True))
        )
    if answers[0] == answers[1]:
        raise _RowError(f"`{names[0]}` and `{names[1]}` are the same")
    chosen, rejected = (
        _continued(line, prompt, answer, name) for answer, name in zip(answers, names, strict=True)
    )
    return Preference(line, chosen, rejected)


def _shared(
    chosen: list[Message], rejected: list[Message]
) -> tuple[list[Message], list[list[Message]]]:
    same = 0
    while same < min(len(chosen), len(rejected)) and chosen[same] == rejected[same]:
        same += 1
    return chosen[:same], [chosen[same:], rejected[same:]]


def _text(line: int, value: Mapping[str, Any]) -> Document:
    text = _string(value, "text")
    if not text.strip():
        raise _RowError("`text` is empty")
    return Document(line, text)


def _of_objects(
    parse: Callable[[int, Mapping[str, Any]], Example],
) -> Callable[[int, Any], Example]:
    def checked(line: int, value: Any) -> Example:
        if not isinstance(value, Mapping):
            raise _RowError(f"the row {_shape(value)}; it must be an object")
        return parse(line, value)

    return checked


_PARSERS: dict[Format, Callable[[int, Any], Example]] = {
    "chat": _chat,
    "sharegpt": _of_objects(_sharegpt),
    "alpaca": _of_objects(_alpaca),
    "completion": _of_objects(_completion),
    "preference": _of_objects(_preference),
    "text": lambda line, value: _of_objects(_text)(
        line, {"text": value} if isinstance(value, str) else value
    ),
}
__all__ = [
    "Completion",
    "Conversation",
    "Document",
    "Example",
    "Examples",
    "Format",
    "Message",
    "Preference",
    "Row",
    "recognize",
]

"""Chat templates: Jinja in a sandbox, with the functions that templates expect.

A template comes from whoever published the model. It sees plain data alone: strings, numbers, lists
and dicts, rebuilt from what users pass, so that no method of theirs can be called.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NoReturn

import attrs
import numpy as np

from tinker import _extras

from ._errors import TokenizerError

if TYPE_CHECKING:
    import jinja2

# Names under which messages carry a model's reasoning; templates read the first, gpt-oss's "thinking".
_REASONING = ("reasoning_content", "thinking", "reasoning")
_UNFINISHED = "UNFINISHED_MESSAGE "
_OLDEST_JINJA = (3, 1, 6)  # older sandboxes are known to leak
_GENERATION = re.compile(r"\{%[-+]?\s*generation\s*[-+]?%\}")
# Private characters stand for what must not be printed, and for where generated text begins and ends.
_OBJECT = re.compile(
    r"(?:\ue0f0|\\ue0f0)(.*?)(?:\ue0f1|\\ue0f1)"
)  # also as Python and JSON escape it
_BEGIN, _END = "\ue0f2", "\ue0f3"

Span = tuple[int, int]
"""Where a part of a text begins and ends, in characters."""


def render(
    template: str,
    messages: Sequence[Any],
    *,
    tools: Sequence[Any] | None = None,
    documents: Sequence[Any] | None = None,
    add_generation_prompt: bool = False,
    continue_final_message: bool | str = False,
    variables: Mapping[str, Any],
) -> str:
    """The text of `messages`, as the model was trained on it.

    `add_generation_prompt` opens the assistant's next message. `continue_final_message` leaves the last
    message open instead, at the end of its content or of the field that it names. `variables` are visible
    to the template by name.

    Raises:
        TokenizerError: The template refuses the messages, or prints what is not plain data.
    """
    chat = _chat(messages)
    if continue_final_message:
        if add_generation_prompt:
            raise TokenizerError(
                "add_generation_prompt opens a new message, continue_final_message the last one:"
                " only one can be set."
            )
        _mark_end(chat[-1], continue_final_message)
    text = _text(
        _compile(template),
        messages=chat,
        tools=None if tools is None else [_tool(tool) for tool in tools],
        documents=None if documents is None else plain(list(documents)),
        add_generation_prompt=add_generation_prompt,
        **plain(dict(variables)),
    )
    return _cut_end(text) if continue_final_message else text


def marks_generation(template: str) -> bool:
    """Whether the template says what the assistant writes, by `{% generation %}`."""
    return _GENERATION.search(template) is not None


def render_marked(
    template: str,
    messages: Sequence[Any],
    *,
    tools: Sequence[Any] | None = None,
    documents: Sequence[Any] | None = None,
    add_generation_prompt: bool = False,
    variables: Mapping[str, Any],
) -> tuple[str, list[Span]]:
    """As `render`, with the spans that `{% generation %}` marks, in order."""
    text = _text(
        _compile(template, mark=True),
        messages=_chat(messages),
        tools=None if tools is None else [_tool(tool) for tool in tools],
        documents=None if documents is None else plain(list(documents)),
        add_generation_prompt=add_generation_prompt,
        **plain(dict(variables)),
    )
    spans: list[Span] = []
    pieces: list[str] = []
    length = begin = depth = 0
    for piece in re.split(f"([{_BEGIN}{_END}])", text):
        if piece == _BEGIN:
            begin = length if depth == 0 else begin
            depth += 1
        elif piece == _END:
            depth -= 1
            if depth == 0 and begin < length:
                spans.append((begin, length))
        else:
            pieces.append(piece)
            length += len(piece)
    return "".join(pieces), spans


def plain(value: Any) -> Any:
    """The value rebuilt from `None`, strings, numbers, lists and dicts.

    Mappings, dataclasses, attrs classes and models with `model_dump` become dicts. What is left, such as an
    image, becomes a mark: templates look whether it is there, and must not print it.
    """
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, np.generic):
        return plain(value.item())
    # Of a subclass, such as an enum's, without its methods.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if not isinstance(value, type):
        if dataclasses.is_dataclass(value):
            names = [field.name for field in dataclasses.fields(value)]
            return {name: plain(getattr(value, name)) for name in names}
        if callable(getattr(value, "model_dump", None)):
            return plain(value.model_dump())
        if attrs.has(type(value)):
            return plain(attrs.asdict(value, recurse=False))
    return f"\ue0f0{type(value).__name__}\ue0f1"


def _text(template: jinja2.Template, **variables: Any) -> str:
    import jinja2  # noqa: PLC0415 - only for templates

    try:
        text = template.render(**variables)
    except jinja2.TemplateError as error:
        raise TokenizerError(f"The chat template refused the messages: {error}") from error
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
        raise TokenizerError(
            f"The chat template cannot render the messages: {type(error).__name__}: {error}"
        ) from error
    if (printed := _OBJECT.search(text)) is not None:
        raise TokenizerError(
            f"The chat template prints an object of type {printed[1]}: pass a string, a number,"
            " a list or a dict instead."
        )
    return text


def _chat(messages: Sequence[Any]) -> list[dict[str, Any]]:
    if not messages:
        raise TokenizerError("A chat template needs at least one message.")
    return [_message(message) for message in messages]


def _message(message: Any) -> dict[str, Any]:
    converted = plain(message)
    if not isinstance(converted, dict):
        raise TypeError(f"A message is a dict with 'role' and 'content', not {message!r}.")
    # Templates test for keys: to them None is a value, and would be printed.
    chat = {key: value for key, value in converted.items() if value is not None}
    reasoning = next((chat[key] for key in _REASONING if key in chat), None)
    if reasoning is None:
        return chat
    return {"thinking": reasoning, **chat, "reasoning_content": reasoning}


def _tool(tool: Any) -> dict[str, Any]:
    converted = plain(tool)
    if not isinstance(converted, dict):
        raise TypeError(f"A tool is a JSON schema in a dict, not {tool!r}.")
    return converted


def _mark_end(message: dict[str, Any], field: bool | str) -> None:
    name = field if isinstance(field, str) else "content"
    names = [one for one in _REASONING if one in message] if name in _REASONING else [name]
    content = message.get(name)
    if isinstance(content, str):
        for one in names:
            message[one] = content + _UNFINISHED
        return
    for block in reversed(content if isinstance(content, list) else []):
        if isinstance(block, dict) and isinstance(block.get("text"), str):
            block["text"] += _UNFINISHED
            return
    raise TokenizerError(
        f"continue_final_message={field!r} needs text in the last message's {name!r} to continue:"
        f" it has {', '.join(map(repr, message))}."
    )


def _cut_end(text: str) -> str:
    end = text.rfind(_UNFINISHED.strip())
    if end < 0:
        raise TokenizerError("The chat template leaves out what continue_final_message continues.")
    # Templates that strip messages have stripped the mark's space, and would have the message's.
    return text[:end] if text.startswith(_UNFINISHED, end) else text[:end].rstrip()


@lru_cache(maxsize=32)
def _compile(template: str, *, mark: bool = False) -> jinja2.Template:
    _import_jinja()
    import jinja2  # noqa: PLC0415 - only for templates

    try:
        return _environment(mark=mark).from_string(template)
    except jinja2.TemplateSyntaxError as error:
        raise TokenizerError(f"The chat template is not valid: {error}") from error


def _import_jinja() -> None:
    """Raise ImportError unless it is there, in a version whose sandbox holds."""
    try:
        import jinja2  # noqa: F401, PLC0415 - only for templates
    except ModuleNotFoundError as error:
        raise ImportError(
            f"Chat templates need the package {error.name}: {_extras.install('tokenizers')}"
        ) from None
    if tuple(map(int, re.findall(r"\d+", version("jinja2"))[:3])) < _OLDEST_JINJA:
        raise ImportError(
            f"Chat templates need jinja2 3.1.6 or newer, found {version('jinja2')}: older sandboxes leak."
        )


def _environment(*, mark: bool) -> jinja2.Environment:
    """What a template runs in: the tags, filters and functions that transformers offers, in a sandbox.

    Args:
        mark: Whether what is inside `{% generation %}` is printed between marks.
    """
    import jinja2.ext  # noqa: PLC0415 - only for templates
    import jinja2.nodes  # noqa: PLC0415
    import jinja2.parser  # noqa: PLC0415
    import jinja2.sandbox  # noqa: PLC0415

    class Generation(jinja2.ext.Extension):
        """`{% generation %}` marks what the assistant writes."""

        tags = {"generation"}  # noqa: RUF012 - as Jinja has it

        def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
            next(parser.stream)
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            if not mark:
                return body
            begin, end = (
                jinja2.nodes.Output([jinja2.nodes.TemplateData(one)]) for one in (_BEGIN, _END)
            )
            return [begin, *body, end]

    def raise_exception(message: str) -> NoReturn:
        raise jinja2.TemplateError(message)

    def to_json(
        value: object,
        ensure_ascii: bool = False,
        indent: int | None = None,
        separators: tuple[str, str] | None = None,
        sort_keys: bool = False,
    ) -> str:
        # Jinja's own escapes for HTML.
        return json.dumps(
            value,
            ensure_ascii=ensure_ascii,
            indent=indent,
            separators=separators,
            sort_keys=sort_keys,
        )

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda format_: datetime.now().strftime(format_)
    return environment

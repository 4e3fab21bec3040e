"""Chat templates: Jinja, in a sandbox, with what templates in the wild expect to find."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from ._errors import TokenizerError

if TYPE_CHECKING:
    import jinja2

# Names under which messages carry a model's reasoning; templates read the first, gpt-oss's "thinking".
_REASONING = ("reasoning_content", "thinking", "reasoning")
_UNFINISHED = "UNFINISHED_MESSAGE "


def render(
    template: str,
    messages: Sequence[Mapping[str, Any]],
    *,
    tools: Sequence[Mapping[str, Any]] | None = None,
    documents: Sequence[Mapping[str, Any]] | None = None,
    add_generation_prompt: bool = False,
    continue_final_message: bool = False,
    variables: Mapping[str, Any],
) -> str:
    """`messages` as the text that the model was trained on.

    `add_generation_prompt` opens the assistant's next message; `continue_final_message` leaves the
    last one open instead. `variables` are visible to the template by name. Raises TokenizerError
    when the template refuses the messages.
    """
    if not messages:
        raise TokenizerError("A chat template needs at least one message.")
    if continue_final_message and add_generation_prompt:
        raise TokenizerError(
            "add_generation_prompt opens a new message, continue_final_message the last one:"
            " only one can be set."
        )
    chat = [_message(message) for message in messages]
    if continue_final_message:
        chat[-1]["content"] = _mark_end(chat[-1].get("content"))
    compiled = _compile(template)
    import jinja2  # noqa: PLC0415 - only for templates

    try:
        text = compiled.render(
            messages=chat,
            tools=[_tool(tool) for tool in tools] if tools is not None else None,
            documents=list(documents) if documents is not None else None,
            add_generation_prompt=add_generation_prompt,
            **variables,
        )
    except jinja2.TemplateError as error:
        raise TokenizerError(f"The chat template refused the messages: {error}") from error
    return _cut_end(text) if continue_final_message else text


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(message, Mapping):
        raise TypeError(f"A message is a dict with 'role' and 'content', not {message!r}.")
    # Templates test for keys: to them None is a value, and would be printed.
    plain = {key: value for key, value in message.items() if value is not None}
    reasoning = next((plain[key] for key in _REASONING if key in plain), None)
    if reasoning is None:
        return plain
    return {"thinking": reasoning, **plain, "reasoning_content": reasoning}


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(tool, Mapping):
        raise TypeError(f"A tool is a JSON schema in a dict, not {tool!r}.")
    return dict(tool)


def _mark_end(content: object) -> object:
    if isinstance(content, str):
        return content + _UNFINISHED
    if isinstance(content, Sequence):
        for n, block in reversed(list(enumerate(content))):
            if isinstance(block, Mapping) and "text" in block:
                marked = {**block, "text": block["text"] + _UNFINISHED}
                return [*content[:n], marked, *content[n + 1 :]]
    raise TokenizerError("continue_final_message needs text in the last message to go on from.")


def _cut_end(text: str) -> str:
    end = text.rfind(_UNFINISHED.strip())
    if end < 0:
        raise TokenizerError(
            "The chat template leaves the last message out: it cannot be continued."
        )
    # Templates that strip messages have stripped the mark's space, and would have the message's.
    return text[:end] if text.startswith(_UNFINISHED, end) else text[:end].rstrip()


@lru_cache(maxsize=32)
def _compile(template: str) -> jinja2.Template:
    try:
        import jinja2  # noqa: PLC0415 - only for templates
        import jinja2.ext  # noqa: PLC0415
        import jinja2.nodes  # noqa: PLC0415
        import jinja2.parser  # noqa: PLC0415
        import jinja2.sandbox  # noqa: PLC0415
    except ImportError:
        raise ImportError("Chat templates need jinja2: pip install 'tinker[tokenizers]'.") from None

    class Generation(jinja2.ext.Extension):
        """`{% generation %}` marks what the assistant wrote; here it is printed like the rest."""

        tags = {"generation"}  # noqa: RUF012 - as Jinja has it

        def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

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
    try:
        return environment.from_string(template)
    except jinja2.TemplateSyntaxError as error:
        raise TokenizerError(f"The chat template is not valid: {error}") from error

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import field as _attrs_field
from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import UNSET, Unset


@_attrs_frozen(eq=False, repr=False)
class MessageRequest(Schema):
    """A conversation to complete. Any other field is rejected, unless it has no effect on the result. A `thread` is
    rejected with the `error_code` `thread_unsupported_request`; the tool runner of Anthropic's client then sends whole
    conversations."""

    model: str
    """ A base model (`org/name`, `org/name:peft:<context>`), the tinker path of a checkpoint, or `<base model>;<tinker
    path>`: the checkpoint at the context length of that base model. """

    max_tokens: int
    """ Maximum number of tokens to sample. """

    messages: list[MessageParam]
    """ The conversation. """

    system: list[Any] | None | str = None
    """ Instructions before the conversation: a string, or a list of `text` blocks. """

    temperature: float | None = None
    """ Sampling temperature; null means 1. """

    top_p: float | None = None
    """ Probability mass to sample from; null means 1. """

    top_k: int | None = None
    """ Number of tokens to sample from; 0 means all of them. """

    stop_sequences: list[str] | None = None
    """ Strings that end the message; they are not in the result. """

    stream: bool | None = None
    """ Whether to return a stream. """

    tools: list[Any] | None = None
    """ Tools that the model may call, each `{"name": …, "description": …, "input_schema": …}`. """

    tool_choice: Any | Unset = UNSET
    """ `{"type": "auto"}` or `{"type": "none"}`. Forcing a call is not supported. """

    thinking: Any | Unset = UNSET
    """ `{"type": "disabled"}` asks for no reasoning; `enabled` and `adaptive` leave it to the model, and
    `budget_tokens` has no effect. """

    output_config: Any | Unset = UNSET
    """ `{"effort": …}` with `low`, `medium`, `high`, `xhigh` or `max`. Ignored by models whose template does not know
    it. """

    additional_properties: dict[str, Any] = _attrs_field(factory=dict)
    """ Fields that the schema does not name. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            **self.additional_properties,
            "model": self.model,
            "max_tokens": self.max_tokens,
            "messages": [item.to_dict() for item in self.messages],
        }
        if self.system is not None:
            result["system"] = self.system
        if self.temperature is not None:
            result["temperature"] = self.temperature
        if self.top_p is not None:
            result["top_p"] = self.top_p
        if self.top_k is not None:
            result["top_k"] = self.top_k
        if self.stop_sequences is not None:
            result["stop_sequences"] = self.stop_sequences
        if self.stream is not None:
            result["stream"] = self.stream
        if self.tools is not None:
            result["tools"] = self.tools
        if not isinstance(self.tool_choice, Unset):
            result["tool_choice"] = self.tool_choice
        if not isinstance(self.thinking, Unset):
            result["thinking"] = self.thinking
        if not isinstance(self.output_config, Unset):
            result["output_config"] = self.output_config
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        system = src.get("system")
        temperature = src.get("temperature")
        top_p = src.get("top_p")
        top_k = src.get("top_k")
        stop_sequences = src.get("stop_sequences")
        stream = src.get("stream")
        tools = src.get("tools")
        tool_choice = src.get("tool_choice")
        thinking = src.get("thinking")
        output_config = src.get("output_config")
        return cls(
            src["model"],
            src["max_tokens"],
            [MessageParam.from_dict(item) for item in src["messages"]],
            system,
            temperature,
            top_p,
            top_k,
            stop_sequences,
            stream,
            tools,
            UNSET if tool_choice is None else tool_choice,
            UNSET if thinking is None else thinking,
            UNSET if output_config is None else output_config,
            {key: value for key, value in src.items() if key not in _FIELDS},
        )


_FIELDS = frozenset(
    {
        "model",
        "max_tokens",
        "messages",
        "system",
        "temperature",
        "top_p",
        "top_k",
        "stop_sequences",
        "stream",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
    }
)

from ..models.message_param import MessageParam  # noqa: E402

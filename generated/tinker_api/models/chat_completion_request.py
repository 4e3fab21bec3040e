from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import field as _attrs_field
from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import UNSET, Unset


@_attrs_frozen(eq=False, repr=False)
class ChatCompletionRequest(Schema):
    """A conversation to complete. Any other field is rejected, unless it has no effect on the result."""

    model: str
    """ A base model (`org/name`, `org/name:peft:<context>`), the tinker path of a checkpoint, or `<base model>;<tinker
    path>`: the checkpoint at the context length of that base model. """

    messages: list[ChatMessage]
    """ The conversation. """

    max_tokens: int | None = None
    """ Maximum number of tokens to sample; null means as many as the context has room for. """

    max_completion_tokens: int | None = None
    """ The newer name of `max_tokens`. """

    temperature: float | None = None
    """ Sampling temperature; null means 1. """

    top_p: float | None = None
    """ Probability mass to sample from; null means 1. """

    top_k: int | None = None
    """ Number of tokens to sample from; -1 and 0 mean all of them. Not a parameter of OpenAI. """

    n: int | None = None
    """ Number of choices; null means 1. """

    seed: int | None = None
    """ Makes the result repeatable. """

    stop: list[str] | None | str = None
    """ Strings that end a choice; they are not in the result. """

    logprobs: bool | None = None
    """ Whether to return the log-probability of each token. """

    top_logprobs: int | None = None
    """ Number of the most likely tokens to return at each position; needs `logprobs`. The stream then begins when the
    sample is complete. """

    tools: list[Any] | None = None
    """ Functions that the model may call, each `{"type": "function", "function": {"name": …, "description": …,
    "parameters": …}}`. """

    tool_choice: Any | Unset = UNSET
    """ `auto` or `none`. Forcing a call is not supported. """

    stream: bool | None = None
    """ Whether to return a stream. """

    stream_options: Any | Unset = UNSET
    """ `{"include_usage": true}` adds a last chunk with the usage and no choices. """

    reasoning_effort: float | None | str = None
    """ How much to reason: `none`, `minimal`, `low`, `medium`, `high` or `xhigh`, or a number from 0 to 0.99. Ignored
    by models whose template does not know it. """

    separate_reasoning: bool | None = None
    """ False leaves the reasoning inside `content`; null means true. """

    additional_properties: dict[str, Any] = _attrs_field(factory=dict)
    """ Fields that the schema does not name. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            **self.additional_properties,
            "model": self.model,
            "messages": [item.to_dict() for item in self.messages],
        }
        if self.max_tokens is not None:
            result["max_tokens"] = self.max_tokens
        if self.max_completion_tokens is not None:
            result["max_completion_tokens"] = self.max_completion_tokens
        if self.temperature is not None:
            result["temperature"] = self.temperature
        if self.top_p is not None:
            result["top_p"] = self.top_p
        if self.top_k is not None:
            result["top_k"] = self.top_k
        if self.n is not None:
            result["n"] = self.n
        if self.seed is not None:
            result["seed"] = self.seed
        if self.stop is not None:
            result["stop"] = self.stop
        if self.logprobs is not None:
            result["logprobs"] = self.logprobs
        if self.top_logprobs is not None:
            result["top_logprobs"] = self.top_logprobs
        if self.tools is not None:
            result["tools"] = self.tools
        if not isinstance(self.tool_choice, Unset):
            result["tool_choice"] = self.tool_choice
        if self.stream is not None:
            result["stream"] = self.stream
        if not isinstance(self.stream_options, Unset):
            result["stream_options"] = self.stream_options
        if self.reasoning_effort is not None:
            result["reasoning_effort"] = self.reasoning_effort
        if self.separate_reasoning is not None:
            result["separate_reasoning"] = self.separate_reasoning
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        max_tokens = src.get("max_tokens")
        max_completion_tokens = src.get("max_completion_tokens")
        temperature = src.get("temperature")
        top_p = src.get("top_p")
        top_k = src.get("top_k")
        n = src.get("n")
        seed = src.get("seed")
        stop = src.get("stop")
        logprobs = src.get("logprobs")
        top_logprobs = src.get("top_logprobs")
        tools = src.get("tools")
        tool_choice = src.get("tool_choice")
        stream = src.get("stream")
        stream_options = src.get("stream_options")
        reasoning_effort = src.get("reasoning_effort")
        separate_reasoning = src.get("separate_reasoning")
        return cls(
            src["model"],
            [ChatMessage.from_dict(item) for item in src["messages"]],
            max_tokens,
            max_completion_tokens,
            temperature,
            top_p,
            top_k,
            n,
            seed,
            stop,
            logprobs,
            top_logprobs,
            tools,
            UNSET if tool_choice is None else tool_choice,
            stream,
            UNSET if stream_options is None else stream_options,
            reasoning_effort,
            separate_reasoning,
            {key: value for key, value in src.items() if key not in _FIELDS},
        )


_FIELDS = frozenset(
    {
        "model",
        "messages",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "top_k",
        "n",
        "seed",
        "stop",
        "logprobs",
        "top_logprobs",
        "tools",
        "tool_choice",
        "stream",
        "stream_options",
        "reasoning_effort",
        "separate_reasoning",
    }
)

from ..models.chat_message import ChatMessage  # noqa: E402

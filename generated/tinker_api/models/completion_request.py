from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import field as _attrs_field
from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import UNSET, Unset


@_attrs_frozen(eq=False, repr=False)
class CompletionRequest(Schema):
    """A text to complete. Any other field is rejected, unless it has no effect on the result."""

    model: str
    """ A base model (`org/name`, `org/name:peft:<context>`), the tinker path of a checkpoint, or `<base model>;<tinker
    path>`: the checkpoint at the context length of that base model. """

    prompt: list[int] | list[list[int]] | list[str] | str
    """ A string, token ids, or a list of either. """

    max_tokens: int | None = None
    """ Maximum number of tokens to sample; null means 16. """

    temperature: float | None = None
    """ Sampling temperature; null means 1. """

    top_p: float | None = None
    """ Probability mass to sample from; null means 1. """

    top_k: int | None = None
    """ Number of tokens to sample from; -1 and 0 mean all of them. Not a parameter of OpenAI. """

    n: int | None = None
    """ Number of choices for each prompt; null means 1. """

    seed: int | None = None
    """ Makes the result repeatable. """

    stop: list[str] | None | str = None
    """ Strings that end a choice; they are not in the result. """

    logprobs: int | None = None
    """ Number of the most likely tokens to return at each position; 0 returns only the log-probability of the token
    itself. """

    echo: bool | None = None
    """ Whether the text of a choice begins with the prompt. """

    stream: bool | None = None
    """ Whether to return a stream. """

    stream_options: Any | Unset = UNSET
    """ `{"include_usage": true}` adds a last chunk with the usage and no choices. """

    additional_properties: dict[str, Any] = _attrs_field(factory=dict)
    """ Fields that the schema does not name. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            **self.additional_properties,
            "model": self.model,
            "prompt": self.prompt,
        }
        if self.max_tokens is not None:
            result["max_tokens"] = self.max_tokens
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
        if self.echo is not None:
            result["echo"] = self.echo
        if self.stream is not None:
            result["stream"] = self.stream
        if not isinstance(self.stream_options, Unset):
            result["stream_options"] = self.stream_options
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        max_tokens = src.get("max_tokens")
        temperature = src.get("temperature")
        top_p = src.get("top_p")
        top_k = src.get("top_k")
        n = src.get("n")
        seed = src.get("seed")
        stop = src.get("stop")
        logprobs = src.get("logprobs")
        echo = src.get("echo")
        stream = src.get("stream")
        stream_options = src.get("stream_options")
        return cls(
            src["model"],
            src["prompt"],
            max_tokens,
            temperature,
            top_p,
            top_k,
            n,
            seed,
            stop,
            logprobs,
            echo,
            stream,
            UNSET if stream_options is None else stream_options,
            {key: value for key, value in src.items() if key not in _FIELDS},
        )


_FIELDS = frozenset(
    {
        "model",
        "prompt",
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "n",
        "seed",
        "stop",
        "logprobs",
        "echo",
        "stream",
        "stream_options",
    }
)

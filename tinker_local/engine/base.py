"""The interface of an engine: adapters, gradients, optimizer steps, sampling.

The server is responsible for order, durability and the protocol, an engine for the numbers. An adapter is a handle;
only the engine knows what is behind it and in which memory. Handles are immutable, so an operation whose result cannot
be recorded has changed nothing. `save` turns a handle into the content of files, `load` does the reverse.

All methods are synchronous. One worker thread calls them, and another one may call `save`. Results depend only on the
state and the arguments, except for sampling without a seed: the server repeats operations after a crash and relies on
getting the same state.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from attrs import field, frozen

Array = npt.NDArray[np.generic]
Tensors = dict[str, npt.NDArray[np.float32]]


MAX_RANK = 4096


class EngineError(ValueError):
    """The operation cannot be executed because of the caller. The message becomes the `error` of the failed future."""


@frozen(kw_only=True)
class ModelSpec:
    """A base model that the engine offers."""

    name: str
    max_context_length: int
    vocab_size: int
    tokenizer_id: str
    arch: str
    image_tokens: Callable[[bytes, str], npt.NDArray[np.int64]] | None = None
    """The tokens of an image file, by its content and format; None if the model reads text only."""

    def check_tokens(self, tokens: npt.NDArray[np.int64], *, what: str = "model_input") -> None:
        """Raise EngineError unless there is at least one token, and all fit the context and are in the vocabulary."""
        if tokens.ndim != 1 or not len(tokens):
            raise EngineError(f"{what} has no tokens")
        if len(tokens) > self.max_context_length:
            raise EngineError(
                f"{what} has {len(tokens)} tokens, more than the context of {self.max_context_length}"
            )
        outside = tokens[(tokens < 0) | (tokens >= self.vocab_size)]
        if outside.size:
            raise EngineError(
                f"{what} has token {outside[0]}, outside the vocabulary of {self.vocab_size}"
            )


@frozen(kw_only=True)
class LoraSpec:
    """A new adapter; its matrices are random by `seed` (None is 0)."""

    rank: int
    seed: int | None = None
    train_unembed: bool = True
    train_mlp: bool = True
    train_attn: bool = True

    def check(self, *, adapts: bool) -> None:
        """Raise EngineError when the rank is out of range, or if the adapter adapts no matrix of its model."""
        if not 1 <= self.rank <= MAX_RANK:
            raise EngineError(f"rank must be between 1 and {MAX_RANK}, not {self.rank}")
        if not adapts:
            raise EngineError(
                "the adapter trains nothing: set train_attn, train_mlp or train_unembed"
            )


@frozen(kw_only=True)
class AdamSpec:
    """Adam with decoupled weight decay; `grad_clip_norm` is a global L2 norm; 0 means no clipping."""

    learning_rate: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-12
    weight_decay: float = 0.0
    grad_clip_norm: float = 0.0

    def check(self) -> None:
        """Raise EngineError when a setting is out of range."""
        for name, allowed, text in (
            ("learning_rate", self.learning_rate >= 0, ">= 0"),
            ("beta1", 0 <= self.beta1 < 1, "in [0, 1)"),
            ("beta2", 0 <= self.beta2 < 1, "in [0, 1)"),
            ("eps", self.eps > 0, "> 0"),
            ("weight_decay", self.weight_decay >= 0, ">= 0"),
            ("grad_clip_norm", self.grad_clip_norm >= 0, ">= 0 (0 is off)"),
        ):
            value = getattr(self, name)
            if not (allowed and math.isfinite(value)):
                raise EngineError(f"{name} must be {text}, not {value}")


@frozen(kw_only=True)
class Example:
    """One datum, decoded: `tokens` is int64 [T]; inputs are dense arrays, by name."""

    tokens: npt.NDArray[np.int64]
    inputs: Mapping[str, Array]
    drawn_logprobs: npt.NDArray[np.float32] | None = None
    """For each target, the log-probability with which it was sampled, or NaN if it was not sampled;
    None if the origin of the targets is not known."""


@frozen(kw_only=True)
class LossResult:
    """`outputs` has one mapping per example, in order; `metrics` are `name:suffix` -> value."""

    output_type: str
    outputs: list[dict[str, npt.NDArray[np.float32]]]
    metrics: dict[str, float]


Listener = Callable[[int, int, float], None]
"""Called with each token as it is drawn: index of the sample, token, log-probability."""


@frozen(kw_only=True)
class PromptTargets:
    """Tokens to score: `token_ids[i]` (-1 for no token) as the successor of the prompt's token `rows[i]`."""

    rows: npt.NDArray[np.int64]
    token_ids: npt.NDArray[np.int64]


@frozen(kw_only=True)
class SampleSpec:
    prompt: npt.NDArray[np.int64]
    num_samples: int = 1
    max_tokens: int | None = None
    temperature: float = 1.0
    top_k: int = -1
    top_p: float = 1.0
    seed: int | None = None
    stop_strings: Sequence[str] = ()
    stop_tokens: Sequence[int] = ()
    stop_at_eos: bool = True
    prompt_logprobs: bool = False
    topk_prompt_logprobs: int = 0
    topk_sample_logprobs: int = 0
    prompt_logprobs_last_n: int | None = None
    """Number of tokens to score at the end of the prompt, also by top-k; None means all except the first."""
    target_prompt_logprobs: PromptTargets | None = None
    prompt_alt_tokens_k: int = 0
    listener: Listener | None = None
    is_cancelled: Callable[[], bool] = lambda: False
    """Called before each token. If it returns true, the sequences of the request end, and are not read."""


@frozen(kw_only=True)
class SampledSequence:
    tokens: npt.NDArray[np.int32]
    logprobs: npt.NDArray[np.float32]
    stop_reason: str
    """`stop` or `length`."""
    drawn_logprobs: npt.NDArray[np.float32]
    """Log-probabilities in the distribution from which the tokens were drawn, after temperature and filters."""
    topk: list[list[tuple[int, float]]] | None = None


@frozen(kw_only=True)
class PromptAlternatives:
    """k tokens drawn at each position, except the first, of a prompt of T tokens; both [T - 1, k]."""

    tokens: npt.NDArray[np.int64]
    logprobs: npt.NDArray[np.float32]


@frozen(kw_only=True)
class SampleResult:
    sequences: list[SampledSequence]
    prompt_logprobs: list[float | None] | None = None
    topk_prompt_logprobs: list[list[tuple[int, float]] | None] | None = None
    target_prompt_logprobs: npt.NDArray[np.float32] | None = None
    """One for each target; 0.0 where the target is -1."""
    prompt_alt_tokens: PromptAlternatives | None = None


@frozen(kw_only=True)
class AdapterState:
    """Everything that training changes in one model, in host memory: the content of files.

    `weights` are the LoRA factors by PEFT's names, without its prefix and suffix: for each adapted matrix
    `<matrix>.lora_A` [rank, inputs] and `<matrix>.lora_B` [outputs, rank], of which `alpha / rank * B @ A` is
    added to it. `moments` are the optimizer's state (empty before the first step), `<weight>.exp_avg` and
    `<weight>.exp_avg_sq`; `grads` the gradients accumulated since the last optim_step (empty if there are none).
    """

    base_model: str
    lora: LoraSpec
    alpha: float
    weights: Tensors
    moments: Tensors = field(factory=dict)
    grads: Tensors = field(factory=dict)
    step: int = 0


class Adapter(Protocol):
    """What the server may read of an engine's handle."""

    @property
    def base_model(self) -> str: ...

    @property
    def lora(self) -> LoraSpec: ...


A = TypeVar("A", bound=Adapter)


class Engine(Protocol[A]):
    @property
    def models(self) -> Mapping[str, ModelSpec]: ...

    def new_adapter(self, base_model: str, lora: LoraSpec) -> A: ...

    def load(self, state: AdapterState) -> A:
        """An adapter with this state. Raises EngineError if it does not fit its base model."""
        ...

    def save(self, adapter: A) -> AdapterState:
        """The state from which `load` makes an equal adapter. Called from any thread."""
        ...

    def forward(
        self,
        adapter: A,
        data: Sequence[Example],
        loss_fn: str,
        config: Mapping[str, Any],
        *,
        backward: bool,
    ) -> tuple[LossResult, A]:
        """The loss of each example; with `backward`, the returned adapter's gradients include it."""
        ...

    def optim_step(self, adapter: A, params: AdamSpec) -> tuple[dict[str, float], A]:
        """Apply the accumulated gradients, clear them, and return the metrics.

        Weights without accumulated gradients have a gradient of zero: moments decay, weight decay applies.
        """
        ...

    def token_bytes(self, base_model: str, token_id: int) -> bytes:
        """The bytes of a token, which may be a part of a character."""
        ...

    def check_sample(self, base_model: str, spec: SampleSpec) -> None:
        """Raise EngineError if `sample` would reject this request, so that a bad request fails at once and not together
        with the requests of its batch."""
        ...

    def sample(
        self, base_model: str, adapter: A | None, specs: Sequence[SampleSpec]
    ) -> list[SampleResult]:
        """Sample several requests of one sampler together; without an adapter, from the base model.

        Raises EngineError and samples nothing if any request is rejected. A result depends only on its own spec, not on the
        rest of the batch.
        """
        ...

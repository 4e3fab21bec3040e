"""What the server asks of an engine: adapters, gradients, optimizer steps, sampling.

The server owns ordering, durability and the wire; an engine owns numbers. All methods are
synchronous, are called from one worker thread, and are deterministic: the same state and the same
arguments give bit-equal results in any process on the same machine. The exception is sampling
without a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from attrs import field, frozen

Array = npt.NDArray[np.generic]
Tensors = dict[str, npt.NDArray[np.float32]]


class EngineError(ValueError):
    """The caller's mistake, found while executing. Its text becomes a failed future's `error`."""


@frozen(kw_only=True)
class ModelSpec:
    """A base model the engine offers."""

    name: str
    max_context_length: int
    tokenizer_id: str
    arch: str


@frozen(kw_only=True)
class LoraSpec:
    rank: int
    seed: int | None = None
    train_unembed: bool = True
    train_mlp: bool = True
    train_attn: bool = True


@frozen(kw_only=True)
class AdamSpec:
    """Adam with decoupled weight decay; `grad_clip_norm` 0 is off, else a global L2 norm."""

    learning_rate: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-12
    weight_decay: float = 0.0
    grad_clip_norm: float = 0.0


@frozen(kw_only=True)
class Example:
    """One datum, decoded: `tokens` is int64 [T]; inputs are dense arrays, by name."""

    tokens: npt.NDArray[np.int64]
    inputs: Mapping[str, Array]
    drawn_logprobs: npt.NDArray[np.float32] | None = None
    """For each target, the log-probability it was drawn with when it was sampled, NaN if it was not;
    None if nothing is known of where the targets come from."""


@frozen(kw_only=True)
class LossResult:
    """`outputs` has one mapping per example, in order; `metrics` are `name:suffix` -> value."""

    output_type: str
    outputs: list[dict[str, npt.NDArray[np.float32]]]
    metrics: dict[str, float]


Listener = Callable[[int, int, float], None]
"""Told each token as it is drawn: which sample, the token, its log-probability."""


@frozen(kw_only=True)
class PromptTargets:
    """Tokens to score: `token_ids[i]` (-1 for none) as what follows the prompt's token `rows[i]`."""

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
    """How many tokens at the prompt's end to score, also by top-k; None is all but the first."""
    target_prompt_logprobs: PromptTargets | None = None
    prompt_alt_tokens_k: int = 0
    heard: Listener | None = None


@frozen(kw_only=True)
class SampledSequence:
    tokens: npt.NDArray[np.int32]
    logprobs: npt.NDArray[np.float32]
    stop_reason: str
    """`stop` or `length`."""
    drawn_logprobs: npt.NDArray[np.float32]
    """Of the distribution the tokens were drawn from, which temperature and filters have shaped."""
    topk: list[list[tuple[int, float]]] | None = None


@frozen(kw_only=True)
class PromptAlternatives:
    """k tokens drawn at each place of a prompt of T tokens but the first, both [T - 1, k]."""

    tokens: npt.NDArray[np.int64]
    logprobs: npt.NDArray[np.float32]


@frozen(kw_only=True)
class SampleResult:
    sequences: list[SampledSequence]
    prompt_logprobs: list[float | None] | None = None
    topk_prompt_logprobs: list[list[tuple[int, float]] | None] | None = None
    target_prompt_logprobs: npt.NDArray[np.float32] | None = None
    """One for each of the targets, 0.0 for one of -1."""
    prompt_alt_tokens: PromptAlternatives | None = None


@frozen(kw_only=True)
class Adapter:
    """Everything that training one model changes. Immutable: operations return a new one, so that
    the server can commit a result and the state it belongs to in one transaction, or neither.

    `weights` are the LoRA factors; `moments` the optimizer's state (empty before the first step);
    `grads` what forward_backward has accumulated since the last optim_step (empty when none).
    """

    base_model: str
    lora: LoraSpec
    weights: Tensors
    moments: Tensors = field(factory=dict)
    grads: Tensors = field(factory=dict)
    step: int = 0


class Engine(Protocol):
    @property
    def models(self) -> Mapping[str, ModelSpec]: ...

    def new_adapter(self, base_model: str, lora: LoraSpec) -> Adapter: ...

    def forward(
        self,
        adapter: Adapter,
        data: Sequence[Example],
        loss_fn: str,
        config: Mapping[str, Any],
        *,
        backward: bool,
    ) -> tuple[LossResult, Adapter]:
        """The loss of each example; with `backward`, the returned adapter's `grads` include it."""
        ...

    def optim_step(self, adapter: Adapter, params: AdamSpec) -> tuple[dict[str, float], Adapter]:
        """Apply the accumulated gradients, clear them, and return the metrics."""
        ...

    def token_bytes(self, token_id: int) -> bytes:
        """The text of a token, which may be part of a character."""
        ...

    def check_sample(self, base_model: str, spec: SampleSpec) -> None:
        """Raise EngineError if `sample` would refuse this request, so that one bad request can be
        answered at once and does not take down those it would have been batched with."""
        ...

    def sample(
        self, base_model: str, weights: Tensors | None, specs: Sequence[SampleSpec]
    ) -> list[SampleResult]:
        """Sample several requests of one sampler together; `weights` None is the base model.

        Raises EngineError, sampling nothing, when any request is refused. A result depends on its own spec alone, not on what it was batched with.
        """
        ...

"""The tiny engine: a small but real language model that trains and samples on any CPU.

The model, `tinker-local/tiny`
    A causal transformer over bytes: ids 0..255 are bytes, 256 is `<eos>`. 2 layers of width 128;
    attention with 4 heads, rotary positions and unit-length queries and keys (scores are 16 times
    their cosine); a gated MLP of width 256; RMS norms without gains; context of 2,048 tokens.
    393,472 frozen weights, drawn from a fixed seed in some ten milliseconds. Untrained it is
    close to uniform: 5.8 nats a byte, where uniform is 5.55. A picture is 16 bytes (see `images`).

Adapters
    LoRA on the attention's q, k, v and o, on the MLP's gate, up and down, and on the unembedding:
    `W + 64 / rank * (B @ A).T`, A [rank, inputs] uniform with variance 1 / inputs, B [outputs,
    rank] zero, so that a fresh adapter is the base model. That is 4,737 float32 weights for each
    unit of rank: 152 kB at rank 8, 606 kB at rank 32. The division by the rank makes good learning
    rates independent of it: 1e-3 to 5e-3 learn fast, 1e-2 is the edge, 1e-4 takes hundreds of
    steps.

Numbers
    Training is float32, sampling float64 (its results are rounded to float32), so that a sequence does
    not depend on its batch. Nothing depends on time, on the process or, except for samples without a
    seed, on chance. The losses are in `losses`, the optimizer is `adam`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from attrs import evolve

from tinker_local.engine import decoding
from tinker_local.engine.base import (
    AdamSpec,
    AdapterState,
    EngineError,
    Example,
    LoraSpec,
    LossResult,
    ModelSpec,
    SampleResult,
    SampleSpec,
)
from tinker_local.engine.tiny import adam
from tinker_local.engine.tiny.base_model import Matrix, Sizes, base_weights
from tinker_local.engine.tiny.blas import one_thread
from tinker_local.engine.tiny.images import tokens_of_image
from tinker_local.engine.tiny.lora import ALPHA, initial_factors, merged

MODEL = "tinker-local/tiny"
TOKENIZER = "tinker-local/bytes"
EOS = 256
EOS_TEXT = b"<eos>"


class TinyEngine:
    """The engine that the module describes; for its methods see `tinker_local.engine.base.Engine`.

    `dtype` is the precision of training: float32, or float64 to check gradients. Modules that
    need autograd are imported on first use, because that import takes 0.1 s.
    """

    def __init__(self, *, dtype: npt.DTypeLike = np.float32, sizes: Sizes | None = None) -> None:
        self._dtype = np.dtype(dtype)
        self._sizes = sizes or Sizes()
        self._base: dict[str, Matrix] = {
            name: weight.astype(self._dtype) for name, weight in base_weights(self._sizes).items()
        }
        self._text = decoding.Text(frozenset({EOS}), lambda token: self.token_bytes(MODEL, token))
        self._models = {
            MODEL: ModelSpec(
                name=MODEL,
                max_context_length=self._sizes.context,
                vocab_size=self._sizes.vocab,
                tokenizer_id=TOKENIZER,
                arch="tiny",
                image_tokens=tokens_of_image,
            )
        }

    @property
    def models(self) -> Mapping[str, ModelSpec]:
        return self._models

    def new_adapter(self, base_model: str, lora: LoraSpec) -> AdapterState:
        self._check_model(base_model)
        factors = initial_factors(self._sizes, lora)
        return AdapterState(
            base_model=base_model,
            lora=lora,
            alpha=ALPHA,
            weights={name: factor.astype(self._dtype) for name, factor in factors.items()},
        )

    def forward(
        self,
        adapter: AdapterState,
        data: Sequence[Example],
        loss_fn: str,
        config: Mapping[str, Any],
        *,
        backward: bool,
    ) -> tuple[LossResult, AdapterState]:
        from tinker_local.engine.tiny.training import loss_and_gradient  # noqa: PLC0415 - see above

        self._check_model(adapter.base_model)
        with one_thread():
            result, grads = loss_and_gradient(
                self._base,
                self._sizes,
                self._models[adapter.base_model],
                adapter.weights,
                data,
                loss_fn=loss_fn,
                config=config,
                backward=backward,
            )
        if not backward:
            return result, adapter
        earlier = adapter.grads
        total = {name: earlier[name] + g if name in earlier else g for name, g in grads.items()}
        return result, evolve(adapter, grads=total)

    def optim_step(
        self, adapter: AdapterState, params: AdamSpec
    ) -> tuple[dict[str, float], AdapterState]:
        params.check()
        norm = adam.global_norm(adapter.grads)
        step = adapter.step + 1
        weights, moments = adam.update(
            adapter.weights, adapter.moments, adapter.grads, params, step=step, norm=norm
        )
        stepped = evolve(adapter, weights=weights, moments=moments, grads={}, step=step)
        return {"unclipped_grad_l2:mean": norm}, stepped

    def load(self, state: AdapterState) -> AdapterState:
        """The state itself: this engine's handles are immutable arrays in host memory."""
        self._check_model(state.base_model)
        fresh = self.new_adapter(state.base_model, state.lora).weights
        if {n: w.shape for n, w in state.weights.items()} != {n: w.shape for n, w in fresh.items()}:
            raise EngineError(f"the adapter does not fit {state.base_model}: it has other matrices")
        if state.alpha != ALPHA:
            raise EngineError(f"lora_alpha must be {ALPHA:g}, not {state.alpha:g}")
        return state

    def save(self, adapter: AdapterState) -> AdapterState:
        return adapter

    def check_sample(self, base_model: str, spec: SampleSpec) -> None:
        self._check_model(base_model)
        decoding.check(spec, self._models[base_model])

    def token_bytes(self, base_model: str, token_id: int) -> bytes:
        return EOS_TEXT if token_id == EOS else bytes([token_id])

    def sample(
        self, base_model: str, adapter: AdapterState | None, specs: Sequence[SampleSpec]
    ) -> list[SampleResult]:
        from tinker_local.engine.tiny import sampling  # noqa: PLC0415 - see above

        for spec in specs:
            self.check_sample(base_model, spec)
        base = {name: weight.astype(np.float64) for name, weight in self._base.items()}
        with one_thread():
            matrices = merged(base, {} if adapter is None else adapter.weights)
            return sampling.sample(matrices, self._sizes, specs, self._text)

    def _check_model(self, name: str) -> None:
        if name not in self._models:
            raise EngineError(f"unknown base model {name!r}; available: {', '.join(self._models)}")

"""The hf engine: language models from folders, by transformers and torch, on what the machine has.

Models
    Dense decoders that transformers' AutoModelForCausalLM loads from safetensors or GGUF: Llama, Qwen 2 and 3,
    Gemma, SmolLM, Mistral, Phi and their like. One copy of a model's weights serves all training runs and
    samplers. They are float32 on CPUs and Apple's GPUs, bfloat16 on CUDA devices, unless `dtype` is set.

Adapters
    LoRA in PEFT's form on all linear layers of the attention, the MLP and the unembedding, in float32,
    `W + alpha / rank * B @ A` with alpha 32. They are this package's own layers (see `lora`), which take
    the adapter in use into account. PEFT's would have to be inserted into the model, one for each adapter.

Numbers
    A result does not depend on what else is computed, beyond what the order of floating-point additions changes. The
    losses are in `losses`, the optimizer is torch's AdamW.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

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
from tinker_local.engine.hf import logprobs, optimizer, sampling, training
from tinker_local.engine.hf.folder import ModelError, open_folder
from tinker_local.engine.hf.logprobs import Head
from tinker_local.engine.hf.lora import (
    AdaptedMatrices,
    HfAdapter,
    in_precision,
    load as load_adapter,
    new as new_adapter,
    save as save_adapter,
)
from tinker_local.engine.hf.model import DTYPES, BaseModel, choose_device, load, reasons


class HfEngine:
    """The engine that the module describes; for its methods see `tinker_local.engine.base.Engine`.

    Args:
        models: Folders or GGUF files, each with a name, or None for the name of the folder.
        device: In torch's notation; None chooses a GPU if one is available.
        dtype: `float32`, `bfloat16` or `float16`; None chooses by the device.

    Raises:
        ModelError: One of them cannot be offered. All folders are checked before any weights are read.
    """

    def __init__(
        self,
        models: Sequence[tuple[str | None, Path]],
        *,
        device: str | None = None,
        dtype: str | None = None,
    ) -> None:
        chosen = choose_device(device)
        default = "bfloat16" if chosen.type == "cuda" else "float32"
        precision = DTYPES[dtype or default]
        folders = [open_folder(name, path) for name, path in models]
        names = [folder.name for folder in folders]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ModelError(f"two models are called {min(twice)}: give one a name, NAME=PATH")
        self._bases: dict[str, BaseModel] = {}
        for folder in folders:
            base = self._bases[folder.name] = load(folder, chosen, precision)
            with reasons(folder):
                logprobs.check(base)
        self._matrices = {name: AdaptedMatrices(base) for name, base in self._bases.items()}
        self._models = {name: base.spec for name, base in self._bases.items()}

    @property
    def models(self) -> Mapping[str, ModelSpec]:
        return self._models

    @property
    def summaries(self) -> list[str]:
        """A line for each model: its size, precision, device, memory and context."""
        return [base.summary for base in self._bases.values()]

    def new_adapter(self, base_model: str, lora: LoraSpec) -> HfAdapter:
        return new_adapter(self._base(base_model), lora)

    def load(self, state: AdapterState) -> HfAdapter:
        return load_adapter(self._base(state.base_model), state)

    def save(self, adapter: HfAdapter) -> AdapterState:
        return save_adapter(adapter)

    def forward(
        self,
        adapter: HfAdapter,
        data: Sequence[Example],
        loss_fn: str,
        config: Mapping[str, Any],
        *,
        backward: bool,
    ) -> tuple[LossResult, HfAdapter]:
        base = self._base(adapter.base_model)
        with _MemoryErrors(base):
            return training.loss_and_gradient(
                base,
                self._matrices[adapter.base_model],
                adapter,
                data,
                loss_fn=loss_fn,
                config=config,
                backward=backward,
            )

    def optim_step(
        self, adapter: HfAdapter, params: AdamSpec
    ) -> tuple[dict[str, float], HfAdapter]:
        stepped: tuple[dict[str, float], HfAdapter] = optimizer.step(adapter, params)
        return stepped

    def token_bytes(self, base_model: str, token_id: int) -> bytes:
        text = self._base(base_model).text
        return b"" if text is None else text.of_token(token_id)

    def check_sample(self, base_model: str, spec: SampleSpec) -> None:
        base = self._base(base_model)
        decoding.check(spec, base.spec)
        if spec.stop_strings and base.text is None:
            raise EngineError(
                f"{base_model} has no tokenizer.json, which stop strings need: use stop token ids"
            )

    def sample(
        self, base_model: str, adapter: HfAdapter | None, specs: Sequence[SampleSpec]
    ) -> list[SampleResult]:
        base = self._base(base_model)
        for spec in specs:
            self.check_sample(base_model, spec)
        used = None if adapter is None else in_precision(adapter, base.dtype)
        with _MemoryErrors(base), self._matrices[base_model].using(used):
            results: list[SampleResult] = sampling.sample(base, Head.of(base, used), specs)
            return results

    def _base(self, name: str) -> BaseModel:
        base = self._bases.get(name)
        if base is None:
            raise EngineError(f"unknown base model {name!r}; available: {', '.join(self._bases)}")
        return base


class _MemoryErrors:
    """Turn running out of device memory into a failure of the operation; others go on."""

    def __init__(self, base: BaseModel) -> None:
        self._base = base

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: object, _: object) -> None:
        if kind is not None and issubclass(kind, torch.OutOfMemoryError):
            torch.cuda.empty_cache()
            raise EngineError(
                f"{self._base.device} does not have enough memory for this: send fewer or shorter sequences"
            ) from None

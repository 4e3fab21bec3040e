"""A base model in memory: its weights, which never change, and the matrices in it that adapters change."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from attrs import frozen
from torch import nn

from tinker_local.engine.base import ModelSpec
from tinker_local.engine.decoding import Text
from tinker_local.engine.hf import memory, text
from tinker_local.engine.hf.folder import Folder, ModelError

logger = logging.getLogger("tinker_local")

ATTENTION, MLP, UNEMBED = "attn", "mlp", "unembed"
_PARTS = {"attn": ATTENTION, "attention": ATTENTION, "mlp": MLP, "feed_forward": MLP, "ffn": MLP}
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
"""Settings that only mixtures of experts have."""
_POSSIBLE = "dense decoders such as Llama, Qwen 2 and 3, Gemma, SmolLM, Mistral and Phi can be"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@frozen(kw_only=True)
class BaseModel:
    spec: ModelSpec
    text: Text | None
    """None if the folder has no tokenizer."""
    network: Any
    """transformers' model, its parameters frozen."""
    matrices: Mapping[str, nn.Linear]
    """The matrices that adapters can change, by name."""
    parts: Mapping[str, str]
    """The part of the model that each matrix belongs to."""
    head: str
    """The name of the unembedding."""
    softcap: float | None
    activation_bytes: int
    cache_bytes: int
    summary: str

    @property
    def device(self) -> torch.device:
        device: torch.device = self.matrices[self.head].weight.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        dtype: torch.dtype = self.matrices[self.head].weight.dtype
        return dtype

    def hidden(self, *, cache: Any = None, **inputs: Any) -> Any:
        """The decoder's output, without the unembedding; keys and values go to the cache, if one is given."""
        if cache is not None:
            kind: Any = type(self.network.base_model)
            inputs[_cache_argument(kind)] = cache
        return self.network.base_model(**inputs, use_cache=cache is not None)


@functools.cache
def _cache_argument(model: type[Any]) -> str:
    """The name of the cache among a model's arguments: transformers 5.24 has renamed it."""
    known = inspect.signature(model.forward).parameters
    return "cache" if "cache" in known else "past_key_values"


def choose_device(name: str | None) -> torch.device:
    """The device of this name; by default the first CUDA device, Apple's GPU, or the CPU."""
    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ModelError(f"the device {name!r} cannot be used: {reason}") from None
    return device


def load(folder: Folder, device: torch.device, dtype: torch.dtype) -> BaseModel:
    """Read a model's weights.

    Raises ModelError, before any weights are read, if adapters are not supported for the model or it does not fit the
    memory.
    """
    from transformers import AutoModelForCausalLM  # noqa: PLC0415 - takes seconds

    with torch.device("meta"), reasons(folder):
        shape = AutoModelForCausalLM.from_config(folder.config)
    parts = _parts(shape, folder)
    with reasons(folder, "tokenizer.json"):
        tokenizer = text.read(folder)
    parameters = sum(one.numel() for one in shape.parameters())
    size = torch.empty(0, dtype=dtype).element_size()
    free = memory.available(device)
    if parameters * size > free:
        raise ModelError(
            f"{folder.name} does not fit: {parameters / 1e9:.2f} billion parameters in "
            f"{_name(dtype)} take {memory.gigabytes(parameters * size)}, and {device} has "
            f"{memory.gigabytes(free)} free"
        )
    with reasons(folder):
        network = _read(folder, dtype).to(device)
    network.eval().requires_grad_(False)
    head = next(name for name, part in parts.items() if part == UNEMBED)
    number = f"{parameters / 1e6:,.0f} million" if parameters > 1e7 else f"{parameters:,}"
    return BaseModel(
        spec=ModelSpec(
            name=folder.name,
            max_context_length=folder.context,
            vocab_size=network.get_submodule(head).out_features,
            tokenizer_id=str(folder.path),
            arch=folder.config.model_type,
        ),
        text=tokenizer,
        network=network,
        matrices={name: network.get_submodule(name) for name in parts},
        parts=parts,
        head=head,
        softcap=getattr(folder.config, "final_logit_softcapping", None),
        activation_bytes=memory.of_activations(network.base_model.layers, size),
        cache_bytes=memory.of_cache(folder.config, size),
        summary=f"{folder.name}: {folder.config.model_type}, {number} parameters, "
        f"{_name(dtype)} on {_device_name(device)}, {memory.gigabytes(parameters * size)} of "
        f"{memory.gigabytes(free)} free, context {folder.context:,} tokens",
    )


@contextmanager
def reasons(folder: Folder, file: str = "") -> Iterator[None]:
    """Turn what libraries raise for a damaged folder, which may be anything, into a ModelError."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        where = f"{file}: " if file else ""
        raise ModelError(f"{folder.name} cannot be loaded: {where}{reason}") from error


def _read(folder: Folder, dtype: torch.dtype) -> Any:
    """The model with its weights. Raises ModelError if some are not there: transformers would draw them at random."""
    from transformers import AutoModelForCausalLM  # noqa: PLC0415
    from transformers.utils import logging as reports  # noqa: PLC0415

    verbosity = reports.get_verbosity()
    reports.disable_progress_bar()
    reports.set_verbosity_error()
    try:
        network, found = AutoModelForCausalLM.from_pretrained(
            folder.path, dtype=dtype, output_loading_info=True, ignore_mismatched_sizes=True
        )
    finally:
        reports.set_verbosity(verbosity)
    for name, given, expected in sorted(found["mismatched_keys"]):
        raise ModelError(
            f"{folder.name} cannot be loaded: {name} has shape {list(given)} in its files, and {list(expected)} by "
            "its config.json"
        )
    if missing := sorted(found["missing_keys"]):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ModelError(
            f"{folder.name} cannot be loaded: its files do not have {missing[0]}{more}"
        )
    return network


def _parts(shape: Any, folder: Folder) -> dict[str, str]:
    """The matrices by name, and the part of the model that each belongs to. Raises ModelError if one belongs to no part."""
    refused = f"{folder.name} ({folder.config.model_type}) cannot be offered: "
    if any(getattr(folder.config, name, None) for name in _EXPERTS):
        raise ModelError(f"{refused}it is a mixture of experts; {_POSSIBLE}")
    layers = getattr(shape.base_model, "layers", None)
    head = shape.get_output_embeddings()
    if not isinstance(layers, nn.ModuleList) or not isinstance(head, nn.Linear):
        raise ModelError(
            f"{refused}it is not a sequence of decoder layers with a linear unembedding; {_POSSIBLE}"
        )
    parts: dict[str, str] = {}
    for name, module in shape.named_modules():
        if module is head:
            parts[name] = UNEMBED
    prefix = next(name for name, module in shape.named_modules() if module is layers)
    matrices: set[str] = set()
    for name, module in layers.named_modules():
        if isinstance(module, nn.Linear):
            words = [word for word in _PARTS if word in name.rpartition(".")[0]]
            if not words:
                raise ModelError(
                    f"{refused}{name} belongs neither to an attention block nor to an MLP"
                )
            parts[f"{prefix}.{name}"] = _PARTS[words[0]]
            matrices.add(f"{name}.weight")
    for name, parameter in layers.named_parameters():
        if parameter.dim() > 1 and name not in matrices:
            raise ModelError(f"{refused}{name} is not the matrix of a linear layer; {_POSSIBLE}")
    return parts


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device}, {torch.get_num_threads()} threads" if device.type == "cpu" else str(device)

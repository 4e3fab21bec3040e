"""The folder of a model: its required files, and what is read before any weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attrs import frozen

from tinker.tokenizers._files import model_name
from tinker_local.engine.hf import gguf


class ModelError(RuntimeError):
    """A model cannot be offered. The message says which one and why."""


@frozen(kw_only=True)
class Folder:
    """A folder in transformers' format, with a model that this engine may be able to run."""

    name: str
    path: Path
    config: Any
    """transformers' configuration of the model."""

    @property
    def context(self) -> int:
        return int(self.config.max_position_embeddings)

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that end a text."""
        ends: set[int] = set()
        for file in ("generation_config.json", "config.json"):
            given = read_json(self.path / file).get("eos_token_id")
            ends |= {
                int(one)
                for one in (given if isinstance(given, list) else [given])
                if one is not None
            }
        return frozenset(ends)


def open_folder(name: str | None, path: Path) -> Folder:
    """The folder at `path`, or the folder to which a GGUF file there is converted.

    `name` is the name of the model; None means the name of the folder or file.

    Raises ModelError if it does not contain a model.
    """
    from transformers import AutoConfig  # noqa: PLC0415 - takes seconds
    from transformers.models.auto.modeling_auto import (  # noqa: PLC0415
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    )

    if not path.exists():
        raise ModelError(f"{path}: no such file or folder")
    name = name or model_name(path)
    if file := gguf.find(path):
        try:
            path = gguf.converted(file)
        except Exception as error:  # reading a file with arbitrary content may raise anything
            raise ModelError(f"{file}: cannot read this GGUF file: {error}") from error
    if not (path / "config.json").is_file():
        raise ModelError(f"{path} does not contain a model: it has no config.json")
    if not any(path.glob("*.safetensors")):
        raise ModelError(f"{path} has no weights: expected *.safetensors, or one .gguf file")
    try:
        config = AutoConfig.from_pretrained(path)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: transformers does not know this model: {error}") from error
    if config.model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise ModelError(f"{path} is a {config.model_type} model, not a causal language model")
    if not isinstance(getattr(config, "max_position_embeddings", None), int):
        raise ModelError(f"{path}: its config.json does not have the length of the context")
    return Folder(name=name, path=path.resolve(), config=config)


def read_json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    content = json.loads(file.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}

"""Finds the files of a folder's tokenizer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from ._errors import TokenizerError

# In order of preference: tokenizer.json is complete, so it comes first.
VOCABULARY_FILES = ("tokenizer.json", "tiktoken.model", "*.tiktoken", "tokenizer.model")


@dataclass(frozen=True)
class TokenizerFiles:
    """A vocabulary, and how tokenizer_config.json and the files beside it configure it."""

    vocabulary: Path
    config: dict[str, Any] = field(default_factory=dict)
    chat_template: str | dict[str, str] | None = None


def model_name(path: Path) -> str:
    """The name of the model in a folder or GGUF file to which nobody gave another."""
    named = path if path.name not in ("", "..") else path.resolve()
    return named.name.removesuffix(".gguf")


def has_tokenizer(folder: Path) -> bool:
    return _vocabulary(folder) is not None


def find_files(path: Path) -> TokenizerFiles:
    """The tokenizer files at `path`, a folder or the vocabulary's file in one.

    Raises TokenizerError when there are none.
    """
    vocabulary = _vocabulary(path) if path.is_dir() else path
    if vocabulary is None:
        raise TokenizerError(
            f"No tokenizer in {path}: expected one of {', '.join(VOCABULARY_FILES)}."
        )
    folder = vocabulary.parent
    config = read_json(folder / "special_tokens_map.json") | read_json(
        folder / "tokenizer_config.json"
    )
    return TokenizerFiles(vocabulary, config, _chat_template(folder, config))


def fingerprint(path: Path) -> tuple[object, ...]:
    """A value that changes when any file of the tokenizer at `path` changes."""
    folder = path if path.is_dir() else path.parent
    names = {
        path if path.is_file() else _vocabulary(folder),
        folder / "special_tokens_map.json",
        folder / "tokenizer_config.json",
        folder / "chat_template.jinja",
    }
    stats = [(str(file), file.stat()) for file in names if file is not None and file.exists()]
    return tuple(sorted((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats))


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if the file does not exist."""
    if not path.is_file():
        return {}
    try:
        content = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise TokenizerError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise TokenizerError(f"{path} does not contain a JSON object.")
    return content


def _vocabulary(folder: Path) -> Path | None:
    candidates = (file for name in VOCABULARY_FILES for file in sorted(folder.glob(name)))
    return next((file for file in candidates if file.is_file()), None)


def _chat_template(folder: Path, config: dict[str, Any]) -> str | dict[str, str] | None:
    """chat_template.jinja takes precedence over tokenizer_config.json, which may have several templates."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    template = config.get("chat_template")
    if isinstance(template, list):
        return {entry["name"]: entry["template"] for entry in template}
    return template if isinstance(template, str | dict) else None

"""get_tokenizer: a tokenizer from a name or a path, loaded once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import _embedded
from ._added_tokens import AddedToken
from ._backend import Backend
from ._byte_level import ByteLevelBackend
from ._errors import TokenizerError
from ._files import TokenizerFiles, find_files, fingerprint, read_json
from ._hf_backend import HuggingFaceBackend
from ._hf_json import parts_from_json
from ._hub import download
from ._merges import NotConvertible
from ._resolve import EMBEDDED, base_name, hub_source
from ._tiktoken_file import configured_tokens, read_tiktoken_file
from ._tokenizer import NAMED_TOKENS, Tokenizer

_made: dict[object, Tokenizer] = {}
_locks: dict[object, threading.Lock] = {}
_guard = threading.Lock()


def get_tokenizer(
    name_or_path: str | os.PathLike[str], *, revision: str | None = None
) -> Tokenizer:
    """The tokenizer of a model, or of files on disk.

    `name_or_path` is one of

    - a folder with tokenizer.json or a file of tiktoken's format (`tiktoken.model`, `*.tiktoken`,
      Llama 3's `tokenizer.model`), or such a file. tokenizer_config.json and chat_template.jinja
      beside it are read too. Needs no network.
    - a model's name, as servers know it: `org/model`, `org/model/variant`, with or without a
      `:suffix`. Its tokenizer files (never weights) come from the Hugging Face hub once and stay in
      its cache, which all processes share. Needs the extra `tokenizers`.
    - `tinker-local/bytes`, the embedded server's.

    `revision` is a branch, tag or commit on the hub; None is the revision that the hosted service
    pins for the model, else the main branch. Asked again, the same object comes back, from any
    thread, as long as the files stay as they are.

    Raises TokenizerError if the tokenizer does not exist, or if it is not cached and the network is
    down; ImportError when a package of the extra `tokenizers` is needed and missing.
    """
    if not isinstance(name_or_path, str | os.PathLike):
        raise TypeError(
            f"get_tokenizer takes a model's name or a path, not {type(name_or_path).__name__}."
        )
    name = os.fspath(name_or_path)
    if not name:
        raise TokenizerError("get_tokenizer needs a model's name or a path.")
    if base_name(name) in EMBEDDED:
        return _once("embedded", _embedded_tokenizer)
    path = Path(name).expanduser()
    if path.exists():
        key = (path.resolve(), fingerprint(path))
        return _once(key, lambda: _from_files(find_files(path), name))
    if isinstance(name_or_path, os.PathLike) or _looks_like_path(name):
        raise TokenizerError(f"The file or folder {name} does not exist.")
    source = hub_source(name, revision)
    return _once(source, lambda: _from_files(find_files(download(source)), source.repo))


def _looks_like_path(name: str) -> bool:
    return (
        name.startswith(("/", "./", "../", "~", ".\\", "..\\"))
        or name[1:3] in (":\\", ":/")
        or name.endswith((".json", ".model", ".tiktoken"))
    )


def _once(key: object, make: Callable[[], Tokenizer]) -> Tokenizer:
    """Call `make` once for each key, from any number of threads."""
    with _guard:
        lock = _locks.setdefault(key, threading.Lock())
    with lock:
        if key not in _made:
            _made[key] = make()
        return _made[key]


def _embedded_tokenizer() -> Tokenizer:
    return Tokenizer(
        ByteLevelBackend(_embedded.embedded_parts()),
        name_or_path="tinker-local/bytes",
        named_tokens={"eos_token": _embedded.EOS, "pad_token": _embedded.EOS},
        chat_template=_embedded.CHAT_TEMPLATE,
    )


def _from_files(files: TokenizerFiles, name: str) -> Tokenizer:
    config = files.config
    named = {key: _content(config[key]) for key in NAMED_TOKENS if config.get(key)}
    extra = config.get("extra_special_tokens") or config.get("additional_special_tokens") or []
    extra = [_content(token) for token in (extra.values() if isinstance(extra, dict) else extra)]
    if files.vocabulary.suffix == ".json":
        backend = _from_json(files.vocabulary, config, [*named.values(), *extra])
    else:
        parts, usual = read_tiktoken_file(files.vocabulary, config)
        backend = ByteLevelBackend(parts)
        named = usual | named
    return Tokenizer(
        backend,
        name_or_path=name,
        named_tokens={
            key: token for key, token in named.items() if backend.token_to_id(token) is not None
        },
        extra_special_tokens=extra,
        chat_template=files.chat_template,
        model_max_length=config.get("model_max_length"),
    )


def _from_json(path: Path, config: dict[str, Any], special: list[str]) -> Backend:
    # Tokens that only tokenizer_config.json knows come behind the file's own.
    more = configured_tokens(config)
    more += [AddedToken(token, -1) for token in special]
    spec = read_json(path)
    if "model" not in spec:
        raise TokenizerError(f"{path} is not a tokenizer.json: it has no model.")
    try:
        return ByteLevelBackend(parts_from_json(spec, str(path), more))
    except (NotConvertible, KeyError, TypeError, AttributeError) as reason:
        # The last three: the file has an unknown structure. Hugging Face's library may support it, or
        # report what is wrong with it.
        known = {entry["content"] for entry in spec.get("added_tokens") or []}
        more = [token for token in more if token.content not in known]
        return HuggingFaceBackend.from_file(path, more, str(reason))


def _content(token: str | dict[str, Any]) -> str:
    """A token of tokenizer_config.json: its text, or an object that has it."""
    return token if isinstance(token, str) else str(token["content"])

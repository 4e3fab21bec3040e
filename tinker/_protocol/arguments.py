"""Checks of arguments before anything is sent. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tinker.types._numbers import is_number, is_whole
from tinker_api import models
from tinker_api.models.list_sessions_access_scope import LIST_SESSIONS_ACCESS_SCOPE_VALUES

if TYPE_CHECKING:
    from tinker.types import AdamParams


_ADAM_RANGES = {
    "learning_rate": ("at least 0", lambda x: x >= 0),
    "beta1": ("at least 0 and less than 1", lambda x: 0 <= x < 1),
    "beta2": ("at least 0 and less than 1", lambda x: 0 <= x < 1),
    "eps": ("greater than 0", lambda x: x > 0),
    "weight_decay": ("at least 0", lambda x: x >= 0),
    "grad_clip_norm": ("at least 0", lambda x: x >= 0),
}


def check_adam(params: AdamParams) -> None:
    """Raise ValueError for a value that no server accepts."""
    for name, (allowed, is_allowed) in _ADAM_RANGES.items():
        check_number(f"AdamParams.{name}", getattr(params, name), allowed, is_allowed)


def check_number(
    name: str, value: object, allowed: str, is_allowed: Callable[[float], bool]
) -> None:
    if not is_number(value) or not is_allowed(value):
        raise ValueError(f"{name} is {value!r}; it must be a number {allowed}.")


_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")


def check_name(name: str) -> None:
    """Raise unless it is a valid checkpoint name."""
    if not isinstance(name, str):
        raise TypeError(f"name is a {type(name).__name__}; it must be a string.")
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"name is {name!r}; a checkpoint's name has 1 to 255 letters, digits, '_', '-' and '.', "
            "and begins with a letter, a digit or '_'."
        )


def check_ttl(ttl_seconds: int | None) -> None:
    """Raise unless it is a valid time to live."""
    if ttl_seconds is not None:
        check_whole("ttl_seconds", ttl_seconds, 1)


def check_whole(name: str, value: object, least: int | None = None) -> None:
    """Raise ValueError unless it is an integer of at least `least`."""
    if not is_whole(value) or (least is not None and value < least):
        allowed = "-2**63 to 2**64 - 1" if least is None else least
        raise ValueError(f"{name} is {value!r}; it must be an integer from {allowed}.")


def check_tinker_path(path: str) -> None:
    """Raise unless it is a valid tinker path of a checkpoint."""
    if not isinstance(path, str):
        raise TypeError(f"path is a {type(path).__name__}; it must be a string.")
    if not path.startswith("tinker://"):
        raise ValueError(
            f"path is {path!r}; it must be a tinker path such as "
            "tinker://<training run>/weights/<name>."
        )


def check_lora(
    rank: int, seed: int | None, *, train_mlp: bool, train_attn: bool, train_unembed: bool
) -> None:
    """Raise for an adapter that no server can create."""
    check_whole("rank", rank, 1)
    if seed is not None:
        check_whole("seed", seed)
    if not (train_mlp or train_attn or train_unembed):
        raise ValueError(
            "train_mlp, train_attn and train_unembed are all False: nothing would be trained."
        )


def metadata(values: Mapping[str, str] | None) -> models.UserMetadata | None:
    """The `user_metadata` of a request; raises TypeError unless it is a dict of strings."""
    if values is None:
        return None
    if not isinstance(values, Mapping):
        raise TypeError(
            f"user_metadata is of type {type(values).__name__}; it must be a dict of strings."
        )
    for name, value in values.items():
        if not isinstance(name, str):
            raise TypeError(f"user_metadata has the name {name!r}; names must be strings.")
        if not isinstance(value, str):
            raise TypeError(f"user_metadata[{name!r}] is {value!r}; it must be a string.")
    return models.UserMetadata(values)


def check_text(name: str, value: str) -> None:
    """Raise unless it is a valid id."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is {value!r}; it must be a non-empty string.")


def check_run_id(run_id: str) -> None:
    """Raise unless it may be the id of a training run, which the path of a checkpoint contains."""
    check_text("training_run_id", run_id)
    if run_id.startswith("tinker://"):
        contained = run_id.removeprefix("tinker://").partition("/")[0]
        raise ValueError(
            f"training_run_id is {run_id!r}, the path of a checkpoint; its training run is {contained!r}. To begin a "
            "new run from the checkpoint, use create_training_client_from_state_with_optimizer."
        )


def check_page(limit: int, offset: int) -> None:
    """Raise for arguments that do not select a page of a list."""
    for name, value, least in (("limit", limit, 1), ("offset", offset, 0)):
        check_whole(name, value, least)


def check_scope(access_scope: str) -> None:
    if access_scope not in LIST_SESSIONS_ACCESS_SCOPE_VALUES:
        allowed = " or ".join(map(repr, sorted(LIST_SESSIONS_ACCESS_SCOPE_VALUES)))
        raise ValueError(f"access_scope is {access_scope!r}; it must be {allowed}.")

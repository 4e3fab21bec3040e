"""Click options made from the settings of a run: the settings are defined once, in `tinker.recipes.settings`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs
import click

from tinker.recipes.settings import TrainSettings, read_config

PATH = click.Path()
"""A path, or what stands in its place: shells complete it; whether it exists is checked where it is used."""
_PATHS = ("chat_template", "eval_data", "log_path")
F = TypeVar("F", bound=Callable[..., Any])

_SHORT = {
    "model_name": ["-m", "--model"],
    "lora_rank": ["--rank"],
    "num_epochs": ["--epochs"],
    "log_path": ["-o", "--output"],
}
"""Other names of options that are typed often."""


def settings_options(names: Collection[str] | None = None) -> Callable[[F], F]:
    """Add an option for every setting (or those named), whose parameter is None unless it was given."""
    hints = get_type_hints(TrainSettings)

    def decorate(function: F) -> F:
        for attribute in reversed(attrs.fields(TrainSettings)):
            if attribute.name != "data" and (names is None or attribute.name in names):
                function = _option(attribute, hints[attribute.name])(function)
        return function

    return decorate


def _option(attribute: Any, hint: Any) -> Callable[[F], F]:
    wanted = hint
    if get_origin(hint) in (UnionType, Union):
        wanted = next(option for option in get_args(hint) if option is not NoneType)
    flag = "--" + attribute.name.replace("_", "-")
    default = attribute.default
    shown = "" if default in (None, (), "") or wanted is bool else f" Default: {_text(default)}."
    settings: dict[str, Any] = {"default": None, "help": attribute.metadata["help"] + shown}
    flags = [*_SHORT.get(attribute.name, []), flag, attribute.name]
    if wanted is bool:
        flags = [f"{flag}/--no-{flag[2:]}", attribute.name]
        settings["help"] += " Default: yes." if default else " Default: no."
    elif get_origin(wanted) is tuple:
        settings |= {"type": click.Choice(get_args(get_args(wanted)[0])), "multiple": True}
    elif get_origin(wanted) is Literal:
        settings["type"] = click.Choice(get_args(wanted))
    else:
        settings["type"] = PATH if attribute.name in _PATHS else wanted
    return click.option(*flags, **settings)


def _text(default: Any) -> str:
    return f"{default:g}" if isinstance(default, float) else str(default)


def settings_of(data: str, given: dict[str, Any], config: str | None) -> TrainSettings:
    """The settings of a run: flags before the configuration file, and that before the defaults."""
    values = read_config(config) if config is not None else {}
    values |= {name: value for name, value in given.items() if value not in (None, ())}
    if data:
        values["data"] = data
    settings = TrainSettings.of(values, config or "the command line")
    if not settings.data:
        raise click.UsageError("Give a data file, `-` for standard input, or hf://NAME:SPLIT.")
    return settings

"""The settings of a fine-tuning run. Each is a flag of `tinker train` and a key of its configuration file."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs
import orjson

from tinker.recipes.errors import RecipeError
from tinker.recipes.examples import Format
from tinker.recipes.schedules import Schedule
from tinker.tokenizers import TrainOn

LongRows = Literal["truncate", "drop", "refuse"]
Logger = Literal["wandb", "trackio", "tensorboard", "mlflow"]


def _setting(
    default: Any, text: str, *, least: float | None = None, above: float | None = None
) -> Any:
    def check(_: Any, attribute: Any, value: Any) -> None:
        if value is None:
            return
        if least is not None and not value >= least:
            raise RecipeError(f"{attribute.name} is {value!r}; it must be at least {least:g}.")
        if above is not None and not value > above:
            raise RecipeError(f"{attribute.name} is {value!r}; it must be more than {above:g}.")

    return attrs.field(default=default, validator=check, metadata={"help": text})


@attrs.frozen(kw_only=True)
class TrainSettings:
    """What a run does. Every setting but `data` and `model_name` has a default."""

    data: str = _setting("", "Data file, `-` for standard input, or hf://NAME:SPLIT.")
    model_name: str | None = _setting(
        None,
        "Base model. Default: the only one the server trains, or the one of --load-checkpoint-path.",
    )
    load_checkpoint_path: str | None = _setting(
        None, "Begin with the weights of this checkpoint (tinker://…)."
    )
    # ---- data
    input_format: Format | None = _setting(None, "Format of the rows. Default: recognized.")
    train_on: TrainOn | None = _setting(
        None,
        "What is trained on: the assistant's turns (assistant), its last one (last), everything (all), or the messages "
        "that say so (flags). Default: flags where messages have them, else assistant.",
    )
    chat_template: str | None = _setting(
        None, "File with a chat template to use instead of the model's."
    )
    max_length: int | None = _setting(
        None, "Tokens of a row at most. Default: the model's context.", least=2
    )
    long_rows: LongRows = _setting("truncate", "What happens to rows longer than --max-length.")
    eval_data: str | None = _setting(
        None, "File of held-out rows. Default: part of the data is held out."
    )
    eval_fraction: float = _setting(
        0.1,
        "Share of the rows to hold out, 3 to 100 rows, from 20 rows on; 0 holds out none.",
        least=0,
    )
    # ---- optimization
    batch_size: int = _setting(16, "Rows (or pairs) per step.", least=1)
    num_epochs: int = _setting(3, "Times to go through the data.", least=1)
    max_steps: int | None = _setting(None, "Steps at most.", least=1)
    learning_rate: float | None = _setting(
        None, "Peak learning rate. Default: by the size of the model.", above=0
    )
    lr_schedule: Schedule = _setting("linear", "How the learning rate falls.")
    warmup_ratio: float = _setting(0.05, "Share of the steps over which the rate rises.", least=0)
    weight_decay: float = _setting(0.0, "Decoupled weight decay.", least=0)
    grad_clip_norm: float = _setting(1.0, "Norm to clip gradients to; 0 is off.", least=0)
    dpo_beta: float = _setting(0.1, "Strength of the reference in DPO (preference pairs).", above=0)
    # ---- adapter
    lora_rank: int = _setting(32, "Rank of the adapter.", least=1)
    train_attn: bool = _setting(True, "Adapt the attention blocks.")
    train_mlp: bool = _setting(True, "Adapt the MLP blocks.")
    train_unembed: bool = _setting(True, "Adapt the unembedding.")
    seed: int = _setting(
        0, "Seed of the adapter, the order of rows and the held-out rows.", least=0
    )
    # ---- evaluation, checkpoints, limits
    eval_every: int | None = _setting(
        None, "Steps between evaluations. Default: twenty a run, at most.", least=1
    )
    patience: int | None = _setting(
        None, "Stop after this many evaluations without a better loss. Default: never.", least=1
    )
    save_every: int | None = _setting(
        None, "Steps between checkpoints. Default: ten a run, at most.", least=1
    )
    keep_checkpoints: int = _setting(
        2, "Newest checkpoints to keep, beside the best and the final one.", least=1
    )
    ttl_days: float | None = _setting(
        7.0, "Days after which the server may delete checkpoints other than the final one.", above=0
    )
    max_tokens: int | None = _setting(
        None, "Tokens to train on at most, evaluation included.", least=1
    )
    max_cost: float | None = _setting(
        None, "US dollars at most, by the dated price table.", above=0
    )
    # ---- record
    log_path: str | None = _setting(
        None, "Folder of the run. Default: tinker-runs/DATA-MODEL-TIME."
    )
    log: tuple[Logger, ...] = _setting((), "Experiment tracker to log to as well; repeatable.")
    wandb_project: str | None = _setting(None, "Project of the experiment tracker.")
    wandb_name: str | None = _setting(
        None, "Name of the run, in the tracker and on the server. Default: the folder's."
    )

    @classmethod
    def of(cls, values: Mapping[str, Any], source: str = "the settings") -> TrainSettings:
        """Settings from plain values, such as a configuration file's.

        Raises:
            RecipeError: A key is not known, or a value is not of its type; it names the key.
        """
        hints = get_type_hints(cls)
        given: dict[str, Any] = {}
        for key, value in values.items():
            name = key.replace("-", "_")
            if name not in hints:
                raise RecipeError(
                    f"{source}: {key!r} is not a setting.{_did_you_mean(name, hints)}"
                )
            given[name] = _converted(name, value, hints[name], source)
        return cls(**given)

    def values(self) -> dict[str, Any]:
        """As plain values, all of them."""
        return attrs.asdict(self)


def read_config(path: str | Path) -> dict[str, Any]:
    """The keys of a configuration file: TOML, JSON, or YAML if PyYAML is installed.

    The config.json of a run is one too; what it holds beside the settings is left out.

    Raises:
        RecipeError: It cannot be read.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        values = _parser(path)(content)
    except ValueError as error:
        raise RecipeError(f"{path} cannot be parsed: {error}") from None
    if not isinstance(values, dict):
        raise RecipeError(f"{path} must hold keys and values.")
    if isinstance(settings := values.get("settings"), dict) and "recipe" in values:
        return settings
    return values


def _parser(path: Path) -> Callable[[bytes], Any]:
    if path.suffix == ".toml":
        return lambda content: tomllib.loads(content.decode())
    if path.suffix in (".yaml", ".yml"):
        return _yaml
    return orjson.loads


def _yaml(content: bytes) -> Any:
    try:
        import yaml  # noqa: PLC0415  # optional
    except ModuleNotFoundError:
        raise RecipeError(
            "YAML configuration files need the package PyYAML; install it, or use TOML or JSON."
        ) from None
    try:
        return yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _did_you_mean(name: str, known: Mapping[str, Any]) -> str:
    import difflib  # noqa: PLC0415  # only for mistakes

    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _converted(name: str, value: Any, hint: Any, source: str) -> Any:
    """A value as its setting's type."""
    options = get_args(hint) if get_origin(hint) in (UnionType, Union) else (hint,)
    if value is None and NoneType in options:
        return None
    wanted = next(option for option in options if option is not NoneType)
    if get_origin(wanted) is Literal:
        if value in get_args(wanted):
            return value
        allowed = ", ".join(map(str, get_args(wanted)))
        raise RecipeError(f"{source}: {name} is {value!r}; it must be one of {allowed}.")
    if get_origin(wanted) is tuple:
        items = [value] if isinstance(value, str) else value
        return tuple(_converted(name, item, get_args(wanted)[0], source) for item in items)
    if wanted is float and isinstance(value, int | float) and not isinstance(value, bool):
        if math.isfinite(value):
            return float(value)
    elif isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool)):
        return value
    words = {int: "an integer", float: "a finite number", bool: "true or false", str: "a string"}
    raise RecipeError(f"{source}: {name} is {value!r}; it must be {words[wanted]}.")

"""`tinker train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinker.cli import data_view
from tinker.cli.groups import Command
from tinker.cli.options import PATH, settings_of, settings_options
from tinker.cli.state import State

if TYPE_CHECKING:
    from tinker.recipes.supervised import Training


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  tinker train chats.jsonl --model Qwen/Qwen3-8B
  tinker train chats.jsonl --dry-run
  tinker train pairs.jsonl --model Qwen/Qwen3-8B --learning-rate 1e-5
  tinker train --resume tinker-runs/chats-Qwen3-8B-20261128-101500
  TINKER_BASE_URL=local tinker train chats.jsonl
""",
)
@click.argument("data", metavar="DATA", type=PATH, required=False)
@click.option(
    "--config",
    type=PATH,
    metavar="FILE",
    help="Settings in TOML, JSON or YAML; flags come before them.",
)
@click.option(
    "--resume",
    type=PATH,
    metavar="DIR",
    help="Go on with the run in this folder, from its last checkpoint.",
)
@click.option(
    "--dry-run", is_flag=True, help="Report on the data and stop; nothing is sent that costs."
)
@settings_options()
@click.pass_obj
def train(
    state: State,
    /,
    data: str | None,
    config: str | None,
    resume: str | None,
    dry_run: bool,
    **given: Any,
) -> None:
    """Fine-tune a model on DATA: chats, ShareGPT, Alpaca, prompt and completion, preference pairs (DPO) or text.

    DATA is JSON Lines, JSON, CSV, text or parquet, gzipped or not; - is standard input; hf://NAME:SPLIT is on the hub.
    """
    training = _training(state, data or "", config, resume, given)
    if state.is_json and dry_run:
        state.print_json(data_view.report_value(training))
        return
    data_view.show_report(state, training.report, training.plan, training.base_model)
    data_view.show_row(state, training.data.rows[0], training.tokenizer)
    if dry_run:
        state.say("Nothing was sent: this was a dry run.")
        return
    from tinker.cli.train_view import watch  # noqa: PLC0415  # imported when used

    watch(state, training, resume=resume is not None)


def _training(
    state: State, data: str, config: str | None, resume: str | None, given: dict[str, Any]
) -> Training:
    from tinker.recipes.rows import STDIN  # noqa: PLC0415
    from tinker.recipes.run_folder import RunFolder  # noqa: PLC0415
    from tinker.recipes.settings import TrainSettings  # noqa: PLC0415
    from tinker.recipes.supervised import Training  # noqa: PLC0415

    if resume is None:
        settings = settings_of(data, given, config)
        state.offer(settings.model_name)
        return Training(state.service, settings)
    folder = RunFolder(Path(resume))
    stored = folder.config().get("settings")
    settings = TrainSettings.of(stored if isinstance(stored, dict) else {}, str(folder.path))
    if settings.data == STDIN and sys.stdin.isatty():
        raise click.UsageError(
            f"The run reads its data from standard input: give it the same again, as in `tinker train --resume {resume} < DATA`."
        )
    changed = {
        name: value
        for name, value in {**given, **({"data": data} if data else {})}.items()
        if value not in (None, ()) and getattr(settings, name) != value
    }
    if config is not None or changed:
        what = ", ".join(f"--{name.replace('_', '-')}" for name in changed) or "--config"
        raise click.UsageError(
            f"A run goes on with the settings it began with; leave out {what}, or begin a new run."
        )
    state.offer(settings.model_name)
    return Training(state.service, settings, folder=folder)

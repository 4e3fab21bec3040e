"""`tinker run`."""

from __future__ import annotations

from collections.abc import Callable

import click

from tinker.cli.groups import Group
from tinker.cli.listing import first, limit_option, listing_title
from tinker.cli.state import State
from tinker.cli.texts import ago, optional
from tinker.types import TrainingRun

_COLUMNS: dict[str, tuple[str, Callable[[TrainingRun], str]]] = {
    "id": ("Run ID", lambda run: run.training_run_id),
    "model": ("Base Model", lambda run: run.base_model),
    "owner": ("Owner", lambda run: run.model_owner),
    "lora": ("LoRA", lambda run: f"Rank {run.lora_rank}" if run.is_lora else "No"),
    "updated": ("Last Update", lambda run: ago(run.last_request_time)),
    "status": ("Status", lambda run: "Failed" if run.corrupted else "OK"),
    "checkpoint": (
        "Last Checkpoint",
        lambda run: run.last_checkpoint.checkpoint_id if run.last_checkpoint else "",
    ),
    "checkpoint_time": (
        "Checkpoint Time",
        lambda run: ago(run.last_checkpoint.time) if run.last_checkpoint else "",
    ),
}
_DEFAULT = "id,model,lora,updated,status"


@click.group(cls=Group)
def run() -> None:
    """Look at training runs."""


@run.command(
    "list",
    epilog="\b\nExamples:\n  tinker run list --limit 5\n  tinker run list -c id,model,checkpoint",
)
@limit_option("Runs to list; 0 lists all.")
@click.option(
    "-c",
    "--columns",
    default=_DEFAULT,
    show_default=True,
    help=f"Columns of the table, separated by commas, of: {', '.join(_COLUMNS)}.",
)
@click.pass_obj
def list_runs(state: State, limit: int, columns: str) -> None:
    """List training runs, newest first."""
    names = [name.strip() for name in (columns or _DEFAULT).split(",")]
    unknown = [name for name in names if name not in _COLUMNS]
    if unknown:
        raise click.ClickException(
            f"--columns has {', '.join(map(repr, unknown))}; there are {', '.join(_COLUMNS)}."
        )
    runs, more = first(state.rest.iter_training_runs(), limit)
    state.show(
        {"runs": runs},
        [_COLUMNS[name][0] for name in names],
        [[_COLUMNS[name][1](one) for name in names] for one in runs],
        listing_title(len(runs), "training run", more=more),
    )


@run.command("info", epilog="\b\nExample:\n  tinker run info RUN_ID")
@click.argument("run_id")
@click.pass_obj
def info(state: State, run_id: str) -> None:
    """Show one training run."""
    found = state.rest.get_training_run(run_id).result()
    properties = {
        "Run ID": found.training_run_id,
        "Base Model": found.base_model,
        "Owner": found.model_owner,
        "LoRA": f"Yes (Rank {found.lora_rank})" if found.is_lora else "No",
        "Last Update": ago(found.last_request_time),
        "Status": "Failed" if found.corrupted else "OK",
    }
    for name, checkpoint in (
        ("Last Training Checkpoint", found.last_checkpoint),
        ("Last Sampler Checkpoint", found.last_sampler_checkpoint),
    ):
        if checkpoint is not None:
            properties[name] = checkpoint.checkpoint_id
            properties[f"{name}: Time"] = ago(checkpoint.time)
            properties[f"{name}: Path"] = checkpoint.tinker_path
    for key, value in (found.user_metadata or {}).items():
        properties[f"Metadata: {key}"] = optional(value)
    state.show_properties(found, properties, f"Training Run: {found.training_run_id}")

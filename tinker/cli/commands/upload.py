"""`tinker upload`."""

from __future__ import annotations

from pathlib import Path

import click

from tinker.cli.groups import Command
from tinker.cli.state import State


@click.command(
    cls=Command,
    epilog="\b\nExamples:\n  tinker upload ./my-adapter\n  tinker upload adapter.tar.gz --base-model Qwen/Qwen3-8B",
)
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--base-model",
    help="Model that the adapter belongs to. Default: the one that adapter_config.json names.",
)
@click.option("--project-id", help="Project of the checkpoint.")
@click.pass_obj
def upload(state: State, path: Path, base_model: str | None, project_id: str | None) -> None:
    """Upload a PEFT adapter, a folder or a tar archive of one, as a checkpoint to sample from and train on.

    The files are checked before anything is sent.
    """
    with state.progress("Uploading") as progress:
        found = state.rest.upload_external_weights(
            path, base_model, destination_project_id=project_id, progress=progress
        ).result()
    if state.is_json:
        state.print_json({"path": str(path), "tinker_path": found})
    else:
        click.echo(found)
        state.say(f"Next: tinker train DATA --load-checkpoint-path {found}")

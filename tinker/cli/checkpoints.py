"""What commands do with checkpoints, named by their paths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from tinker.cli.state import State
from tinker.errors import APIStatusError
from tinker.futures import APIFuture
from tinker.types import Checkpoint, ParsedCheckpointTinkerPath


def parsed(path: str) -> ParsedCheckpointTinkerPath:
    """The parts of a path.

    Raises:
        click.ClickException: It is not the path of a checkpoint.
    """
    try:
        return ParsedCheckpointTinkerPath.from_tinker_path(path)
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def listed(state: State, run_id: str | None) -> list[Checkpoint]:
    """All checkpoints of a training run, or of all runs."""
    if run_id is None:
        return list(state.rest.iter_user_checkpoints())
    return list(state.rest.list_checkpoints(run_id).result().checkpoints)


def download_to(state: State, path: str, parent: Path, *, force: bool) -> Path:
    """Download a checkpoint's files into a folder of `parent` that is named for it."""
    parts = parsed(path)
    folder = parent / f"{parts.training_run_id}_{parts.checkpoint_id.replace('/', '_')}"
    if folder.exists() and not force:
        raise click.ClickException(
            f"{folder} exists; pass --force to replace it, or --output for another place."
        )
    if parent.is_file():
        raise click.ClickException(f"{parent} is a file; --output is the folder to download into.")
    parent.mkdir(parents=True, exist_ok=True)
    source, delete_export = _exported(state, parts)
    try:
        with state.progress("Downloading") as progress:
            found = state.rest.download_checkpoint(
                source, parent, overwrite=force, progress=progress
            ).result()
    finally:
        if delete_export is not None:
            delete_export().result()
    if found != folder:
        if folder.exists():
            import shutil  # noqa: PLC0415

            shutil.rmtree(folder)
        found.rename(folder)
    return folder


def _exported(
    state: State, path: ParsedCheckpointTinkerPath
) -> tuple[str, Callable[[], APIFuture[None]] | None]:
    """A path whose files can be downloaded in the form that others read, and how to delete it afterwards.

    A training checkpoint is exported through an `external_weights` checkpoint, where the server makes them.
    """
    if path.checkpoint_type != "training":
        return path.tinker_path, None
    client = state.service.create_training_client_from_state(path.tinker_path).result()
    name = f"export-{path.checkpoint_id.rpartition('/')[2]}"
    try:
        external = client.save_weights_external(name).result().path
    except APIStatusError as error:
        if error.status_code not in (404, 405, 501):
            raise
        state.say("This server exports no weights; its own files of the checkpoint are downloaded.")
        return path.tinker_path, None
    if external is None:
        raise click.ClickException(f"The server exported {path.tinker_path} and did not say where.")
    return external, lambda: state.rest.delete_checkpoint_from_tinker_path(external)

"""`tinker export`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from tinker.cli.checkpoints import download_to
from tinker.cli.groups import Command
from tinker.cli.models import base_of, checkpoint_of
from tinker.cli.state import State
from tinker.cli.texts import count


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  tinker export tinker-runs/my-run
  tinker export tinker://RUN_ID/weights/final --output adapter --vllm
  tinker export tinker-runs/my-run --merge ./Qwen3-8B --output merged
""",
)
@click.argument("path", type=click.Path(), metavar="PATH")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to make. Default: exported-NAME.",
)
@click.option(
    "--merge",
    "base",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of the base model: write base and adapter as one model.",
)
@click.option("--vllm", is_flag=True, help="Leave out what vLLM does not take, and say what.")
@click.pass_obj
def export(state: State, path: str, output: Path | None, base: Path | None, vllm: bool) -> None:
    """Write a checkpoint as a PEFT folder, or merged into its base model.

    PATH is a checkpoint's path, the folder of a run (its best checkpoint is taken), or a PEFT folder.
    """
    from tinker.recipes import export as exporting  # noqa: PLC0415  # imported when used

    if base is not None and vllm:
        raise click.UsageError("--vllm is about adapters; a merged model needs nothing left out.")
    destination = output or Path(f"exported-{Path(path.rstrip('/')).name.replace(':', '-')}")
    if destination.exists() and any(destination.iterdir()):
        raise click.ClickException(
            f"{destination} exists and is not empty; choose another folder with --output."
        )
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(dir=destination.parent)
    except OSError as error:
        raise click.ClickException(f"{destination} cannot be created: {error.strerror}.") from None
    with scratch as temporary:
        adapter = Path(path)
        if not (adapter / exporting.ADAPTER).exists():
            source = path if path.startswith("tinker://") else checkpoint_of(adapter).state_path
            state.offer(base_of(path))
            adapter = download_to(state, source, Path(temporary), force=False)
        notes: list[str] = []
        if base is not None:
            with state.progress("Merging") as progress:
                merged = exporting.merge(adapter, base, destination, progress=progress)
            notes = merged.notes
            changed, files = count(merged.changed, "tensor"), count(merged.shards, "file")
            state.say(f"Changed {changed} in {files}.")
        else:
            import shutil  # noqa: PLC0415

            if destination.exists():
                destination.rmdir()
            shutil.copytree(adapter, destination)
            if vllm:
                notes = exporting.for_vllm(destination)
    for note in notes:
        state.say(note)
    if state.is_json:
        state.print_json({"path": path, "destination": str(destination.resolve()), "notes": notes})
    else:
        click.echo(str(destination))

"""`tinker version`."""

from __future__ import annotations

import platform
from importlib import metadata

import click

import tinker
from tinker.cli.groups import Command
from tinker.cli.state import State

_DEPENDENCIES = ("attrs", "click", "httpx", "numpy", "orjson", "rich", "tiktoken")


@click.command(cls=Command, epilog="\b\nExamples:\n  tinker version\n  tinker version --json")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.pass_obj
def version(state: State, as_json: bool) -> None:
    """Show the version of this package; as JSON, those of its dependencies too."""
    if not (as_json or state.is_json):
        click.echo(f"tinker {tinker.__version__}")
        return
    dependencies: dict[str, str | None] = {}
    for name in _DEPENDENCIES:
        try:
            dependencies[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            dependencies[name] = None
    state.print_json(
        {
            "version": tinker.__version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "dependencies": dependencies,
        }
    )

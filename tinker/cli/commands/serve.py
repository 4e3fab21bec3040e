"""`tinker serve`: the embedded server, run in this process with its own arguments."""

from __future__ import annotations

import click

from tinker import _extras
from tinker.cli.groups import Command


@click.command(
    cls=Command,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve(arguments: tuple[str, ...]) -> int:
    """Run the embedded server; `tinker serve --help` lists its options."""
    try:
        from tinker_local.__main__ import main  # noqa: PLC0415  # imports the server
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"The server needs the package {error.name}: {_extras.install('local')}"
        ) from None
    return int(main(list(arguments), prog="tinker serve") or 0)

"""`tinker serve`: the embedded server, run in this process with its own arguments."""

from __future__ import annotations

import click

from tinker.cli.groups import Command


@click.command(
    cls=Command,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve(arguments: tuple[str, ...]) -> int:
    """Run the embedded server; `tinker serve --help` lists its options."""
    from tinker_local.__main__ import main  # noqa: PLC0415  # imports the server

    return int(main(list(arguments), prog="tinker serve") or 0)

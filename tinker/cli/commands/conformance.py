"""`tinker conformance`."""

from __future__ import annotations

import click

from tinker.cli.groups import Command
from tinker.cli.state import State


@click.command(
    cls=Command,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def conformance(state: State, /, arguments: tuple[str, ...]) -> int:
    """Test a server against the contract; `tinker conformance --help` lists the options."""
    from tinker.conformance.__main__ import main  # noqa: PLC0415  # imported when used

    server = ["--base-url", state.base_url] if state.base_url else []
    return int(main([*server, *arguments], prog="tinker conformance") or 0)

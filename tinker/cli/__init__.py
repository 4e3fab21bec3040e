"""The `tinker` command: a thin layer over the public clients and recipes."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the console script."""
    try:
        import click as click  # noqa: PLC0415  # optional
    except ModuleNotFoundError as error:
        from tinker import _extras  # noqa: PLC0415

        sys.exit(f"The tinker command needs the package {error.name}: {_extras.install('cli')}")
    from tinker.cli.app import run  # noqa: PLC0415

    sys.exit(run(sys.argv[1:]))

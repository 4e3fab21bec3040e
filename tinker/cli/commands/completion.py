"""`tinker completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from tinker.cli.groups import Command


@click.command(
    cls=Command,
    epilog="\b\nExamples:\n  tinker completion bash >> ~/.bashrc\n  tinker completion zsh >> ~/.zshrc\n"
    "  tinker completion fish > ~/.config/fish/completions/tinker.fish",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes this command in a shell."""
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(context.find_root().command, {}, "tinker", "_TINKER_COMPLETE")
    # Not source(), which asks bash for its version and fails where that is not found.
    click.echo(script.source_template % script.source_vars())

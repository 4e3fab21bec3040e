"""The group of all commands, and their exit status."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence

import click

from tinker._log import write_errors_only
from tinker._version import __version__
from tinker.cli.groups import CONTEXT, LazyGroup
from tinker.cli.state import State

_INTERRUPTED = 128 + signal.SIGINT

_COMMANDS = {
    "train": ("train:train", "Fine-tune a model on a data file."),
    "data": ("data:data", "Check and show data files."),
    "chat": ("chat:chat", "Chat with a model or a checkpoint."),
    "sample": ("sample:sample", "Sample from a model or a checkpoint."),
    "eval": ("evaluate:evaluate", "Score a model or a checkpoint on a data file."),
    "export": ("export:export", "Write a checkpoint as a PEFT folder or a merged model."),
    "upload": ("upload:upload", "Upload a PEFT adapter as a checkpoint."),
    "init": ("init:init", "Make a folder to start from."),
    "checkpoint": ("checkpoint:checkpoint", "Manage checkpoints."),
    "run": ("run:run", "Look at training runs."),
    "session": ("session:session", "Look at sessions."),
    "model": ("model:model", "List the models of the server."),
    "usage": ("usage:usage", "Tokens used, by run and session."),
    "billing": ("billing:billing", "Billed usage and storage."),
    "auth": ("auth:auth", "Log in and out."),
    "serve": ("serve:serve", "Run a server on this machine."),
    "conformance": ("conformance:conformance", "Test a server of this API."),
    "doctor": ("doctor:doctor", "Check settings, connection and server."),
    "completion": ("completion:completion", "Print the completion script of a shell."),
    "version": ("version:version", "Show versions."),
}


@click.group(
    cls=LazyGroup,
    commands_by_name=_COMMANDS,
    context_settings=CONTEXT,
    epilog="""\b
Examples:
  tinker train data.jsonl --model Qwen/Qwen3-8B
  tinker chat tinker-runs/my-run
  tinker --format json checkpoint list
  TINKER_BASE_URL=local tinker model list

The server is TINKER_BASE_URL (`local` runs one inside the command); the key is TINKER_API_KEY.""",
)
@click.option(
    "--base-url", metavar="URL", help="Server. Default: TINKER_BASE_URL, then the hosted service."
)
@click.option(
    "--color/--no-color", default=None, help="Colors. Default: where the terminal has them."
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(__version__, message="tinker %(version)s", help="Show the version.")
@click.pass_obj
def tinker(state: State, base_url: str | None, color: bool | None, debug: bool) -> None:
    """Fine-tune and sample language models."""
    state.base_url = base_url or state.base_url
    state.color = color if color is not None else state.color
    state.debug = state.debug or debug


def run(arguments: Sequence[str]) -> int:
    """Run a command, and return its exit status: 0, 1 for a failure, 2 for wrong usage, 130 for Ctrl-C."""
    _prepare_streams()
    state = State()
    try:
        result = tinker.main(list(arguments), prog_name="tinker", obj=state, standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        # What is left undone is what was asked for: no warnings about it while closing.
        write_errors_only()
        click.echo("Interrupted.", err=True)
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of the output is gone, such as `head`: print nothing more, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001  # told in a sentence
        if state.debug:
            traceback.print_exc()
        else:
            click.echo(_sentence(error), err=True)
        return 1
    finally:
        with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C again: do not wait for the server
            state.close()
    return result if isinstance(result, int) else 0


def _prepare_streams() -> None:
    """Give commands all three streams, in UTF-8 except on a terminal, whatever the locale.

    JSON and data files are UTF-8. What a terminal cannot show is escaped; what a shell has closed (`>&-`) is devnull.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # for good
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                encoding=None if stream.isatty() else "utf-8",
                errors="strict" if name == "stdin" else "backslashreplace",
            )


def _sentence(error: Exception) -> str:
    from tinker.errors import TinkerError  # noqa: PLC0415  # --help does not need it

    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename is not None else ""
        return f"Error: {where}{error.strerror}"
    if isinstance(error, TinkerError | ValueError | TypeError | OSError | ImportError):
        return f"Error: {error}"
    return f"Error: unexpected {type(error).__name__}: {error}\nRun with --debug to see where it comes from."

"""The context of a command: connection, output, and common settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from tinker import AdminClient, RestClient, ServiceClient


class State:
    """One run of the command."""

    def __init__(self) -> None:
        self.base_url: str | None = None
        self.color: bool | None = None
        self.debug = False
        self.format = "table"
        self._closers: list[Callable[[], object]] = []

    # ---- clients ----------------------------------------------------------------------------

    @cached_property
    def service(self) -> ServiceClient:
        """A session on the server; it is finished when the command ends."""
        from tinker import ServiceClient  # noqa: PLC0415  # imported when used

        service = ServiceClient(base_url=self._url())
        self._closers.append(lambda: service.close().result())
        return service

    @cached_property
    def rest(self) -> RestClient:
        """A client that opens no session."""
        from tinker import RestClient  # noqa: PLC0415

        rest = RestClient(base_url=self._url())
        self._closers.append(lambda: rest.close().result())
        return rest

    @property
    def _is_embedded(self) -> bool:
        return (self.base_url or os.environ.get("TINKER_BASE_URL")) == "local"

    def _url(self) -> str | None:
        """The server's URL. A server inside the command keeps its state for the commands that follow."""
        if self._is_embedded:
            os.environ.setdefault("TINKER_LOCAL_DATA", ".tinker-local")
        return self.base_url

    def offer(self, model: str | None) -> None:
        """Let the server inside the command, if there is to be one, offer the model of a folder or GGUF file.

        Raises:
            click.ClickException: It looks like a path, and nothing is there.
        """
        if not model or not self._is_embedded:
            return
        if Path(model).exists():
            os.environ.setdefault("TINKER_LOCAL_MODELS", model)
        elif model.startswith((".", "/", "~")):
            raise click.ClickException(f"The model's folder or file {model} does not exist.")

    @property
    def rest_is_local(self) -> bool:
        """Whether the server is on this machine, where no credential is needed."""
        from urllib.parse import urlsplit  # noqa: PLC0415

        url = self.base_url or os.environ.get("TINKER_BASE_URL") or ""
        return self._is_embedded or urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")

    @cached_property
    def admin(self) -> AdminClient:
        from tinker import AdminClient  # noqa: PLC0415

        admin = AdminClient(base_url=self._url())
        self._closers.append(lambda: admin.close().result())
        return admin

    def close(self) -> None:
        from contextlib import suppress  # noqa: PLC0415

        while self._closers:
            with suppress(Exception):
                self._closers.pop()()

    # ---- output -----------------------------------------------------------------------------

    @property
    def is_json(self) -> bool:
        return self.format == "json"

    def console(self, *, stderr: bool = False) -> Console:
        """A console of rich; without a terminal it cuts nothing and has no colors."""
        from rich.console import Console  # noqa: PLC0415  # imported when used

        stream = sys.stderr if stderr else sys.stdout
        terminal = stream.isatty()
        wanted = self.color if self.color is not None else ("NO_COLOR" not in os.environ)
        return Console(
            file=stream,
            no_color=not wanted,
            force_terminal=True if self.color and not terminal else None,
            width=None if terminal or "COLUMNS" in os.environ else 10_000,
            highlight=False,
            emoji=False,  # ids have `:train:` in them
            soft_wrap=False,
        )

    def say(self, text: str) -> None:
        """Print a message to stderr; stdout is for results."""
        click.echo(text, err=True)

    def print_text(self, text: str, *, nl: bool = True) -> None:
        """Print what a model wrote; on a terminal without control characters, in a pipe as it is."""
        from tinker.cli.texts import printable  # noqa: PLC0415

        click.echo(printable(text) if sys.stdout.isatty() else text, nl=nl)

    def print_json(self, value: Any) -> None:
        import orjson  # noqa: PLC0415

        click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=_plain).decode())

    def print_json_line(self, value: Any) -> None:
        """One object on a line of its own, for output that goes on for long."""
        import orjson  # noqa: PLC0415

        click.echo(orjson.dumps(value, default=_plain).decode())

    def show(
        self, value: Any, columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = ""
    ) -> None:
        """Print `value` as JSON, or the rows as a table."""
        if self.is_json:
            self.print_json(value)
            return
        from rich import box  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        table = Table(
            title=Text(title, style="table.title") if title else None,
            title_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        for name in columns:
            # Truncated paths and ids are useless: wrap them instead.
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*[Text(cell) for cell in row])
        self.console().print(table)

    def show_properties(self, value: Any, properties: Mapping[str, str], title: str = "") -> None:
        """Print `value` as JSON, or names and values as a table."""
        self.show(value, ["Property", "Value"], list(properties.items()), title)

    @contextmanager
    def progress(self, text: str) -> Iterator[Callable[[int, int | None], None]]:
        """A bar on stderr while something goes on; nothing where stderr is not a terminal."""
        if not sys.stderr.isatty():
            yield lambda done, total: None
            return
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console(stderr=True), transient=True) as bar:
            task = bar.add_task(text, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)

    def confirm(self, question: str, *, yes: bool) -> bool:
        """Ask before something is destroyed; without a terminal, a line of standard input is the answer.

        Raises:
            click.ClickException: Standard input has no answer.
        """
        if yes or sys.stdin.isatty():
            return yes or click.confirm(question, err=True)
        self.say(question)  # before the wait for a pipe that stays open and silent
        answers = {"y": True, "yes": True, "n": False, "no": False}
        answer = answers.get(sys.stdin.readline().strip().lower())
        if answer is None:
            raise click.ClickException("Standard input is not a terminal: pass --yes to confirm.")
        return answer


def _plain(value: Any) -> Any:
    """Values that JSON does not have: models and numpy numbers."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return value.tolist()

"""`tinker session`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from tinker.cli.groups import Group
from tinker.cli.listing import first, limit_option, listing_title
from tinker.cli.state import State


@click.group(cls=Group)
def session() -> None:
    """Look at sessions."""


@session.command("list", epilog="\b\nExample:\n  tinker session list --limit 5")
@limit_option("Sessions to list; 0 lists all.")
@click.pass_obj
def list_sessions(state: State, limit: int) -> None:
    """List your sessions, newest first."""
    found, more = first(state.rest.iter_sessions(), limit)
    state.show(
        {"sessions": found},
        ["Session ID"],
        [[session_id] for session_id in found],
        listing_title(len(found), "session", more=more),
    )


@session.command("info", epilog="\b\nExample:\n  tinker session info SESSION_ID")
@click.argument("session_id")
@click.pass_obj
def info(state: State, session_id: str) -> None:
    """Show the runs and samplers of a session."""
    found = state.rest.get_session(session_id).result()
    rows = [["Training run", run] for run in found.training_run_ids]
    rows += [["Sampler", sampler] for sampler in found.sampler_ids]
    state.show(found, ["Kind", "ID"], rows, f"Session {session_id}")


@session.command(
    "export-trace",
    epilog="\b\nExamples:\n  tinker session export-trace SESSION_ID\n"
    "  tinker session export-trace SESSION_ID --output my.pftrace",
)
@click.argument("session_id")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File to write (default: SESSION_ID.pftrace).",
)
@click.option("--url-only", is_flag=True, help="Print the signed address instead of downloading.")
@click.pass_obj
def export_trace(state: State, session_id: str, output: Path | None, url_only: bool) -> None:
    """Export the timeline of a session as a Perfetto trace, to be opened at https://ui.perfetto.dev.

    The signed address works for about an hour, for everybody who has it.
    """
    destination = output or Path(f"{session_id}.pftrace")
    if destination.is_dir():
        raise click.ClickException(f"{destination} is a folder; --output is the file to write.")
    state.say(f"Exporting the trace of session {session_id} …")
    url = state.rest.export_session_trace(session_id).result()
    if url_only:
        if state.is_json:
            state.print_json({"session_id": session_id, "url": url})
        else:
            click.echo(url)
        return
    destination.parent.mkdir(parents=True, exist_ok=True)
    size = _download(state, url, destination)
    if state.is_json:
        state.print_json(
            {
                "session_id": session_id,
                "destination": str(destination.resolve()),
                "file_size_bytes": size,
            }
        )
    else:
        click.echo(str(destination))


def _download(state: State, url: str, destination: Path) -> int:
    import httpx  # noqa: PLC0415  # imported when used

    partial = destination.with_name(f".{destination.name}.partial")
    try:
        with (
            state.progress("Downloading") as progress,
            httpx.stream("GET", url, timeout=60, follow_redirects=True) as response,
            partial.open("wb") as file,
        ):
            response.raise_for_status()
            total = int(response.headers.get("content-length", 0)) or None
            for part in response.iter_bytes():
                file.write(part)
                progress(file.tell(), total)
        os.replace(partial, destination)
    except httpx.HTTPError as error:
        raise click.ClickException(f"The trace could not be downloaded: {error}") from None
    finally:
        if sys.exc_info()[0] is not None:
            partial.unlink(missing_ok=True)
    return destination.stat().st_size

"""`tinker billing`."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from typing import Any

import click

from tinker.cli.groups import Group
from tinker.cli.state import State
from tinker.cli.texts import count, optional


@click.group(cls=Group)
def billing() -> None:
    """Billed usage and storage. Both need a billing role in your organization."""


def _write_csv(state: State, path: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows with a header; `-` is stdout. Absent values are empty cells, and objects are JSON."""
    import orjson  # noqa: PLC0415  # imported when used

    with click.open_file(path, "w", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _columns(rows), restval="", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {
                    name: orjson.dumps(value).decode() if isinstance(value, dict) else value
                    for name, value in row.items()
                }
            )
    if path != "-":
        state.say(f"Wrote {count(len(rows), 'row')} to {path}.")


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _show(state: State, value: Any, rows: Sequence[Mapping[str, Any]], title: str) -> None:
    names = _columns(rows)
    state.show(value, names, [[optional(row.get(name)) for name in names] for row in rows], title)


def _flat(event: Mapping[str, Any]) -> dict[str, Any]:
    """A billing event as one row: what it counts has columns of its own, its type first."""
    row = dict(event)
    counted = row.pop("event_info", None) or {}
    return {**row, "type": counted.get("type"), **dict(sorted(counted.items()))}


@billing.command(
    "usage",
    epilog="\b\nExamples:\n  tinker billing usage 2026-11-01T00:00:00Z 2026-11-08T00:00:00Z\n"
    "  tinker billing usage 2026-11-01 2026-11-08 --csv usage.csv --sessions-csv sessions.csv",
)
@click.argument("starting_on")
@click.argument("ending_before")
@click.option(
    "--csv",
    "csv_path",
    type=click.Path(),
    metavar="PATH",
    help="Write the rows as CSV; - is stdout.",
)
@click.option(
    "--sessions-csv",
    type=click.Path(),
    metavar="PATH",
    help="Write the sessions' metadata as CSV, to join on session_id.",
)
@click.pass_obj
def usage(
    state: State,
    starting_on: str,
    ending_before: str,
    csv_path: str | None,
    sessions_csv: str | None,
) -> None:
    """Show what was used, by hour, kind, model, session and user.

    Times are RFC 3339, on full hours, in UTC unless they say otherwise, at most 14 days apart. Quantities are tokens and
    gigabyte-hours; they are up to a few hours behind.
    """
    found = state.admin.get_billing_usage(starting_on, ending_before).result()
    value = found.model_dump(mode="json")
    rows = [_flat(event) for event in value.get("data") or []]
    if sessions_csv is not None:
        sessions = value.get("sessions") or {}
        _write_csv(
            state,
            sessions_csv,
            [{"session_id": key, **(one or {})} for key, one in sessions.items()],
        )
    if csv_path is not None:
        _write_csv(state, csv_path, rows)
    elif sessions_csv is None:
        _show(state, value, rows, "Usage" if rows else "No usage in this time")


@billing.command(
    "checkpoint-storage",
    epilog="\b\nExample:\n  tinker billing checkpoint-storage --project-id PROJECT --csv storage.csv",
)
@click.option("--project-id", help="Only this project.")
@click.option(
    "--csv",
    "csv_path",
    type=click.Path(),
    metavar="PATH",
    help="Write the rows as CSV; - is stdout.",
)
@click.pass_obj
def checkpoint_storage(state: State, project_id: str | None, csv_path: str | None) -> None:
    """Show what checkpoints take now, by project and owner."""
    found = state.admin.get_current_checkpoint_storage_usage(project_id).result()
    value = found.model_dump(mode="json")
    rate = {name: part for name, part in value.items() if name != "data"}
    rows = [{**rate, **row} for row in value.get("data") or []]
    if csv_path is not None:
        _write_csv(state, csv_path, rows)
    else:
        _show(state, value, rows, "Checkpoint storage" if rows else "No checkpoints are stored")

"""`tinker usage`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from tinker.cli.groups import Command
from tinker.cli.state import State
from tinker.cli.texts import count
from tinker.errors import APIStatusError


@click.command(
    cls=Command, epilog="\b\nExamples:\n  tinker usage\n  tinker usage --days 1 --by model"
)
@click.option(
    "--days", type=click.IntRange(1, 14), default=7, show_default=True, help="Days to look back."
)
@click.option(
    "--by",
    type=click.Choice(["session", "run", "model", "kind", "user", "project"]),
    default="session",
    show_default=True,
    help="What to add up by.",
)
@click.pass_obj
def usage(state: State, days: int, by: str) -> None:
    """Show what was used in the last days, added up. Needs a billing role in your organization.

    Tokens, or checkpoints, or gigabyte-hours of storage. The service counts by session: of a session with several training
    runs, --by run shows one line for all.
    """
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    found = state.admin.get_billing_usage(end - timedelta(days=days), end).result()
    totals: dict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    sessions = {event.session_id for event in found.data if event.session_id} if by == "run" else ()
    runs = _runs(state, sessions)
    for event in found.data:
        kind, quantity = _kind_and_quantity(event.event_info)
        name = {
            "session": event.session_id,
            "run": runs.get(event.session_id or ""),
            "model": event.base_model,
            "kind": kind,
            "user": event.user_name,
            "project": event.project_id,
        }[by]
        totals[name or "(none)"][kind] += quantity
    kinds = sorted({kind for total in totals.values() for kind in total})
    state.show(
        {"usage": [{by: name, **total} for name, total in totals.items()], "days": days},
        [by.capitalize(), *[_UNITS.get(kind, kind) for kind in kinds]],
        [[name, *[f"{total[kind]:,.6g}" for kind in kinds]] for name, total in totals.items()],
        f"Last {count(days, 'day')}"
        if totals
        else f"Nothing was used in the last {count(days, 'day')}",
    )


def _runs(state: State, session_ids: Iterable[str]) -> dict[str, str]:
    """The training runs of each session, asked for all at once; the session itself, where the server does not say."""
    runs = {}
    for session_id, future in [(one, state.rest.get_session(one)) for one in session_ids]:
        try:
            runs[session_id] = ", ".join(future.result().training_run_ids)
        except APIStatusError:
            runs[session_id] = session_id
    return runs


_UNITS = {"storage": "storage (GB·h)"}


def _kind_and_quantity(info: Any) -> tuple[str, float]:
    """What a billing event counts, in its own unit."""
    units = ("token_count", "count", "gigabyte_hours")
    quantity: float = next(getattr(info, unit) for unit in units if hasattr(info, unit))
    return f"cached {info.type}" if getattr(info, "cached", False) else info.type, quantity

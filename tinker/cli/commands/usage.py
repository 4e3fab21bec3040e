"""`tinker usage`."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from tinker.cli.groups import Command
from tinker.cli.state import State


@click.command(
    cls=Command, epilog="\b\nExamples:\n  tinker usage\n  tinker usage --days 1 --by model"
)
@click.option(
    "--days", type=click.IntRange(1, 14), default=7, show_default=True, help="Days to look back."
)
@click.option(
    "--by",
    type=click.Choice(["session", "model", "kind", "user", "project"]),
    default="session",
    show_default=True,
    help="What to add up by.",
)
@click.pass_obj
def usage(state: State, days: int, by: str) -> None:
    """Show the tokens used in the last days, added up. Needs a billing role in your organization."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    found = state.admin.get_billing_usage(end - timedelta(days=days), end).result()
    rows = found.model_dump(mode="json").get("data") or []
    key = {
        "session": "session_id",
        "model": "base_model",
        "kind": "usage_type",
        "user": "user_email",
        "project": "project_id",
    }[by]
    totals: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in rows:
        name = str(row.get(key) or "(none)")
        kind = str(row.get("usage_type") or "tokens")
        quantity = row.get("token_count")
        totals[name][kind] += quantity if quantity is not None else row.get("gigabyte_hours") or 0.0
    kinds = sorted({kind for total in totals.values() for kind in total})
    value: list[dict[str, Any]] = [{key: name, **dict(total)} for name, total in totals.items()]
    state.show(
        {"usage": value, "days": days},
        [by.capitalize(), *kinds],
        [
            [name, *[f"{total.get(kind, 0):,.6g}" for kind in kinds]]
            for name, total in totals.items()
        ],
        f"Last {days} days" if value else f"Nothing was used in the last {days} days",
    )

"""`tinker checkpoint delete` and `prune`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click

from tinker.cli.checkpoints import listed, parsed
from tinker.cli.groups import Command
from tinker.cli.state import State
from tinker.cli.texts import ago, count, size
from tinker.errors import NotFoundError, TinkerError
from tinker.types import Checkpoint

_AT_ONCE = 8
"""Deletions under way at a time."""
_TYPES = {"weights": "training", "sampler_weights": "sampler", "external_weights": "external"}
"""Types, by their names in paths."""


def _time(value: str, option: str) -> datetime:
    from dateutil import parser  # noqa: PLC0415  # imported when used

    try:
        time = parser.isoparse(value)
    except ValueError:
        raise click.ClickException(
            f"{option}: {value!r} is not a date such as 2026-11-01 or 2026-11-01T08:00:00Z."
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@click.command(
    "delete",
    cls=Command,
    epilog="\b\nExamples:\n  tinker checkpoint delete tinker://RUN_ID/weights/0001 tinker://RUN_ID/weights/0002\n"
    "  tinker checkpoint delete --run-id RUN_ID --type weights --before 2026-06-01",
)
@click.argument("checkpoint_paths", nargs=-1)
@click.option("--run-id", help="Delete the checkpoints of this training run.")
@click.option(
    "--type",
    "kind",
    shell_complete=lambda *_: list(_TYPES),
    help=f"Only those of this type: {', '.join(_TYPES)}.",
)
@click.option("--before", help="Only those created before this date, in UTC.")
@click.option("--after", help="Only those created after this date, in UTC.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    default=_AT_ONCE,
    show_default=True,
    help="Deletions under way at a time.",
)
@click.option("-y", "--yes", "confirmed", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(
    state: State,
    checkpoint_paths: Sequence[str],
    run_id: str | None,
    kind: str | None,
    before: str | None,
    after: str | None,
    concurrency: int,
    confirmed: bool,
) -> int:
    """Delete checkpoints permanently: those named, or those of a run that match the filters."""
    if bool(checkpoint_paths) == (run_id is not None):
        raise click.ClickException("Give checkpoint paths, or --run-id.")
    if checkpoint_paths and (kind or before or after):
        raise click.ClickException("--type, --before and --after need --run-id.")
    if kind is not None and kind not in {*_TYPES, *_TYPES.values()}:
        raise click.ClickException(f"--type is {kind!r}; it must be one of {', '.join(_TYPES)}.")
    for path in checkpoint_paths:
        parsed(path)
    paths = list(dict.fromkeys(checkpoint_paths))
    if run_id is not None:
        earliest = _time(after, "--after") if after else None
        latest = _time(before, "--before") if before else None
        paths = [
            one.tinker_path
            for one in listed(state, run_id)
            if (kind is None or one.checkpoint_type == _TYPES.get(kind, kind))
            and (earliest is None or one.time > earliest)
            and (latest is None or one.time < latest)
        ]
    return _delete_all(state, paths, concurrency=concurrency, confirmed=confirmed)


def _delete_all(state: State, paths: Sequence[str], *, concurrency: int, confirmed: bool) -> int:
    """Delete these after a confirmation; returns the exit status: 1 if one of them is left, or may be."""
    if not paths:
        state.say("No checkpoints to delete.")
        if state.is_json:
            state.print_json({"deleted_count": 0, "failed": []})
        return 0
    for path in paths:
        state.say(f"  {path}")
    noun = "checkpoint" if len(paths) == 1 else "checkpoints"
    if not state.confirm(f"Delete {len(paths)} {noun}? This cannot be undone.", yes=confirmed):
        state.say("Nothing was deleted.")
        return 0
    deleted, failed, left = 0, [], 0
    with state.progress("Deleting") as progress:
        for start in range(0, len(paths), concurrency):
            batch = paths[start : start + concurrency]
            futures = [state.rest.delete_checkpoint_from_tinker_path(path) for path in batch]
            for path, future in zip(batch, futures, strict=True):
                try:
                    future.result()
                    deleted += 1
                except TinkerError as error:
                    failed.append({"tinker_path": path, "error": str(error)})
                    left += not isinstance(error, NotFoundError)
            progress(start + len(batch), len(paths))
    for failure in failed:
        state.say(f"Not deleted: {failure['tinker_path']}: {failure['error']}")
    state.say(f"Deleted {deleted} of {len(paths)} {noun}.")
    if state.is_json:
        state.print_json({"deleted_count": deleted, "failed": failed})
    return 1 if left else 0


def _days(value: str | None) -> timedelta | None:
    """A duration such as 12h, 30d or 2w."""
    if value is None:
        return None
    units = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
    try:
        age = float(value[:-1]) * units[value[-1:].lower()]
        if age < timedelta(0):
            raise ValueError
        return age
    except (ValueError, KeyError, OverflowError):
        raise click.BadParameter(
            f"{value!r} is not a duration such as 12h, 30d or 2w.", param_hint="--older-than"
        ) from None


@click.command(
    "prune",
    cls=Command,
    epilog="\b\nExamples:\n  tinker checkpoint prune --keep 2 --dry-run\n"
    "  tinker checkpoint prune --keep 1 --older-than 30d --yes",
)
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    required=True,
    help="Newest checkpoints to keep, of each run and type.",
)
@click.option(
    "--older-than", metavar="DURATION", help="Only those older than, say, 12h, 30d or 2w."
)
@click.option("--run-id", help="Only those of this training run.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@click.option("-y", "--yes", "confirmed", is_flag=True, help="Do not ask.")
@click.pass_obj
def prune(
    state: State,
    keep: int,
    older_than: str | None,
    run_id: str | None,
    dry_run: bool,
    confirmed: bool,
) -> int:
    """Delete old checkpoints, and keep the newest of each run and type. Published ones stay."""
    age = _days(older_than)
    now = datetime.now(UTC)
    groups: dict[tuple[str, str], list[Checkpoint]] = {}
    for one in sorted(listed(state, run_id), key=lambda one: one.time, reverse=True):
        key = (parsed(one.tinker_path).training_run_id, one.checkpoint_type)
        groups.setdefault(key, []).append(one)
    old = [
        one
        for group in groups.values()
        for one in group[keep:]
        if not one.public and (age is None or now - one.time > age)
    ]
    total = sum(one.size_bytes or 0 for one in old)
    state.say(f"{count(len(old), 'checkpoint')}, {size(total)}, can be deleted.")
    if dry_run:
        state.show(
            {"checkpoints": old, "size_bytes": total},
            ["Created", "Size", "Path"],
            [[ago(one.time), size(one.size_bytes), one.tinker_path] for one in old],
        )
        return 0
    paths = [one.tinker_path for one in old]
    return _delete_all(state, paths, concurrency=_AT_ONCE, confirmed=confirmed)

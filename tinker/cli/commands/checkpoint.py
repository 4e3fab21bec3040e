"""`tinker checkpoint`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import click

from tinker.cli.groups import Group
from tinker.cli.state import State
from tinker.cli.texts import ago, optional, size, yes
from tinker.errors import APIStatusError, TinkerError
from tinker.futures import APIFuture
from tinker.types import Checkpoint, ParsedCheckpointTinkerPath

_AT_ONCE = 8
"""Deletions under way at a time."""
_TYPES = {"weights": "training", "sampler_weights": "sampler", "external_weights": "external"}


@click.group(cls=Group)
def checkpoint() -> None:
    """Manage checkpoints. A checkpoint is named by its path: tinker://RUN_ID/weights/NAME."""


def _listed(state: State, run_id: str | None) -> list[Checkpoint]:
    if run_id is None:
        return list(state.rest.iter_user_checkpoints())
    return list(state.rest.list_checkpoints(run_id).result().checkpoints)


@checkpoint.command(
    "list",
    epilog="\b\nExamples:\n  tinker checkpoint list --limit 0\n  tinker -f json checkpoint list --run-id RUN_ID",
)
@click.option("--run-id", help="Only those of this training run.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Checkpoints to list from all runs; 0 lists all.",
)
@click.pass_obj
def list_checkpoints(state: State, run_id: str | None, limit: int) -> None:
    """List checkpoints, of one run or of all."""
    value: dict[str, Any] = {}
    if run_id is None:
        found = list(islice(state.rest.iter_user_checkpoints(), limit or None))
    else:
        value["run_id"] = run_id
        found = _listed(state, run_id)
    count = len(found)
    state.show(
        {**value, "checkpoints": found},
        ["Checkpoint ID", "Type", "Size", "Public", "Created", "Expires", "Path"],
        [
            [
                one.checkpoint_id,
                one.checkpoint_type,
                size(one.size_bytes),
                yes(one.public),
                ago(one.time),
                ago(one.expires_at),
                one.tinker_path,
            ]
            for one in found
        ],
        f"{count} checkpoint{'s' if count != 1 else ''}" if found else "No checkpoints found",
    )


def _path(value: str) -> ParsedCheckpointTinkerPath:
    try:
        return ParsedCheckpointTinkerPath.from_tinker_path(value)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="CHECKPOINT_PATH") from None


def _find(state: State, path: str) -> Checkpoint:
    run_id = _path(path).training_run_id
    for one in _listed(state, run_id):
        if one.tinker_path == path:
            return one
    raise click.ClickException(
        f"The checkpoint {path} does not exist; `tinker checkpoint list --run-id {run_id}` lists them."
    )


@checkpoint.command(
    "info", epilog="\b\nExample:\n  tinker checkpoint info tinker://RUN_ID/weights/0001"
)
@click.argument("checkpoint_path")
@click.pass_obj
def info(state: State, checkpoint_path: str) -> None:
    """Show one checkpoint."""
    found = _find(state, checkpoint_path)
    weights = state.rest.get_weights_info_by_tinker_path(checkpoint_path).result()
    properties = {
        "Checkpoint ID": found.checkpoint_id,
        "Type": found.checkpoint_type,
        "Tinker Path": found.tinker_path,
        "Base Model": weights.base_model,
        "Size": size(found.size_bytes),
        "Public": yes(found.public),
        "Created": ago(found.time),
        "Expires": ago(found.expires_at),
        "Training Run ID": _path(checkpoint_path).training_run_id,
        "LoRA": f"Yes (Rank {weights.lora_rank})" if weights.is_lora else "No",
        **{
            f"Metadata: {key}": optional(value)
            for key, value in (found.user_metadata or {}).items()
        },
    }
    value = {
        **found.model_dump(mode="json"),
        "base_model": weights.base_model,
        "is_lora": weights.is_lora,
        "lora_rank": weights.lora_rank,
    }
    state.show_properties(value, properties, f"Checkpoint: {found.checkpoint_id}")


@checkpoint.command(
    "publish",
    epilog="\b\nExample:\n  tinker checkpoint publish tinker://RUN_ID/sampler_weights/final",
)
@click.argument("checkpoint_path")
@click.pass_obj
def publish(state: State, checkpoint_path: str) -> None:
    """Let everyone read a checkpoint."""
    _path(checkpoint_path)
    state.rest.publish_checkpoint_from_tinker_path(checkpoint_path).result()
    state.say(f"Published {checkpoint_path}.")


@checkpoint.command(
    "unpublish", epilog="\b\nExample:\n  tinker checkpoint unpublish tinker://RUN_ID/weights/final"
)
@click.argument("checkpoint_path")
@click.pass_obj
def unpublish(state: State, checkpoint_path: str) -> None:
    """Make a published checkpoint private again."""
    _path(checkpoint_path)
    state.rest.unpublish_checkpoint_from_tinker_path(checkpoint_path).result()
    state.say(f"Unpublished {checkpoint_path}.")


@checkpoint.command(
    "set-ttl",
    epilog="\b\nExamples:\n  tinker checkpoint set-ttl PATH --ttl 604800\n  tinker checkpoint set-ttl PATH --remove",
)
@click.argument("checkpoint_path")
@click.option("--ttl", type=click.IntRange(min=1), help="Seconds from now until it is deleted.")
@click.option("--remove", is_flag=True, help="Keep it until it is deleted by hand.")
@click.pass_obj
def set_ttl(state: State, checkpoint_path: str, ttl: int | None, remove: bool) -> None:
    """Set or remove the time after which a checkpoint is deleted."""
    if (ttl is None) == (not remove):
        raise click.UsageError("Give either --ttl SECONDS or --remove.")
    _path(checkpoint_path)
    state.rest.set_checkpoint_ttl_from_tinker_path(checkpoint_path, ttl).result()
    expires = (
        "never expires"
        if ttl is None
        else f"expires {ago(datetime.now(UTC) + timedelta(seconds=ttl))}"
    )
    state.say(f"{checkpoint_path} {expires}.")


# ---- deleting -------------------------------------------------------------------------------


def _time(value: str, option: str) -> datetime:
    from dateutil import parser  # noqa: PLC0415  # imported when used

    try:
        time = parser.isoparse(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not a date such as 2026-11-01 or 2026-11-01T08:00:00Z.",
            param_hint=option,
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@checkpoint.command(
    "delete",
    epilog="\b\nExamples:\n  tinker checkpoint delete tinker://RUN_ID/weights/0001 tinker://RUN_ID/weights/0002\n"
    "  tinker checkpoint delete --run-id RUN_ID --type weights --before 2026-06-01",
)
@click.argument("checkpoint_paths", nargs=-1)
@click.option("--run-id", help="Delete the checkpoints of this training run.")
@click.option("--type", "kind", type=click.Choice(list(_TYPES)), help="Only those of this type.")
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
        raise click.UsageError("Give checkpoint paths, or --run-id.")
    if checkpoint_paths and (kind or before or after):
        raise click.UsageError("--type, --before and --after need --run-id.")
    for path in checkpoint_paths:
        _path(path)
    paths = list(dict.fromkeys(checkpoint_paths))
    if run_id is not None:
        earliest = _time(after, "--after") if after else None
        latest = _time(before, "--before") if before else None
        paths = [
            one.tinker_path
            for one in _listed(state, run_id)
            if (kind is None or one.checkpoint_type == _TYPES[kind])
            and (earliest is None or one.time > earliest)
            and (latest is None or one.time < latest)
        ]
    return delete_all(state, paths, concurrency=concurrency, confirmed=confirmed)


def delete_all(state: State, paths: Sequence[str], *, concurrency: int, confirmed: bool) -> int:
    """Delete these after a confirmation; returns the exit status: 1 if any could not be deleted."""
    if not paths:
        state.say("No checkpoints to delete.")
        if state.is_json:
            state.print_json({"deleted_count": 0, "failed": []})
        return 0
    for path in paths:
        state.say(f"  {path}")
    noun = "checkpoint" if len(paths) == 1 else "checkpoints"
    state.confirm(f"Delete {len(paths)} {noun}? This cannot be undone.", yes=confirmed)
    deleted, failed = 0, []
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
            progress(start + len(batch), len(paths))
    for failure in failed:
        state.say(f"Not deleted: {failure['tinker_path']}: {failure['error']}")
    state.say(f"Deleted {deleted} of {len(paths)} {noun}.")
    if state.is_json:
        state.print_json({"deleted_count": deleted, "failed": failed})
    return 1 if failed else 0


def _days(value: str | None) -> timedelta | None:
    """A duration such as 12h, 30d or 2w."""
    if value is None:
        return None
    units = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
    try:
        return float(value[:-1]) * units[value[-1:].lower()]
    except (ValueError, KeyError):
        raise click.BadParameter(
            f"{value!r} is not a duration such as 12h, 30d or 2w.", param_hint="--older-than"
        ) from None


@checkpoint.command(
    "prune",
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
    for one in sorted(_listed(state, run_id), key=lambda one: one.time, reverse=True):
        key = (_path(one.tinker_path).training_run_id, one.checkpoint_type)
        groups.setdefault(key, []).append(one)
    old = [
        one
        for group in groups.values()
        for one in group[keep:]
        if not one.public and (age is None or now - one.time > age)
    ]
    total = sum(one.size_bytes or 0 for one in old)
    state.say(f"{len(old)} checkpoints, {size(total)}, can be deleted.")
    if dry_run:
        state.show(
            {"checkpoints": old, "size_bytes": total},
            ["Created", "Size", "Path"],
            [[ago(one.time), size(one.size_bytes), one.tinker_path] for one in old],
        )
        return 0
    paths = [one.tinker_path for one in old]
    return delete_all(state, paths, concurrency=_AT_ONCE, confirmed=confirmed)


# ---- making and fetching --------------------------------------------------------------------


@checkpoint.command(
    "create",
    epilog="\b\nExample:\n  tinker checkpoint create --base-model Qwen/Qwen3-8B --rank 16 --name start",
)
@click.option("--base-model", required=True, help="Model to adapt.")
@click.option(
    "--rank", type=click.IntRange(min=1), default=32, show_default=True, help="Rank of the adapter."
)
@click.option("--seed", type=int, help="Seed of its initial weights.")
@click.option("--train-attn/--no-train-attn", default=True, help="Adapt the attention blocks.")
@click.option("--train-mlp/--no-train-mlp", default=True, help="Adapt the MLP blocks.")
@click.option("--train-unembed/--no-train-unembed", default=True, help="Adapt the unembedding.")
@click.option("--name", default="initial", show_default=True, help="Name of the checkpoint.")
@click.pass_obj
def create(
    state: State,
    base_model: str,
    rank: int,
    seed: int | None,
    train_attn: bool,
    train_mlp: bool,
    train_unembed: bool,
    name: str,
) -> None:
    """Save a new, untrained adapter of a base model as a checkpoint to train from."""
    client = state.service.create_lora_training_client(
        base_model,
        rank=rank,
        seed=seed,
        train_attn=train_attn,
        train_mlp=train_mlp,
        train_unembed=train_unembed,
    ).result()
    path = client.save_state(name).result().path
    if state.is_json:
        state.print_json(
            {"tinker_path": path, "base_model": base_model, "lora_rank": rank, "seed": seed}
        )
    else:
        click.echo(path)


def exported(state: State, path: str) -> tuple[str, Callable[[], APIFuture[None]] | None]:
    """A path whose files can be downloaded in the form that others read, and how to delete it afterwards.

    A training checkpoint is exported through an `external_weights` checkpoint, where the server makes them.
    """
    parsed = _path(path)
    if parsed.checkpoint_type != "training":
        return path, None
    client = state.service.create_training_client_from_state(path).result()
    name = f"export-{parsed.checkpoint_id.rpartition('/')[2]}"
    external = client.save_weights_external(name).result().path
    if external is None:
        raise click.ClickException(f"The server exported {path} and did not say where.")
    return external, lambda: state.rest.delete_checkpoint_from_tinker_path(external)


def download_to(state: State, path: str, parent: Path, *, force: bool) -> Path:
    """Download a checkpoint's files into a folder of `parent` that is named for it."""
    parsed = _path(path)
    folder = parent / f"{parsed.training_run_id}_{parsed.checkpoint_id.replace('/', '_')}"
    if folder.exists() and not force:
        raise click.ClickException(
            f"{folder} exists; pass --force to replace it, or --output for another place."
        )
    source, delete_export = path, None
    try:
        source, delete_export = exported(state, path)
    except APIStatusError as error:
        if error.status_code not in (404, 405, 501):
            raise
        state.say("This server exports no weights; its own files of the checkpoint are downloaded.")
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with state.progress("Downloading") as progress:
            found = state.rest.download_checkpoint(
                source, parent, overwrite=force, progress=progress
            ).result()
    finally:
        if delete_export is not None:
            delete_export().result()
    if found != folder:
        if folder.exists():
            import shutil  # noqa: PLC0415

            shutil.rmtree(folder)
        found.rename(folder)
    return folder


@checkpoint.command(
    "download",
    epilog="\b\nExamples:\n  tinker checkpoint download tinker://RUN_ID/weights/final\n"
    "  tinker checkpoint download tinker://RUN_ID/external_weights/final --output ./models",
)
@click.argument("checkpoint_path")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder to download into (default: this one).",
)
@click.option("--force", is_flag=True, help="Replace the checkpoint's folder if it exists.")
@click.pass_obj
def download(state: State, checkpoint_path: str, output: Path, force: bool) -> None:
    """Download the files of a checkpoint into a folder that is named for it.

    A training checkpoint is exported first, which opens a run on its base model for a moment. Files of an encrypted
    checkpoint keep the ending .age; `age -d` decrypts them. A download that was interrupted continues where it stopped.
    """
    folder = download_to(state, checkpoint_path, output, force=force)
    total = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    if state.is_json:
        state.print_json(
            {
                "checkpoint_path": checkpoint_path,
                "destination": str(folder.resolve()),
                "file_size_bytes": total,
            }
        )
    else:
        click.echo(str(folder))
        state.say(f"Downloaded {size(total)}.")


@checkpoint.command(
    "push-hf",
    epilog="\b\nExample:\n  tinker checkpoint push-hf tinker://RUN_ID/weights/final --repo me/my-adapter",
)
@click.argument("checkpoint_path")
@click.option(
    "-r", "--repo", help="Repository, NAME or OWNER/NAME. Default: named for run and checkpoint."
)
@click.option("--public", is_flag=True, help="Make a new repository public.")
@click.option("--revision", help="Branch to push to.")
@click.option("--commit-message", help="Message of the commit.")
@click.option("--create-pr", is_flag=True, help="Open a pull request instead of pushing.")
@click.option("--allow-pattern", multiple=True, help="Push only files that match; repeatable.")
@click.option("--ignore-pattern", multiple=True, help="Leave out files that match; repeatable.")
@click.option("--no-model-card", is_flag=True, help="Do not write a README.md.")
@click.pass_obj
def push_hf(
    state: State,
    checkpoint_path: str,
    repo: str | None,
    public: bool,
    revision: str | None,
    commit_message: str | None,
    create_pr: bool,
    allow_pattern: Sequence[str],
    ignore_pattern: Sequence[str],
    no_model_card: bool,
) -> None:
    """Push a checkpoint to the Hugging Face hub as a PEFT adapter.

    The token is the one of `hf auth login`, or HF_TOKEN. Nothing is pushed that is not a complete adapter.
    """
    from tinker.cli.hub import push  # noqa: PLC0415  # imported when used

    parsed = _path(checkpoint_path)
    name = (
        repo
        or f"tinker-{parsed.training_run_id}-{parsed.checkpoint_id.replace('/', '-')}".replace(
            ":", "-"
        )
    )
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as temporary:
        folder = download_to(state, checkpoint_path, Path(temporary), force=False)
        base_model = state.rest.get_weights_info_by_tinker_path(checkpoint_path).result().base_model
        url = push(
            folder,
            name,
            base_model=base_model,
            source=checkpoint_path,
            private=not public,
            revision=revision,
            commit_message=commit_message,
            create_pr=create_pr,
            allow=list(allow_pattern),
            ignore=list(ignore_pattern),
            model_card=not no_model_card,
        )
    if state.is_json:
        state.print_json({"checkpoint_path": checkpoint_path, "repo_id": name, "url": url})
    else:
        click.echo(url)

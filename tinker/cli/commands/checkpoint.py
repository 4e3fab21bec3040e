"""`tinker checkpoint`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from tinker.cli.checkpoints import download_to, listed, parsed
from tinker.cli.commands.checkpoint_deletion import delete, prune
from tinker.cli.groups import Group
from tinker.cli.listing import first, limit_option, listing_title
from tinker.cli.state import State
from tinker.cli.texts import ago, optional, size, yes
from tinker.types import Checkpoint


@click.group(cls=Group)
def checkpoint() -> None:
    """Manage checkpoints. A checkpoint is named by its path: tinker://RUN_ID/weights/NAME."""


checkpoint.add_command(delete)
checkpoint.add_command(prune)


@checkpoint.command(
    "list",
    epilog="\b\nExamples:\n  tinker checkpoint list --limit 0\n  tinker -f json checkpoint list --run-id RUN_ID",
)
@click.option("--run-id", help="Only those of this training run.")
@limit_option("Checkpoints to list from all runs; 0 lists all.")
@click.pass_obj
def list_checkpoints(state: State, run_id: str | None, limit: int) -> None:
    """List checkpoints, of one run or of all."""
    value: dict[str, Any] = {}
    more = False
    if run_id:
        value["run_id"] = run_id
        found = listed(state, run_id)
    else:
        found, more = first(state.rest.iter_user_checkpoints(), limit)
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
        listing_title(len(found), "checkpoint", more=more),
    )


def _find(state: State, path: str) -> Checkpoint:
    run_id = parsed(path).training_run_id
    for one in listed(state, run_id):
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
        "Training Run ID": parsed(checkpoint_path).training_run_id,
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
    parsed(checkpoint_path)
    state.rest.publish_checkpoint_from_tinker_path(checkpoint_path).result()
    state.say(f"Published {checkpoint_path}.")
    if state.is_json:
        state.print_json({"tinker_path": checkpoint_path, "public": True})


@checkpoint.command(
    "unpublish", epilog="\b\nExample:\n  tinker checkpoint unpublish tinker://RUN_ID/weights/final"
)
@click.argument("checkpoint_path")
@click.pass_obj
def unpublish(state: State, checkpoint_path: str) -> None:
    """Make a published checkpoint private again."""
    parsed(checkpoint_path)
    state.rest.unpublish_checkpoint_from_tinker_path(checkpoint_path).result()
    state.say(f"Unpublished {checkpoint_path}.")
    if state.is_json:
        state.print_json({"tinker_path": checkpoint_path, "public": False})


@checkpoint.command(
    "set-ttl",
    epilog="\b\nExamples:\n  tinker checkpoint set-ttl PATH --ttl 604800\n  tinker checkpoint set-ttl PATH --remove",
)
@click.argument("checkpoint_path")
@click.option("--ttl", type=int, help="Seconds from now until it is deleted.")
@click.option("--remove", is_flag=True, help="Keep it until it is deleted by hand.")
@click.pass_obj
def set_ttl(state: State, checkpoint_path: str, ttl: int | None, remove: bool) -> None:
    """Set or remove the time after which a checkpoint is deleted."""
    if (ttl is None) == (not remove):
        raise click.ClickException("Give either --ttl SECONDS or --remove.")
    parsed(checkpoint_path)
    state.rest.set_checkpoint_ttl_from_tinker_path(checkpoint_path, ttl).result()
    now = datetime.now(UTC)
    expires = (
        "never expires" if ttl is None else f"expires {ago(now + timedelta(seconds=ttl), now)}"
    )
    state.say(f"{checkpoint_path} {expires}.")
    if state.is_json:
        state.print_json({"tinker_path": checkpoint_path, "ttl_seconds": ttl})


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


@checkpoint.command(
    "download",
    epilog="\b\nExamples:\n  tinker checkpoint download tinker://RUN_ID/weights/final\n"
    "  tinker checkpoint download tinker://RUN_ID/external_weights/final --output ./models",
)
@click.argument("checkpoint_path")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
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

    parts = parsed(checkpoint_path)
    name = (
        repo
        or f"tinker-{parts.training_run_id}-{parts.checkpoint_id.replace('/', '-')}".replace(
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
        pushed = {"checkpoint_path": checkpoint_path, "repo_id": name, "public": public, "url": url}
        state.print_json(pushed if revision is None else {**pushed, "revision": revision})
    else:
        click.echo(url)

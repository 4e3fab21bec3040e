"""`tinker model`."""

from __future__ import annotations

import click

from tinker.cli.groups import Group
from tinker.cli.state import State
from tinker.cli.texts import optional, yes


@click.group(cls=Group)
def model() -> None:
    """List the models of the server."""


@model.command("list", epilog="\b\nExamples:\n  tinker model list\n  tinker model list qwen")
@click.argument("substring", required=False)
@click.pass_obj
def list_models(state: State, substring: str | None) -> int:
    """List the models, or those whose name contains SUBSTRING, ignoring case. Exits with status 1 if none does."""
    models = state.rest.get_server_capabilities().result().supported_models
    found = [
        model
        for model in models
        if substring is None or substring.lower() in (model.model_name or "").lower()
    ]
    state.show(
        {"models": found},
        ["Model", "Max Context", "Trainable", "Sampleable"],
        [
            [
                optional(model.model_name),
                optional(model.max_context_length),
                yes(model.trainable),
                yes(model.sampleable),
            ]
            for model in found
        ],
        "" if found else "No models found",
    )
    return 0 if found or substring is None else 1

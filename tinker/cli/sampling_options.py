"""The options of commands that sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from tinker import types

F = TypeVar("F", bound=Callable[..., Any])


def sampling_options(max_tokens: int) -> Callable[[F], F]:
    """`--max-tokens`, `--temperature`, `--top-p`, `--top-k`, `--seed`, `--stop`."""
    options = [
        click.option(
            "--max-tokens",
            type=click.IntRange(min=1),
            default=max_tokens,
            show_default=True,
            help="Tokens to generate at most.",
        ),
        click.option(
            "--temperature",
            type=click.FloatRange(min=0),
            default=0.7,
            show_default=True,
            help="0 takes the most likely token.",
        ),
        click.option(
            "--top-p",
            type=click.FloatRange(0, 1, min_open=True),
            default=1.0,
            show_default=True,
            help="Share of the probability to sample from.",
        ),
        click.option(
            "--top-k",
            type=int,
            default=-1,
            show_default=True,
            help="Number of tokens to sample from; -1: all.",
        ),
        click.option("--seed", type=int, help="Seed, to get the same again."),
        click.option("--stop", multiple=True, help="Text at which to stop; repeatable."),
    ]

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def params(
    *,
    max_tokens: int,
    temperature: float,
    top_p: float,
    top_k: int,
    seed: int | None,
    stop: tuple[str, ...],
) -> types.SamplingParams:
    return types.SamplingParams(
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        seed=seed,
        stop=list(stop) or None,
    )

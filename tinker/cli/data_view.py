"""What a data set is and what a run would do, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs
from rich.markup import escape
from rich.text import Text

from tinker.cli import texts
from tinker.cli.state import State
from tinker.recipes.errors import Problem
from tinker.recipes.rendering import Rendered
from tinker.recipes.report import DataReport, Plan
from tinker.tokenizers import Tokenizer

if TYPE_CHECKING:
    from tinker.recipes.supervised import Training

_LINES = 5
_TRAINED, _UNTRAINED = "bold green", "dim"


def show_report(state: State, report: DataReport, plan: Plan | None, base_model: str) -> None:
    """The numbers, on stderr."""
    say = state.console(stderr=True).print
    say(
        f"[bold]{escape(report.source)}[/]: {texts.count(report.rows, 'row')}, {report.format} ({escape(report.reason)})"
    )
    share = report.trained_tokens / report.tokens if report.tokens else 0.0
    say(
        f"  tokens     {report.tokens:,}, of which {report.trained_tokens:,} are trained on ({share:.0%})"
    )
    numbers = ", ".join(f"{name} {count:,}" for name, count in report.percentiles.items())
    say(f"  row length {numbers} tokens")
    longest = ", ".join(f"line {line} ({count:,})" for line, count in report.longest)
    say(f"  longest    {longest}")
    if report.held_out:
        say(f"  held out   {texts.count(report.held_out, 'row')}, for evaluation")
    _problems(state, "truncated", report.truncated)
    _problems(state, "dropped", report.dropped)
    if report.duplicates:
        pairs = ", ".join(
            f"line {line} repeats {first}" for line, first in report.duplicates[:_LINES]
        )
        more = (
            f" and {len(report.duplicates) - _LINES} more"
            if len(report.duplicates) > _LINES
            else ""
        )
        say(f"  [yellow]duplicates[/] {len(report.duplicates):,}: {pairs}{more}")
    for note in report.notes:
        say(f"  [yellow]note[/]       {escape(note)}")
    if plan is None:
        return
    last = (
        f", the last of each epoch with {plan.last_batch}"
        if plan.last_batch != plan.batch_size
        else ""
    )
    say(
        f"[bold]{escape(base_model)}[/]: {texts.count(plan.steps, 'step')} of {texts.count(plan.batch_size, 'row')}{last}"
    )
    steps = texts.count(plan.steps_per_epoch, "step")
    say(f"  per epoch  {steps}, {plan.tokens_per_epoch:,} tokens")
    say(f"  in all     {plan.tokens:,} tokens, evaluation included")
    say(f"  rate       {plan.learning_rate:g} at its peak")
    if plan.cost is not None:
        say(f"  cost       {texts.money(plan.cost)}, by prices of {plan.prices_as_of}")


def _problems(state: State, name: str, problems: Sequence[Problem]) -> None:
    if not problems:
        return
    say = state.console(stderr=True).print
    say(f"  [yellow]{name}[/] {texts.count(len(problems), 'row')}")
    for problem in problems[:_LINES]:
        say(f"    {escape(str(problem))}")
    if len(problems) > _LINES:
        say(f"    … and {len(problems) - _LINES:,} more")


def row_text(row: Rendered, tokenizer: Tokenizer, limit: int = 400) -> Text:
    """A rendered row: what is trained on in green, the rest dim. Long rows are cut in the middle."""
    text = Text()
    start = 0
    tokens, trained = row.tokens.tolist(), row.trained.tolist()
    while start < len(tokens):
        end = start
        while end < len(tokens) and trained[end] == trained[start]:
            end += 1
        part = texts.printable(tokenizer.decode(tokens[start:end]))
        if len(part) > limit:
            part = f"{part[: limit // 2]} … {part[-limit // 2 :]}"
        text.append(part, style=_TRAINED if trained[start] else _UNTRAINED)
        start = end
    return text


def show_row(state: State, row: Rendered, tokenizer: Tokenizer) -> None:
    console = state.console(stderr=True)
    text, trained = row_text(row, tokenizer), "[green]what is green[/]"
    if console.no_color or not console.is_terminal:
        # Without colors, brackets say the same.
        marked = (f"⟦{span}⟧" if style == _TRAINED else span for span, style in _spans(text))
        text, trained = Text("".join(marked)), "what is in ⟦⟧"
    console.print(f"[bold]line {row.line}[/], {len(row.tokens):,} tokens; {trained} is trained on:")
    console.print(text)


def _spans(text: Text) -> list[tuple[str, str]]:
    return [(text.plain[span.start : span.end], str(span.style)) for span in text.spans]


def report_value(training: Training) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "model": training.base_model,
        "data": training.report.as_dict(),
        "plan": attrs.asdict(training.plan),
    }

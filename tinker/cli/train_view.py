"""A run while it trains: a live view in a terminal, one line a step elsewhere; at its end, what to type next."""

from __future__ import annotations

import shlex
import sys
import time
from collections import deque
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.live import Live
from rich.text import Text

from tinker.cli import texts
from tinker.cli.state import State
from tinker.errors import TinkerError
from tinker.recipes import answers, curve, trackers
from tinker.recipes.events import Evaluation, Event, Finished, Saved, Step
from tinker.recipes.run_folder import CURVE
from tinker.recipes.supervised import Training

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

_BARS = "▁▂▃▄▅▆▇█"
_RATE_STEPS = 20


class View:
    """What is shown of a run."""

    def __init__(self, state: State, training: Training) -> None:
        self._state, self._training = state, training
        self._losses: list[float] = []
        self._evaluations: list[Evaluation] = []
        self._recent: deque[Step] = deque(maxlen=_RATE_STEPS)
        self._last: Step | None = None
        self._began = time.monotonic()

    def take(self, event: Event) -> str | None:
        """Note an event, and return the line for it."""
        match event:
            case Step():
                self._losses.append(event.loss)
                self._recent.append(event)
                self._last = event
                return (
                    f"step {event.step + 1}/{event.steps}  loss {event.loss:.4f}  "
                    f"rate {event.learning_rate:.2e}  {self._tokens_per_second:,.0f} tokens/s"
                )
            case Evaluation():
                self._evaluations.append(event)
                return f"step {event.step}  held-out loss {event.loss:.4f}{'  (best)' if event.best else ''}"
            case Saved():
                return f"saved {event.checkpoint.state_path}"
        return None

    @property
    def _tokens_per_second(self) -> float:
        seconds = sum(step.seconds for step in self._recent)
        return sum(step.tokens for step in self._recent) / seconds if seconds else 0.0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(20, min(options.max_width, 100))
        if self._last is None:
            doing = self._waiting() or "starting"
            yield Text(f"{self._training.folder.path}: {doing} …", overflow="fold")
            return
        step = self._last
        done, steps = step.step + 1, step.steps
        per_step = sum(s.seconds for s in self._recent) / len(self._recent)
        left = texts.duration(per_step * (steps - done))
        bar_width = max(5, min(40, width - 40))
        filled = bar_width * done // steps
        bar = "━" * filled + "╌" * (bar_width - filled)
        yield Text(
            f"step {done}/{steps} {bar} {done * 100 // steps}%  {left} left",
            overflow="crop",
            no_wrap=True,
        )
        yield Text.assemble(
            "loss ",
            (f"{step.loss:.4f} ", "bold"),
            (_sparkline(self._losses, width - 20), "cyan"),
            no_wrap=True,
            overflow="crop",
        )
        facts = [
            f"{self._tokens_per_second:,.0f} tokens/s",
            f"rate {step.learning_rate:.2e}",
            f"epoch {step.epoch + 1}",
        ]
        if self._evaluations:
            best = min(e.loss for e in self._evaluations)
            facts.append(f"held-out {self._evaluations[-1].loss:.4f} (best {best:.4f})")
        yield Text("  ".join(facts), overflow="fold")
        if waiting := self._waiting():
            yield Text(waiting, style="yellow", overflow="fold")

    def _waiting(self) -> str | None:
        """What the oldest operation waits for, where the server says why."""
        return self._training.waiting_for


def _sparkline(values: list[float], width: int) -> str:
    size = max(1, -(-len(values) // max(1, width)))
    groups = [values[n : n + size] for n in range(0, len(values), size)]
    means = [sum(group) / len(group) for group in groups]
    low, high = min(means), max(means)
    span = (high - low) or 1.0
    return "".join(_BARS[round((value - low) / span * (len(_BARS) - 1))] for value in means)


def watch(state: State, training: Training, *, resume: bool) -> None:
    """Train, show it, and say what to type next."""
    settings = training.settings
    view = View(state, training)
    live = sys.stderr.isatty() and not state.is_json
    console = state.console(stderr=True)
    finished: Finished | None = None
    if not resume:
        training.folder.make()
    with closing(trackers.open_all(settings, training)) as tracker:
        prompts = answers.prompts(training)
        before = answers.stored(training) if resume else answers.ask(training, prompts, None)
        try:
            with Live(view, console=console, refresh_per_second=4) if live else nullcontext():
                for event in training.run(resume=resume):
                    line = view.take(event)
                    tracker.log(event)
                    if state.is_json:
                        state.print_json_line(_event(event))
                    elif line is not None and not live:
                        console.print(line, markup=False)
                    if isinstance(event, Finished):
                        finished = event
        except KeyboardInterrupt:
            _interrupted(state, training)
            raise
        except (TinkerError, OSError):
            if training.folder.exists and not resume:
                _say_how_to_go_on(state, training)
            raise
        finally:
            _draw(state, training)
    assert finished is not None
    _conclude(state, training, finished, before, prompts)


def _interrupted(state: State, training: Training) -> None:
    if not training.folder.exists:  # it has not begun
        return
    state.say("Interrupted: saving a checkpoint (Ctrl-C again leaves at once) …")
    try:
        training.interrupt()
    except (TinkerError, TimeoutError, KeyboardInterrupt) as error:
        why = "interrupted again" if isinstance(error, KeyboardInterrupt) else str(error)
        state.say(f"No checkpoint was saved: {why.rstrip('.')}.")
    _say_how_to_go_on(state, training)


def _say_how_to_go_on(state: State, training: Training) -> None:
    state.say(f"Go on with: tinker train --resume {shlex.quote(str(training.folder.path))}")


def _draw(state: State, training: Training) -> None:
    """Write the curve. A run does not fail because of it."""
    try:
        if rows := training.folder.metrics():
            training.folder.write(CURVE, curve.svg(rows))
    except TinkerError as error:
        state.say(f"The curve is missing: {error}")


def _event(event: Event) -> dict[str, Any]:
    import attrs  # noqa: PLC0415

    return {"event": type(event).__name__.lower(), **attrs.asdict(event)}


def _conclude(
    state: State,
    training: Training,
    finished: Finished,
    before: list[str],
    prompts: list[answers.Prompt],
) -> None:
    best = finished.best or finished.checkpoint
    console = state.console(stderr=True)
    after: list[str] = []
    try:
        after = answers.ask(training, prompts, finished.checkpoint.sampler_path)
    except TinkerError as error:  # the run is finished all the same
        state.say(f"The answers after training are missing: {error}")
    for prompt, first, last in zip(prompts, before, after, strict=False):
        console.print(Text.assemble(("prompt  ", "bold"), texts.printable(prompt.text)))
        console.print(Text.assemble(("before  ", "dim"), texts.printable(first)))
        console.print(Text.assemble(("after   ", "green"), texts.printable(last)))
    folder = shlex.quote(str(training.folder.path))
    early = "" if finished.reason == "done" else f" ({finished.reason})"
    steps = texts.count(finished.steps, "step")
    state.say(f"Finished after {steps}{early}, {finished.tokens:,} tokens.")
    state.say(f"  checkpoint  {finished.checkpoint.state_path}")
    if best.name != finished.checkpoint.name:
        state.say(f"  best        {best.state_path} (held-out loss {best.eval_loss:.4f})")
    state.say(f"  curve       {training.folder.path / CURVE}")
    state.say("Next:")
    state.say(f"  tinker chat {folder}")
    state.say(f"  tinker export {folder}")
    given = training.settings.model_name
    # A server inside the command has to be given the folder of the model again.
    model = f" --model {shlex.quote(given)}" if given and Path(given).exists() else ""
    state.say(f"  tinker train DATA{model} --load-checkpoint-path {finished.checkpoint.state_path}")
    if not state.is_json:
        print(finished.checkpoint.sampler_path or finished.checkpoint.state_path)

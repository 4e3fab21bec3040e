"""`tinker chat`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from tinker import SamplingClient, types
from tinker.cli.groups import Command
from tinker.cli.models import context_of, sampler
from tinker.cli.sampling_options import params, sampling_options
from tinker.cli.state import State

_HELP = """\
/system TEXT   set the system message (empty: remove it)
/undo          undo the last question and its answer
/reset         start over
/history       show the conversation
/help          show this
/exit          leave (or Ctrl-D)"""


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  tinker chat Qwen/Qwen3-8B
  tinker chat tinker-runs/my-run
  tinker chat tinker://RUN_ID/sampler_weights/final --against Qwen/Qwen3-8B
""",
)
@click.argument("model", type=click.Path(), metavar="MODEL")
@click.option(
    "--against",
    type=click.Path(),
    metavar="MODEL",
    help="Answer with this model too, below the first.",
)
@click.option("--system", help="System message.")
@sampling_options(max_tokens=512)
@click.pass_obj
def chat(
    state: State, /, model: str, against: str | None, system: str | None, **given: Any
) -> None:
    """Chat with MODEL: a base model, a checkpoint's path, or the folder of a run. /help lists what can be typed.

    Where standard input is not a terminal, each of its lines is a message. With --format json, each answer is a line of JSON.
    """
    names = [model] if against is None else [model, against]
    samplers = [sampler(state, name) for name in names]
    for name, one in zip(names, samplers, strict=True):
        if one.get_tokenizer().chat_template is None:
            raise click.ClickException(
                f"{name} has no chat template, so it cannot chat; `tinker sample {name}` continues a text."
            )
    histories: list[list[dict[str, str]]] = [[] for _ in samplers]
    rooms = [context_of(state, one) for one in samplers]
    interactive = sys.stdin.isatty()
    if interactive:
        state.say(f"Chatting with {' and '.join(names)}; /help lists what can be typed.")
    while True:
        try:
            line = input("> ") if interactive else sys.stdin.readline()
        except EOFError:
            break
        except KeyboardInterrupt:
            state.say("")
            break
        if not interactive and not line:
            break
        text = line.strip()
        if not text:
            continue
        if text.startswith("/"):
            word, _, rest = text.partition(" ")
            if word == "/exit":
                break
            system = _command(state, word, rest.strip(), system, histories)
            continue
        for name, one, history, room in zip(names, samplers, histories, rooms, strict=True):
            history.append({"role": "user", "content": text})
            if len(names) > 1 and not state.is_json:
                state.say(f"[{name}]")
            answer = _answer(state, one, system, history, given, room)
            history.append({"role": "assistant", "content": answer})
            if state.is_json:
                state.print_json_line({"model": name, "prompt": text, "answer": answer})


def _command(
    state: State,
    word: str,
    rest: str,
    system: str | None,
    histories: Sequence[list[dict[str, str]]],
) -> str | None:
    """Carry out a command, and return the system message."""
    match word:
        case "/system":
            state.say("System message set." if rest else "System message removed.")
            return rest or None
        case "/reset":
            for history in histories:
                history.clear()
        case "/undo":
            for history in histories:
                del history[-2:]
        case "/history":
            for message in histories[0]:
                state.say(f"{message['role']}: {message['content']}")
        case "/help":
            state.say(_HELP)
        case _:
            state.say(f"{word} is not a command; /help lists the commands.")
    return system


def _answer(
    state: State,
    client: SamplingClient,
    system: str | None,
    history: list[dict[str, str]],
    given: dict[str, Any],
    room: int | None,
) -> str:
    """Print the answer as it comes, and return it. Ctrl-C ends it where it is."""
    before = [{"role": "system", "content": system}] if system else []
    tokenizer = client.get_tokenizer()
    tokens = tokenizer.apply_chat_template([*before, *history], add_generation_prompt=True)
    if room is not None:
        given = {**given, "max_tokens": max(1, min(given["max_tokens"], room - len(tokens)))}
    special = set(tokenizer.all_special_ids)
    parts: list[str] = []
    try:
        with client.sample_stream(types.ModelInput.from_ints(tokens), params(**given)) as stream:
            for event in stream:
                if event.token and event.token_id not in special:
                    parts.append(event.token)
                    if not state.is_json:
                        state.print_text(event.token, nl=False)
    except KeyboardInterrupt:
        click.echo(" [stopped]", nl=False, err=True)
    if not state.is_json:
        click.echo()
    return "".join(parts).strip()

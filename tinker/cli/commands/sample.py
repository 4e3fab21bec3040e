"""`tinker sample`."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import orjson

from tinker import APIFuture, SamplingClient, types
from tinker.cli.groups import Command
from tinker.cli.models import sampler
from tinker.cli.sampling_options import params, sampling_options
from tinker.cli.state import State
from tinker.cli.texts import count
from tinker.recipes.errors import DataError, Problem
from tinker.recipes.rows import read
from tinker.tokenizers import Tokenizer

_AT_ONCE = 64


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  tinker sample Qwen/Qwen3-8B "Once upon a time"
  tinker sample tinker-runs/my-run --chat "Who are you?" --num-samples 4
  cat prompt.txt | tinker sample Qwen/Qwen3-8B -
  tinker sample tinker-runs/my-run --prompts prompts.jsonl --output answers.jsonl
""",
)
@click.argument("model", type=click.Path(), metavar="MODEL")
@click.argument("prompt", required=False)
@click.option(
    "--prompt-file",
    type=click.Path(path_type=Path),
    help='File with the prompt: text, a JSON array of token ids, or {"tokens": […]}.',
)
@click.option(
    "--prompts",
    type=click.Path(),
    metavar="FILE",
    help="JSON Lines with `prompt`, `messages` or `tokens`; needs --output.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for the answers, as JSON Lines. What it has already is not asked again.",
)
@click.option(
    "--chat",
    is_flag=True,
    help="Render the prompt with the model's chat template, as the user's message.",
)
@click.option(
    "-n",
    "--num-samples",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Samples of each prompt.",
)
@sampling_options(max_tokens=128)
@click.pass_obj
def sample(
    state: State,
    /,
    model: str,
    prompt: str | None,
    prompt_file: Path | None,
    prompts: str | None,
    output: Path | None,
    chat: bool,
    num_samples: int,
    **given: Any,
) -> None:
    """Sample from MODEL: a base model, a checkpoint's path, or the folder of a run. PROMPT - is standard input."""
    if sum(value is not None for value in (prompt, prompt_file, prompts)) != 1:
        raise click.UsageError("Give one of PROMPT, --prompt-file and --prompts.")
    if (prompts is not None) != (output is not None):
        raise click.UsageError("--prompts and --output go together.")
    client = sampler(state, model)
    tokenizer = client.get_tokenizer()
    if prompts is not None and output is not None:
        _many(state, client, tokenizer, prompts, output, chat, num_samples, given)
        return
    value: Any = prompt
    if prompt == "-":
        value = sys.stdin.read()
    elif prompt_file is not None:
        value = _file(prompt_file)
    tokens = _tokens(
        tokenizer, {"tokens": value} if isinstance(value, list) else {"prompt": value}, chat
    )
    response = client.sample(
        types.ModelInput.from_ints(tokens), num_samples, params(**given)
    ).result()
    answers = [_answer(tokenizer, sequence) for sequence in response.sequences]
    if state.is_json:
        state.print_json({"model": model, "prompt_tokens": len(tokens), "samples": answers})
        return
    for number, answer in enumerate(answers, 1):
        if num_samples > 1:
            state.say(f"[{number}]")
        state.print_text(answer["text"])
        if answer["mean_logprob"] is not None:
            state.say(
                f"{len(answer['tokens'])} tokens, {answer['stop_reason']}, mean log-probability {answer['mean_logprob']:.3f}"
            )


def _file(path: Path) -> str | list[Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path} cannot be read: {error}") from None
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, dict) and "tokens" in value:
        value = value["tokens"]
    return value if isinstance(value, list) else text


def _tokens(tokenizer: Tokenizer, row: Any, chat: bool) -> list[int]:
    """The prompt of a row: `tokens`, `messages`, or `prompt`."""
    if not isinstance(row, dict):
        raise DataError("a row must be an object with `prompt`, `messages` or `tokens`")
    if "tokens" in row:
        tokens = row["tokens"]
        if not (tokens and isinstance(tokens, list) and all(map(_is_token, tokens))):
            raise DataError("`tokens` must be a non-empty list of token ids")
        return tokens
    messages = row.get("messages")
    if messages is None and isinstance(row.get("prompt"), list):
        messages = row["prompt"]
    if messages is None:
        text = row.get("prompt", row.get("text"))
        if not isinstance(text, str) or not text:
            raise DataError("the prompt must be a non-empty string")
        if not chat:
            return tokenizer.encode(text)
        messages = [{"role": "user", "content": text}]
    rendered: list[int] = tokenizer.apply_chat_template(messages, add_generation_prompt=True)
    return rendered


def _is_token(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _answer(tokenizer: Tokenizer, sequence: types.SampledSequence) -> dict[str, Any]:
    logprobs = sequence.logprobs
    return {
        "text": tokenizer.decode(sequence.tokens, skip_special_tokens=True),
        "tokens": list(sequence.tokens),
        "stop_reason": sequence.stop_reason,
        "mean_logprob": float(sum(logprobs) / len(logprobs))
        if logprobs is not None and len(logprobs)
        else None,
    }


def _many(
    state: State,
    client: SamplingClient,
    tokenizer: Tokenizer,
    source: str,
    output: Path,
    chat: bool,
    num_samples: int,
    given: dict[str, Any],
) -> None:
    """Sample for each row of a file; answers are written in order, and a later call goes on where one ended."""
    rows = read(source).rows
    asked: list[list[int]] = []
    problems: list[Problem] = []
    for row in rows:
        try:
            asked.append(_tokens(tokenizer, row.value, chat))
        except (DataError, ValueError) as error:
            problems.append(Problem(row.line, str(error)))
    if problems:
        raise DataError(
            f"{len(problems)} of {len(rows)} rows of {source} are not prompts.", problems
        )
    done = _done(output, [_shown(row.value) for row in rows], source)
    if done:
        rest = f"going on with prompt {done + 1}" if done < len(rows) else "no prompt is left"
        state.say(f"{output} has {count(done, 'answer')} already; {rest}.")
    sampling = params(**given)

    def answers() -> Iterator[tuple[int, types.SampleResponse]]:
        waiting: deque[tuple[int, APIFuture[types.SampleResponse]]] = deque()
        for number in range(done, len(rows)):
            waiting.append(
                (
                    number,
                    client.sample(types.ModelInput.from_ints(asked[number]), num_samples, sampling),
                )
            )
            if len(waiting) >= _AT_ONCE:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()

    with output.open("ab") as file, state.progress("Sampling") as progress:
        for number, response in answers():
            row = rows[number].value
            answer = {
                "prompt": _shown(row),
                "samples": [_answer(tokenizer, sequence) for sequence in response.sequences],
            }
            file.write(orjson.dumps(answer) + b"\n")
            file.flush()
            progress(number + 1, len(rows))
    state.say(f"{count(len(rows), 'answer')} in {output}.")


def _shown(row: dict[str, Any]) -> Any:
    """What an answer names as its prompt."""
    return row.get("prompt", row.get("messages", row.get("text", row.get("tokens"))))


def _done(output: Path, prompts: Sequence[Any], source: str) -> int:
    """The number of answers in a file; what a crash has left of another is cut off.

    Raises:
        click.ClickException: They are not the answers to these prompts.
    """
    try:
        content = output.read_bytes()
    except FileNotFoundError:
        return 0
    whole = content[: content.rfind(b"\n") + 1]
    answers = whole.splitlines()
    for number, line in enumerate(answers):
        try:
            answered = orjson.loads(line)["prompt"]
        except (ValueError, KeyError, TypeError):
            raise click.ClickException(
                f"{output} is not a file of answers: line {number + 1} has no prompt. Choose another --output."
            ) from None
        if number >= len(prompts) or answered != prompts[number]:
            raise click.ClickException(
                f"{output} has answers to other prompts than {source}, from line {number + 1} on. Choose another --output."
            )
    if len(whole) != len(content):
        output.write_bytes(whole)
    return len(answers)

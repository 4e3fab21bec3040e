"""A model's answers to a few held-out prompts, before and after training."""

from __future__ import annotations

import orjson
from attrs import frozen

from tinker import types
from tinker.recipes.examples import Completion, Conversation, Document, Example, Preference
from tinker.recipes.supervised import Training

FILE = "answers.json"
_COUNT = 3
_LOOKED_AT = 100
"""Rows among which different prompts are looked for."""
_MAX_TOKENS = 64
_DOCUMENT_TOKENS = 16


@frozen
class Prompt:
    """A prompt and its tokens."""

    text: str
    """As shown to people."""
    tokens: tuple[int, ...]


def prompts(training: Training, count: int = _COUNT) -> list[Prompt]:
    """Different prompts from held-out rows, or from the first rows where none is held out."""
    lines = training.held_out_lines
    examples = [e for e in training.eval_examples.examples if e.line in lines]
    found: dict[tuple[int, ...], Prompt] = {}
    for example in (examples or training.examples.examples)[:_LOOKED_AT]:
        prompt = _prompt(training, example)
        found.setdefault(prompt.tokens, prompt)
        if len(found) == count:
            break
    return list(found.values())


def _prompt(training: Training, example: Example) -> Prompt:
    tokenizer = training.tokenizer
    match example:
        case Preference():
            return _prompt(training, example.chosen)
        case Conversation():
            last = max(n for n, m in enumerate(example.messages) if m["role"] == "assistant")
            messages = [
                {name: part for name, part in message.items() if name != "train"}
                for message in example.messages[:last]
            ]
            if not messages:
                return Prompt("(nothing)", tuple(tokenizer.encode("\n")))
            tokens = tokenizer.apply_chat_template(
                messages,
                tools=example.tools,
                chat_template=training.chat_template,
                add_generation_prompt=True,
            )
            return Prompt(str(messages[-1]["content"]), tuple(tokens))
        case Completion():
            return Prompt(example.prompt, tuple(tokenizer.encode(example.prompt or "\n")))
        case Document():
            tokens = tokenizer.encode(example.text)[:_DOCUMENT_TOKENS]
            return Prompt(tokenizer.decode(tokens), tuple(tokens))


def ask(training: Training, asked: list[Prompt], model_path: str | None) -> list[str]:
    """The most likely answers of a sampler checkpoint, or of the model as the run found it."""
    service = training.service
    if model_path is not None:
        sampler = service.create_sampling_client(model_path=model_path).result()
    else:
        sampler = training.initial_sampler()
    params = types.SamplingParams(max_tokens=_MAX_TOKENS, temperature=0.0)
    futures = [
        sampler.sample(types.ModelInput.from_ints(list(prompt.tokens)), 1, params)
        for prompt in asked
    ]
    answers = [
        training.tokenizer.decode(
            future.result().sequences[0].tokens, skip_special_tokens=True
        ).strip()
        for future in futures
    ]
    if model_path is None:
        training.keep_answers(FILE, orjson.dumps({"before": answers}))
    return answers


def stored(training: Training) -> list[str]:
    """The answers from before a run that is resumed."""
    try:
        content = orjson.loads((training.folder.path / FILE).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return []
    return list(content.get("before", []))

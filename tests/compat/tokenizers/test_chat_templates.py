"""Chat templates of real models: text and masks are those of transformers, and what the model writes is found without marks too.

Of each template there is a twin that marks what the assistant writes, for which transformers has a mask.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("tokenizers")
transformers = pytest.importorskip("transformers")

from tests.compat.tokenizers.fetch import CHAT_TEMPLATES
from tests.compat.tokenizers.test_exact_ids import QWEN
from tests.support import original_tokenizers as original
from tinker.tokenizers import Tokenizer, TokenizerError, get_tokenizer, trained_tokens

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "Where."}},
            "required": ["city"],
        },
    },
}
CALL = {
    "type": "function",
    "id": "abcdefghi",
    "function": {"name": "weather", "arguments": {"city": "Paris"}},
}
CHATS: dict[str, list[dict[str, Any]]] = {
    "one": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello there"}],
    "several": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi, who are you?"},
        {"role": "assistant", "content": "I am a model."},
        {"role": "user", "content": "What is 2 + 2? naïve 日本 e\u0301"},
        {"role": "assistant", "content": " It is 4, 🎉! u\u0308"},
    ],
    "reasoning": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello", "reasoning_content": "They greet."},
        {"role": "user", "content": "2+2?"},
        {"role": "assistant", "content": "4", "reasoning_content": "Add them."},
    ],
    "tools": [
        {"role": "user", "content": "Weather in Paris?"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "name": "weather", "tool_call_id": "abcdefghi", "content": "sunny"},
        {"role": "assistant", "content": "Sunny."},
    ],
}
_SPECIAL = re.compile(
    r"<\|[A-Za-z_0-9]+\|>|<\uff5c[^\uff5c]+\uff5c>|</?think>|<(?:start|end)_of_turn>"
)
_REFUSED = {"deepseek_r1_distill", "nemotron_3_nano"}
"""They put the model into reasoning, and drop from a conversation that it was."""


@pytest.fixture(scope="module")
def templates(real_file: Callable[[str], Path]) -> dict[str, str]:
    return {
        name + twin: real_file(f"chat_templates/{name}{twin}.jinja").read_text(encoding="utf-8")
        for name in CHAT_TEMPLATES
        for twin in ("", "_training")
    }


@pytest.fixture(scope="module")
def both(
    real_file: Callable[[str], Path],
    templates: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Tokenizer, Any]:
    """Ours and transformers', with Qwen's vocabulary and the special tokens of all templates."""
    special = {token for text in templates.values() for token in _SPECIAL.findall(text)}
    folder = tmp_path_factory.mktemp("tokenizer")
    file = folder / "tokenizer.json"
    ranks = original.read_ranks(real_file("qwen/qwen.tiktoken"))
    added = sorted({*special, "<bos>", "<eos>"})
    file.write_text(
        original.tokenizer_json(ranks, QWEN, added, normalizer="NFC", every_split=False)
    )
    named = {"bos_token": "<bos>", "eos_token": "<eos>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(named))
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=str(file), **named)
    return get_tokenizer(folder), theirs


def cases() -> Iterator[Any]:
    for name in CHAT_TEMPLATES:
        for chat in CHATS:
            yield pytest.param(name, chat, id=f"{name}-{chat}")


def options(chat: str) -> dict[str, Any]:
    return {"tools": [WEATHER]} if chat == "tools" else {}


@pytest.mark.parametrize(("name", "chat"), cases())
def test_text_and_marked_masks_are_those_of_transformers(
    name: str, chat: str, templates: dict[str, str], both: tuple[Tokenizer, Any]
) -> None:
    ours, theirs = both
    for template in (templates[name], templates[f"{name}_training"]):
        try:
            expected = theirs.apply_chat_template(
                CHATS[chat], chat_template=template, tokenize=False, **options(chat)
            )
        except Exception:  # noqa: BLE001 - whatever a template raises: it refuses this conversation
            with pytest.raises(TokenizerError, match="The chat template"):
                ours.apply_chat_template(CHATS[chat], chat_template=template, **options(chat))
            return
        found = ours.apply_chat_template(
            CHATS[chat], chat_template=template, tokenize=False, **options(chat)
        )
        assert found == expected
    arguments = {
        "chat_template": templates[f"{name}_training"],
        "return_dict": True,
        "return_assistant_tokens_mask": True,
        **options(chat),
    }
    expected = theirs.apply_chat_template(CHATS[chat], **arguments)
    found = ours.apply_chat_template(CHATS[chat], **arguments)
    assert dict(found) == {key: expected[key] for key in found}
    assert 0 < sum(found["assistant_masks"]) < len(found.input_ids)
    trained = trained_tokens(
        ours, CHATS[chat], chat_template=templates[f"{name}_training"], **options(chat)
    )
    assert trained.tokens == expected["input_ids"]
    assert trained.trained == [bool(one) for one in expected["assistant_masks"]]


def written(tokenizer: Tokenizer, tokens: list[int], mask: list[Any]) -> list[str]:
    runs: list[list[int]] = []
    for token, one, before in zip(tokens, mask, [False, *mask], strict=False):
        if one and not before:
            runs.append([])
        if one:
            runs[-1].append(token)
    return [tokenizer.decode(run) for run in runs]


@pytest.mark.parametrize(("name", "chat"), cases())
def test_what_the_model_writes_is_found_without_marks(
    name: str, chat: str, templates: dict[str, str], both: tuple[Tokenizer, Any]
) -> None:
    ours, theirs = both
    template, twin = templates[name], templates[f"{name}_training"]
    try:
        text, marked = (
            theirs.apply_chat_template(
                CHATS[chat], chat_template=one, tokenize=False, **options(chat)
            )
            for one in (template, twin)
        )
    except Exception:  # noqa: BLE001 - whatever a template raises: it refuses this conversation
        with pytest.raises(TokenizerError):
            trained_tokens(ours, CHATS[chat], chat_template=template, **options(chat))
        return
    try:
        found = trained_tokens(ours, CHATS[chat], chat_template=template, **options(chat))
    except TokenizerError as error:
        assert (
            name in _REFUSED
            or ("leaves out the call of 'weather'" in str(error) and text.count("Paris") == 1)
            or ("prints the content 0 times" in str(error) and "sunny" not in text)
            or (name == "qwen3_5_think" and chat in ("several", "reasoning"))
        ), error
        return
    assert name not in _REFUSED
    runs = written(ours, found.tokens, found.trained)
    for run, message in zip(
        runs, [one for one in CHATS[chat] if one["role"] == "assistant"], strict=True
    ):
        assert ours.decode(ours.encode(message["content"].strip())) in run
    if text == marked:
        reference = theirs.apply_chat_template(
            CHATS[chat],
            chat_template=twin,
            return_dict=True,
            return_assistant_tokens_mask=True,
            **options(chat),
        )
        marks = written(ours, reference["input_ids"], reference["assistant_masks"])
        # Marks also take in the generation prompt, white space behind the turn, an end of text, and the end
        # that gpt-oss writes in place of the model's own.
        opening = theirs.apply_chat_template(
            CHATS[chat][:1], chat_template=template, tokenize=False, add_generation_prompt=True
        )
        for run, mark in zip(runs, marks, strict=True):
            before, same, behind = mark.partition(run.rstrip())
            assert same
            assert opening.rstrip("\n").endswith(before.rstrip("\n"))
            assert behind.strip() in ("", "<eos>", "<|end|>")

"""From a model's name to the repository that holds its tokenizer."""

from __future__ import annotations

import pytest

from tinker.tokenizers import TokenizerError, get_tokenizer
from tinker.tokenizers._resolve import HubSource, hub_source

LLAMA_3 = "thinkingmachineslabinc/meta-llama-3-instruct-tokenizer"


@pytest.mark.parametrize(
    ("name", "repo", "revision"),
    [
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B", None),
        ("Qwen/Qwen3-8B:128k", "Qwen/Qwen3-8B", None),
        ("Qwen/Qwen3-8B/variant", "Qwen/Qwen3-8B", None),
        ("gpt2", "gpt2", None),
        ("meta-llama/Llama-3.1-8B-Instruct", LLAMA_3, None),
        ("meta-llama/Llama-2-7b", "meta-llama/Llama-2-7b", None),
        ("moonshotai/Kimi-K2-Instruct", "moonshotai/Kimi-K2-Instruct", None),
        (
            "moonshotai/Kimi-K2-Thinking",
            "moonshotai/Kimi-K2-Thinking",
            "612681931a8c906ddb349f8ad0f582cb552189cd",
        ),
        (
            "moonshotai/Kimi-K2.5:peft:131072",
            "moonshotai/Kimi-K2.5",
            "4d01dfe0332d63057c186e0b262165819efb6611",
        ),
        (
            "moonshotai/Kimi-K2.5-Text-Only",
            "moonshotai/Kimi-K2.5",
            "4d01dfe0332d63057c186e0b262165819efb6611",
        ),
        (
            "moonshotai/Kimi-K2.6",
            "moonshotai/Kimi-K2.6",
            "b5aabbfb20227ed42becbf5541dbffd213942c58",
        ),
        ("moonshotai/Kimi-K3", "moonshotai/Kimi-K3", "f831ab66814297da540d832a5235f8e904f29d06"),
    ],
)
def test_repository_and_revision(name: str, repo: str, revision: str | None) -> None:
    assert hub_source(name) == HubSource(repo, revision)


def test_a_revision_asked_for_wins() -> None:
    assert hub_source("moonshotai/Kimi-K3", "main").revision == "main"


@pytest.mark.parametrize("name", ["TML/model", "thinkingmachines/model"])
def test_tokenizers_that_are_not_public(name: str) -> None:
    with pytest.raises(TokenizerError, match="not public"):
        get_tokenizer(name)


@pytest.mark.parametrize("name", ["a/b/c/d", "org/", "/model", ""])
def test_invalid_names(name: str) -> None:
    with pytest.raises(TokenizerError):
        get_tokenizer(name)


@pytest.mark.parametrize("name", [None, 1, b"name"])
def test_things_that_are_not_names(name: object) -> None:
    with pytest.raises(TypeError, match="a model's name or a path"):
        get_tokenizer(name)  # type: ignore[arg-type]

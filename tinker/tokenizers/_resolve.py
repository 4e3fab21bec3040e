"""Where the tokenizer of a model is, by the model's name. Pure: no disk, no network."""

from __future__ import annotations

from dataclasses import dataclass

from ._errors import TokenizerError

# The embedded server's tokenizer, and its model's name.
EMBEDDED = frozenset({"tinker-local/bytes", "tinker-local/tiny"})

# Meta's own Llama 3 repositories ask for a licence to be accepted; this one holds the same tokenizer.
_LLAMA_3 = "thinkingmachineslabinc/meta-llama-3-instruct-tokenizer"

_ALIASES = {"moonshotai/Kimi-K2.5-Text-Only": "moonshotai/Kimi-K2.5"}

# The revisions that the hosted service's models were trained with.
_PINNED = {
    "moonshotai/Kimi-K2-Thinking": "612681931a8c906ddb349f8ad0f582cb552189cd",
    "moonshotai/Kimi-K2.5": "4d01dfe0332d63057c186e0b262165819efb6611",
    "moonshotai/Kimi-K2.6": "b5aabbfb20227ed42becbf5541dbffd213942c58",
    "moonshotai/Kimi-K3": "f831ab66814297da540d832a5235f8e904f29d06",
}


@dataclass(frozen=True)
class HubSource:
    """A repository on the Hugging Face hub; `revision` None is its main branch."""

    repo: str
    revision: str | None


def base_name(name: str) -> str:
    """A model's name without its `:suffix` (a context length, a serving variant)."""
    return name.split(":", 1)[0]


def hub_source(name: str, revision: str | None = None) -> HubSource:
    """The repository and revision that hold the tokenizer of the model `name`.

    `org/model/variant` is served from `org/model`. Models with a pinned revision get it unless
    `revision` says otherwise. Raises TokenizerError for names that no repository can have.
    """
    repo = base_name(name)
    if repo.startswith(("TML/", "thinkingmachines/")):
        raise TokenizerError(
            f"The tokenizer of {name!r} is not public: it comes with Thinking Machines' own package"
            " (tml-renderers on PyPI renders its prompts). Pass token ids instead of text."
        )
    if repo.startswith("meta-llama/Llama-3"):
        repo = _LLAMA_3
    elif repo.count("/") == 2:
        repo = repo.rpartition("/")[0]
    repo = _ALIASES.get(repo, repo)
    if repo.count("/") > 1 or not all(repo.split("/")):
        raise TokenizerError(
            f"{name!r} is neither an existing file or folder nor a model name such as 'org/model'."
        )
    return HubSource(repo, revision or _PINNED.get(repo))

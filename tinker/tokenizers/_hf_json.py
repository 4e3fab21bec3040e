"""tokenizer.json, Hugging Face's format, read for tiktoken.

Only what provably gives the same ids is converted; everything else is `NotConvertible`, and runs on
Hugging Face's own library.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ._added_tokens import AddedToken
from ._byte_alphabet import all_to_bytes
from ._byte_level import ByteLevelParts
from ._merges import NotConvertible, ranks_from_merges
from ._normalize import Form, is_form, normalize
from ._patterns import from_pre_tokenizer


def parts_from_json(
    spec: dict[str, Any], name: str, more_tokens: Iterable[AddedToken] = ()
) -> ByteLevelParts:
    """The parts of the tokenizer that the content of a tokenizer.json describes.

    `more_tokens` are added behind the file's own, in order and unless it has them; their ids are
    drawn here. Truncation and padding, which a file may ask for, are left to the caller. Raises
    NotConvertible with the reason when tiktoken would not, or might not, give the same ids.
    """
    model = spec.get("model") or {}
    _check_model(model)
    pattern = from_pre_tokenizer(spec.get("pre_tokenizer"))
    if pattern is None:
        raise NotConvertible("the pre-tokenizer is not a known pattern over bytes")
    if {step.get("type") for step in _steps(spec.get("decoder"), "decoders")} != {"ByteLevel"}:
        raise NotConvertible("the decoder is not ByteLevel")
    vocab: dict[str, int] = model["vocab"]
    normal_form = _normal_form(spec.get("normalizer"))
    added = _added_tokens(spec.get("added_tokens") or [], more_tokens, vocab)
    _check_added_tokens(added, normal_form)
    prefix, suffix = _template(spec.get("post_processor"))
    tokens = _tokens(vocab, {token.content for token in added})
    merges = _merges(model["merges"], vocab)
    if not tokens.keys() >= set(merges.ravel().tolist()):
        raise NotConvertible("a merge uses a token that is not in the alphabet of bytes")
    return ByteLevelParts(
        name=name,
        pattern=pattern,
        tokens=tokens,
        ranks=ranks_from_merges(tokens, merges, ignore_merges=bool(model.get("ignore_merges"))),
        vocab_size=len(vocab),
        added_tokens=added,
        normal_form=normal_form,
        prefix=prefix,
        suffix=suffix,
    )


def _check_model(model: dict[str, Any]) -> None:
    # Files of old name no type: then the merges tell.
    if model.get("type", "BPE") != "BPE" or "merges" not in model:
        raise NotConvertible("the model is not BPE")
    for option in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(option):
            raise NotConvertible(f"the model has {option}")


def _steps(part: dict[str, Any] | None, key: str) -> list[dict[str, Any]]:
    """The steps of a part of the pipeline: none, one, or a sequence."""
    if part is None:
        return []
    return list(part[key]) if part.get("type") == "Sequence" else [part]


def _normal_form(part: dict[str, Any] | None) -> Form | None:
    steps = _steps(part, "normalizers")
    if not steps:
        return None
    name = str(steps[0].get("type"))
    if len(steps) > 1 or not is_form(name):
        raise NotConvertible("the normalizer is not one of Unicode's normal forms alone")
    return name


def _added_tokens(
    entries: list[dict[str, Any]], more: Iterable[AddedToken], vocab: dict[str, int]
) -> tuple[AddedToken, ...]:
    """The added tokens with the ids that the format gives them: the vocabulary's, else in order."""
    found: dict[str, AddedToken] = {}
    next_id = len(vocab)
    for entry in entries:
        content = entry["content"]
        if entry.get("single_word"):
            raise NotConvertible(f"added token {content!r} matches whole words only")
        if not content or content in found:
            raise NotConvertible(f"added token {content!r} is empty or duplicated")
        expected = vocab.get(content, next_id)
        if entry["id"] != expected:
            raise NotConvertible(f"added token {content!r} is out of order")
        next_id += content not in vocab
        flags = {
            flag: bool(entry.get(flag)) for flag in ("special", "lstrip", "rstrip", "normalized")
        }
        found[content] = AddedToken(content, expected, **flags)
    for token in more:
        if token.content and token.content not in found:
            id_ = vocab.get(token.content, next_id)
            next_id += token.content not in vocab
            found[token.content] = AddedToken(
                token.content, id_, token.special, token.lstrip, token.rstrip, token.normalized
            )
    return tuple(found.values())


def _check_added_tokens(tokens: tuple[AddedToken, ...], normal_form: Form | None) -> None:
    """Refuse what Hugging Face's library handles in ways of its own."""
    if any(token.rstrip for token in tokens) and any(t.content[0].isspace() for t in tokens):
        raise NotConvertible("an added token may be stripped as white space after another")
    if normal_form and any(
        t.normalized and normalize(normal_form, t.content) != t.content for t in tokens
    ):
        raise NotConvertible(
            "an added token is matched in normalized text, but is not normalized itself"
        )


def _template(part: dict[str, Any] | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids that the post-processor puts before and behind a text."""
    templates = [s for s in _steps(part, "processors") if s.get("type") != "ByteLevel"]
    if not templates:
        return (), ()
    if len(templates) > 1 or templates[0].get("type") != "TemplateProcessing":
        raise NotConvertible("the post-processor is not a template")
    template = templates[0]
    sides: list[list[int]] = [[]]
    for item in template["single"]:
        if "Sequence" in item:
            sides.append([])
        else:
            sides[-1] += template["special_tokens"][item["SpecialToken"]["id"]]["ids"]
    if len(sides) != 2:
        raise NotConvertible(
            "the post-processor's template does not have exactly one place for the text"
        )
    return tuple(sides[0]), tuple(sides[1])


def _tokens(vocab: dict[str, int], added: set[str]) -> dict[int, bytes]:
    decoded = all_to_bytes(list(vocab))
    if decoded is None:
        # Added tokens may stand in the vocabulary, and need not be in its alphabet.
        vocab = {token: id_ for token, id_ in vocab.items() if token not in added}
        decoded = all_to_bytes(list(vocab))
    if decoded is None:
        raise NotConvertible("the vocabulary is not in the alphabet of bytes")
    return dict(zip(vocab.values(), decoded, strict=True))


def _merges(merges: list[str] | list[list[str]], vocab: dict[str, int]) -> npt.NDArray[np.int64]:
    """The ids of left part, right part and result, a row for each merge."""
    id_of = vocab.__getitem__
    try:
        pairs = [m.split(" ") if isinstance(m, str) else m for m in merges]
        lefts, rights = [left for left, _ in pairs], [right for _, right in pairs]
        columns = (lefts, rights, map(operator.add, lefts, rights))
        return np.array([list(map(id_of, column)) for column in columns], dtype=np.int64).T
    except (KeyError, ValueError):
        raise NotConvertible("a merge names a token that is not in the vocabulary") from None

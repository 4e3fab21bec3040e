"""The patterns that cut text into the pieces within which bytes are merged.

tiktoken and Hugging Face's tokenizers run different regular expression engines. For the patterns
below, and no others, they are known to agree; tests hold them to it on fuzzed text.
"""

from __future__ import annotations

from typing import Any

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"

GPT_2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CL100K = (
    rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}"
    rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_SPACES}"
)
QWEN = CL100K.replace("{1,3}", "")
QWEN_3_5 = QWEN.replace(r"?\p{L}+", r"?[\p{L}\p{M}]+").replace(r"[^\s\p{L}", r"[^\s\p{L}\p{M}")
O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTIONS}?"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_CONTRACTIONS}?"
    rf"|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_SPACES}"
)
TEKKEN = O200K.replace(f"{_CONTRACTIONS}?", "").replace("{1,3}", "")
KIMI = r"[\p{Han}]+|" + O200K.replace(r"\p{M}]", r"\p{M}&&[^\p{Han}]]").replace(r"\n/", r"\n")

_SINGLE = frozenset({CL100K, QWEN, QWEN_3_5, O200K, TEKKEN, KIMI})

# DeepSeek splits three times: numbers, then runs of Han and kana, then all pieces so far as most do.
DEEPSEEK_SPLITS = (
    r"\p{N}{1,3}",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
    "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*"
    "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
)


def keep_unmatched(pattern: str) -> str:
    """`pattern`, and as further pieces what it does not match, which tiktoken would drop."""
    return rf"{pattern}|(?:(?!{pattern})[\s\S])+"


def _deepseek() -> str:
    """The three splits as one pattern.

    Nothing may match across the border of what an earlier split took, so each class comes twice,
    within Han and kana and outside; and a look-ahead sees the end of its piece there.
    """
    cjk = "\u4e00-\u9fa5\u3040-\u30ff"
    ascii_word = DEEPSEEK_SPLITS[2].partition("|[^")[0]
    pattern = (
        rf"\p{{N}}{{1,3}}"
        rf"|[{cjk}&&[^\p{{L}}\p{{P}}\p{{S}}]]?[{cjk}&&[\p{{L}}\p{{M}}]]+|[{cjk}&&[\p{{P}}\p{{S}}]]+"
        rf"|{ascii_word}|[^\r\n\p{{L}}\p{{P}}\p{{S}}\p{{N}}{cjk}]?[\p{{L}}\p{{M}}&&[^{cjk}]]+"
        rf"| ?[\p{{P}}\p{{S}}&&[^{cjk}]]+[\r\n]*"
        rf"|\s*[\r\n]+|\s+(?![^\s\p{{N}}{cjk}])|\s+"
    )
    return rf"{pattern}|(?:(?!{pattern})[{cjk}])+|(?:(?!{pattern})[^{cjk}])+"


DEEPSEEK = _deepseek()


def from_pre_tokenizer(spec: dict[str, Any] | None) -> str | None:
    """The pattern of a tokenizer.json's `pre_tokenizer`; None if it is unknown."""
    if spec is None:
        return None
    *splits, last = spec["pretokenizers"] if spec.get("type") == "Sequence" else [spec]
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space"):
        return None
    use_regex = last.get("use_regex", True)
    if not splits:
        return keep_unmatched(GPT_2) if use_regex else None
    if use_regex or any(step.get("type") != "Split" for step in splits):
        return None
    patterns = tuple(str(step["pattern"].get("Regex")) for step in splits)
    handling = {(step.get("behavior"), bool(step.get("invert"))) for step in splits}
    if handling == {("Isolated", False)}:
        if patterns == DEEPSEEK_SPLITS:
            return DEEPSEEK
        if len(patterns) == 1 and patterns[0] in _SINGLE:
            return keep_unmatched(patterns[0])
    elif handling == {("Removed", True)} and len(patterns) == 1 and patterns[0] in _SINGLE:
        return patterns[0]  # keeps the matches alone, as tiktoken does
    return None

"""Every id equals the original tokenizer's, and every text comes back."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

pytest.importorskip("tokenizers")

from tokenizers import Tokenizer as HuggingFaceTokenizer

from tests.support import original_tokenizers as original
from tests.support.mixed_text import invented_text
from tinker.tokenizers import Tokenizer, get_tokenizer

pytestmark = pytest.mark.long

# Nothing else may load these on Hugging Face's own library: then there would be nothing to prove.
BACKEND = "ByteLevelBackend"
SPLIT_AT_CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
LLAMA = (
    SPLIT_AT_CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN = LLAMA.replace("{1,3}", "")
QWEN_3_5 = (
    SPLIT_AT_CONTRACTION + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GPT_OSS = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    rf"{SPLIT_AT_CONTRACTION}?|[^\r\n\p{{L}}\p{{N}}]?[\p{{Lu}}\p{{Lt}}\p{{Lm}}\p{{Lo}}\p{{M}}]+"
    rf"[\p{{Ll}}\p{{Lm}}\p{{Lo}}\p{{M}}]*{SPLIT_AT_CONTRACTION}?|\p{{N}}{{1,3}}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
KIMI = r"[\p{Han}]+|" + GPT_OSS.replace(r"\p{M}]", r"\p{M}&&[^\p{Han}]]").replace(r"\n/]", r"\n]")


@dataclass
class Case:
    original: HuggingFaceTokenizer
    ours: dict[str, Tokenizer]  # by the file that each was made from
    longest_text: int = 10**9


def _both(
    folder: Path,
    ranks_file: Path,
    pattern: str,
    *,
    normal_form: str | None = None,
    **options: Any,
) -> Case:
    """Ours from the file of ranks, and from a tokenizer.json that stands for it."""
    from_ranks = get_tokenizer(ranks_file)
    added = sorted(from_ranks.get_added_vocab(), key=from_ranks.get_added_vocab().__getitem__)
    content = original.tokenizer_json(
        original.read_ranks(ranks_file), pattern, added, normalizer=normal_form, **options
    )
    (folder / "tokenizer.json").write_text(content)
    ours = {"ranks": from_ranks, "json": get_tokenizer(folder)}
    return Case(original.load(content), ours)


def _llama3(find: Callable[[str], Path], folder: Path) -> Case:
    file = find("llama3/tokenizer.model")
    return _both(folder, file, LLAMA, bos="<|begin_of_text|>")


def _qwen(find: Callable[[str], Path], folder: Path) -> Case:
    return _both(folder, find("qwen/qwen.tiktoken"), QWEN, normal_form="NFC", every_split=False)


def _qwen_3_5(find: Callable[[str], Path], folder: Path) -> Case:
    return _both(folder, find("qwen3.5/qwen.tiktoken"), QWEN_3_5, normal_form="NFC")


def _deepseek(find: Callable[[str], Path], folder: Path) -> Case:
    file = find("deepseek/tokenizer.json")
    theirs = HuggingFaceTokenizer.from_file(str(file))
    return Case(theirs, {"json": get_tokenizer(file.parent)})


def _cut_to(find: Callable[[str], Path], folder: Path, name: str, size: int) -> Path:
    """The first ranks of a real file: the vocabulary of an earlier point of the same training."""
    ranks = original.read_ranks(find("qwen3.5/qwen.tiktoken"))
    file = folder / name
    original.write_ranks(file, {token: rank for token, rank in ranks.items() if rank < size})
    return file


def _gpt_oss(find: Callable[[str], Path], folder: Path) -> Case:
    return _both(folder, _cut_to(find, folder, "o200k.tiktoken", 199_998), GPT_OSS)


def _kimi(find: Callable[[str], Path], folder: Path) -> Case:
    case = _both(folder, _cut_to(find, folder, "tiktoken.model", 163_584), KIMI)
    case.longest_text = 400_000
    return case


CASES = {
    "llama3": _llama3,
    "qwen": _qwen,
    "qwen3.5": _qwen_3_5,
    "deepseek": _deepseek,
    "gpt-oss pattern": _gpt_oss,
    "kimi pattern": _kimi,
}


@pytest.fixture(scope="module", params=CASES)
def case(
    request: pytest.FixtureRequest,
    real_file: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Case]:
    yield CASES[request.param](real_file, tmp_path_factory.mktemp("tokenizer"))


def _check(case: Case, text: str) -> None:
    expected = case.original.encode(text, add_special_tokens=False).ids
    normalizer = case.original.normalizer
    normal = normalizer.normalize_str(text) if normalizer else text
    for made_from, ours in case.ours.items():
        ids = ours.encode(text, add_special_tokens=False)
        assert ids == expected, made_from
        assert ours.decode(ids) == normal, made_from


def test_runs_on_tiktoken(case: Case) -> None:
    assert {type(ours._backend).__name__ for ours in case.ours.values()} == {BACKEND}


def test_a_megabyte_of_mixed_text(case: Case, text: str) -> None:
    assert len(text.encode()) > 1_000_000
    # Kimi's own tokenizer cuts after 400,000 characters: see test_long_texts.
    for start in range(0, len(text), case.longest_text):
        _check(case, text[start : start + case.longest_text])


def test_documents_of_mixed_text(case: Case, text: str) -> None:
    for start in range(0, 200_000, 2000):
        _check(case, text[start : start + 2000])


def test_invented_documents(case: Case) -> None:
    for seed in range(1, 150):
        _check(case, invented_text(random.Random(seed), 300))


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(fuzz=st.text())
def test_fuzzed_text(case: Case, fuzz: str) -> None:
    _check(case, fuzz)


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_special_tokens_in_the_text(case: Case, data: st.DataObject) -> None:
    added = sorted(next(iter(case.ours.values())).get_added_vocab())
    broken = [token[:-1] for token in added]  # nearly tokens
    pieces = data.draw(
        st.lists(st.one_of(st.sampled_from(added), st.sampled_from(broken), st.text(max_size=8)))
    )
    _check(case, "".join(pieces))


def test_every_character(case: Case) -> None:
    every = [chr(code) for code in range(0x110000)]
    every = [c for c in every if unicodedata.category(c) not in {"Cn", "Co", "Cs"}]
    for start in range(0, len(every), 5000):
        _check(case, " x".join(every[start : start + 5000]))


def test_long_runs(case: Case) -> None:
    # Shorter than what Kimi's own tokenizer cuts.
    for unit in (" ", "\n", "\t ", "a", "7", ".", "中", "\U0001f600", "é"):
        _check(case, f"begin{unit * (20_000 // len(unit))}end")


def test_runs_beyond_the_limit_of_tiktokens_engine(case: Case) -> None:
    ours = case.ours["json"]
    for text in (" " * 1_200_000 + "x", "x" + "\t" * 1_200_000 + "\n"):
        ids = ours.encode(text, add_special_tokens=False)
        assert ids == case.original.encode(text, add_special_tokens=False).ids
        assert ours.decode(ids) == text


def test_tokens_around_the_text(case: Case) -> None:
    for ours in case.ours.values():
        for text in ("Hello", ""):
            assert ours.encode(text) == case.original.encode(text).ids


def test_decoding_any_ids(case: Case) -> None:
    rng = random.Random(0)
    size = case.original.get_vocab_size()
    for ours in case.ours.values():
        for _ in range(200):
            ids = [rng.randrange(size) for _ in range(rng.randint(0, 30))]
            for skip in (False, True):
                expected = case.original.decode(ids, skip_special_tokens=skip)
                assert ours.decode(ids, skip_special_tokens=skip) == expected


def test_the_vocabulary(case: Case) -> None:
    for ours in case.ours.values():
        vocab = case.original.get_vocab()
        assert ours.get_vocab() == vocab
        assert len(ours) == len(vocab)
        assert ours.vocab_size == case.original.get_vocab_size(with_added_tokens=False)
        sample = random.Random(0).sample(sorted(vocab), 1000)
        assert ours.convert_tokens_to_ids(sample) == [vocab[token] for token in sample]
        assert ours.convert_ids_to_tokens([vocab[token] for token in sample]) == sample

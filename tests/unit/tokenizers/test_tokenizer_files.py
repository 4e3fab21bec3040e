"""A folder or a file gives a tokenizer: read again when it changes, rejected clearly when it is bad."""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tinker.tokenizers import Tokenizer, TokenizerError, get_tokenizer

Folder = Callable[..., Path]


def test_a_folder_its_file_and_a_path_object_are_alike(folder: Folder) -> None:
    path = folder()
    ids = get_tokenizer(path).encode("Hello")
    assert get_tokenizer(str(path)).encode("Hello") == ids
    assert get_tokenizer(path / "tokenizer.json").encode("Hello") == ids


def test_the_same_object_comes_back_to_all_threads(folder: Folder) -> None:
    path = folder()
    found: list[Tokenizer] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        found.append(get_tokenizer(path))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({id(tokenizer) for tokenizer in found}) == 1


def test_changed_files_are_read_again(folder: Folder) -> None:
    path = folder(tokenizer_config={"eos_token": "</s>"})
    assert get_tokenizer(path).eos_token == "</s>"
    folder(tokenizer_config={"eos_token": "<s>", "pad_token": "</s>"})
    assert get_tokenizer(path).eos_token == "<s>"
    folder(chat_template="{{ messages }}")
    assert get_tokenizer(path).chat_template == "{{ messages }}"


def test_tokens_that_only_the_configuration_names(folder: Folder, small: dict[str, Any]) -> None:
    size = len(small["model"]["vocab"]) + len(small["added_tokens"])
    path = folder(
        tokenizer_config={
            "added_tokens_decoder": {str(size): {"content": "<more>", "special": True}},
            "pad_token": {"content": "<pad>", "lstrip": False},
            "additional_special_tokens": ["<more>"],
        }
    )
    tokenizer = get_tokenizer(path)
    assert tokenizer.convert_tokens_to_ids(["<more>", "<pad>"]) == [size, size + 1]
    assert tokenizer.encode("<more><pad>", add_special_tokens=False) == [size, size + 1]
    assert tokenizer.pad_token_id == size + 1
    assert len(tokenizer) == size + 2
    assert tokenizer.all_special_tokens == ["<pad>", "<more>"]


@pytest.mark.parametrize("name", ["./none", "/none/at/all", "~/none.none", "tokenizer.json"])
def test_no_such_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TokenizerError, match=f"The file or folder {name} does not exist"):
        get_tokenizer(name)


def test_a_folder_without_a_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match=r"expected one of tokenizer\.json"):
        get_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("tokenizer.json", b"{", "not valid JSON"),
        ("tokenizer.json", b"[]", "does not contain a JSON object"),
        ("tokenizer.json", b"{}", "no model"),
        ("tokenizer.json", b'{"model": {"type": "Who"}}', "cannot be read"),
        ("tokenizer.json", b'{"model": {"type": "BPE", "merges": 1}}', "cannot be read"),
        ("tokenizer.model", b"\x0a\x0e\x0a\x05<unk>", "not in tiktoken's format"),
        ("tiktoken.model", b"IQ== 0\nIQ== 1\n", "damaged"),
        (
            "any.tiktoken",
            b"".join(base64.b64encode(bytes([b])) + b" %d\n" % b for b in range(256)),
            "256 ranks, which is not a known model family",
        ),
    ],
)
def test_bad_files(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(content)
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(TokenizerError, match=why):
            get_tokenizer(path)


def _word_piece(path: Path) -> Path:
    tokenizers = pytest.importorskip("tokenizers")
    model = tokenizers.models.WordPiece({"[UNK]": 0, "hello": 1, "##s": 2}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.decoder = tokenizers.decoders.WordPiece()
    tokenizer.enable_truncation(2)
    tokenizer.save(str(path / "tokenizer.json"))
    (path / "tokenizer_config.json").write_text(
        json.dumps({"unk_token": "[UNK]", "bos_token": "[CLS]", "model_max_length": 512})
    )
    return path


def test_other_kinds_run_on_hugging_faces_library(tmp_path: Path) -> None:
    tokenizer = get_tokenizer(_word_piece(tmp_path))
    assert tokenizer.encode("hello hellos who") == [1, 1, 2, 0]
    assert tokenizer.decode([1, 1, 2]) == "hello hellos"
    assert tokenizer.tokenize("hellos") == ["hello", "##s"]
    assert tokenizer.convert_tokens_to_ids("nothing") == tokenizer.unk_token_id == 0
    assert tokenizer.bos_token_id == 3
    assert tokenizer.encode("[CLS]hello") == [3, 1]
    assert tokenizer.decode([3, 1], skip_special_tokens=True) == "hello"
    assert (tokenizer.vocab_size, len(tokenizer)) == (3, 4)
    assert tokenizer.get_vocab() == {"[UNK]": 0, "hello": 1, "##s": 2, "[CLS]": 3}
    assert tokenizer.model_max_length == 512
    assert tokenizer.decode([1, 99]) == "hello"
    for bad in ([-1], [2**40]):
        with pytest.raises(TokenizerError, match="not a token id of"):
            tokenizer.decode(bad)


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _word_piece(tmp_path)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"the model is not BPE.*pip install .*\[tokenizers\]'"):
        get_tokenizer(path)


def test_byte_level_bpe_needs_no_extra(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder()
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    tokenizer = get_tokenizer(path)
    assert tokenizer.decode(tokenizer.encode("Grüße", add_special_tokens=False)) == "Grüße"


def test_ids_in_any_order(folder: Folder, small: dict[str, Any]) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    vocab = list(small["model"]["vocab"])
    turned = {token: id_ for id_, token in enumerate(reversed(vocab))}
    spec = {**small, "model": {**small["model"], "vocab": turned}}
    path = folder(tokenizer=spec)
    text = Path(__file__).read_text()
    theirs = tokenizers.Tokenizer.from_file(os.fspath(path / "tokenizer.json"))
    ours = get_tokenizer(path)
    assert ours.encode(text) == theirs.encode(text).ids
    assert ours.decode(ours.encode(text, add_special_tokens=False)) == text
    assert ours.get_vocab() == theirs.get_vocab()

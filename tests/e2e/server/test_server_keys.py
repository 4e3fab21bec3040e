"""Who may do what: keys, and what belongs to whom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.raw_client import MODEL, Raw, forward_backward, model, optim_step, sample, save
from tinker_local import LocalServer
from tinker_local.access.keys import KeysFile, KeysFileError

FILE = """\
# who may use this server
tml-anna anna   # on her laptop
tml-anna-2 anna
tml-bert bert
tml-nameless
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(FILE)
    with LocalServer(keys=file) as running:
        yield running.url


@pytest.mark.parametrize("key", [None, "", "secret", "tml-", "tml-someone", "tml-anna-22"])
def test_unknown_keys(server: str, key: str | None) -> None:
    headers = {} if key is None else {"X-API-Key": key}
    answer = httpx.get(f"{server}/api/v1/get_server_capabilities", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "ApiKey"
    assert "key" in answer.json()["detail"].lower()
    assert not key or key not in answer.text


def test_without_a_file_any_key_will_do_and_no_forged_token() -> None:
    with LocalServer() as running:
        for key, status in ("tml-x", 200), ("eyJx", 401), ("sk-x", 401):
            headers = {"X-API-Key": key}
            url = f"{running.url}/api/v1/get_server_capabilities"
            assert httpx.get(url, headers=headers).status_code == status


def test_liveness_needs_no_key(server: str) -> None:
    assert httpx.get(f"{server}/api/v1/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize("stranger", ["tml-bert", "tml-nameless"])
def test_what_belongs_to_another_user_is_forbidden(server: str, stranger: str) -> None:
    with Raw(server, "tml-anna") as anna, Raw(server, stranger) as other:
        session_id = anna.session()
        model_id, sampler_id = anna.model(session_id), anna.sampler(session_id)
        saved = anna.do("save_weights", save(model_id, 1, "c"))["path"]
        named = anna.do("save_weights_for_sampler", save(model_id, 2, "s"))["path"]
        promise = anna.post("asample", sample(sampler_id, 0))
        request = {"request_id": promise["request_id"]}
        own_session = other.session()
        own_model = other.model(own_session)

        other.post("session_heartbeat", {"session_id": session_id}, 403)
        other.post(f"sessions/{session_id}/finish", {"reason": {"type": "success"}}, 403)
        other.post("create_model", model(session_id, 1), 403)
        other.post("get_info", {"model_id": model_id}, 403)
        other.post("unload_model", {"model_id": model_id}, 403)
        other.post("forward_backward", forward_backward(model_id, 3), 403)
        other.post("optim_step", optim_step(model_id, 3), 403)
        other.post("optim_step", optim_step(model_id, 1), 403)
        other.post("save_weights", save(model_id, 3, "mine"), 403)
        other.post("asample", sample(sampler_id, 1), 403)
        other.get(f"samplers/{sampler_id}", 403)
        other.post("retrieve_future", request, 403)
        other.post("cancel_future", request, 403)
        other.post("weights_info", {"tinker_path": saved}, 403)
        sampler = {"sampling_session_seq_id": 0, "session_id": own_session}
        other.post("create_sampling_session", {**sampler, "model_path": named}, 403)
        into_new = {"session_id": own_session, "model_seq_id": 1}
        load = {"path": saved, "optimizer": True}
        other.post("load_weights", {**load, **into_new}, 403)
        into_own = {"model_id": own_model, "seq_id": 1}
        failure = other.do("load_weights", {**load, **into_own})
        assert failure["error"] == f"You do not have access to {saved}."
        without_session = {**sample(sampler_id, 0), "sampling_session_id": None}
        other.post("asample", {**without_session, "model_path": named}, 403)

        assert anna.result(promise)["type"] == "sample"


def test_keys_of_one_name_share_what_they_own(server: str) -> None:
    with Raw(server, "tml-anna") as one, Raw(server, "tml-anna-2") as two:
        session_id = one.session()
        assert two.model(session_id) == f"{session_id}:train:0"


def test_a_nameless_key_keeps_what_it_owns_when_the_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("tml-one\ntml-two\n")
    before = (KeysFile(file).users or {})["tml-two"]
    file.write_text("# moved\n\ntml-two\ntml-one\n")
    after = KeysFile(file).users or {}
    assert after["tml-two"] == before
    assert after["tml-one"] != before


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "contains no keys"),
        (b"# nobody\n", "contains no keys"),
        (b"tml-a\nsecret bert\n", "line 2: a line must be a key that begins with 'tml-'"),
        (b"tml-a anna and bert\n", "line 1: a line must be a key"),
        (b"tml-a anna\n\ntml-a bert\n", "line 3: this key is already in the file"),
        (b"\xff\xfe\x00", "is not a text file"),
    ],
)
def test_an_invalid_keys_file(tmp_path: Path, content: bytes, text: str) -> None:
    file = tmp_path / "keys"
    file.write_bytes(content)
    with pytest.raises(KeysFileError, match=text) as refused:
        KeysFile(file)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_keys_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeysFileError, match=r"cannot read .*nowhere: No such file"):
        KeysFile(tmp_path / "nowhere")


def test_a_base_model_is_everybodys(server: str) -> None:
    with Raw(server, "tml-bert") as bert:
        promise = bert.post(
            "asample", {**sample("", 0), "sampling_session_id": None, "base_model": MODEL}
        )
        assert bert.result(promise)["type"] == "sample"

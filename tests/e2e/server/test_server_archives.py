"""Files of checkpoints: archives, ranges of them, signed URLs, the form of PEFT, encryption."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import sys
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np
import pyrage
import pytest
import safetensors.numpy
from attrs import frozen
from hypothesis import given, strategies as st

from tests.support.raw_client import MODEL, Body, Raw, forward_backward, optim_step, save
from tinker_local import LocalServer
from tinker_local.access.signing import Signer
from tinker_local.engine.base import AdapterState, LoraSpec
from tinker_local.engine.tiny.engine import TinyEngine
from tinker_local.state.checkpoints import CheckpointFiles, Location, parse


def external(model_id: str, seq_id: int, name: str = "release", **more: Any) -> Body:
    return {"model_id": model_id, "seq_id": seq_id, "path": name, **more}


def urls(raw: Raw, model_id: str, name: str = "release") -> dict[str, str]:
    route = f"training_runs/{model_id}/checkpoints/external_weights/{name}/external_weights_urls"
    found: dict[str, str] = raw.get(route)["urls"]
    return found


# ---- archives ---------------------------------------------------------------------------------


def test_an_archive_is_a_tar_behind_a_signed_url(anna: Raw) -> None:
    _, route = anna.saved()
    redirect = anna.send("GET", f"{route}/archive", 302)
    assert redirect.headers["expires"].endswith(" GMT")
    answer = httpx.get(redirect.headers["location"])  # without a key
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == 'attachment; filename="a.tar"'
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        names = ["adapter_config.json", "adapter_model.safetensors", "optimizer.safetensors"]
        assert tar.getnames() == names
        assert all(member.isfile() for member in tar)
    downloaded = anna.send("GET", f"{route}/download", 200)
    assert downloaded.headers["content-type"] == "application/x-tar"
    assert downloaded.content == answer.content
    digest = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()
    for one in (answer, downloaded):
        assert one.headers["repr-digest"] == f"sha-256=:{digest}:"
        assert one.headers["accept-ranges"] == "bytes"
        assert one.headers["content-length"] == str(len(answer.content))


@pytest.fixture(scope="module")
def tar(server: str) -> Iterator[Tar]:
    with Raw(server) as raw, httpx.Client() as http:
        _, route = raw.saved()
        url = raw.send("GET", f"{route}/archive", 302).headers["location"]
        whole = http.get(url)
        yield Tar(partial(http.get, url), whole.content, whole.headers["etag"])


@frozen
class Tar:
    """An archive behind a URL."""

    get: Callable[..., httpx.Response]
    content: bytes
    etag: str


@given(st.data())
def test_any_range_is_that_part_of_the_whole(tar: Tar, data: Any) -> None:
    last_byte = len(tar.content) - 1
    first = data.draw(st.integers(0, last_byte))
    last = data.draw(st.none() | st.integers(first, last_byte + 1000))
    asked = f"bytes={first}-{'' if last is None else last}"
    answer = tar.get(headers={"Range": asked, "If-Range": tar.etag})
    end = last_byte if last is None else min(last, last_byte)
    assert answer.status_code == 206
    assert answer.content == tar.content[first : end + 1]
    assert answer.headers["content-range"] == f"bytes {first}-{end}/{len(tar.content)}"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["etag"] == tar.etag


@pytest.mark.parametrize("count", [1, 100, 10**9])
def test_the_end_of_an_archive(tar: Tar, count: int) -> None:
    answer = tar.get(headers={"Range": f"bytes=-{count}"})
    assert (answer.status_code, answer.content) == (206, tar.content[-count:])


@pytest.mark.parametrize("asked", ["bytes={size}-", "bytes={size}-{size}", "bytes=-0"])
def test_a_range_behind_the_end(tar: Tar, asked: str) -> None:
    size = len(tar.content)
    headers = {"Range": asked.format(size=size)}
    for condition in ({}, {"If-Range": tar.etag}):
        answer = tar.get(headers={**headers, **condition})
        assert answer.status_code == 416
        assert answer.headers["content-range"] == f"bytes */{size}"
        assert answer.json()["detail"] == f"The file has {size} bytes"
    # Whoever has more of another version than this one is long gets this one.
    answer = tar.get(headers={**headers, "If-Range": '"another"'})
    assert (answer.status_code, answer.content) == (200, tar.content)


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "lines=1-2"},
        {"Range": "bytes=5-2"},
        {"Range": "bytes=-"},
        {"Range": "bytes=x"},
        {"Range": ""},
        {"Range": "bytes=0-1,4-5"},
        {"Range": "bytes=0-1", "If-Range": '"another"'},
        {"Range": "bytes=0-1", "If-Range": "Wed, 21 Oct 2015 07:28:00 GMT"},
    ],
)
def test_ranges_to_be_ignored(tar: Tar, headers: dict[str, str]) -> None:
    answer = tar.get(headers=headers)
    assert (answer.status_code, answer.content) == (200, tar.content)
    assert "content-range" not in answer.headers


def test_an_interrupted_download_is_taken_up_after_a_restart(tmp_path: Path) -> None:
    with LocalServer(tmp_path) as running, Raw(running.url) as raw:
        _, route = raw.saved()
        whole = raw.send("GET", f"{route}/download", 200)
    (archive,) = (tmp_path / "checkpoints").glob("*/*/*/*/archive.tar")
    archive.unlink()  # so that it has to be made again
    with LocalServer(tmp_path) as running, Raw(running.url) as raw:
        resume = {"Range": "bytes=1000-", "If-Range": whole.headers["etag"]}
        rest = raw.send("GET", f"{route}/download", 206, **resume)
        assert whole.content[:1000] + rest.content == whole.content
        assert rest.headers["repr-digest"] == whole.headers["repr-digest"]


def test_many_may_ask_for_an_archive_at_once(anna: Raw) -> None:
    _, route = anna.saved()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: anna.send("GET", f"{route}/download", 200), range(8)))
    assert len({answer.content for answer in answers}) == 1


def test_overwriting_makes_another_archive(anna: Raw) -> None:
    model_id, route = anna.saved()
    before = anna.send("GET", f"{route}/download", 200)
    anna.do("forward_backward", forward_backward(model_id, 2))
    anna.do("optim_step", optim_step(model_id, 3))
    anna.do("save_weights", save(model_id, 4, "a", overwrite=True))
    resume = {"Range": "bytes=1000-", "If-Range": before.headers["etag"]}
    after = anna.send("GET", f"{route}/download", 200, **resume)
    assert after.headers["etag"] != before.headers["etag"]
    assert after.content != before.content


# ---- signed URLs ------------------------------------------------------------------------------


def test_a_url_that_was_not_signed_by_this_server(anna: Raw, shared: str, tmp_path: Path) -> None:
    _, route = anna.saved()
    url = anna.send("GET", f"{route}/archive", 302).headers["location"]
    address, token = url.rsplit("/", 1)
    head, payload, signature = token.split(".")
    elsewhere = Signer(tmp_path).sign("file", 60, path="tinker://a/weights/b", folder="c")
    for forged in (
        f"{head}.{payload}.{signature[::-1]}",
        f"{head}.{payload}.",
        f"{head}.{payload}",
        "nonsense",
        "%00",
        elsewhere,
    ):
        answer = httpx.get(f"{address}/{forged}")
        assert answer.status_code == 403
        assert answer.json()["detail"] == "This URL was not signed by this server"
    # A token of the server's that is for something else.
    credential = anna.post("auth/token", {})["jwt"]
    assert httpx.get(f"{address}/{credential}").status_code == 403
    headers = {"X-API-Key": token}
    assert httpx.get(f"{shared}/api/v1/checkpoints", headers=headers).status_code == 401


def test_a_url_is_of_what_was_saved_then(anna: Raw) -> None:
    model_id, route = anna.saved()
    url = anna.send("GET", f"{route}/archive", 302).headers["location"]
    anna.do("save_weights", save(model_id, 2, "a", overwrite=True))
    gone = httpx.get(url)
    path = f"tinker://{model_id}/weights/a"
    assert (gone.status_code, gone.json()["detail"]) == (404, f"The checkpoint {path} is deleted")
    anna.send("DELETE", route, 204)
    assert httpx.get(url).status_code == 404


# ---- external weights -------------------------------------------------------------------------


def test_external_weights_are_an_adapter_in_the_form_of_peft(anna: Raw) -> None:
    model_id = anna.model(train_mlp=False, train_unembed=False)
    anna.do("forward_backward", forward_backward(model_id, 1))
    anna.do("optim_step", optim_step(model_id, 2))
    result = anna.do("save_weights_external", external(model_id, 3))
    path = f"tinker://{model_id}/external_weights/release"
    assert result["type"] == "save_weights_external"
    assert result["path"] == path
    files = {name: httpx.get(url) for name, url in urls(anna, model_id).items()}
    assert set(files) == {"adapter_config.json", "adapter_model.safetensors"}
    assert result["size_bytes"] == sum(len(answer.content) for answer in files.values())
    config = files["adapter_config.json"].json()
    assert config["peft_type"] == "LORA"
    assert config["base_model_name_or_path"] == MODEL
    assert config["r"] == 4
    assert config["target_modules"] == ["k_proj", "o_proj", "q_proj", "v_proj"]
    tensors = safetensors.numpy.load(files["adapter_model.safetensors"].content)
    assert set(tensors) == {
        f"base_model.model.layers.{layer}.{module}.lora_{part}.weight"
        for layer in range(2)
        for module in config["target_modules"]
        for part in "AB"
    }
    for name, tensor in tensors.items():
        assert tensor.shape[0 if "lora_A" in name else 1] == config["r"]
        assert tensor.dtype == np.float32
    assert any(tensor.any() for name, tensor in tensors.items() if "lora_B" in name)
    (listed,) = anna.get(f"training_runs/{model_id}/checkpoints")["checkpoints"]
    assert (listed["checkpoint_type"], listed["tinker_path"]) == ("external", path)


def test_external_weights_can_be_used_here_too(anna: Raw) -> None:
    model_id = anna.model()
    path = anna.do("save_weights_external", external(model_id, 1))["path"]
    into = {"session_id": anna.session(), "model_seq_id": 0, "path": path, "optimizer": False}
    refused = anna.post("load_weights", {**into, "optimizer": True}, 400)["detail"]
    assert refused == f"{path} has no optimizer state: load it without the optimizer"
    assert anna.do("load_weights", into)["path"] == path
    sampler = {"session_id": anna.session(), "sampling_session_seq_id": 0, "model_path": path}
    assert anna.post("create_sampling_session", sampler)["sampling_session_id"]
    failed = anna.do("save_weights_external", external(model_id, 2))
    assert failed["error"] == f"The checkpoint {path} exists."
    anna.post("save_weights_external", {"model_id": model_id, "seq_id": 3}, 422)


def test_external_weights_for_age_recipients(anna: Raw) -> None:
    model_id = anna.model()
    anna.do("save_weights_external", external(model_id, 1, "plain"))
    plain = {name: httpx.get(url).content for name, url in urls(anna, model_id, "plain").items()}
    identities = [pyrage.x25519.Identity.generate() for _ in range(2)]
    recipients = [str(identity.to_public()) for identity in identities]
    body = external(model_id, 2, age_encryption_recipients=recipients)
    assert anna.do("save_weights_external", body)["type"] == "save_weights_external"
    files = urls(anna, model_id)
    assert set(files) == {f"{name}.age" for name in plain}
    for name, url in files.items():
        content = httpx.get(url).content
        assert content.startswith(b"age-encryption.org/v1")
        for identity in identities:
            assert pyrage.decrypt(content, [identity]) == plain[name.removesuffix(".age")]
        with pytest.raises(pyrage.DecryptError):
            pyrage.decrypt(content, [pyrage.x25519.Identity.generate()])
    route = f"training_runs/{model_id}/checkpoints/external_weights/release/download"
    assert anna.send("GET", route, 200).content == anna.send("GET", route, 200).content


def test_an_invalid_age_recipient(anna: Raw) -> None:
    model_id = anna.model()
    good = str(pyrage.x25519.Identity.generate().to_public())
    body = external(model_id, 1, age_encryption_recipients=[good, "age1nobody"])
    refused = anna.post("save_weights_external", body, 400)["detail"]
    assert refused.startswith("age_encryption_recipients[1] is 'age1nobody', which is not an age")
    assert anna.get(f"training_runs/{model_id}/checkpoints")["checkpoints"] == []


def test_without_pyrage_nothing_is_encrypted(anna: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrage", None)
    body = external(anna.model(), 1, age_encryption_recipients=["age1x"])
    refused = anna.post("save_weights_external", body, 400)["detail"]
    assert "this server cannot encrypt; it needs the package pyrage" in refused


# ---- names ------------------------------------------------------------------------------------


@given(st.text(max_size=40) | st.sampled_from(["..", ".", "a/../../b", "/etc", "%2e%2e", "a\0"]))
def test_no_name_leads_out_of_the_checkpoint_folder(name: str) -> None:
    location = parse(f"tinker://run/weights/{name}")
    assert location is None or (location.name == name and "/" not in name and name[0] != ".")


@given(st.text(min_size=1, max_size=20) | st.sampled_from(["..", ".", "%2e%2e", "a\\b", "c:"]))
def test_no_training_run_leads_out_of_the_checkpoint_folder(run: str) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder) / "deep" / "checkpoints"
        adapter = AdapterState(alpha=64.0, base_model=MODEL, lora=LoraSpec(rank=1), weights={})
        try:
            written = CheckpointFiles(root).write(Location(run, "weights", "a"), "1", adapter)
        except ValueError:
            assert run.strip(".") == "" or "/" in run
            return
        assert (root / written).resolve().is_relative_to(root.resolve())
        assert len((root / written).relative_to(root).parts) == 4


@pytest.mark.parametrize(
    "name",
    ["%2e%2e", "..%2f..%2fstate.sqlite", "%2fetc%2fpasswd", "a%00b", "-a", "a b", "a%5cb", "%25"],
)
@pytest.mark.parametrize("kind", ["weights", "sampler_weights", "external_weights"])
def test_invalid_names_are_rejected(anna: Raw, kind: str, name: str) -> None:
    route = f"{anna.http.base_url}training_runs/{anna.model()}/checkpoints/{kind}/{name}"
    for method, end in (("DELETE", ""), ("GET", "/download"), ("POST", "/publish")):
        # A slash, even an encoded one, ends a segment of the path: there is no such route.
        statuses = (404, 405) if "%2f" in name else (400,)
        answer = anna.http.request(method, f"{route}{end}")
        assert answer.status_code in statuses, answer.text
        assert answer.json()["detail"]


def test_an_unknown_kind_is_rejected(anna: Raw) -> None:
    route = f"training_runs/{anna.model()}/checkpoints/secrets/a"
    assert "Invalid checkpoint identifier" in anna.send("DELETE", route, 400).json()["detail"]


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    engine = TinyEngine()
    adapter = engine.new_adapter(MODEL, LoraSpec(rank=2, seed=3, train_mlp=False))
    files = CheckpointFiles(tmp_path)
    folder = files.write(Location("s:train:0", "weights", "a"), "1", adapter)
    read = files.read(folder, with_moments=True)
    assert (read.base_model, read.lora, read.step) == (adapter.base_model, adapter.lora, 0)
    assert set(read.weights) == set(adapter.weights)
    for name, weight in adapter.weights.items():
        np.testing.assert_array_equal(read.weights[name], weight)


@pytest.mark.parametrize("recipients", [(), (str(pyrage.x25519.Identity.generate().to_public()),)])
def test_files_are_on_disk_before_the_checkpoint_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipients: tuple[str, ...]
) -> None:
    """So that a power cut does not leave a name without its content."""
    synced: dict[str, int] = {}
    fsync = os.fsync

    def record(descriptor: int) -> None:
        fsync(descriptor)
        synced[os.readlink(f"/proc/self/fd/{descriptor}")] = os.fstat(descriptor).st_size

    monkeypatch.setattr(os, "fsync", record)
    adapter = TinyEngine().new_adapter(MODEL, LoraSpec(rank=2))
    files = CheckpointFiles(tmp_path)
    folder = files.write(Location("s:train:0", "weights", "a"), "1", adapter, recipients)
    copied = files.copy(folder, Location("s:train:0", "weights", "b"))
    written = [file for one in (folder, copied) for file in files.files(one).values()]
    assert len(written) == 6
    assert synced == {str(file): file.stat().st_size for file in written}

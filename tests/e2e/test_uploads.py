"""Adapters made elsewhere are uploaded, sampled from and trained on."""

from __future__ import annotations

import gzip
import json
import random
import struct
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import safetensors.numpy

import tinker
from tests.support.raw_client import MODEL, Raw
from tests.support.scripted_server import Answer, ScriptedServer
from tests.support.server_clock import Clock
from tinker import types
from tinker_local import LocalServer
from tinker_local.options import Options

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
RANK = 4


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[tinker.ServiceClient, Path, str]]:
    """A service, the files of an adapter that was trained, and its sampler checkpoint."""
    with LocalServer() as server, tinker.ServiceClient(base_url=server.url) as service:
        training = service.create_lora_training_client(MODEL, rank=RANK, seed=3).result()
        datum = tinker.Datum(model_input=tinker.ModelInput.from_ints(list(b"abcabcabcabc")))
        for _ in range(5):
            training.forward_backward([datum], "cross_entropy")
            training.optim_step(tinker.AdamParams(learning_rate=5e-3)).result()
        sampler = training.save_weights_for_sampler("s").result().path
        path = training.save_weights_external("out").result().path
        assert path is not None
        folder = service.create_rest_client().download_checkpoint(
            path, tmp_path_factory.mktemp("adapter")
        )
        yield service, folder.result(), sampler


@pytest.fixture
def folder(trained: tuple[Any, Path, str], tmp_path: Path) -> Path:
    """A copy of the files, to be spoiled. PEFT writes no metadata of ours."""
    tensors = safetensors.numpy.load_file(trained[1] / WEIGHTS)
    safetensors.numpy.save_file(tensors, tmp_path / WEIGHTS, metadata={"format": "pt"})
    (tmp_path / CONFIG).write_bytes((trained[1] / CONFIG).read_bytes())
    return tmp_path


def sampled(service: tinker.ServiceClient, path: str) -> list[int]:
    client = service.create_sampling_client(model_path=path).result()
    params = tinker.SamplingParams(max_tokens=8, temperature=0)
    prompt = tinker.ModelInput.from_ints(list(b"abc"))
    return list(client.sample(prompt, 1, params).result().sequences[0].tokens)


@pytest.mark.parametrize("form", ["folder", "tar", "tar.gz"])
def test_an_adapter_comes_back_as_it_went(
    trained: tuple[tinker.ServiceClient, Path, str], folder: Path, form: str
) -> None:
    service, _, sampler = trained
    rest = service.create_rest_client()
    source = folder
    if form != "folder":
        source = folder / f"adapter.{form}"
        with tarfile.open(source, "w:gz" if form.endswith("gz") else "w") as archive:
            for name in (WEIGHTS, CONFIG):
                archive.add(folder / name, f"some/folder/{name}")
    told: list[tuple[int, int | None]] = []
    path = rest.upload_external_weights(source, progress=lambda *now: told.append(now)).result()
    total = sum((folder / name).stat().st_size for name in (WEIGHTS, CONFIG))
    assert told[-1] == (total, total)
    assert [sent for sent, _ in told] == sorted(sent for sent, _ in told)
    parsed = types.ParsedCheckpointTinkerPath.from_tinker_path(path)
    assert parsed.checkpoint_type == "external"
    assert sampled(service, path) == sampled(service, sampler)
    training = service.create_training_client_from_state(path).result()
    assert training.get_info().lora_rank == RANK
    again = training.save_weights_for_sampler("again").result().path
    assert sampled(service, again) == sampled(service, sampler)
    (listed,) = rest.list_checkpoints(parsed.training_run_id).result().checkpoints
    assert (listed.tinker_path, listed.base_model) == (path, MODEL)
    with pytest.raises(tinker.TinkerError, match="has no optimizer state"):
        service.create_training_client_from_state_with_optimizer(path).result()


def test_step_by_step(trained: tuple[tinker.ServiceClient, Path, str], folder: Path) -> None:
    service, _, _ = trained
    rest = service.create_rest_client()
    lora = types.LoraConfig(rank=RANK)
    begun = rest.external_weights_upload_start(MODEL, lora, "project").result()
    assert begun.urls.keys() == {WEIGHTS, CONFIG}
    assert begun.expires > datetime.now(UTC)
    assert "http" not in repr(begun)
    for name, url in begun.urls.items():
        assert url.headers == {"Content-Type": "application/octet-stream"}
        url.upload(folder / name)
    done = rest.external_weights_upload_finish(begun.upload_id).result()
    assert rest.external_weights_upload_finish(begun.upload_id).result() == done
    with pytest.raises(tinker.ConflictError, match="is finished"):
        begun.urls[CONFIG].upload(folder / CONFIG)


def test_what_is_missing_is_sent_later(
    trained: tuple[tinker.ServiceClient, Path, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, _, sampler = trained
    rest = service.create_rest_client()
    send, sent = types.UploadURL.send, []

    def failing(self: types.UploadURL, path: Path, told: Callable[[int], None]) -> None:
        sent.append(path.name)
        if path.name == WEIGHTS:
            raise tinker.PermissionDeniedError(
                "no", httpx.Response(403, request=httpx.Request("PUT", "http://x")), None
            )
        send(self, path, told)

    monkeypatch.setattr(types.UploadURL, "send", failing)
    with pytest.raises(tinker.UploadInterruptedError, match=f"still missing: {WEIGHTS}") as caught:
        rest.upload_external_weights(folder).result()
    assert sent == [CONFIG, WEIGHTS]
    assert caught.value.upload.urls.keys() == {WEIGHTS}
    sent.clear()

    def working(self: types.UploadURL, path: Path, told: Callable[[int], None]) -> None:
        sent.append(path.name)
        send(self, path, told)

    monkeypatch.setattr(types.UploadURL, "send", working)
    path = rest.upload_external_weights(folder, resume=caught.value.upload).result()
    assert sent == [WEIGHTS]
    assert sampled(service, path) == sampled(service, sampler)


@pytest.mark.parametrize("place", ["file:/srv/adapter", "http://[::1/file"])
def test_a_place_that_is_not_on_the_web_is_rejected(folder: Path, place: str) -> None:
    url = types.UploadURL(url=f"{place}?signature=secret")
    with pytest.raises(tinker.TinkerError, match="not an http or https URL") as caught:
        url.upload(folder / CONFIG)
    assert not isinstance(caught.value, tinker.APIError)
    assert repr(place) in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_compressed_reason_of_a_store_is_read(folder: Path) -> None:
    reason = gzip.compress(b'{"detail": "too late"}')
    refused: Answer = (403, reason, {"Content-Encoding": "gzip"})
    with ScriptedServer(file=[refused]) as store:
        place = types.UploadURL(url=f"{store.url}/file?signature=secret", headers={})
        with pytest.raises(tinker.PermissionDeniedError, match="403: too late$") as raised:
            place.upload(folder / CONFIG)
    assert "secret" not in f"{raised.value.request.url} {raised.value.response.request.url}"


# ---- refused before anything is sent ------------------------------------------------------------


def spoil_config(**fields: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        config = json.loads((folder / CONFIG).read_bytes())
        (folder / CONFIG).write_text(json.dumps({**config, **fields}))

    return spoil


def spoil_tensors(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        tensors = safetensors.numpy.load_file(folder / WEIGHTS)
        change(tensors)
        safetensors.numpy.save_file(tensors, folder / WEIGHTS)

    return spoil


def cut(folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[:-5])


def header(content: bytes, length: int | None = None) -> Callable[[Path], object]:
    """Files that hold a header alone, and say it is of this length."""
    said = struct.pack("<Q", len(content) if length is None else length)
    return lambda folder: (folder / WEIGHTS).write_bytes(said + content)


NAME = "base_model.model.layers.0.q_proj.lora_A.weight"


@pytest.mark.parametrize(
    ("spoil", "error", "why"),
    [
        (lambda folder: (folder / CONFIG).unlink(), FileNotFoundError, f"has no {CONFIG}"),
        (lambda folder: (folder / CONFIG).write_text("{"), ValueError, "is not JSON"),
        (spoil_config(peft_type="IA3"), ValueError, "peft_type is 'IA3'"),
        (spoil_config(r="4"), ValueError, "r is '4'"),
        (spoil_config(r=8), ValueError, "its rank is not 8"),
        (spoil_config(base_model_name_or_path=None), ValueError, "base_model is not given"),
        (cut, ValueError, "not a complete safetensors file: it has"),
        (
            lambda folder: (folder / WEIGHTS).write_bytes(b"x"),
            ValueError,
            "not a complete safetensors",
        ),
        (header(b"[]"), ValueError, "not a complete safetensors"),
        (header(b'{"a": {"data_offsets": [], "shape": [1]}}'), ValueError, "not a complete"),
        (header(b'{"a": {"data_offsets": [0, 0], "shape": 1}}'), ValueError, "not a complete"),
        (header(b"{}", 2**40), ValueError, "its header is too long"),
        (header(b"{}"), ValueError, f"{WEIGHTS} has no tensors"),
        (lambda folder: (folder / CONFIG).write_text("[]"), ValueError, "is not a JSON object"),
        (
            spoil_tensors(lambda all_: all_.pop(NAME)),
            ValueError,
            "but not base_model.model.layers.0",
        ),
    ],
)
def test_files_are_checked_before_anything_is_sent(
    folder: Path, spoil: Callable[[Path], Any], error: type[Exception], why: str
) -> None:
    spoil(folder)
    nowhere = tinker.RestClient(base_url="http://127.0.0.1:9")
    with pytest.raises(error, match=why):
        nowhere.upload_external_weights(folder).result()
    with pytest.raises(FileNotFoundError, match="neither a folder nor an archive"):
        nowhere.upload_external_weights(folder / "nothing").result()
    with pytest.raises(ValueError, match=r"is not a readable tar archive: [^\n]+\Z"):
        nowhere.upload_external_weights(
            folder / WEIGHTS if (folder / WEIGHTS).exists() else folder
        ).result()


@pytest.mark.parametrize("form", ["gz", "bz2", "xz"])
def test_a_damaged_archive_is_rejected_in_a_sentence(folder: Path, form: str) -> None:
    (folder / WEIGHTS).write_bytes(random.Random(0).randbytes(2_000_000))
    source = folder / f"adapter.tar.{form}"
    with tarfile.open(source, f"w:{form}") as archive:  # type: ignore[call-overload]  # one of its modes
        for name in (CONFIG, WEIGHTS):
            archive.add(folder / name, name)
    content = bytearray(source.read_bytes())
    content[-20_000] ^= 0xFF
    source.write_bytes(content)
    nowhere = tinker.RestClient(base_url="http://127.0.0.1:9")
    with pytest.raises(ValueError, match="is not a readable tar archive: "):
        nowhere.upload_external_weights(source).result()


# ---- refused by the server ----------------------------------------------------------------------


def put(raw: Raw, folder: Path, *names: str, **asked: Any) -> str:
    """An upload with these files; its id."""
    body = {"base_model": MODEL, "lora_config": {"rank": RANK}, **asked}
    begun = raw.post("external_weights_upload_start", body)
    for name in names:
        place = begun["urls"][name]
        response = httpx.put(
            place["url"], content=(folder / name).read_bytes(), headers=place["headers"]
        )
        assert response.status_code == 204, response.text
    return str(begun["upload_id"])


def test_all_that_is_wrong_is_listed(
    trained: tuple[tinker.ServiceClient, Path, str], folder: Path
) -> None:
    with Raw(trained[0].holder.settings.base_url) as raw:

        def refused(upload_id: str) -> str:
            body = {"upload_id": upload_id}
            return str(raw.post("external_weights_upload_finish", body, 400)["detail"])

        assert refused(put(raw, folder, CONFIG)).endswith(f"{WEIGHTS} was not uploaded")
        upload_id = put(raw, folder)
        assert f"{CONFIG} was not uploaded; {WEIGHTS} was not uploaded" in refused(upload_id)

        def change(tensors: dict[str, Any]) -> None:
            tensors["extra"] = tensors.pop(NAME)
            other = NAME.replace("q_proj", "k_proj")
            tensors[other] = tensors[other][:2]
            third = NAME.replace("q_proj", "v_proj")
            tensors[third] = np.full_like(tensors[third], np.nan)

        spoil_tensors(change)(folder)
        spoil_config(r=8, lora_alpha="x", use_dora=True, bias="all", rank_pattern={"q": 3})(folder)
        text = refused(put(raw, folder, CONFIG, WEIGHTS))
        for part in (
            f"{CONFIG}: r is 8, not {RANK}",
            f"{CONFIG}: use_dora is True",
            f"{CONFIG}: bias is 'all'",
            f"{CONFIG}: rank_pattern cannot be used",
            f"{CONFIG}: lora_alpha is 'x'",
            f"{WEIGHTS} does not contain {NAME} [{RANK}, 128]",
            f"{WEIGHTS} has extra",
            "k_proj.lora_A.weight has shape [2, 128], not [4, 128]",
            "v_proj.lora_A.weight has values that are not finite",
        ):
            assert part in text, text
        cut(folder)
        assert "is damaged" in refused(put(raw, folder, CONFIG, WEIGHTS))
        wide = {"lora_config": {"rank": RANK, "train_mlp": False}}
        assert "which is not part of this adapter" in refused(
            put(raw, trained[1], CONFIG, WEIGHTS, **wide)
        )


def test_a_refused_upload_can_be_mended(
    trained: tuple[tinker.ServiceClient, Path, str], folder: Path
) -> None:
    with Raw(trained[0].holder.settings.base_url) as raw:
        body = {"base_model": MODEL, "lora_config": {"rank": RANK}}
        begun = raw.post("external_weights_upload_start", body)
        finish = {"upload_id": begun["upload_id"]}
        raw.post("external_weights_upload_finish", finish, 400)
        for place in begun["urls"].values():
            assert (
                httpx.put(place["url"], content=b"?", headers=place["headers"]).status_code == 204
            )
        raw.post("external_weights_upload_finish", finish, 400)
        for name, place in begun["urls"].items():
            httpx.put(place["url"], content=(folder / name).read_bytes(), headers=place["headers"])
        assert raw.post("external_weights_upload_finish", finish)["tinker_path"]


@pytest.mark.parametrize(
    ("version", "is_object"),
    [
        ("0.39.0", False),
        ("0.38.0", False),
        ("0.40.0", True),
        ("1.0", True),
        (None, True),
        ("new", True),
    ],
)
def test_each_generation_gets_the_urls_it_reads(
    trained: tuple[tinker.ServiceClient, Path, str],
    folder: Path,
    version: str | None,
    is_object: bool,
) -> None:
    headers = {} if version is None else {"x-sdk-version": version}
    with Raw(trained[0].holder.settings.base_url) as raw:
        body = {"base_model": MODEL, "lora_config": {"rank": RANK}}
        begun = raw.post("external_weights_upload_start", body, **headers)
        for name, place in begun["urls"].items():
            assert isinstance(place, dict) == is_object
            content = (folder / name).read_bytes()
            if is_object:
                assert (
                    httpx.put(place["url"], content=content).status_code == 403
                )  # without the headers
                assert httpx.put(place["url"], content=content, headers=place["headers"]).is_success
            else:
                assert httpx.put(place, content=content).is_success
        assert raw.post("external_weights_upload_finish", {"upload_id": begun["upload_id"]})


def test_a_client_reads_urls_that_are_strings(
    trained: tuple[tinker.ServiceClient, Path, str], folder: Path
) -> None:
    older = {"x-sdk-version": "0.39.0"}
    url = trained[0].holder.settings.base_url
    with tinker.ServiceClient(base_url=url, default_headers_overrides=older) as service:
        rest = service.create_rest_client()
        begun = rest.external_weights_upload_start(MODEL, types.LoraConfig(rank=RANK)).result()
        assert {type(one) for one in begun.urls.values()} == {types.UploadURL}
        assert all(one.headers == {} for one in begun.urls.values())
        assert rest.upload_external_weights(folder).result().startswith("tinker://")


def test_other_users_expiry_and_forgery(tmp_path: Path, folder: Path) -> None:
    clock = Clock()
    keys = tmp_path / "keys"
    keys.write_text("tml-anna anna\ntml-bert bert\n")
    with (
        LocalServer(keys=keys, options=Options(clock=clock)) as server,
        Raw(server.url, "tml-anna") as anna,
        Raw(server.url, "tml-bert") as bert,
    ):
        body = {"base_model": MODEL, "lora_config": {"rank": RANK}}
        begun = anna.post("external_weights_upload_start", body)
        finish = {"upload_id": begun["upload_id"]}
        bert.post("external_weights_upload_finish", finish, 403)
        anna.post("external_weights_upload_finish", {"upload_id": "nothing"}, 404)
        place = begun["urls"][CONFIG]
        forged = httpx.put(place["url"][:-3] + "abc", content=b"x", headers=place["headers"])
        assert forged.status_code == 403
        clock.forward(Options().url_seconds + 1)
        late = httpx.put(place["url"], content=b"x", headers=place["headers"])
        assert late.status_code == 410
        anna.post("external_weights_upload_finish", finish, 410)
        anna.post("external_weights_upload_start", {**body, "base_model": "unknown"}, 400)
        anna.post("external_weights_upload_start", {**body, "lora_config": {"rank": 3}}, 400)

"""Files of an upload: whatever is put where a signed URL leads, finishing answers 200 or 400, and the server goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import safetensors.numpy
from hypothesis import given, settings, strategies as st

from tests.support.contract_schema import EXAMPLES
from tests.support.raw_client import MODEL, Raw
from tinker_local import LocalServer
from tinker_local.engine.base import LoraSpec
from tinker_local.engine.tiny.engine import TinyEngine
from tinker_local.state import peft

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
RANK = 2
ADAPTER = TinyEngine().new_adapter(MODEL, LoraSpec(rank=RANK))
WHOLE = {
    WEIGHTS: safetensors.numpy.save(peft.tensors(ADAPTER.weights)),
    CONFIG: json.dumps(peft.config(ADAPTER)).encode(),
}
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


def spoiled(content: bytes) -> st.SearchStrategy[bytes]:
    """The content, cut or with other bytes somewhere: mostly in its first kilobyte, where headers are."""
    places = st.integers(0, min(1000, len(content))) | st.integers(0, len(content))
    return st.builds(
        lambda place, new, gap: content[:place] + new + content[place + gap :],
        places,
        st.binary(max_size=12),
        st.integers(0, 12) | st.just(len(content)),
    )


def changed_config(config: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """The configuration with another value in one of its fields."""
    return st.builds(
        lambda name, value: json.dumps({**config, name: value}).encode(),
        st.sampled_from(sorted(config)),
        _JSON,
    )


WRONG = {
    WEIGHTS: st.binary(max_size=100) | spoiled(WHOLE[WEIGHTS]),
    CONFIG: st.binary(max_size=100)
    | _JSON.map(lambda value: json.dumps(value).encode())
    | spoiled(WHOLE[CONFIG])
    | changed_config(json.loads(WHOLE[CONFIG])),
}


@pytest.fixture(scope="module")
def raw() -> Iterator[Raw]:
    with LocalServer() as running, Raw(running.url) as client:
        yield client


@given(
    st.sampled_from([WEIGHTS, CONFIG]).flatmap(lambda name: st.tuples(st.just(name), WRONG[name]))
)
@settings(max_examples=EXAMPLES)
def test_whatever_is_put_is_taken_or_refused(raw: Raw, wrong: tuple[str, bytes]) -> None:
    begun = raw.post(
        "external_weights_upload_start", {"base_model": MODEL, "lora_config": {"rank": RANK}}
    )
    for name, content in {**WHOLE, **dict([wrong])}.items():
        place = begun["urls"][name]
        put = httpx.put(place["url"], content=content, headers=place["headers"])
        assert put.status_code == 204, put.text
    body = {"upload_id": begun["upload_id"]}
    finished = raw.http.post("external_weights_upload_finish", json=body)
    assert finished.status_code in (200, 400), finished.text
    if finished.status_code == 200:
        path = finished.json()["tinker_path"]
        sampler = {"session_id": raw.session(), "sampling_session_seq_id": 0, "model_path": path}
        raw.post("create_sampling_session", sampler)
    else:
        assert finished.json()["detail"]

"""Answers that other servers may give to what `RestClient` and the clients ask besides training."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

import tinker
from tests.support.scripted_server import Answer, ScriptedServer

NO_ROUTE: Answer = (404, {"detail": "Not Found"})


def jwt(**claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{payload}.x"


def rest(server: ScriptedServer, key: str = "tml-x") -> tinker.RestClient:
    return tinker.RestClient(base_url=server.url, api_key=key)


# ---- who one is -----------------------------------------------------------------------------


def test_the_claims_of_a_jwt_say_whose_it_is() -> None:
    key = jwt(sub="user-1", org_id="org-2", email="a@b.example", exp=2**33)
    with ScriptedServer() as server, rest(server, key) as client:
        who = client.whoami().result(timeout=10)
        assert (who.user_urn, who.org_urn, who.email) == (
            "user-1",
            "tml:organization:org-2",
            "a@b.example",
        )
        assert not {"token", "me"} & {path.rpartition("/")[2] for path in server.paths}


def test_a_key_is_exchanged_for_a_jwt_to_see_whose_it_is() -> None:
    exchanged: Answer = (200, {"jwt": jwt(sub="user-1")})
    with ScriptedServer(token=[exchanged]) as server, rest(server) as client:
        who = client.whoami().result(timeout=10)
        assert (who.user_urn, who.org_urn, who.email) == ("user-1", "", None)


@pytest.mark.parametrize("token", [NO_ROUTE, (200, {"jwt": "opaque"})])
def test_without_claims_the_key_says_whose_it_is(token: Answer) -> None:
    mine: Answer = (200, {"key_id": "00000000-0000-0000-0000-000000000000", "name": "k"})
    with ScriptedServer(token=[token], me=[mine]) as server, rest(server) as client:
        who = client.whoami().result(timeout=10)
        assert (who.user_urn, who.org_urn, who.email) == ("k", "", None)


# ---- traces ---------------------------------------------------------------------------------


def test_a_trace_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinker.rest._TRACE_INTERVAL", 0.0)
    pending: Answer = (200, {"status": "pending"})
    done: Answer = (200, {"status": "ready", "url": "https://store/trace"})
    with (
        ScriptedServer(trace_export=[pending, pending, done]) as server,
        rest(server) as client,
    ):
        assert client.export_session_trace("s").result(timeout=10) == "https://store/trace"
        assert len(server.seen["trace_export"]) == 3


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"status": "failed", "error": "no space"}, "no space"),
        ({"status": "failed"}, "the server gave no reason"),
        ({"status": "ready"}, "the server gave no reason"),
    ],
)
def test_a_trace_that_fails_says_why(answer: dict[str, Any], why: str) -> None:
    with (
        ScriptedServer(trace_export=[(200, answer)]) as server,
        rest(server) as client,
        pytest.raises(tinker.TinkerError, match=rf"export_session_trace.* failed: {why}\."),
    ):
        client.export_session_trace("s").result(timeout=10)


# ---- the latest checkpoint ------------------------------------------------------------------


def checkpoint(name: str, kind: str, **kept: str) -> dict[str, Any]:
    return {
        "checkpoint_id": f"{kind}/{name}",
        "checkpoint_type": "training" if kind == "weights" else "sampler",
        "time": "2026-11-28T00:00:00Z",
        "tinker_path": f"tinker://run/{kind}/{name}",
        "user_metadata": kept or None,
    }


LISTED: Answer = (
    200,
    {
        "checkpoints": [
            checkpoint("d", "weights"),
            checkpoint("c", "sampler_weights", a="1", b="2"),
            checkpoint("b", "weights", a="1", b="2"),
            checkpoint("a", "weights", a="1"),
        ]
    },
)


@pytest.mark.parametrize(
    ("wanted", "kind", "found"),
    [
        ({"a": "1"}, None, "c"),
        ({"a": "1"}, "training", "b"),
        ({"a": "1", "b": "2"}, "sampler", "c"),
        ({"a": "2"}, None, None),
    ],
)
def test_a_server_without_a_search_is_read_from_its_list(
    wanted: dict[str, str], kind: Any, found: str | None
) -> None:
    with (
        ScriptedServer(search=[NO_ROUTE], checkpoints=[LISTED]) as server,
        rest(server) as client,
    ):
        latest = client.latest_checkpoint(user_metadata=wanted, checkpoint_type=kind)
        one = latest.result(timeout=10)
        assert (one and one.tinker_path.rpartition("/")[2]) == found


def test_a_search_that_is_refused_is_an_error() -> None:
    refused: Answer = (403, {"detail": "not yours"})
    with (
        ScriptedServer(search=[refused]) as server,
        rest(server) as client,
        pytest.raises(tinker.PermissionDeniedError, match="not yours"),
    ):
        client.latest_checkpoint(user_metadata={"a": "1"}).result(timeout=10)


# ---- models ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "text"),
    [
        ((200, {"supported_models": [{"model_name": "one-8b"}, {"model_name": "two-8b"}]}), r"no such model. The server offers: one-8b, two-8b$"),
        ((200, {"supported_models": []}), "no such model. The server offers: no models$"),
        # Nothing to add: the model is on offer, a model has no name, or the server does not say.
        ((200, {"supported_models": [{"model_name": "m"}]}), "no such model$"),
        ((200, {"supported_models": [{}]}), "no such model$"),
        (NO_ROUTE, "no such model$"),
    ],
)  # fmt: skip
def test_a_model_that_is_refused_comes_with_those_on_offer(offered: Answer, text: str) -> None:
    refusal: Answer = (400, {"detail": "no such model"})
    with (
        ScriptedServer(create_model=[refusal], get_server_capabilities=[offered]) as server,
        tinker.ServiceClient(base_url=server.url) as service,
        pytest.raises(tinker.BadRequestError, match=text),
    ):
        service.create_lora_training_client("m").result(timeout=10)

"""How any route responds to what no client should send: the right status, one JSON body, and its length."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.raw_client import KEY, Raw, optim_step


def detail(response: httpx.Response, status: int) -> Any:
    """The reason in a refusal's body, which always comes with its length."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    assert int(response.headers["Content-Length"]) == len(response.content)
    body = response.json()
    assert body.keys() == {"detail"}
    return body["detail"]


@pytest.mark.parametrize("path", ["nothing", "healthz/", "asample/", "samplers/", "samplers/a%2Fb"])
def test_unknown_paths(raw: Raw, path: str) -> None:
    for method in ("GET", "POST"):
        assert detail(raw.http.request(method, path), 404) == "Not Found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "asample", "POST"),
        ("DELETE", "create_session", "POST"),
        ("POST", "healthz", "GET"),
        ("OPTIONS", "healthz", "GET"),
        ("PUT", "samplers/s", "GET"),
    ],
)
def test_methods_that_are_not_allowed(raw: Raw, method: str, path: str, allowed: str) -> None:
    response = raw.http.request(method, path)
    assert detail(response, 405) == "Method Not Allowed"
    assert response.headers["Allow"] == allowed


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/x-protobuf", "json"])
def test_content_types_that_are_not_taken(raw: Raw, media_type: str | None) -> None:
    headers = {"X-API-Key": KEY} | ({"Content-Type": media_type} if media_type else {})
    url = raw.http.base_url.join("get_info")
    assert detail(httpx.post(url, content=b"{}", headers=headers), 415)


def test_a_charset_does_not_change_the_content_type(raw: Raw) -> None:
    media_type = "application/json; charset=utf-8"
    model_id = raw.model()
    info = raw.post("get_info", {"model_id": model_id}, **{"Content-Type": media_type})
    assert info["model_id"] == model_id


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"model_id": "m"} x',
        b'\xef\xbb\xbf{"model_id": "m"}',
        b'{"model_id": "\xff"}',
        b'{"model_id": "\\ud800"}',
        b'{"model_id": "m", "adam_params": {"learning_rate": NaN}}',
        b'{"model_id": "m", "adam_params": {"learning_rate": -Infinity}}',
        b'{"model_id": "m", "adam_params": {"learning_rate": 1e400}}',
    ],
)
def test_what_is_not_json(raw: Raw, content: bytes) -> None:
    (issue,) = detail(raw.http.post("optim_step", content=content), 422)
    assert issue["loc"] == ["body"]
    assert issue["type"] == "json_invalid"
    assert issue["msg"].startswith("The body is not JSON: ")


def test_what_does_not_fit_is_named(raw: Raw) -> None:
    body = {"model_id": 5, "adam_params": {"beta1": 1}, "unknown": 1}
    issues = raw.post("optim_step", body, 422)["detail"]
    assert {tuple(issue["loc"][:2]) for issue in issues} == {
        ("body", "adam_params"),
        ("body", "model_id"),
    }
    assert all(issue.keys() == {"loc", "msg", "type"} for issue in issues)


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"5"])
def test_json_that_is_not_an_object(raw: Raw, body: bytes) -> None:
    assert detail(raw.http.post("optim_step", content=body), 422)


def test_unknown_fields_and_nulls_are_accepted_and_true_is_not_a_number(raw: Raw) -> None:
    model_id = raw.model()
    raw.do("optim_step", {**optim_step(model_id, None), "unknown": {"a": [1]}, "adam_params": None})
    whole = b'{"model_id": "%s", "seq_id": 2.0}' % model_id.encode()
    assert raw.http.post("optim_step", content=whole).json()["request_id"] == f"{model_id}:2"
    raw.post("optim_step", {"model_id": model_id, "seq_id": True}, 422)


@pytest.mark.parametrize("escaped", [False, True])
def test_ids_in_paths_may_be_escaped(raw: Raw, escaped: bool) -> None:
    sampler_id = raw.sampler(raw.session())
    path = sampler_id.replace(":", "%3A") if escaped else sampler_id
    assert raw.get(f"samplers/{path}")["sampler_id"] == sampler_id


def test_the_contract_is_shown_without_a_key(server: str) -> None:
    page = httpx.get(f"{server}/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "<rapi-doc" in page.text
    viewer = httpx.get(f"{server}/docs/rapidoc.js")
    assert viewer.headers["content-encoding"] == "gzip"
    assert "rapi-doc" in viewer.text
    plain = httpx.get(f"{server}/docs/rapidoc.js", headers={"Accept-Encoding": "identity"})
    assert plain.text == viewer.text
    document = httpx.get(f"{server}/openapi.json").json()
    assert document["paths"]["/api/v1/healthz"]["get"]["operationId"] == "healthz"

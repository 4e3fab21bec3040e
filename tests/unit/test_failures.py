"""Errors made of what servers respond, in whatever form they respond."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, strategies as st

from tinker._http.config import Settings
from tinker._protocol.failures import Failures
from tinker._protocol.progress import Progress
from tinker._protocol.server_traits import unknown_fields, wants_a_name

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(0, 1) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("loc", "msg", "message", "type")), inner, max_size=3)
    ),
    max_leaves=4,
)
ISSUES = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(("missing", "extra_forbidden"))},
        optional={"loc": JSON, "msg": JSON},
    ),
    max_size=3,
)
BODIES = st.fixed_dictionaries({}, optional={"detail": ISSUES | JSON, "error": JSON}) | JSON


def refusal(status: int, body: Any) -> str:
    request = httpx.Request("POST", "http://127.0.0.1/api/v1/optim_step")
    response = httpx.Response(status, content=orjson.dumps(body), request=request)
    failures = Failures(Settings(base_url="http://127.0.0.1", api_key="tml-secret"))
    return failures.refusal(response, Progress("optim_step")).message


@given(st.sampled_from((400, 404, 422, 500)), BODIES)
def test_whatever_an_error_response_contains_it_is_an_error_of_one_line(
    status: int, body: Any
) -> None:
    message = refusal(status, body)
    assert message.startswith(f"optim_step failed with status {status}: ")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        (["body", "data", 0], "body.data.0: wrong"),
        ("body", "body: wrong"),
        (3, "3: wrong"),
        ([], "wrong"),
        (None, "wrong"),
    ],
)
def test_an_issue_says_where(location: Any, shown: str) -> None:
    body = {"detail": [{"loc": location, "msg": "wrong", "type": "value_error"}]}
    assert refusal(422, body) == f"optim_step failed with status 422: {shown}"


@pytest.mark.parametrize("location", [["body", "path"], ["path"], "path"])
def test_the_field_of_an_issue_is_the_end_of_its_location(location: Any) -> None:
    assert wants_a_name({"detail": [{"loc": location, "type": "missing"}]})
    assert unknown_fields({"detail": [{"loc": location, "type": "extra_forbidden"}]}) == ["path"]

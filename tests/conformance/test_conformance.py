"""python -m tinker.conformance: the embedded server passes, and the report names the rule that a server breaks."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import httpx
import numpy as np
import orjson
import pytest

from tests.support import wrong_numbers
from tests.support.wrong_numbers import Change
from tinker.conformance import Outcome, Report, run
from tinker.conformance.checks import CHECKS
from tinker.conformance.contract import routes
from tinker_local import LocalServer
from tinker_local.options import Options
from tinker_local.protocol import scheduler
from tinker_local.state.store import Request
from tinker_proto import tinker_pb2 as pb

KEY = "tml-conformance-secret"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with LocalServer(options=Options(poll_seconds=0.2)) as running:
        yield running.url


class Breaking(httpx.BaseTransport):
    """The server behind a proxy that changes some answers."""

    def __init__(self, change: Change) -> None:
        self._inner = httpx.HTTPTransport()
        self._change = change

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        response.read()
        changed = self._change(request, response)
        return response if changed is None else changed


def failed(report: Report) -> set[str]:
    return {result.name for result in report.results if result.outcome is Outcome.FAIL}


def answer(response: httpx.Response, body: object, status: int | None = None) -> httpx.Response:
    return httpx.Response(status or response.status_code, json=body)


def test_every_operation_of_the_contract_has_a_check() -> None:
    assert set(routes()) <= {check.name for check in CHECKS}
    assert all(len(check.rule) > 10 for check in CHECKS)
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_the_page_lists_every_check(repository: Path) -> None:
    page = (repository / "docs" / "conformance.md").read_text(encoding="utf-8")
    _, results = page.split("## Results")
    listed = re.findall(r"^\|[^|]*\| `([^`]+)` \|", results, re.MULTILINE)
    assert sorted(listed) == sorted(check.name for check in CHECKS)


def test_the_embedded_server_passes_and_nothing_is_left_behind(server: str) -> None:
    report = run(server, api_key=KEY)
    assert report.passed, report.details()
    assert report.count(Outcome.PASS) > 55
    assert {result.name for result in report.results} == {check.name for check in CHECKS}
    assert KEY not in json.dumps(report.to_json())
    suite = ElementTree.fromstring(report.junit())
    assert suite.attrib["tests"] == str(len(report.results))
    assert (suite.attrib["failures"], suite.attrib["errors"]) == ("0", "0")
    assert len(suite.findall("./testcase/skipped")) == report.count(Outcome.NOT_OFFERED)
    offered = {result.name for result in report.results if result.outcome is Outcome.PASS}
    assert {"create_chat_completion", "create_message", "external_weights_upload_finish"} <= offered


def no_length(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
    if response.status_code != 400:
        return None
    return httpx.Response(
        400, stream=httpx.ByteStream(response.content), headers={"content-type": "application/json"}
    )


def other_promise(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
    if not request.url.path.endswith("/asample") or response.status_code != 200:
        return None
    body = orjson.loads(response.content)
    other_promise.count += 1  # type: ignore[attr-defined]
    return answer(response, {**body, "sample_sequence_ids": None, "extra": other_promise.count})  # type: ignore[attr-defined]


other_promise.count = 0  # type: ignore[attr-defined]


def wordy_pending(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
    if b'"try_again"' not in response.content:
        return None
    return answer(response, {"status": "pending"})


def lost_session(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
    if not request.url.path.endswith("/session_heartbeat") or response.status_code != 410:
        return None
    return answer(response, {"detail": "no such session"}, 404)


def strict(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
    if b'"newer"' not in request.content:
        return None
    return answer(
        response, {"detail": [{"loc": ["body", "newer"], "msg": "extra", "type": "extra"}]}, 422
    )


def without_tags(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
    if b'"optim_step"' in response.content:
        body = orjson.loads(response.content)
        body.pop("type", None)
        return answer(response, body)
    if b'"type":"save_weights"' in response.content:  # TuFT sends null
        return answer(response, {**orjson.loads(response.content), "type": None})
    return None


def file_url(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
    """As TuFT sends it."""
    if not request.url.path.endswith("/archive"):
        return None
    return httpx.Response(302, headers={"location": "file:///srv/archive.tar?secret"})


def two_colons(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
    if response.headers.get("content-type") != "application/x-protobuf":
        return None
    content = response.content.replace(b"loss:sum", b"los::sum")
    return httpx.Response(200, content=content, headers={"content-type": "application/x-protobuf"})


def off_schema(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
    if not request.url.path.endswith("/get_info") or response.status_code != 200:
        return None
    return answer(response, {**orjson.loads(response.content), "lora_rank": "eight"})


BROKEN: dict[str, Change] = {
    "sample_sequence_ids": other_promise,
    "heartbeat of an unknown session": lost_session,
    "unknown fields": strict,
    "result tags": without_tags,
    "metric names": two_colons,
    "get_info": off_schema,
    "get_checkpoint_archive": file_url,
    "400 with Content-Length": no_length,
}
"""A rule, and the change that breaks it."""
BROKEN_TOO = {"heartbeat of a finished session", "loss:sum"}


def test_each_broken_rule_is_named_with_the_evidence_and_no_other(server: str) -> None:
    def break_all(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
        changed = response
        for change in BROKEN.values():
            changed = change(request, changed) or changed
        return None if changed is response else changed

    report = run(server, api_key=KEY, transport=Breaking(break_all))
    assert failed(report) == BROKEN.keys() | BROKEN_TOO
    for broken in BROKEN:
        (result,) = (result for result in report.results if result.name == broken)
        assert result.reason
        assert result.exchange is not None
        assert result.rule in report.details()
        assert result.rule in report.markdown()
        assert f"**`{broken}`**" in report.markdown()


@pytest.mark.parametrize(
    ("engine", "broken"),
    [
        (wrong_numbers.ShiftedSamples, "sample logprobs"),
        (wrong_numbers.ShiftedSamples, "streamed logprobs"),
        (wrong_numbers.SamplesOneTokenLate, "sample logprobs"),
        (wrong_numbers.ShiftedPrompts, "sampler and forward"),
        (wrong_numbers.ShiftedSampler, "sampler and forward"),
        (wrong_numbers.ShiftedTopk, "topk_prompt_logprobs"),
        (wrong_numbers.ShiftedTargets, "target_prompt_logprobs"),
        (wrong_numbers.SamplerOfBaseModel, "sampler and forward"),
        (wrong_numbers.ShiftedLosses, "sampler and forward"),
        (wrong_numbers.HalfLossSum, "loss:sum"),
        (wrong_numbers.HalfElementwiseLoss, "elementwise_loss"),
        (wrong_numbers.WeightsIgnored, "loss:sum"),
        (wrong_numbers.SignOfWeightsIgnored, "negative weights"),
        (wrong_numbers.StepsDropped, "optim_step"),
        (wrong_numbers.LearningRateIgnored, "learning_rate"),
        (wrong_numbers.LearningRateBounded, "learning_rate"),
        (wrong_numbers.OnlyTheLastGradient, "accumulated gradients"),
        (wrong_numbers.GradientsNotCleared, "cleared gradients"),
    ],
)
def test_a_server_that_computes_wrong_numbers_fails(
    engine: type[wrong_numbers.WrongEngine], broken: str
) -> None:
    with LocalServer(engine=engine(), options=Options(poll_seconds=0.2)) as running:
        report = run(running.url, api_key=KEY, only=[broken])
    says_what_was_expected_and_found(report, broken)


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (wrong_numbers.half_loss_sum_in_json, "loss:sum"),
        (wrong_numbers.half_loss_sum_in_protobuf, "loss:sum"),
        (wrong_numbers.shifted_samples_in_json, "sample logprobs"),
        (wrong_numbers.shifted_samples_in_protobuf, "sample logprobs"),
        (wrong_numbers.shifted_stream, "streamed logprobs"),
    ],
)
def test_wrong_numbers_in_one_encoding_fail(server: str, change: Change, broken: str) -> None:
    report = run(server, api_key=KEY, only=[broken], transport=Breaking(change))
    says_what_was_expected_and_found(report, broken)


def says_what_was_expected_and_found(report: Report, broken: str) -> None:
    assert broken in failed(report), report.table()
    (result,) = (result for result in report.results if result.name == broken)
    assert re.search(r"expected .*-?\d+\.\d+.* found .*-?\d+\.\d+", result.reason), result.reason
    assert result.exchange is not None


def errors_of_its_own(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
    """Errors in another form."""
    if response.status_code < 400 or b"/oai/" in request.url.raw_path:
        return None
    return answer(response, {"message": "no", "code": response.status_code})


def loses_results(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
    """Results of optimizer steps that nobody can fetch."""
    if b'"type":"optim_step"' not in response.content:
        return None
    return answer(response, {"detail": "Unknown request_id"}, 404)


def always_json(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
    """Protobuf under the name of JSON."""
    if response.headers.get("content-type") != "application/x-protobuf":
        return None
    return httpx.Response(
        200, content=response.content, headers={"content-type": "application/json"}
    )


def always_protobuf(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
    """JSON under the name of protobuf."""
    if b'"loss_fn_output_type"' not in response.content:
        return None
    return httpx.Response(
        200, content=response.content, headers={"content-type": "application/x-protobuf"}
    )


def promises_anew(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
    """A repeated sample gets another promise, as from a server that samples again."""
    if not request.url.path.endswith("/asample") or response.status_code != 200:
        return None
    promises_anew.count += 1  # type: ignore[attr-defined]
    body = orjson.loads(response.content)
    suffix = "" if promises_anew.count == 1 else f"?{promises_anew.count}"  # type: ignore[attr-defined]
    return answer(response, {**body, "request_id": body["request_id"] + suffix})


promises_anew.count = 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "broken", "words"),
    [
        (
            errors_of_its_own,
            "error bodies",
            "expected a `detail` in the body of the 400, found none",
        ),
        (loses_results, "optim_step", "expected status 200, found 404"),
        (always_json, "forward_backward", "expected JSON, found .* not JSON"),
        (
            always_protobuf,
            "result in JSON",
            "expected application/json, found application/x-protobuf",
        ),
        (promises_anew, "repeated sample", "expected the promise .*, found "),
    ],
)
def test_a_deliberate_mistake_of_a_server_is_reported(
    server: str, change: Change, broken: str, words: str
) -> None:
    report = run(server, api_key=KEY, only=[broken], transport=Breaking(change))
    assert not report.passed
    assert broken in failed(report), failed(report)
    suite = ElementTree.fromstring(report.junit())
    (case,) = (one for one in suite if one.attrib["name"] == broken)
    (failure,) = case
    (result,) = (result for result in report.results if result.name == broken)
    assert failure.attrib["message"] == result.reason
    assert re.search(words, result.reason), result.reason
    assert result.rule in (failure.text or "")


def test_a_server_that_runs_what_comes_first_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests take effect in the order in which they arrive, whatever their seq_ids."""

    def take(self: scheduler._Model) -> Request | None:
        if self.numbered:
            self.next_seq_id = next(iter(self.numbered))
        return original(self)

    original = scheduler._Model.take
    monkeypatch.setattr(scheduler._Model, "take", take)
    with LocalServer(options=Options(poll_seconds=0.2)) as wrong:
        report = run(wrong.url, api_key=KEY, only=["order by seq_id"])
    assert "order by seq_id" in failed(report), failed(report)


def test_a_pending_answer_in_another_form_fails_where_it_is_pending(server: str) -> None:
    report = run(server, api_key=KEY, only=["pending"], transport=Breaking(wordy_pending))
    assert "pending" in failed(report)


def test_a_response_that_cannot_be_decompressed_fails_its_check(server: str) -> None:
    def garbled(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
        if not request.url.path.endswith("/get_info"):
            return None
        headers = {"content-encoding": "gzip"}
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(b"not gzip"))

    report = run(server, api_key=KEY, only=["get_info"], transport=Breaking(garbled))
    assert failed(report) == {"get_info"}
    assert "get_info: DecodingError: " in report.details()


def test_one_check_runs_with_those_it_needs(server: str) -> None:
    report = run(server, api_key=KEY, only=["optim_step"])
    assert report.passed, report.details()
    names = {result.name for result in report.results}
    assert {"create_session", "create_model", "optim_step"} <= names
    assert len(names) < len(CHECKS) / 4


def test_a_time_limit_leaves_the_rest_not_run(server: str) -> None:
    report = run(server, api_key=KEY, time_limit=0.0)
    assert not report.passed
    assert report.count(Outcome.PASS) == 0
    assert {result.reason for result in report.results if result.area == "service"} == {
        "the time limit was reached"
    }


def test_the_command_writes_both_files(server: str, tmp_path: Path) -> None:
    files = {"--json": tmp_path / "report.json", "--md": tmp_path / "report.md"}
    arguments = [str(part) for pair in files.items() for part in pair]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tinker.conformance",
            "--base-url",
            server,
            "--api-key",
            KEY,
            *arguments,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "0 fail" in done.stdout
    report = json.loads(files["--json"].read_text())
    assert report["passed"]
    assert report["counts"]["fail"] == 0
    assert "| `order by seq_id` | pass |" in files["--md"].read_text()
    assert KEY not in done.stdout + files["--json"].read_text() + files["--md"].read_text()


def test_some_checks_run_in_the_order_of_all(server: str) -> None:
    """`forward` compares with a batch before the first step, which `negative weights` needs."""
    report = run(server, api_key=KEY, only=("negative weights", "sampler and forward"))
    assert report.passed, report.details()


def without_the_first(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
    """As SkyRL 0.4.0 returns samples: in protobuf always, and prompts are scored from the second token on."""
    if b'"sequences"' not in response.content:
        return None
    body = orjson.loads(response.content)
    sequences = [
        pb.SampledSequence(
            tokens=np.asarray(one["tokens"], "<i4").tobytes(),
            logprobs=np.asarray(one["logprobs"], "<f4").tobytes(),
            stop_reason=pb.STOP_REASON_LENGTH,
        )
        for one in body["sequences"]
    ]
    scores = body.get("prompt_logprobs")
    result = pb.SampleResponse(sequences=sequences)
    if scores is not None:
        result.prompt_logprobs = np.asarray(scores[1:], "<f4").tobytes()
    headers = {"content-type": "application/x-protobuf"}
    return httpx.Response(200, content=result.SerializeToString(), headers=headers)


def test_scores_that_begin_with_the_second_token_are_compared_as_they_are_read(server: str) -> None:
    checks = ("sample logprobs", "sampler and forward")
    report = run(server, api_key=KEY, transport=Breaking(without_the_first), only=checks)
    assert report.passed, report.details()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--base-url", "nowhere"], "must be an http:// or https:// address"),
        (["--base-url", "{closed}"], "cannot connect"),
        (["--base-url", "{closed}", "--only", "optim"], "Unknown check 'optim'"),
        ([], "give --base-url"),
    ],
)
def test_what_cannot_be_tested_is_one_sentence(
    arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TINKER_BASE_URL", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"http://127.0.0.1:{listener.getsockname()[1]}"
    arguments = [argument.format(closed=closed) for argument in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "tinker.conformance", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr

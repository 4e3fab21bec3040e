"""Runs the checks and cleans up after them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection

import httpx

from tinker.conformance import operations, rules  # noqa: F401  # they register their checks
from tinker.conformance.checks import CHECKS, Check
from tinker.conformance.contract import contract
from tinker.conformance.outcomes import Failed, NotOffered
from tinker.conformance.report import Outcome, Report, Result
from tinker.conformance.server import OutOfTime
from tinker.conformance.subject import Subject
from tinker.types import ParsedCheckpointTinkerPath
from tinker_api import security

_CLEANING = 30.0
_AREAS = [
    "service",
    "auth",
    "sessions",
    "training",
    "weights",
    "checkpoints",
    "sampling",
    "futures",
    "openai",
    "anthropic",
    "administration",
    "rules",
]
_LAST = (
    "delete_checkpoint",
    "unload_model",
    "result tags",
    "formats",
    "finish_session",
    "heartbeat of a finished session",
)
"""Checks that end what others need, and those that look back on all others."""


def run(
    base_url: str,
    *,
    api_key: str = "tml-conformance",
    base_model: str = "",
    time_limit: float = 600.0,
    only: Collection[str] = (),
    transport: httpx.BaseTransport | None = None,
) -> Report:
    """Test a server.

    Args:
        base_url: Its address, without `/api/v1`; may have a path.
        api_key: The credential of all requests.
        base_model: What to train and sample; the first trainable model the server offers by default.
        time_limit: Seconds after which no further check begins.
        only: Names of checks; only these run, and those they need. All checks by default.
        transport: For tests.

    Raises:
        ValueError: `only` names a check that does not exist.
        httpx.RequestError: The server cannot be reached.
    """
    checks = _in_order(only)
    begun = time.monotonic()
    headers = {security.HEADER: api_key, "user-agent": "tinker-conformance"}
    with httpx.Client(
        base_url=f"{base_url.rstrip('/')}/", headers=headers, transport=transport
    ) as http:
        http.get("api/v1/healthz", timeout=10)
        subject = Subject(http, begun + time_limit, base_model=base_model)
        outcomes: dict[str, Outcome] = {}
        results = []
        for check in checks:
            result = _one(check, subject, outcomes)
            outcomes[check.name] = result.outcome
            results.append(result)
            with contextlib.suppress(Failed, OutOfTime, KeyError):
                subject.free()
        subject.deadline = time.monotonic() + _CLEANING
        left = _clean(subject)
    results.sort(key=lambda result: _place(result.area))
    if left:
        results.append(
            Result("cleaning up", "rules", "Nothing is left behind.", Outcome.FAIL, left)
        )
    version = contract()["info"]["version"]
    return Report(str(http.base_url).rstrip("/"), version, time.monotonic() - begun, results)


def _in_order(only: Collection[str]) -> list[Check]:
    """By area, but each check after those it needs, and `_LAST` at the end."""
    by_name = {check.name: check for check in sorted(CHECKS, key=lambda one: _place(one.area))}
    if unknown := [name for name in only if name not in by_name]:
        raise ValueError(f"Unknown check {unknown[0]!r}; the checks are {', '.join(by_name)}.")
    ordered: dict[str, Check] = {}

    def add(into: dict[str, Check], check: Check) -> None:
        for need in check.needs:
            add(into, by_name[need])
        into.setdefault(check.name, check)

    for check in by_name.values():
        if check.name not in _LAST:
            add(ordered, check)
    for name in _LAST:
        add(ordered, by_name[name])
    wanted: dict[str, Check] = {}
    for name in only or by_name:
        add(wanted, by_name[name])
    # Fewer checks run in the order of all: what one leaves behind, such as trained weights, may disturb another.
    return [check for check in ordered.values() if check.name in wanted]


def _place(area: str) -> int:
    return _AREAS.index(area)


def _one(check: Check, subject: Subject, outcomes: dict[str, Outcome]) -> Result:
    for need in check.needs:
        if outcomes[need] is Outcome.NOT_OFFERED:
            return _result(check, Outcome.NOT_OFFERED, f"needs {need}, which is not offered")
        if outcomes[need] is not Outcome.PASS:
            return _result(check, Outcome.NOT_RUN, f"needs {need}, which did not pass")
    subject.last = None
    try:
        check.run(subject)
    except NotOffered as reason:
        return _result(check, Outcome.NOT_OFFERED, str(reason))
    except OutOfTime:
        return _result(check, Outcome.NOT_RUN, "the time limit was reached")
    except Failed as failure:
        return _result(check, Outcome.FAIL, str(failure), subject)
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        # The check cannot read the response: that is the server's fault, and the response is shown.
        return _result(
            check,
            Outcome.FAIL,
            f"the response has an unexpected shape ({type(error).__name__}: {error})",
            subject,
        )
    return _result(check, Outcome.PASS, "")


def _result(check: Check, outcome: Outcome, reason: str, subject: Subject | None = None) -> Result:
    exchange = subject.last if subject is not None else None
    return Result(check.name, check.area, check.rule, outcome, reason, exchange)


def _clean(subject: Subject) -> str:
    """Delete what the checks made; returns what is left, empty if nothing is."""
    left = []
    try:
        for path in subject.checkpoints:
            try:
                parsed = ParsedCheckpointTinkerPath.from_tinker_path(path)
            except ValueError:
                continue  # reported by the check that saved it
            kind, _, name = parsed.checkpoint_id.partition("/")
            exchange = subject.send(
                "delete_checkpoint",
                path={"training_run_id": parsed.training_run_id, "kind": kind, "name": name},
            )
            if exchange.status not in (200, 202, 204, 404, 405):
                left.append(f"{path} ({exchange.status})")
        for model_id in [*subject.extra_models, subject.model.id]:
            if model_id:
                subject.send("unload_model", {"model_id": model_id, "type": "unload_model"})
        if subject.session_id and "finished" not in subject.results:
            subject.send(
                "finish_session",
                {"reason": {"type": "success"}, "detail": None},
                path={"session_id": subject.session_id},
            )
    except (Failed, OutOfTime) as error:
        left.append(str(error) or "out of time")
    return "; ".join(left)

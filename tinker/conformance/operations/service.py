"""Health, capabilities, settings and telemetry."""

from __future__ import annotations

from datetime import UTC, datetime

from tinker._version import SDK_VERSION
from tinker.conformance.checks import check
from tinker.conformance.outcomes import expect
from tinker.conformance.subject import Subject


@check("healthz", "service")
def healthz(s: Subject) -> None:
    """Responds as soon as the server accepts requests. Needs no credential."""
    s.call("healthz", key=False)


@check("get_server_capabilities", "service")
def get_server_capabilities(s: Subject) -> None:
    """Lists the base models that can be trained or sampled."""
    models = s.call("get_server_capabilities")["supported_models"]
    named = [model for model in models if model.get("model_name")]
    expect(bool(named), "expected a model with a name in supported_models, found none")
    trainable = [model for model in named if model.get("trainable") is not False]
    if not s.base_model:
        s.base_model = (trainable or named)[0]["model_name"]


@check("client_config", "service")
def client_config(s: Subject) -> None:
    """Settings, read once; every field of the response is optional."""
    s.keep("config", s.call("client_config", {"sdk_version": SDK_VERSION}))


@check("client_dynamic_config", "service")
def client_dynamic_config(s: Subject) -> None:
    """Settings that a client reads again from time to time; without the route, clients use the defaults."""
    s.call("client_dynamic_config", {"sdk_version": SDK_VERSION})


@check("telemetry", "service")
def telemetry(s: Subject) -> None:
    """Accepts events of a client, at most 100 a request."""
    event = {
        "event": "SESSION_START",
        "event_id": "0b9d2f5e-6f4a-4c2b-9a53-0c2b7a6d1e11",
        "event_session_index": 0,
        "severity": "INFO",
        "timestamp": datetime.now(UTC).isoformat(),
    }
    process = "9c00a1a4-7be1-4d0e-8f56-1c5a3f8d2b10"
    s.call("telemetry", {**telemetry_body(), "events": [event], "process_uuid": process})


def telemetry_body() -> dict[str, object]:
    return {
        "events": [],
        "platform": "Linux",
        "sdk_version": SDK_VERSION,
        "session_id": "sessionless-conformance",
    }

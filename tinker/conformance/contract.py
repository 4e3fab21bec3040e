"""The contract as the checks read it: routes by operationId, and validators of its schemas."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
import orjson

from tinker._codec.media_types import JSON

RESULTS = {
    "create_model": "CreateModelResponse",
    "unload_model": "UnloadModelResponse",
    "forward": "ForwardBackwardOutput",
    "forward_backward": "ForwardBackwardOutput",
    "optim_step": "OptimStepResponse",
    "create_custom_loss": "CreateCustomLossResponse",
    "save_weights": "SaveWeightsResponse",
    "load_weights": "LoadWeightsResponse",
    "save_weights_for_sampler": "SaveWeightsForSamplerResponse",
    "save_weights_external": "SaveWeightsExternalResponse",
    "asample": "SampleResponse",
}
"""The schema of what each operation promises."""


@cache
def contract() -> dict[str, Any]:
    content = files("tinker_contract").joinpath("openapi.json").read_bytes()
    document: dict[str, Any] = orjson.loads(content)
    return document


@cache
def routes() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Method, path and description of each operation."""
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, methods in contract()["paths"].items()
        for method, operation in methods.items()
    }


def properties(schema: str) -> dict[str, Any]:
    found: dict[str, Any] = contract()["components"]["schemas"][schema].get("properties", {})
    return found


@cache
def validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    document = {"$ref": f"#/components/schemas/{schema}", "components": contract()["components"]}
    return jsonschema_rs.Draft202012Validator(document, validate_formats=True)


def response_schema(operation: str) -> str | None:
    """The name of the schema of an operation's JSON response."""
    for status, response in routes()[operation][2]["responses"].items():
        if status.startswith("2"):
            media = response.get("content", {}).get(JSON)
            if media is not None:
                reference: str = media["schema"]["$ref"]
                return reference.rpartition("/")[2]
    return None

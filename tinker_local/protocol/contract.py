"""The contract as the server uses it: routes by operationId. `validation` checks requests."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
from attrs import frozen


@frozen
class Operation:
    operation_id: str
    method: str
    path: str
    """With its parameters in braces, as `/api/v1/samplers/{sampler_id}`."""
    media_types: tuple[str, ...]
    """Allowed media types of the body; empty if it has none."""
    needs_key: bool
    takes_bearer: bool
    """Whether the key may be sent as `Authorization: Bearer`."""
    tag: str
    parameters: tuple[Mapping[str, Any], ...]
    """As the contract describes them."""


def content() -> bytes:
    """openapi.yaml in JSON, as codegen.sh ships it."""
    return files("tinker_contract").joinpath("openapi.json").read_bytes()


@cache
def document() -> dict[str, Any]:
    contract: dict[str, Any] = orjson.loads(content())
    return contract


def operations() -> list[Operation]:
    found = []
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {})
            found.append(
                Operation(
                    operation["operationId"],
                    method.upper(),
                    path,
                    tuple(body),
                    operation.get("security") != [],
                    {"bearer": []} in operation.get("security", []),
                    operation["tags"][0],
                    tuple(resolved(one) for one in operation.get("parameters", ())),
                )
            )
    return found


def resolved(part: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in part:
        _, *steps = part["$ref"].split("/")
        part = document()
        for step in steps:
            part = part[step]
    return part

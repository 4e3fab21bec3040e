"""The contract as the server uses it: routes by operationId, and validators of request bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
import orjson
from attrs import frozen

from tinker_local.errors import Refusal

_MOST_ISSUES = 20


@frozen
class Operation:
    operation_id: str
    method: str
    path: str
    """With its parameters in braces, as `/api/v1/samplers/{sampler_id}`."""
    media_types: tuple[str, ...]
    """What its body may be; empty when it has none."""
    needs_key: bool
    takes_bearer: bool
    """Whether the key may come as `Authorization: Bearer`."""
    tag: str
    parameters: tuple[Mapping[str, Any], ...]
    """As the contract describes them."""


def content() -> bytes:
    """openapi.yaml in JSON, as codegen.sh ships it."""
    return files("tinker_contract").joinpath("openapi.json").read_bytes()


def reference() -> bytes:
    """openapi.yaml as a page for people."""
    return files("tinker_contract").joinpath("reference.html").read_bytes()


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
                    tuple(_resolved(one) for one in operation.get("parameters", ())),
                )
            )
    return found


def _resolved(part: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in part:
        _, *steps = part["$ref"].split("/")
        part = document()
        for step in steps:
            part = part[step]
    return part


def parameters(
    operation: Operation, query: Mapping[str, str], headers: Mapping[str, str]
) -> dict[str, Any]:
    """The parameters of a query, typed, with their defaults; 422 for those, and for headers, that do not fit.

    Unknown ones are ignored; of one that is repeated the last counts.
    """
    values: dict[str, Any] = {}
    issues = []
    for parameter in operation.parameters:
        place, name = parameter["in"], parameter["name"]
        if place == "path":
            continue  # what it has to be is for the handler to say
        given = query if place == "query" else headers
        schema = _resolved(parameter["schema"])
        if name not in given:
            if parameter.get("required"):
                issues.append(_issue(place, name, "it is missing", "required"))
            elif place == "query" and "default" in schema:
                values[name] = schema["default"]
            continue
        value: Any = given[name]
        if schema.get("type") == "integer" and _INTEGER.fullmatch(value):
            value = int(value)
        issues += [
            _issue(place, name, _short(error.message), str(error.schema_path[-1]))
            for error in _parameter_validator(operation.operation_id, name).iter_errors(value)
        ]
        if place == "query":
            values[name] = value
    if issues:
        raise Refusal(422, issues)
    return values


_INTEGER = re.compile(r"-?\d{1,30}", re.ASCII)


def _issue(place: str, name: str, message: str, kind: str) -> dict[str, Any]:
    return {"loc": [place, name], "msg": message, "type": kind}


@cache
def _parameter_validator(operation_id: str, name: str) -> Any:
    for operation in operations():
        if operation.operation_id == operation_id:
            for parameter in operation.parameters:
                if parameter["name"] == name:
                    schema = {**parameter["schema"], "components": document()["components"]}
                    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    raise KeyError(name)


@cache
def _validator(operation_id: str) -> Any:
    contract = document()
    for methods in contract["paths"].values():
        for operation in methods.values():
            if operation["operationId"] == operation_id:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                return jsonschema_rs.Draft202012Validator(
                    {**schema, "components": contract["components"]}, validate_formats=True
                )
    raise KeyError(operation_id)


def check_body(operation_id: str, body: Any) -> None:
    """Refuse with 422 a JSON body that does not fit the operation's schema."""
    validator = _validator(operation_id)
    if validator.is_valid(body):
        return
    issues = []
    for error in validator.iter_errors(body):
        path = [str(part) for part in error.instance_path]
        kind = str(error.schema_path[-1]) if error.schema_path else "schema"
        issues.append({"loc": ["body", *path], "msg": _short(error.message), "type": kind})
        if len(issues) == _MOST_ISSUES:
            break
    raise Refusal(422, issues)


def _short(message: str, longest: int = 300) -> str:
    return message if len(message) <= longest else f"{message[:longest]}…"

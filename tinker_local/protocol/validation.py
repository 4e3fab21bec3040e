"""Checks JSON against the contract's schemas, and describes violations in words.

A validator that tries every branch of a union reports every error of every branch, which is unreadable and, for a
large body, slow. So unions are rewritten first: by their tag, or by what is null, where that decides; any other
union fails as a whole, with a sentence about what it accepts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any

import jsonschema_rs
import orjson

from tinker._codec.media_types import JSON
from tinker_local.errors import Refusal
from tinker_local.protocol import contract
from tinker_local.protocol.contract import Operation

MAX_ISSUES = 20
_SMALL_BODY_BYTES = 65536
"""Up to this size all violations are reported; for a larger body, only the first."""
_MAX_MESSAGE = 300
_TAKES = "x-takes"
Schema = Mapping[str, Any]


def check_body(operation_id: str, body: Any, size: int = 0) -> None:
    """Reject with 422 a JSON body, of so many bytes, that violates the operation's schema."""
    validator, schema = _body_validator(operation_id)
    try:
        validator.validate(body)
    except jsonschema_rs.ValidationError as first:
        errors = [first]
        if size <= _SMALL_BODY_BYTES:
            errors = list(islice(validator.iter_errors(body), MAX_ISSUES))
        raise Refusal(422, [_issue(["body"], error, schema) for error in errors]) from None


def parameters(
    operation: Operation, query: Mapping[str, str], headers: Mapping[str, str]
) -> dict[str, Any]:
    """Parse query parameters by their types, with defaults; raises 422 for invalid ones and for invalid headers.

    Unknown parameters are ignored; if one is repeated, the last value counts.
    """
    values: dict[str, Any] = {}
    issues = []
    for parameter in operation.parameters:
        place, name = parameter["in"], parameter["name"]
        if place == "path":
            continue  # the handler checks it
        given = query if place == "query" else headers
        described = contract.resolved(parameter["schema"])
        if name not in given:
            if parameter.get("required"):
                missing = {"loc": [place, name], "msg": "it is missing", "type": "required"}
                issues.append(missing)
            elif place == "query" and "default" in described:
                values[name] = described["default"]
            continue
        value: Any = given[name]
        if described.get("type") == "integer" and _INTEGER.fullmatch(value):
            value = int(value)
        validator, schema = _parameter_validator(operation.operation_id, name)
        issues += [_issue([place, name], error, schema) for error in validator.iter_errors(value)]
        if place == "query":
            values[name] = value
    if issues:
        raise Refusal(422, issues)
    return values


_INTEGER = re.compile(r"-?\d{1,30}", re.ASCII)


def _issue(location: Sequence[str], error: Any, schema: Schema) -> dict[str, Any]:
    path = [str(step) for step in error.instance_path]
    kind = str(error.schema_path[-1]) if error.schema_path else "schema"
    message = error.message
    takes = _takes(error, schema) if kind == "not" else None
    if takes is not None:
        found = shortened(orjson.dumps(error.instance).decode(), 80)
        kind, message = "union", f"{found} is not accepted; expected {takes}"
    return {"loc": [*location, *path], "msg": shortened(message), "type": kind}


def _takes(error: Any, schema: Any) -> str | None:
    for step in error.schema_path[:-1]:
        schema = schema[step]
    takes: str | None = schema.get(_TAKES)
    return takes


def shortened(text: str, longest: int = _MAX_MESSAGE) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"


# ---- validators -------------------------------------------------------------------------------


@cache
def _body_validator(operation_id: str) -> tuple[Any, Schema]:
    for methods in contract.document()["paths"].values():
        for operation in methods.values():
            if operation["operationId"] == operation_id:
                return _validator(operation["requestBody"]["content"][JSON]["schema"])
    raise KeyError(operation_id)


@cache
def _parameter_validator(operation_id: str, name: str) -> tuple[Any, Schema]:
    for one in contract.operations():
        if one.operation_id == operation_id:
            for parameter in one.parameters:
                if parameter["name"] == name:
                    return _validator(parameter["schema"])
    raise KeyError(name)


def _validator(schema: Schema) -> tuple[Any, Schema]:
    whole = {**_decided(schema), "components": _components()}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True), whole


@cache
def _components() -> Schema:
    return {"schemas": _decided(contract.document()["components"]["schemas"])}


# ---- unions -----------------------------------------------------------------------------------


def _decided(schema: Any) -> Any:
    """Rewrite every union in a schema."""
    if isinstance(schema, list):
        return [_decided(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    rewritten = {
        name: _decided(part)
        for name, part in schema.items()
        if name not in ("oneOf", "anyOf", "discriminator", "example", "examples")
    }
    for keyword in ("oneOf", "anyOf"):
        if isinstance(schema.get(keyword), list):
            rewritten.update(_union(keyword, schema))
    return rewritten


def _union(keyword: str, schema: Schema) -> Schema:
    branches: list[Schema] = schema[keyword]
    if "discriminator" in schema:
        return _by_tag(schema["discriminator"])
    others = [one for one in branches if one != {"type": "null"}]
    if len(others) == 1 and len(branches) == 2:
        return {"if": {"not": {"type": "null"}}, "then": _decided(others[0])}
    # Double `not`: the validator tells whether it matches, and collects no errors from the branches.
    return {"not": {"not": {keyword: _decided(branches)}}, _TAKES: _choice(branches)}


def _by_tag(discriminator: Schema) -> Schema:
    tag, mapping = discriminator["propertyName"], discriminator["mapping"]
    return {
        "type": "object",
        "required": [tag],
        "properties": {tag: {"enum": list(mapping)}},
        "allOf": [
            {
                "if": {"properties": {tag: {"const": value}}, "required": [tag]},
                "then": {"$ref": reference},
            }
            for value, reference in mapping.items()
        ],
    }


def _choice(branches: Sequence[Schema]) -> str:
    """A phrase such as `a string, a list of integers or null`."""
    names = list(dict.fromkeys(_name(one) for one in branches))
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


_ARTICLES = {"integer": "an", "object": "an"}


def _name(schema: Schema) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    kind = str(schema.get("type"))
    if kind == "null":
        return kind
    return f"a list{_of_items(schema)}" if kind == "array" else f"{_ARTICLES.get(kind, 'a')} {kind}"


def _of_items(schema: Schema) -> str:
    """As ` of lists of integers`; items of any type are parts."""
    items = schema.get("items", {})
    if items.get("type") == "array":
        return f" of lists{_of_items(items)}"
    return f" of {items.get('type', 'part')}s"

"""The examples of openapi.yaml, replayed through the generated client: what it sends and reads is what they say."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args, get_type_hints

import httpx
import orjson
import pytest

import tinker_api.api
from tinker_api import models
from tinker_api.types import File
from tinker_local.protocol.contract import document

JSON, STREAM, BYTES = "application/json", "text/event-stream", "application/octet-stream"


def operations() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield operation["operationId"], method.upper(), path, operation


OPERATIONS = {name: (method, path, operation) for name, method, path, operation in operations()}
MODULES = {
    name: importlib.import_module(f"tinker_api.api.{tag.name}.{name}")
    for tag in pkgutil.iter_modules(tinker_api.api.__path__)
    for _, name, _ in pkgutil.iter_modules(
        importlib.import_module(f"tinker_api.api.{tag.name}").__path__
    )
}


def values(media: dict[str, Any]) -> list[Any]:
    if "example" in media:
        return [media["example"]]
    return [example["value"] for example in media.get("examples", {}).values()]


def says(found: Any, example: Any) -> bool:
    """Whether all that an example says is in what was found, which may add fields that have defaults."""
    if isinstance(example, dict):
        return all(value is None or says(found.get(key), value) for key, value in example.items())
    if isinstance(example, list):
        found = found or []
        return len(found) == len(example) and all(map(says, found, example))
    if isinstance(example, str) and _TIME.fullmatch(example):
        return datetime.fromisoformat(found) == datetime.fromisoformat(example)
    return bool(found == example)


_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)")


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    _, _, kind, name = part["$ref"].split("/")
    found: dict[str, Any] = document()["components"][kind][name]
    return found


def parameters(operation: dict[str, Any]) -> dict[str, Any]:
    """Arguments for the parameters that must be given."""
    hints: dict[str, Any] = {}
    for parameter in map(resolved, operation.get("parameters", ())):
        if parameter.get("required"):
            value = parameter.get("example", "x")
            if parameter["schema"].get("format") == "date-time":
                import dateutil.parser

                value = dateutil.parser.isoparse(value)
            hints[parameter["name"]] = value
    return hints


def test_every_operation_is_generated() -> None:
    assert MODULES.keys() == OPERATIONS.keys()


def test_every_operation_has_an_example_of_what_it_takes_and_gives() -> None:
    for name, (_, _, operation) in OPERATIONS.items():
        body = operation.get("requestBody", {}).get("content", {})
        if JSON in body:
            assert values(body[JSON]), f"{name} has no example of its request"
        for status, response in operation["responses"].items():
            if status == "200" and JSON in response.get("content", {}):
                assert values(response["content"][JSON]), f"{name} has no example of its answer"


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_request_is_sent_and_an_answer_read_as_the_example_says(name: str) -> None:
    method, path, operation = OPERATIONS[name]
    body = operation.get("requestBody", {}).get("content", {}).get(JSON)
    success = next(r for s, r in operation["responses"].items() if s.startswith("2"))
    contents = success.get("content", {})
    answers = values(contents[JSON]) if JSON in contents else [None]
    if list(contents) == [STREAM]:
        answers = [orjson.loads(event["data"]) for event in values(contents[STREAM])]
    requests = values(body) if body else [None]
    takes_bytes = BYTES in operation.get("requestBody", {}).get("content", {})
    http = httpx.Client(
        base_url="http://server", transport=httpx.MockTransport(lambda _: httpx.Response(204))
    )
    for request in requests:
        arguments = parameters(operation)
        if request is not None:
            model = getattr(models, body["schema"]["$ref"].rpartition("/")[2])
            arguments["body"] = model.from_dict(request)
        if takes_bytes:
            arguments["body"] = File(payload=b"some bytes")
        message = MODULES[name].request(**arguments)
        assert message.operation == name
        sent = message.build(http)
        assert sent.method == method
        assert sent.url.path.startswith(path.split("{")[0])
        if request is not None:
            assert says(orjson.loads(sent.content), request)
        if takes_bytes:
            assert (sent.content, sent.headers["content-type"]) == (b"some bytes", BYTES)
        for answer in answers:
            if answer is None:
                assert message.parse(b"") is None or JSON not in contents
            else:
                assert says(message.parse(orjson.dumps(answer)).to_dict(), answer)


@pytest.mark.parametrize("name", [n for n, (_, _, o) in OPERATIONS.items() if "requestBody" in o])
def test_the_type_of_a_body_is_the_schemas(name: str) -> None:
    # What a module imports for type checkers alone.
    names = {**vars(MODULES[name]), **{model: getattr(models, model) for model in models.__all__}}
    hints = get_type_hints(MODULES[name].request, names)
    content = OPERATIONS[name][2]["requestBody"]["content"]
    wanted = content[JSON]["schema"]["$ref"].rpartition("/")[2] if JSON in content else "File"
    kinds = get_args(hints["body"]) or (hints["body"],)
    assert wanted in {kind.__name__ for kind in kinds}

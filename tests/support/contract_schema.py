"""The contract as schemathesis takes it, and the servers it is held against.

In CI the requests are the same each time. `make contract-deep` makes many more, and others each time.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import schemathesis
from schemathesis.config import SchemathesisConfig

from tinker._codec.media_types import JSON
from tinker_local import LocalServer
from tinker_local.options import Options
from tinker_local.protocol.contract import document

KEY = "tml-schemathesis"
DEEP = os.environ.get("CONTRACT_DEEP") == "1"
EXAMPLES = 500 if DEEP else 10
SERVERS = ("without keys", "with keys")

CONFIG = SchemathesisConfig.from_dict(
    {
        "headers": {"X-API-Key": KEY, "Authorization": f"Bearer {KEY}"},
        # Servers ignore what they do not know, in a query as in a body.
        "generation": {
            "deterministic": not DEEP,
            "max-examples": EXAMPLES,
            "allow-extra-parameters": False,
        },
        # Its sanitization hides `tokens` and `session_id`, without which a failure cannot be repeated.
        "output": {"sanitization": {"enabled": False}},
        "checks": {
            # What a schema cannot say is refused with these: an unknown model or session, a name that is
            # taken, a checkpoint that is still being written (425), a route's second form.
            "positive_data_acceptance": {
                "expected-statuses": ["2xx", "400", "403", "404", "409", "410", "425"]
            },
        },
    }
)


def contract() -> dict[str, Any]:
    """The contract without `discriminator`, which schemathesis cannot negate; the tags say the same.

    And without zstd: schemathesis does not compress what it says is compressed.
    """

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: without(v) for k, v in value.items() if k != "discriminator"}
        return [without(item) for item in value] if isinstance(value, list) else value

    stripped: dict[str, Any] = without(document())
    stripped["components"]["parameters"]["ContentEncoding"]["schema"]["enum"] = ["identity"]
    return stripped


@cache
def _closed() -> dict[str, Any]:
    """The contract with no fields except those it names, where it does not say that there are others."""

    def closed(value: Any) -> Any:
        if isinstance(value, list):
            return [closed(item) for item in value]
        if not isinstance(value, dict):
            return value
        found = {name: closed(part) for name, part in value.items()}
        if isinstance(found.get("properties"), dict):
            found.setdefault("additionalProperties", False)
        return found

    document_: dict[str, Any] = document()
    return {**document_, "components": closed(document_["components"])}


def unnamed_fields(operation_id: str, response: schemathesis.Response) -> list[str]:
    """What a success has that the contract does not name, such as a field under its old name."""
    contract = _closed()
    (operation,) = (
        one
        for methods in contract["paths"].values()
        for one in methods.values()
        if one["operationId"] == operation_id
    )
    documented = operation["responses"].get(str(response.status_code), {})
    schema = documented.get("content", {}).get(JSON, {}).get("schema")
    if schema is None or JSON not in str(response.headers.get("content-type", "")):
        return []
    validator = jsonschema_rs.Draft202012Validator({**schema, "components": contract["components"]})
    return [error.message for error in validator.iter_errors(response.json())]


schema = schemathesis.openapi.from_dict(contract(), config=CONFIG)


@contextlib.contextmanager
def serving(which: str, folder: Path) -> Iterator[str]:
    """A server for requests that may wait for others which never come: it does not hold polls long."""
    keys = None
    if which == "with keys":
        keys = folder / "keys"
        keys.write_text(f"{KEY} somebody admin\n")
    options = Options(poll_seconds=0.05, gap_seconds=1.0, feed_seconds=0.05)
    with LocalServer(keys=keys, options=options) as server:
        yield server.url

"""The contract as schemathesis takes it, and the servers it is held against.

In CI the requests are the same each time. `make contract-deep` makes many more, and others each time.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig

from tinker_local import LocalServer
from tinker_local.options import Options
from tinker_local.protocol.contract import document

KEY = "tml-schemathesis"
DEEP = os.environ.get("CONTRACT_DEEP") == "1"
EXAMPLES = 500 if DEEP else 25
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
            # taken, a route's second form.
            "positive_data_acceptance": {
                "expected-statuses": ["2xx", "400", "403", "404", "409", "410"]
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

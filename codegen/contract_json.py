"""Read an OpenAPI document in YAML; as a program, print it as compact JSON in the same order."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml


class Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with JSON's types: times and dates stay strings."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(path: Path) -> dict[str, Any]:
    with path.open(encoding="utf-8") as file:
        document: dict[str, Any] = yaml.load(file, Loader)  # a subclass of SafeLoader
    return document


if __name__ == "__main__":
    print(json.dumps(load(Path(sys.argv[1])), ensure_ascii=False, separators=(",", ":")))

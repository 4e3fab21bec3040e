"""Print an OpenAPI document in YAML as compact JSON, its members in their order."""

from __future__ import annotations

import json
import sys

import yaml


class Loader(yaml.SafeLoader):
    """YAML as JSON has it: times and dates stay texts."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

with open(sys.argv[1], encoding="utf-8") as file:
    document = yaml.load(file, Loader)  # a subclass of SafeLoader
print(json.dumps(document, ensure_ascii=False, separators=(",", ":")))

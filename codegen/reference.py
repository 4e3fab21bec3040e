"""Write the contract as a Markdown page, docs/reference.md.

    reference.py MARKDOWN

The content comes from openapi.yaml, the layout from reference.md.jinja.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from contract_json import load
from jinja2 import Environment, FileSystemLoader

ROOT = Path(__file__).resolve().parent.parent
RULES = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
    "minLength": "length at least",
    "maxLength": "length at most",
    "minItems": "items at least",
    "maxItems": "items at most",
    "pattern": "matching",
}


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def markdown(contract: dict[str, Any]) -> str:
    components = contract["components"]

    def resolved(part: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in part:
            return part
        _, _, kind, name = part["$ref"].split("/")
        found: dict[str, Any] = components[kind][name]
        return found

    def link(reference: str) -> str:
        name = reference.rpartition("/")[2]
        return f"[{name}](#{slug(name)})"

    def types(schema: dict[str, Any]) -> list[str]:
        kind = schema.get("type", [])
        return [kind] if isinstance(kind, str) else kind

    operations = [
        (path, method, operation)
        for path, methods in contract["paths"].items()
        for method, operation in methods.items()
    ]
    statuses = {
        response["$ref"].rpartition("/")[2]: status
        for _, _, operation in operations
        for status, response in operation["responses"].items()
        if "$ref" in response
    }
    environment = Environment(
        loader=FileSystemLoader(ROOT / "codegen"),
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    environment.filters["json"] = lambda value, indent=None: json.dumps(
        value, indent=indent, ensure_ascii=False
    )
    environment.filters["resolved"] = resolved
    environment.filters["cell"] = lambda text: (text or "").replace("\n", " ").replace("|", "\\|")
    text = environment.get_template("reference.md.jinja").render(
        info=contract["info"],
        tags=contract["tags"],
        operations=operations,
        errors=sorted(
            (statuses[name], name, response) for name, response in components["responses"].items()
        ),
        schemas=components["schemas"],
        rules=RULES,
        link=link,
        types=types,
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(markdown(load(ROOT / "openapi.yaml")), encoding="utf-8")

"""The contract for people: docs/reference.md, and the same as a page for the embedded server.

    reference.py MARKDOWN HTML

Writes both files; what they say is openapi.yaml's, how they say it is reference.md.jinja's.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contract_json import load
from jinja2 import Environment, FileSystemLoader
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

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
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
h2 {{ margin-top: 3rem; border-bottom: 1px solid #ccc; }} h3 {{ margin-top: 2rem; }}
table {{ border-collapse: collapse; }} th, td {{ border: 1px solid #ccc; padding: .2rem .6rem; text-align: left; vertical-align: top; }}
pre, code {{ font-family: ui-monospace, monospace; font-size: 14px; }} pre {{ background: #f5f5f5; padding: .8rem; overflow-x: auto; }}
</style>
<body>
{body}
</body>
</html>
"""


class Renderer(RendererHTML):
    """Headings can be linked to, by the names that forges give them."""

    def heading_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        tokens[index].attrSet("id", slug(tokens[index + 1].content))
        return self.renderToken(tokens, index, options, env)


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


def html(contract: dict[str, Any], text: str) -> str:
    body = MarkdownIt("commonmark", renderer_cls=Renderer).enable("table").render(text)
    return PAGE.format(title=contract["info"]["title"], body=body)


if __name__ == "__main__":
    to_markdown, to_html = map(Path, sys.argv[1:])
    contract = load(ROOT / "openapi.yaml")
    text = markdown(contract)
    to_markdown.write_text(text, encoding="utf-8")
    to_html.write_text(html(contract, text), encoding="utf-8")

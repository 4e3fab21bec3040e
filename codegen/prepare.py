"""Check the contract for what the generator would misread, and print where the generated client puts the credential."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contract_json import load


def main(path: Path) -> int:
    contract = load(path)
    scheme = default_scheme(contract)
    schemes = contract.get("components", {}).get("securitySchemes", {})
    place = placement(schemes[scheme]) if scheme else ("Authorization", "Bearer")
    problems = [
        *nullable_enums(contract, "#"),
        *slashes(contract),
        *other_schemes(contract, scheme),
    ]
    if place is None:
        problems.append(
            f"#/components/securitySchemes/{scheme}: the generated client supports only an API key in a header and HTTP bearer"
        )
    if problems or place is None:
        print("Nothing was generated:", *problems, sep="\n  ", file=sys.stderr)
        return 1
    header, prefix = place
    print('"""Where the credential goes, as the contract\'s security scheme says."""\n')
    print("from typing import Final\n")
    print(f"HEADER: Final = {header!r}\nPREFIX: Final = {prefix!r}")
    return 0


def default_scheme(contract: dict[str, Any]) -> str | None:
    """The first scheme of the document's `security`, else the first of all schemes; None if the document has no scheme."""
    for requirement in contract.get("security", ()):
        for name in requirement:
            return str(name)
    return next(iter(contract.get("components", {}).get("securitySchemes", {})), None)


def other_schemes(contract: dict[str, Any], scheme: str | None) -> Iterator[str]:
    """Find operations that do not accept the scheme of the generated client."""
    for path, operations in contract["paths"].items():
        for method, operation in operations.items():
            accepted = operation.get("security", ()) if isinstance(operation, dict) else ()
            if accepted and not any(not one or scheme in one for one in accepted):
                yield f"{method.upper()} {path}: it does not accept {scheme}, the credential of the generated client"


def placement(scheme: dict[str, Any]) -> tuple[str, str] | None:
    """The header of a credential and the prefix of its value; None if the credential is not in a header."""
    if scheme["type"] == "apiKey" and scheme["in"] == "header":
        return scheme["name"], ""
    if scheme["type"] == "http" and scheme["scheme"].lower() == "bearer":
        return "Authorization", "Bearer"
    return None


def nullable_enums(value: Any, place: str) -> Iterator[str]:
    """Find enums with null among their values: the generator makes several types of each."""
    if isinstance(value, dict):
        if isinstance(values := value.get("enum"), list) and None in values:
            yield (
                f"{place}: an enum with null makes several types; "
                "write anyOf: [{$ref: the enum without null}, {type: 'null'}]"
            )
        for name, part in value.items():
            if name not in ("example", "examples", "default", "const"):
                yield from nullable_enums(part, f"{place}/{name}")
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from nullable_enums(part, f"{place}/{number}")


def slashes(contract: dict[str, Any]) -> Iterator[str]:
    """Find path parameters whose value may contain a slash, which servers read as the end of a path segment."""
    shared = contract.get("components", {}).get("parameters", {})
    for path, operations in contract["paths"].items():
        for operation in operations.values():
            if not isinstance(operation, dict):
                continue
            for parameter in operation.get("parameters", ()):
                found = (
                    shared[parameter["$ref"].rpartition("/")[2]]
                    if "$ref" in parameter
                    else parameter
                )
                schema = found.get("schema", {})
                values = [
                    found.get("example"),
                    *schema.get("enum", ()),
                    schema.get("default"),
                    schema.get("example"),
                ]
                values += [example.get("value") for example in found.get("examples", {}).values()]
                if found["in"] == "path" and any("/" in str(value) for value in values if value):
                    yield (
                        f"{path}: a value of {found['name']} has a slash; a path parameter is one segment: "
                        "write one parameter for each"
                    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

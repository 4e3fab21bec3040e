"""The official SDK's surface against ours: names, signatures, members, bases, aliases, modules."""

from __future__ import annotations

import json
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from tests.compat.api.compare import differences
from tests.compat.official import run

FOLDER = Path(__file__).parent
LISTED = tomllib.loads((FOLDER.parent / "accepted.toml").read_text(encoding="utf-8"))
ENTRIES = [*LISTED["accepted"], *LISTED.get("pending", [])]


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    """What differs, by name."""
    script = FOLDER / "surface.py"
    theirs = json.loads(run(script, official=True))
    ours = json.loads(run(script, stdin=json.dumps(theirs["modules"]), official=False))
    assert len(theirs["facts"]) > 3000
    return differences(theirs["facts"], ours["facts"])


def _is_of(name: str, entry: dict[str, Any]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in entry["names"])


def test_what_differs_is_accepted(found: dict[str, str]) -> None:
    unlisted = [f"{n}: {d}" for n, d in found.items() if not any(_is_of(n, e) for e in ENTRIES)]
    assert unlisted == [], "\n".join(["not in accepted.toml:", *unlisted])


def test_what_is_accepted_differs(found: dict[str, str]) -> None:
    patterns = [pattern for entry in ENTRIES for pattern in entry["names"]]
    stale = [p for p in patterns if not any(fnmatchcase(name, p) for name in found)]
    assert stale == [], f"in accepted.toml, but they do not differ (any more): {stale}"


def test_the_page_for_users_lists_what_is_accepted(repository: Path) -> None:
    page = (repository / "docs" / "coming-from-the-official-sdk.md").read_text(encoding="utf-8")
    _, _, section = page.partition("## Every accepted difference\n")
    items = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("- ")]
    listed = [*LISTED["accepted"], *LISTED["behaves"]]
    assert items == [f"- {entry['reason']}" for entry in listed]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("class", "module"),
        ("Literal['a', 'b']", "Literal['a']"),
        ([["a", "POSITIONAL_OR_KEYWORD", None]], [["a", "KEYWORD_ONLY", None]]),
        ([["a", "KEYWORD_ONLY", "1.0"]], [["a", "KEYWORD_ONLY", "2.0"]]),
        ([["a", "KEYWORD_ONLY", "1.0"]], [["a", "KEYWORD_ONLY", None]]),
        ([["a", "KEYWORD_ONLY", "1.0"]], []),
        ([], [["a", "KEYWORD_ONLY", None]]),
        ([["options", "VAR_KEYWORD", None]], []),
    ],
)
def test_a_difference_is_found(theirs: Any, ours: Any) -> None:
    facts = [
        {"x": fact if isinstance(fact, str) else {"async": False, "parameters": fact}}
        for fact in (theirs, ours)
    ]
    assert list(differences(*facts)) == ["x"]
    assert differences(facts[0], facts[0]) == {}


def test_what_is_missing_is_reported_once() -> None:
    facts = {"a.B": "class", "a.B.c()": "callable", "a.Bc": "class"}
    assert differences(facts, {"a.Bc": "class"}) == {"a.B": "missing"}


def test_a_name_elsewhere_is_followed() -> None:
    assert (
        differences(
            {"a.B": "class", "a.B.c": "attribute"},
            {"a.B": "= d.E", "d.E": "class", "d.E.c": "attribute"},
        )
        == {}
    )
    assert differences({"a.B": "= d.E"}, {"a.B": "= d.F", "d.F": "class"}) == {
        "a.B": "d.E there, d.F here"
    }

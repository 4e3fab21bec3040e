"""docs/logging-and-traces.md lists what the code writes to the log, and the code writes nothing else."""

from __future__ import annotations

import ast
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from tinker import _log

EVENTS = {name: event for name, event in vars(_log).items() if isinstance(event, _log.LogEvent)}
_ROW = re.compile(r"^\| `(tinker\.\w+)` \| `(\w+)` \| ([A-Z, ]+) \| ([\w, ]*) \| (.+) \|$", re.MULTILINE)  # fmt: skip


def modules(repository: Path) -> dict[str, ast.Module]:
    return {
        path.relative_to(repository).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in (repository / "tinker").rglob("*.py")
        if path.name != "_log.py"
    }


def test_the_table_is_that_of_the_code(repository: Path) -> None:
    page = (repository / "docs" / "logging-and-traces.md").read_text(encoding="utf-8")
    listed = [
        (logger, name, levels.strip(), [one for one in fields.strip().split(", ") if one])
        for logger, name, levels, fields, _ in _ROW.findall(page)
    ]
    written = [
        (
            f"tinker.{event.logger}",
            event.name,
            ", ".join(map(logging.getLevelName, event.levels)),
            list(event.fields),
        )
        for event in _log.EVENTS
    ]
    assert listed == written
    assert len(_log.EVENTS) == len({event.name for event in _log.EVENTS}) == len(EVENTS)


def test_each_event_is_written_with_its_fields_and_levels(repository: Path) -> None:
    used = set()
    for module, tree in modules(repository).items():
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name("_log"), attr=name)):
                    event = EVENTS[name]
                    given = {keyword.arg for keyword in node.keywords} - {"exc_info"}
                    assert given == set(event.fields), f"{module}:{node.lineno}"
                    assert len(node.args) == (len(event.levels) > 1), f"{module}:{node.lineno}"
                    used.add(name)
    assert used == EVENTS.keys()


def test_nothing_else_is_written(repository: Path) -> None:
    for module, tree in modules(repository).items():
        calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
        assert "logging.getLogger" not in calls, module
        assert "getLogger" not in calls, module


@pytest.mark.parametrize("event", _log.EVENTS, ids=lambda event: event.name)
def test_a_record_is_made_of_its_fields(
    event: _log.LogEvent, caplog: pytest.LogCaptureFixture
) -> None:
    fields: dict[str, Any] = {
        name: 1.5 if name in ("seconds", "pause") else f"<{name}>" for name in event.fields
    }
    with caplog.at_level(logging.DEBUG, "tinker"):
        event(event.levels[-1], **fields)
    (record,) = caplog.records
    assert record.levelno == event.levels[-1]
    assert record.__dict__["event"] == event.name
    assert record.args == fields
    assert all(f"<{name}>" in record.getMessage() for name in re.findall(r"%\((\w+)\)s", event.text))  # fmt: skip
    assert record.funcName == "test_a_record_is_made_of_its_fields"

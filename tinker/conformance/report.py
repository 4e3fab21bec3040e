"""The results, as a table for people and as JSON for programs."""

from __future__ import annotations

import enum
import re
from collections import Counter
from typing import Any
from xml.etree import ElementTree

from attrs import asdict, field, frozen

from tinker.conformance.exchange import Exchange


class Outcome(enum.Enum):
    PASS = "pass"  # noqa: S105  # no password
    FAIL = "fail"
    NOT_OFFERED = "not offered"
    NOT_RUN = "not run"


_JUNIT = {Outcome.FAIL: "failure", Outcome.NOT_RUN: "error", Outcome.NOT_OFFERED: "skipped"}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _xml(text: str) -> str:
    """The text without characters that XML cannot have."""
    return _NOT_XML.sub("\ufffd", text)


@frozen
class Result:
    name: str
    area: str
    rule: str
    outcome: Outcome
    reason: str = ""
    exchange: Exchange | None = None
    """The request and the response behind a failure."""


@frozen
class Report:
    server: str
    """Its address, without credentials."""
    contract: str
    """The version of the contract that it was tested against."""
    seconds: float
    results: list[Result] = field(factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing failed, and every check that the server offers was run."""
        return not self.count(Outcome.FAIL) and not self.count(Outcome.NOT_RUN)

    def count(self, outcome: Outcome) -> int:
        return Counter(result.outcome for result in self.results)[outcome]

    @property
    def summary(self) -> str:
        counts = [f"{self.count(outcome)} {outcome.value}" for outcome in Outcome]
        return f"{', '.join(counts)} ({self.seconds:.0f} s)"

    def to_json(self) -> dict[str, Any]:
        return {
            "server": self.server,
            "contract": self.contract,
            "seconds": round(self.seconds, 1),
            "passed": self.passed,
            "counts": {outcome.value: self.count(outcome) for outcome in Outcome},
            "results": [
                {
                    **asdict(result, filter=lambda attribute, _: attribute.name != "exchange"),
                    "outcome": result.outcome.value,
                    "exchange": None if result.exchange is None else result.exchange.to_json(),
                }
                for result in self.results
            ],
        }

    def table(self) -> str:
        """The results in columns, for a terminal."""
        width = max((len(result.name) for result in self.results), default=0)
        lines, area = [], ""
        for result in self.results:
            if result.area != area:
                area = result.area
                lines.append(f"\n{area}")
            line = f"  {result.name:<{width}}  {result.outcome.value:<11}  {result.reason}"
            lines.append(line.rstrip())
        return "\n".join(lines).lstrip("\n")

    def details(self) -> str:
        """Each failure with its evidence, for a terminal."""
        return "\n\n".join(
            f"{result.name}: {result.reason}\n  the contract: {result.rule}"
            + ("" if result.exchange is None else f"\n{result.exchange.text(indent='  ')}")
            for result in self.results
            if result.outcome is Outcome.FAIL
        )

    def junit(self) -> bytes:
        """The results as JUnit XML, which CI systems show test by test. What is not offered is skipped."""
        suite = ElementTree.Element(
            "testsuite",
            name="tinker.conformance",
            tests=str(len(self.results)),
            failures=str(self.count(Outcome.FAIL)),
            errors=str(self.count(Outcome.NOT_RUN)),
            skipped=str(self.count(Outcome.NOT_OFFERED)),
            time=f"{self.seconds:.1f}",
        )
        for result in self.results:
            case = ElementTree.SubElement(
                suite, "testcase", classname=f"tinker.conformance.{result.area}", name=result.name
            )
            if result.outcome is Outcome.PASS:
                continue
            tag = _JUNIT[result.outcome]
            problem = ElementTree.SubElement(case, tag, message=_xml(result.reason))
            if result.outcome is Outcome.FAIL:
                evidence = "" if result.exchange is None else result.exchange.text()
                problem.text = _xml(f"The contract: {result.rule}\n\n{evidence}")
        content: bytes = ElementTree.tostring(suite, "utf-8", xml_declaration=True)
        return content

    def markdown(self) -> str:
        """The table and the failures, to paste into an issue."""
        lines = [
            f"Conformance with version {self.contract} of the contract: {self.summary}.",
            "",
            "| | check | result | |",
            "|---|---|---|---|",
        ]
        area = ""
        for result in self.results:
            shown, area = ("" if result.area == area else result.area), result.area
            reason = result.reason.replace("|", "\\|").replace("\n", " ")
            outcome = result.outcome.value
            bold = f"**{outcome}**" if result.outcome is Outcome.FAIL else outcome
            lines.append(f"| {shown} | `{result.name}` | {bold} | {reason} |")
        for result in self.results:
            if result.outcome is Outcome.FAIL:
                lines += ["", f"**`{result.name}`**: {result.reason}", "", f"> {result.rule}"]
                if result.exchange is not None:
                    lines += ["", "```http", result.exchange.text(), "```"]
        return "\n".join(lines) + "\n"

"""The same session with the embedded server: every call works."""

from __future__ import annotations

from tests.interop import session


def test_a_whole_session(server: str) -> None:
    report = session.run(server)
    assert report.failed == {}
    assert len(report.passed) >= 35

"""Addresses of pages in the hosted service's console."""

from __future__ import annotations

from urllib.parse import quote

from tinker.types.tinker_path import ParsedCheckpointTinkerPath

_CONSOLE = "https://tinker.thinkingmachines.ai"


def session_url(session_id: str | None) -> str:
    """The page of a session, or of all sessions."""
    return f"{_CONSOLE}/sessions" + (f"/{session_id}" if session_id else "")


def training_run_url(training_run_id: str) -> str:
    return f"{_CONSOLE}/training_runs/{training_run_id}"


def checkpoint_url(tinker_path: str) -> str:
    path = ParsedCheckpointTinkerPath.from_tinker_path(tinker_path)
    run, checkpoint = quote(path.training_run_id, safe=""), quote(path.checkpoint_id, safe="")
    return f"{_CONSOLE}/checkpoints/{run}/{checkpoint}"


def playground_url(tinker_path: str) -> str:
    """The page on which to try a sampler checkpoint."""
    return f"{_CONSOLE}/playground?mode=checkpoint&checkpoint={quote(tinker_path, safe='')}"

"""Sessions and checkpoints through the generated client: what the server answers are the contract's models."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.raw_client import Raw, save
from tinker_api import AuthenticatedClient
from tinker_api.api.admin import get_audit_log
from tinker_api.api.checkpoints import (
    delete_checkpoint,
    download_checkpoint,
    get_checkpoint_archive,
    get_external_weights_urls,
    get_file,
    get_training_run,
    list_checkpoints,
    list_model_checkpoints,
    list_training_runs,
    list_user_checkpoints,
    publish_checkpoint,
    set_checkpoint_ttl,
    unpublish_checkpoint,
)
from tinker_api.api.sessions import (
    assign_session_project,
    export_session_trace,
    get_session,
    list_sessions,
    search_sessions,
)
from tinker_api.api.weights import copy_weights
from tinker_api.models import (
    AssignSessionProjectRequest,
    ClientFinishedSessionStatusQuery,
    ClientSessionFinished,
    CopyWeightsRequest,
    ErrorResponse,
    OwnSearchOwner,
    SessionSearchRequest,
    SetCheckpointTtlRequest,
    ValidationErrorResponse,
)
from tinker_api.types import File, Response


@pytest.fixture
def client(shared: str) -> Iterator[AuthenticatedClient]:
    with AuthenticatedClient(base_url=shared, token="tml-anna") as generated:
        yield generated


def ok(response: Response[Any]) -> Any:
    assert response.status_code in (200, 204), response.content
    assert not isinstance(response.parsed, (ErrorResponse, ValidationErrorResponse))
    return response.parsed


def test_sessions(client: AuthenticatedClient, anna: Raw) -> None:
    session_id = anna.session(user_metadata={"k": "v"})
    model_id = anna.model(session_id)
    assert ok(list_sessions.sync_detailed(client=client, limit=1)).sessions == [session_id]
    assert ok(get_session.sync_detailed(session_id, client=client)).training_run_ids == [model_id]
    moved = assign_session_project.sync_detailed(
        session_id, client=client, body=AssignSessionProjectRequest(project_id="p")
    )
    assert (moved.status_code, moved.content) == (204, b"")
    body = {"reason": {"type": "interrupted"}, "detail": "Ctrl-C"}
    anna.post(f"sessions/{session_id}/finish", body)
    asked = SessionSearchRequest(
        project_ids=["p"],
        owner=OwnSearchOwner(),
        statuses=[ClientFinishedSessionStatusQuery(reasons=["interrupted"])],
    )
    found = ok(search_sessions.sync_detailed(client=client, body=asked))
    (summary,) = found.sessions
    assert summary.session_id == session_id
    assert isinstance(summary.status, ClientSessionFinished)
    assert summary.status.detail == "Ctrl-C"
    assert found.next_cursor is None
    exported = ok(export_session_trace.sync_detailed(session_id, client=client))
    assert exported.status == "ready"


def test_a_search_is_paged(client: AuthenticatedClient, anna: Raw) -> None:
    ids = [anna.session(display_name="page") for _ in range(3)]
    cursor = None
    seen: list[str] = []
    while len(seen) < 4:
        asked = SessionSearchRequest(display_name="page", limit=1, cursor=cursor)
        page = ok(search_sessions.sync_detailed(client=client, body=asked))
        seen += [one.session_id for one in page.sessions]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ids[::-1]


def test_checkpoints(client: AuthenticatedClient, anna: Raw) -> None:
    model_id = anna.model()
    anna.do("save_weights", save(model_id, 1, "a"))
    place: tuple[str, Any, str] = (model_id, "weights", "a")
    for response in (
        publish_checkpoint.sync_detailed(*place, client=client),
        set_checkpoint_ttl.sync_detailed(
            *place, client=client, body=SetCheckpointTtlRequest(ttl_seconds=3600)
        ),
    ):
        assert (response.status_code, response.content) == (204, b"")
    (listed,) = ok(list_checkpoints.sync_detailed(model_id, client=client, limit=1)).checkpoints
    assert listed.public is True
    assert str(listed.expires_at) > str(listed.time)
    for lists in (
        list_model_checkpoints.sync_detailed(model_id, client=client),
        list_user_checkpoints.sync_detailed(client=client, limit=1),
    ):
        assert ok(lists).checkpoints == [listed]
    run = ok(get_training_run.sync_detailed(model_id, client=client))
    assert run.last_checkpoint == listed
    assert ok(list_training_runs.sync_detailed(client=client, limit=1)).training_runs == [run]
    copy = ok(
        copy_weights.sync_detailed(
            client=client,
            body=CopyWeightsRequest(source_path=listed.tinker_path),
            x_idempotency_key="generated",
        )
    )
    assert copy.tinker_path.endswith("/weights/a")
    assert unpublish_checkpoint.sync_detailed(*place, client=client).status_code == 204

    archive = download_checkpoint.sync_detailed(*place, client=client)
    content = ok(archive)
    assert isinstance(content, File)
    with tarfile.open(fileobj=io.BytesIO(content.payload)) as tar:
        assert "adapter_model.safetensors" in tar.getnames()
    redirect = get_checkpoint_archive.sync_detailed(*place, client=client)
    assert redirect.status_code == 302
    token = redirect.headers["location"].rpartition("/")[2]
    file = get_file.sync_detailed(token, client=client, headers={"Range": "bytes=0-9"})
    assert file.status_code == 206
    assert isinstance(file.parsed, File)
    assert file.parsed.payload == content.payload[:10]
    urls = ok(get_external_weights_urls.sync_detailed(*place, client=client))
    assert len(urls.urls) == 3

    assert delete_checkpoint.sync_detailed(*place, client=client).status_code == 204
    gone = delete_checkpoint.sync_detailed(*place, client=client)
    assert gone.status_code == 404
    assert isinstance(gone.parsed, ErrorResponse)
    assert gone.parsed.detail == f"Unknown checkpoint: {listed.tinker_path}"
    today = datetime.now(UTC).date()
    entries = ok(get_audit_log.sync_detailed(client=client, day=today)).entries
    mine = [entry.event for entry in entries if entry.tinker_path == listed.tinker_path]
    assert mine[0] == "checkpoint_saved"
    assert mine[-1] == "checkpoint_deleted"

"""RestClient and AdminClient: what is on a server, read and managed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

import tinker
from tests.support import pauses
from tinker import types
from tinker_local import LocalServer


@pytest.fixture
def rest(service: tinker.ServiceClient) -> tinker.RestClient:
    return service.create_rest_client()


@pytest.fixture
def path(training: tinker.TrainingClient) -> str:
    return training.save_state("first").result().path


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[str]:
    """A server of this test's own."""
    with LocalServer(data=tmp_path) as running:
        yield running.url


def test_a_training_run_and_its_checkpoints(
    rest: tinker.RestClient, training: tinker.TrainingClient, path: str
) -> None:
    run = rest.get_training_run(training.model_id).result()
    assert run == rest.get_training_run_by_tinker_path(path).result()
    assert run.last_checkpoint is not None
    assert run.last_checkpoint.tinker_path == path
    assert run.lora_rank == 4
    (listed,) = rest.list_checkpoints(training.model_id).result().checkpoints
    assert listed == run.last_checkpoint
    assert listed.time.tzinfo is not None
    assert rest.get_weights_info_by_tinker_path(path).result().lora_rank == 4
    assert run in rest.list_training_runs(limit=5).result().training_runs


def test_a_checkpoint_is_published_kept_and_deleted(rest: tinker.RestClient, path: str) -> None:
    parsed = types.ParsedCheckpointTinkerPath.from_tinker_path(path)

    def now() -> types.Checkpoint:
        (only,) = rest.list_checkpoints(parsed.training_run_id).result().checkpoints
        return only

    assert rest.publish_checkpoint_from_tinker_path(path).result() is None
    assert now().public
    with pytest.raises(tinker.ConflictError, match="is public already"):
        rest.publish_checkpoint_from_tinker_path(path).result()
    rest.unpublish_checkpoint_from_tinker_path(path).result()
    assert not now().public
    rest.set_checkpoint_ttl_from_tinker_path(path, 3600).result()
    assert now().expires_at is not None
    rest.set_checkpoint_ttl_from_tinker_path(path, None).result()
    assert now().expires_at is None
    rest.delete_checkpoint(parsed.training_run_id, parsed.checkpoint_id).result()
    with pytest.raises(tinker.NotFoundError, match="Unknown checkpoint"):
        rest.delete_checkpoint_from_tinker_path(path).result()


def test_a_copy_can_be_trained_on(service: tinker.ServiceClient, path: str) -> None:
    copy = service.copy_weights(path, ttl_seconds=3600).result()
    assert copy != path
    client = service.create_training_client_from_state_with_optimizer(copy).result()
    assert client.get_info().lora_rank == 4


def test_sessions_are_listed_searched_moved_and_traced(
    service: tinker.ServiceClient, rest: tinker.RestClient, training: tinker.TrainingClient
) -> None:
    session_id = service.holder.known_id
    assert session_id is not None
    assert session_id in rest.list_sessions(limit=50).result().sessions
    assert rest.get_session(session_id).result().training_run_ids == [training.model_id]
    rest.assign_session_project(session_id, "moved").result()
    request = types.SessionSearchRequest(session_id=session_id, project_ids=["moved"])
    (found,) = rest.search_sessions(request).result().sessions
    assert found.session_id == session_id
    assert isinstance(found.status, types.SessionActive)
    assert rest.export_session_trace(session_id).result().startswith("http://127.0.0.1")


def test_iterators_read_page_by_page_in_both_worlds(alone: str) -> None:
    with tinker.ServiceClient(base_url=alone) as service:
        training = service.create_lora_training_client("tinker-local/tiny", rank=1).result()
        futures = [training.save_state(f"c{number}") for number in range(7)]
        paths = [future.result().path for future in futures][::-1]
        rest = service.create_rest_client()
        assert [one.tinker_path for one in rest.iter_user_checkpoints()] == paths
        assert [run.training_run_id for run in rest.iter_training_runs()] == [training.model_id]
        assert list(rest.iter_sessions()) == [service.holder.known_id]

        async def read() -> list[str]:
            return [one.tinker_path async for one in rest.iter_user_checkpoints()]

        assert asyncio.run(read()) == paths
        for _ in range(3):
            with tinker.ServiceClient(base_url=alone, user_metadata={"k": "v"}) as other:
                other.create_sampling_client(base_model="tinker-local/tiny").result()
        request = types.SessionSearchRequest.from_dict({"user_metadata": {"k": "v"}, "limit": 2})
        assert len({one.session_id for one in rest.iter_search_sessions(request)}) == 3


def test_alone_it_opens_no_session(alone: str) -> None:
    with tinker.RestClient(base_url=alone) as rest:
        assert rest.get_server_capabilities().result().supported_models
        assert rest.list_sessions().result().sessions == []
        assert rest.whoami().result().email == "local@localhost"
    with pytest.raises(tinker.TinkerError, match="closed"):
        rest.list_sessions().result()


def test_usage_and_audit(alone: str) -> None:
    with tinker.ServiceClient(base_url=alone) as service:
        training = service.create_lora_training_client("tinker-local/tiny", rank=1).result()
        training.save_state("a").result()
    with tinker.AdminClient(base_url=alone) as admin:
        today = datetime.now(UTC)
        entries = admin.get_audit_log("checkpoints", today.date()).result().entries
        assert [entry.event for entry in entries] == ["checkpoint_saved"]
        hour = today.replace(minute=0, second=0, microsecond=0)
        usage = admin.get_billing_usage(
            hour - timedelta(hours=1), f"{hour + timedelta(hours=2)}"
        ).result()
        assert {event.event_info.type for event in usage.data} >= {"checkpoint", "storage"}
        assert admin.get_current_checkpoint_storage_usage().result().data[0].checkpoint_count == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.list_training_runs(limit=0), "limit is 0"),
        (lambda r: r.list_user_checkpoints(offset=-1), "offset is -1"),
        (lambda r: r.list_sessions(access_scope="mine"), "access_scope is 'mine'"),
        (lambda r: r.delete_checkpoint("run", "name"), "not a tinker path"),
        (lambda r: r.publish_checkpoint_from_tinker_path("weights/x"), "must be a tinker path"),
        (
            lambda r: r.set_checkpoint_ttl_from_tinker_path("tinker://a/weights/b", 0),
            "ttl_seconds is 0",
        ),
        (lambda r: r.get_session(""), "session_id is ''"),
        (lambda r: r.get_billing_usage("2026-01-01 00:30", "2026-01-02"), "must be a full hour"),
        (lambda r: r.get_billing_usage("soon", "2026-01-02"), "starting_on is 'soon'"),
        (
            lambda r: r.get_billing_usage("0001-01-01T00:00+05:00", "2026"),
            "must be a date and time",
        ),
        (lambda r: r.get_billing_usage("2026-01-01", "2026-02-01"), "14 days"),
        (lambda r: r.get_audit_log("everything"), "event_type is 'everything'"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_sent(call: object, message: str) -> None:
    rest = tinker.RestClient(base_url="http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(ValueError, match=message):
        call(rest)  # type: ignore[operator]


def test_a_time_of_the_day_is_not_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses.give_up_at_once(monkeypatch)
    admin = tinker.AdminClient(base_url="http://127.0.0.1:9")
    with pytest.raises(TypeError, match=r"datetime\.date"):
        admin.get_audit_log(day=datetime.now(UTC))
    with pytest.raises(tinker.APIConnectionError, match="Is the server running"):
        admin.get_audit_log(day=date(2026, 1, 1)).result()


def test_downloads_are_the_files_that_were_saved(
    rest: tinker.RestClient, training: tinker.TrainingClient, path: str, tmp_path: Path
) -> None:
    external = training.save_weights_external("release").result().path
    assert external is not None
    calls: list[tuple[int, int | None]] = []
    folder = rest.download_checkpoint(
        path, tmp_path, progress=lambda *at: calls.append(at)
    ).result()
    weights = {"adapter_config.json", "adapter_model.safetensors"}
    assert {file.name for file in folder.iterdir()} == weights | {"optimizer.safetensors"}
    assert json.loads((folder / "adapter_config.json").read_text())["r"] == 4
    assert calls[-1][0] == calls[-1][1]
    with pytest.raises(FileExistsError, match="pass overwrite=True"):
        rest.download_checkpoint(path, tmp_path).result()
    assert rest.download_checkpoint(path, tmp_path, overwrite=True).result() == folder
    other = rest.download_checkpoint(external, tmp_path).result()
    assert {file.name for file in other.iterdir()} == weights
    assert not list(tmp_path.glob(".*"))


def test_checkpoints_are_searched(
    service: tinker.ServiceClient, rest: tinker.RestClient, training: tinker.TrainingClient
) -> None:
    mark = {"search": training.model_id}
    paths = [
        training.save_state(f"s{number}", user_metadata=mark).result().path for number in range(5)
    ]
    request = types.CheckpointSearchRequest.from_dict({"user_metadata": mark, "limit": 2})
    page = rest.search_checkpoints(request).result()
    assert [one.tinker_path for one in page.checkpoints] == paths[:-3:-1]
    assert page.next_cursor is not None
    assert page.next_cursor.last_created_at.tzinfo is not None
    assert page.checkpoints[0].base_model == "tinker-local/tiny"
    found = rest.iter_search_checkpoints(request)
    assert next(found).tinker_path == paths[-1]
    assert [one.tinker_path for one in found] == paths[-2::-1]

    async def everything() -> list[str]:
        return [one.tinker_path async for one in rest.iter_search_checkpoints(request)]

    assert asyncio.run(everything()) == paths[::-1]
    none = types.CheckpointSearchRequest(base_models=[])
    assert list(rest.iter_search_checkpoints(none)) == []


def test_no_client_records_how_it_is_used(
    service: tinker.ServiceClient, rest: tinker.RestClient, training: tinker.TrainingClient
) -> None:
    sampling = service.create_sampling_client(base_model="tinker-local/tiny").result()
    for client in (service, training, sampling, rest, tinker.AdminClient(service.holder)):
        assert client.get_telemetry() is None


def test_a_client_for_a_checkpoint_at_the_context_of_its_base_model(
    service: tinker.ServiceClient, training: tinker.TrainingClient
) -> None:
    path = training.save_weights_for_sampler("s").result().path
    client = service.create_sampling_client(model_path=path, base_model="tinker-local/tiny")
    assert client.result().get_base_model() == "tinker-local/tiny"
    with pytest.raises(tinker.BadRequestError, match="belongs to tinker-local/tiny, not to other"):
        service.create_sampling_client(model_path=path, base_model="other").result()


def test_a_refused_run_of_another_owner_says_how_to_see_what_is_published(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("tml-anna anna\ntml-bert bert\n")
    with (
        LocalServer(keys=file) as server,
        tinker.ServiceClient(base_url=server.url, api_key="tml-anna") as service,
        tinker.RestClient(base_url=server.url, api_key="tml-bert") as other,
    ):
        training = service.create_lora_training_client("tinker-local/tiny", rank=1).result()
        path = training.save_state("shown").result().path
        service.create_rest_client().publish_checkpoint_from_tinker_path(path).result()
        session_id = service.session.known_id
        assert session_id is not None
        for owned, accessible in (
            (
                other.get_training_run(training.model_id),
                other.get_training_run(training.model_id, "accessible"),
            ),
            (
                other.get_training_run_by_tinker_path(path),
                other.get_training_run_by_tinker_path(path, "accessible"),
            ),
            (other.get_session(session_id), other.get_session(session_id, "accessible")),
        ):
            with pytest.raises(tinker.PermissionDeniedError, match="access_scope='accessible'"):
                owned.result(timeout=60)
            assert training.model_id in str(accessible.result(timeout=60))

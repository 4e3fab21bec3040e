"""Generated models: the methods of pydantic models and the functions of dataclasses, on what the contract describes."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import inspect
import json
import pickle
import typing
from typing import Any
from xml.etree import ElementTree

import attrs
import pytest

import tinker
from tests.support.present import present
from tinker import types

UTC = datetime.UTC
CHECKPOINT = {
    "checkpoint_id": "weights/a",
    "checkpoint_type": "training",
    "time": "2026-01-02T03:04:05Z",
    "tinker_path": "tinker://r/weights/a",
}
RUN = {
    "training_run_id": "r",
    "base_model": "m",
    "model_owner": "o",
    "is_lora": True,
    "last_request_time": "2026-01-02T03:04:05.5+00:00",
    "last_checkpoint": CHECKPOINT,
}


def test_a_model_is_validated_with_those_in_it() -> None:
    run = tinker.TrainingRun.model_validate({**RUN, "of a newer server": 1})
    assert run.last_checkpoint is not None
    assert run.last_checkpoint.time == datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert tinker.TrainingRun.model_validate(run) is run
    assert tinker.TrainingRun.model_validate_json(json.dumps(RUN)) == run
    with_model = {**RUN, "last_checkpoint": tinker.Checkpoint.model_validate(CHECKPOINT)}
    assert tinker.TrainingRun.model_validate(with_model) == run
    assert tinker.TrainingRun.model_validate(run.model_dump()) == run


def test_dumping() -> None:
    run = tinker.TrainingRun.model_validate(RUN)
    python, as_json = run.model_dump(), run.model_dump(mode="json")
    assert python["last_request_time"] == run.last_request_time
    assert as_json["last_request_time"] == "2026-01-02T03:04:05.500000Z"
    assert as_json["last_checkpoint"]["time"] == "2026-01-02T03:04:05Z"
    assert python["last_sampler_checkpoint"] is None
    short = run.model_dump(mode="json", exclude_defaults=True)
    assert short == {**RUN, "last_request_time": "2026-01-02T03:04:05.500000Z"}
    assert run.model_dump(include={"base_model", "is_lora"}) == {"base_model": "m", "is_lora": True}
    assert "size_bytes" not in run.model_dump(exclude_none=True)["last_checkpoint"]
    assert json.loads(run.model_dump_json(indent=2)) == as_json
    assert dict(run)["last_checkpoint"] is run.last_checkpoint


def test_copies_are_equal_and_independent() -> None:
    step = tinker.OptimStepResponse(
        metrics=types.OptimStepResponse.model_validate({"metrics": {"a": 1.0}}).metrics
    )
    copies = [step.model_copy(), step.model_copy(deep=True), copy.copy(step), copy.deepcopy(step)]
    copies.append(pickle.loads(pickle.dumps(step)))
    assert all(other == step for other in copies)
    assert copies[0].metrics is step.metrics
    assert copies[1].metrics is not step.metrics
    params = tinker.AdamParams()
    changed = params.model_copy(update={"learning_rate": 1.0})
    assert (changed.learning_rate, params.learning_rate) == (1.0, 1e-4)
    assert dataclasses.replace(params, learning_rate=1.0) == changed
    assert attrs.evolve(params, learning_rate=1.0) == changed
    assert len({params, changed, tinker.AdamParams()}) == 2


def test_models_are_frozen() -> None:
    params = tinker.AdamParams()
    with pytest.raises(AttributeError):
        params.learning_rate = 1.0  # type: ignore[misc]
    with pytest.raises(AttributeError):
        params.lr = 1.0  # type: ignore[attr-defined]


def test_models_are_values() -> None:
    one, same = (types.Cursor(offset=0, limit=2, total_count=3) for _ in range(2))
    assert one == same and len({one, same}) == 1
    assert one not in [attrs.evolve(one, limit=1), dict(one), (0, 2, 3), None]
    assert one != types.AdamParams()
    assert repr(one) == "Cursor(offset=0, limit=2, total_count=3)"
    assert eval(repr(one), vars(types)) == one
    run = tinker.TrainingRun.model_validate(RUN)
    assert f"last_checkpoint={run.last_checkpoint!r}" in repr(run)
    with pytest.raises(TypeError, match="unhashable"):
        hash(run.model_copy(update={"user_metadata": {"a": "b"}}))


def test_fields() -> None:
    fields = tinker.AdamParams.model_fields
    assert next(iter(fields)) == "learning_rate"
    assert fields["learning_rate"].default == 1e-4
    assert next(f.name for f in dataclasses.fields(tinker.LoraConfig(rank=1))) == "rank"
    assert dataclasses.asdict(tinker.LoraConfig(rank=1))["rank"] == 1


@pytest.mark.parametrize(
    ("model", "fields", "message"),
    [
        (tinker.LoraConfig, {}, "LoraConfig needs 'rank'"),
        (
            tinker.LoraConfig,
            {"rank": 1, "alpha": 2},
            "LoraConfig has no field 'alpha'; its fields are rank, seed,",
        ),
        (tinker.AdamParams, {"lr": 1}, "AdamParams has no field 'lr'"),
        (tinker.AdamParams, 5, "expected AdamParams or a mapping of its fields, not int"),
        (tinker.TrainingRun, {**RUN, "last_checkpoint": 5}, "TrainingRun: .* while reading"),
        (
            tinker.TrainingRun,
            {**RUN, "last_request_time": "soon"},
            "Invalid isoformat string: 'soon'",
        ),
    ],
)
def test_what_does_not_fit_is_rejected(model: Any, fields: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model.model_validate(fields)


def test_optimizers_are_told_apart_and_unknown_ones_keep_their_fields() -> None:
    info = {"model_id": "m", "model_data": {"model_name": "b"}}
    configs = [{"type": "adamw"}, {"type": "dimuon", "version": 1}, {"type": "new", "k": [1]}]
    kinds = [types.AdamOptimizerConfig, tinker.DimuonOptimizerConfig, types.OptimizerConfigBase]
    for config, kind in zip(configs, kinds, strict=True):
        read = types.GetInfoResponse.model_validate({**info, "optimizer_config": config})
        assert isinstance(read.optimizer_config, kind)
        assert present(read.optimizer_config).model_dump() == config
        assert type(read).model_validate(read.model_dump()) == read
        assert read.to_dict()["optimizer_config"] == config


def test_a_list_or_map_that_is_left_out_is_empty() -> None:
    entry = types.AuditLogEntry.model_validate({"timestamp": "2026-01-02T03:04:05Z", "event": "e"})
    assert entry.event_details == {}
    assert "event_details" not in entry.to_dict()
    entry.event_details["mine"] = 1
    assert types.AuditLogEntry(timestamp=entry.timestamp, event="e").event_details == {}


def test_a_member_of_a_users_pydantic_model() -> None:
    pydantic = pytest.importorskip("pydantic")
    mine = pydantic.create_model("Mine", adam=(tinker.AdamParams, tinker.AdamParams()))
    made = mine.model_validate({"adam": {"beta1": 0.5}})
    assert made.adam.beta1 == 0.5
    assert mine.model_validate_json(made.model_dump_json()) == made
    with pytest.raises(pydantic.ValidationError, match="AdamParams has no field 'lr'"):
        mine.model_validate({"adam": {"lr": 1}})


def test_type_hints_can_be_resolved() -> None:
    """Libraries that check or convert by type hints resolve those of the types they are given."""
    classes = [value for name in dir(types) if inspect.isclass(value := getattr(types, name))]
    hints = {one: typing.get_type_hints(one) for one in classes}
    assert hints[tinker.Datum]["model_input"] is tinker.ModelInput
    assert hints[tinker.ModelInput]["chunks"] == list[types.ModelInputChunk]


def test_notebooks_show_models_as_tables() -> None:
    run = tinker.TrainingRun.model_validate({**RUN, "base_model": "<b>&"})
    shown = run._repr_html_()
    assert "<caption>TrainingRun</caption>" in shown
    assert "<tr><td>base_model</td><td>&lt;b&gt;&amp;</td></tr>" in shown
    page = {"training_runs": [RUN] * 60, "cursor": {"limit": 60, "offset": 0, "total_count": 60}}
    rows = tinker.types.TrainingRunsResponse.model_validate(page)._repr_html_()
    assert rows.count(f"<td>{RUN['training_run_id']}</td>") == 50
    assert "and 10 more" in rows
    output = tinker.ForwardBackwardOutput(
        loss_fn_output_type="x", loss_fn_outputs=[], metrics={"loss:sum": 1.5}
    )
    assert "<tr><td>loss:sum</td><td>1.5</td></tr>" in output._repr_html_()
    for text in (shown, rows, output._repr_html_()):
        ElementTree.fromstring(text)  # each tag is closed

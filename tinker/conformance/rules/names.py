"""Ids and names that clients take apart."""

from __future__ import annotations

from tinker.conformance.checks import check
from tinker.conformance.outcomes import expect
from tinker.conformance.subject import Subject
from tinker_api.models.metric_reduction import METRIC_REDUCTION_VALUES


@check("model id", "rules", "create_model")
def model_id(s: Subject) -> None:
    """The id of a model is `<session_id>:train:<model_seq_id>`."""
    body, _ = s.recall("create_model")
    expected = f"{s.session_id}:train:{body['model_seq_id']}"
    expect(s.model.id == expected, f"expected {expected}, found {s.model.id}")


@check("model_id in the promise", "rules", "create_model")
def model_id_in_promise(s: Subject) -> None:
    """The promise of create_model already has the id of the model."""
    _, promise = s.recall("create_model")
    found = promise.get("model_id")
    expect(found == s.model.id, f"model_id: expected {s.model.id}, found {found!r}")


@check("checkpoint paths", "rules", "save_weights")
def checkpoint_paths(s: Subject) -> None:
    """A tinker path is `tinker://<training run>/<weights|sampler_weights|external_weights>/<name>`."""
    for kind in ("weights", "sampler_weights", "external_weights"):
        if kind in s.results:
            found, expected = s.recall(kind), f"tinker://{s.model.id}/{kind}/{s.name}"
            expect(found == expected, f"expected {expected}, found {found}")


@check("checkpoint_id", "rules", "list_checkpoints")
def checkpoint_id(s: Subject) -> None:
    """`checkpoint_id` is `<kind>/<name>`."""
    found, expected = s.recall("listed")["checkpoint_id"], f"weights/{s.name}"
    expect(found == expected, f"expected {expected}, found {found}")


@check("sample_sequence_ids", "rules", "asample")
def sample_sequence_ids(s: Subject) -> None:
    """The promise of asample has an id for each sample."""
    ids = s.call("asample", s.sample_body(s.sampler, num_samples=3)).get("sample_sequence_ids")
    expect(ids is not None, "sample_sequence_ids is missing")
    expect(len(set(ids)) == 3, f"num_samples 3: expected 3 different ids, found {len(set(ids))}")


@check("metric names", "rules", "forward_backward")
def metric_names(s: Subject) -> None:
    """The name of a metric is `<name>:<reduction>` with one colon; the reduction says how chunks become one."""
    _, losses = s.recall("loss")
    wrong = [
        name
        for name in losses.metrics
        if name.count(":") != 1 or name.split(":")[1] not in METRIC_REDUCTION_VALUES
    ]
    expect(
        not wrong,
        f"expected names that end with one of {', '.join(sorted(METRIC_REDUCTION_VALUES))}, "
        f"found {', '.join(wrong)}",
    )


@check("colons in paths", "rules", "create_sampling_session", "get_sampler")
def colons(s: Subject) -> None:
    """The colons of ids in URL paths may be percent-encoded or not."""
    for how, raw in (("plain", True), ("percent-encoded", False)):
        status = s.send("get_sampler", path={"sampler_id": s.sampler.id}, raw_path=raw).status
        expect(status == 200, f"{how} colons: expected status 200, found {status}")

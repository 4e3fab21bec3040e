"""Datum: how the inputs of a loss are typed, and how provenance is checked."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import attrs
import numpy as np
import pytest

from tinker.types import (
    Datum,
    ImageChunk,
    ModelInput,
    PromptProvenanceSpan,
    SampledProvenanceSpan,
    TensorData,
)

PROMPT = ModelInput.from_ints([1, 2, 3])


def make(**inputs: Any) -> Datum:
    return Datum(model_input=PROMPT, loss_fn_inputs=inputs)


# ---- loss_fn_inputs -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("target_tokens", "int64"),
        ("weights", "float32"),
        ("advantages", "float32"),
        ("logprobs", "float32"),
        ("clip_low_threshold", "float32"),
        ("clip_high_threshold", "float32"),
        ("sequence_ratio_mask", "float32"),
    ],
)
def test_lists_are_typed_by_their_name(name: str, dtype: str) -> None:
    for values in ([1, 0, 2], (1, 0, 2)):
        tensor = make(**{name: values}).loss_fn_inputs[name]
        assert (tensor.dtype, tensor.shape, tensor.data) == (dtype, [3], [1, 0, 2])
    nested = make(**{name: [[1, 0], [2, 0], [3, 0]]}).loss_fn_inputs[name]
    assert (nested.dtype, nested.shape) == (dtype, [3, 2])
    assert make(**{name: []}).loss_fn_inputs[name].shape == [0]


def test_a_list_under_another_name_is_a_key_error_that_explains() -> None:
    with pytest.raises(KeyError) as caught:
        make(mask=[1, 2, 3])
    assert str(caught.value).startswith("loss_fn_inputs['mask'] is a list")
    assert "sequence_ratio_mask" in str(caught.value)


def test_arrays_and_tensor_data_go_under_any_name_and_keep_their_type() -> None:
    tensor = TensorData([1.0])
    datum = make(mask=np.array([1, 0, 1]), weights=np.array([1, 0, 1]), extra=tensor)
    assert datum.loss_fn_inputs["mask"].dtype == "int64"
    assert datum.loss_fn_inputs["weights"].dtype == "int64"
    assert datum.loss_fn_inputs["extra"] is tensor


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, None], r"loss_fn_inputs\['weights'\]: data\[1\] is None"),
        ([[1], [1, 2]], r"loss_fn_inputs\['weights'\]: data must be a rectangle"),
        (np.array([True]), r"loss_fn_inputs\['weights'\]: data is an array of bool"),
    ],
)
def test_wrong_values_are_named(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(weights=value)


def test_targets_are_not_rounded() -> None:
    with pytest.raises(ValueError, match=r"data\[0\] is 1\.5 .*integer"):
        make(target_tokens=[1.5])


@pytest.mark.parametrize("value", [5, "123", None])
def test_what_is_not_an_array_is_rejected(value: Any) -> None:
    with pytest.raises(TypeError, match=r"loss_fn_inputs\['weights'\]: data is of type"):
        make(weights=value)
    with pytest.raises(TypeError, match="loss_fn_inputs is of type"):
        Datum(PROMPT, value)


def test_the_model_input_must_be_one() -> None:
    with pytest.raises(TypeError, match="model_input is of type list; it must be a ModelInput"):
        Datum(model_input=[1, 2, 3])  # type: ignore[arg-type]


def test_the_inputs_are_a_dict_of_the_datums_own() -> None:
    inputs = {"weights": [1.0, 1.0, 1.0]}
    datum = Datum(PROMPT, inputs)
    datum.loss_fn_inputs["weights"] = TensorData([0.5, 0.5, 0.5])
    assert inputs == {"weights": [1.0, 1.0, 1.0]}
    assert Datum(PROMPT).loss_fn_inputs == {}
    assert Datum(PROMPT).loss_fn_inputs is not Datum(PROMPT).loss_fn_inputs


@pytest.mark.torch
def test_torch_tensors() -> None:
    torch = pytest.importorskip("torch")
    few = torch.eye(10)
    datum = make(target_tokens=few.long(), weights=few, advantages=few, mask=torch.tensor([1, 0]))
    inputs = datum.loss_fn_inputs
    assert inputs["target_tokens"].data == [1] * 10  # mostly zeros: sent sparse
    assert inputs["weights"].sparse_crow_indices is not None
    assert inputs["advantages"].sparse_crow_indices is None
    assert inputs["mask"] == TensorData([1, 0])
    assert all(
        inputs[name].to_torch().equal(few.to(inputs[name].to_torch().dtype))
        for name in ("target_tokens", "weights", "advantages")
    )


# ---- provenance -----------------------------------------------------------------------------

PROMPT_SPAN = PromptProvenanceSpan(sequence_id="s", offset=4, length=2)
SAMPLED_SPAN = SampledProvenanceSpan(sequence_id="s", length=1)


def test_spans_that_cover_every_position_are_kept() -> None:
    datum = make(target_tokens=[2, 3, 4])
    marked = datum.with_provenance([PROMPT_SPAN, SAMPLED_SPAN], [SAMPLED_SPAN] * 3)
    assert marked.model_input_spans == [PROMPT_SPAN, SAMPLED_SPAN]
    assert marked.loss_fn_input_spans == [SAMPLED_SPAN] * 3
    assert datum.model_input_spans is None
    assert (marked.model_input, marked.loss_fn_inputs) == (datum.model_input, datum.loss_fn_inputs)


def test_spans_that_do_not_are_refused() -> None:
    datum = make(target_tokens=[2, 3, 4])
    with pytest.raises(ValueError, match="cover 2 positions; model_input has 3"):
        datum.with_provenance([PROMPT_SPAN], [SAMPLED_SPAN] * 3)
    with pytest.raises(ValueError, match="cover 1 positions; target_tokens has 3"):
        datum.with_provenance([SAMPLED_SPAN] * 3, [SAMPLED_SPAN])
    with pytest.raises(ValueError, match="or neither"):
        Datum(PROMPT, {}, [SAMPLED_SPAN] * 3)
    with pytest.raises(TypeError, match="number 0 is of type int"):
        datum.with_provenance([3], [SAMPLED_SPAN] * 3)  # type: ignore[list-item]
    unknown = Datum(ModelInput(chunks=[ImageChunk(data=b"", format="png")]))
    with pytest.raises(ValueError, match="no expected_tokens"):
        unknown.with_provenance([SAMPLED_SPAN], [])


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"length": 1.5}, TypeError, "length is 1.5; it must be an integer"),
        ({"length": True}, TypeError, "length is True; it must be an integer"),
        ({"length": -1}, ValueError, "length is -1; it must be at least 0"),
        ({"length": 1, "offset": "0"}, TypeError, "offset is '0'; it must be an integer"),
        ({"length": 1, "sequence_id": ""}, ValueError, "must be a non-empty string"),
    ],
)
def test_fields_of_spans_are_named(
    fields: dict[str, Any], error: type[Exception], message: str
) -> None:
    for kind in (PromptProvenanceSpan, SampledProvenanceSpan):
        with pytest.raises(error, match=f"{kind.__name__}.*{message}"):
            kind(**{"sequence_id": "s", **fields})


def test_without_targets_only_the_input_is_checked() -> None:
    spans = [SampledProvenanceSpan(sequence_id="s", length=3)]
    assert make().with_provenance(spans, []).model_input_spans == spans
    with pytest.raises(ValueError, match="cover 3 positions; target_tokens has 2"):
        make(target_tokens=[1, 2]).with_provenance(spans, spans)


def test_spans_are_checked_and_are_values() -> None:
    with pytest.raises(ValueError, match=r"SampledProvenanceSpan\.length is -1"):
        SampledProvenanceSpan(sequence_id="s", length=-1)
    with pytest.raises(ValueError, match=r"PromptProvenanceSpan\.offset is -1"):
        PromptProvenanceSpan(sequence_id="s", offset=-1, length=1)
    with pytest.raises(TypeError, match="must be an integer"):
        PromptProvenanceSpan(sequence_id="s", length=1.5)  # type: ignore[arg-type]
    prompt, sampled = (
        kind(sequence_id="s", length=1) for kind in (PromptProvenanceSpan, SampledProvenanceSpan)
    )
    assert prompt != sampled
    assert len({prompt, sampled, PromptProvenanceSpan(sequence_id="s", length=1)}) == 2


# ---- as values ------------------------------------------------------------------------------


def test_equality_copies_and_dumps() -> None:
    datum = make(target_tokens=[2, 3, 4], weights=[1, 1, 0])
    assert datum == make(target_tokens=[2, 3, 4], weights=[1, 1, 0])
    assert datum != make(target_tokens=[2, 3, 4], weights=[1, 1, 1])
    assert copy.deepcopy(datum) == pickle.loads(pickle.dumps(datum)) == datum
    assert Datum.model_validate(datum.model_dump()) == datum
    assert Datum.model_validate_json(datum.model_dump_json()) == datum
    with pytest.raises(AttributeError):
        datum.model_input = PROMPT  # type: ignore[misc]
    with pytest.raises(TypeError, match="unhashable"):
        hash(datum)


def test_evolve_changes_one_member() -> None:
    datum = make(weights=[1, 1, 0])
    changed = attrs.evolve(datum, loss_fn_inputs={"weights": [0, 0, 0]})
    assert changed.model_input is datum.model_input
    assert changed.loss_fn_inputs["weights"].data == [0.0, 0.0, 0.0]

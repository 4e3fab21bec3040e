"""Recordings of samples, for losses that need to know how tokens were drawn.

A sampling request with `record_stability_info` leaves its prompt and, for each sequence, the tokens and the
log-probability each was drawn with. A training request names the sequences its positions repeat, in provenance
spans; for a loss that needs them, spans are checked against the recording.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import safetensors.numpy
from attrs import evolve, field, frozen

from tinker_local.engine.base import Array, EngineError, Example, SampleResult, SampleSpec
from tinker_local.options import Options
from tinker_local.state.store import FAILED, PENDING, Request, Row, Store

Recording = Mapping[str, npt.NDArray[np.generic]]
"""`prompt`, and for each sequence `<index>.tokens` and `<index>.logprobs`."""


@frozen(kw_only=True)
class Span:
    """`length` positions that repeat tokens from `offset` on, of a sequence's prompt or of its sampled tokens."""

    sampled: bool
    sequence_id: str
    offset: int
    length: int


@frozen(kw_only=True)
class Provenance:
    """The spans of one datum: of its `model_input` and of its `target_tokens`."""

    model_input: Sequence[Span]
    targets: Sequence[Span]


class Recordings:
    """Recordings, by sampling request. They belong to the session that sampled."""

    def __init__(self, store: Store, options: Options) -> None:
        self._store = store
        self._seconds = options.keep_recordings_seconds

    def add(
        self, request: Request, session_id: str, spec: SampleSpec, result: SampleResult
    ) -> None:
        """Record a request's samples; inside the transaction that records their result."""
        recording: dict[str, Array] = {"prompt": spec.prompt.astype(np.int32)}
        for index, sequence in enumerate(result.sequences):
            recording[f"{index}.tokens"] = sequence.tokens
            recording[f"{index}.logprobs"] = sequence.drawn_logprobs
        self._store.insert(
            "recordings",
            id=request.id,
            session_id=session_id,
            used=self._store.now(),
            content=safetensors.numpy.save(recording),
        )

    def attribute(
        self, data: Sequence[Example], provenance: Sequence[Provenance], model: Row
    ) -> tuple[list[Example], set[str]]:
        """The data with the recorded log-probabilities, and the recordings that were used.

        Raises EngineError if a datum has no spans, or if its spans do not cover its positions, name samples
        that this model's session has not drawn or recorded, or have different tokens.
        """
        reader = _Reader(self._store, model, self._seconds)
        attributed = [
            evolve(example, drawn_logprobs=_drawn_logprobs(f"data[{index}]", example, own, reader))
            for index, (example, own) in enumerate(zip(data, provenance, strict=True))
        ]
        return attributed, set(reader.read)

    def use(self, recordings: set[str]) -> None:
        """Restart their retention period."""
        for key in recordings:
            self._store.write("UPDATE recordings SET used = ? WHERE id = ?", self._store.now(), key)


def _drawn_logprobs(
    where: str, example: Example, provenance: Provenance, reader: _Reader
) -> npt.NDArray[np.float32]:
    """For each target the log-probability with which it was drawn, or NaN if it was not drawn."""
    if not (provenance.model_input and provenance.targets):
        raise EngineError(
            f"{where} has no provenance spans, which stable_reinforce needs: name the samples it comes "
            "from with Datum.with_provenance, and send it as protobuf; JSON has no place for them."
        )
    targets = example.inputs.get("target_tokens")
    if targets is None or targets.ndim != 1:
        shape = "missing" if targets is None else f"of shape {list(targets.shape)}"
        raise EngineError(
            f"{where}: target_tokens is {shape}; stable_reinforce needs one for each position."
        )
    for name, span, part, tokens in _parts(
        f"{where}.model_input_spans", provenance.model_input, example.tokens, reader
    ):
        _check_tokens(name, span, part["tokens"], tokens)
    drawn = [np.zeros(0, np.float32)]
    for name, span, part, tokens in _parts(
        f"{where}.loss_fn_input_spans", provenance.targets, targets, reader
    ):
        if span.sampled:
            _check_tokens(name, span, part["tokens"], tokens)
        # Targets that repeat the prompt are not trained on, so their values do not matter: many clients write 0.
        drawn.append(part.get("logprobs", np.full(span.length, np.nan)).astype(np.float32))
    return np.concatenate(drawn)


def _parts(
    where: str, spans: Sequence[Span], covered: Array, reader: _Reader
) -> Iterator[tuple[str, Span, Recording, Array]]:
    """Each span with its name, the recording of its positions, and the tokens of the datum there."""
    total = sum(span.length for span in spans)
    if total != len(covered):
        raise EngineError(
            f"{where} cover {total} positions of {len(covered)}; they must cover each once."
        )
    start = 0
    for index, span in enumerate(spans):
        name = f"{where}[{index}]"
        yield name, span, reader.part(name, span), covered[start : start + span.length]
        start += span.length


def _check_tokens(name: str, span: Span, recorded: Array, given: Array) -> None:
    differ = np.flatnonzero(recorded != given)
    if differ.size:
        at = int(differ[0])
        raise EngineError(
            f"{name} names {span.sequence_id}, whose {_tokens(span)} have {recorded[at]} at "
            f"{span.offset + at}; the datum has {given[at]} there."
        )


def _tokens(span: Span) -> str:
    return "sampled tokens" if span.sampled else "prompt tokens"


_NOT_RECORDED = {PENDING: "is not sampled yet", FAILED: "was not sampled: its request failed"}


@frozen
class _Reader:
    """Reads recordings for a model, each once."""

    _store: Store
    _model: Row
    _seconds: float
    read: dict[str, Recording] = field(factory=dict)

    def part(self, name: str, span: Span) -> Recording:
        """`tokens` and, of sampled ones, `logprobs` of a span's positions."""
        request_id, _, index = span.sequence_id.rpartition(":")
        if request_id not in self.read:
            self.read[request_id] = self._recording(name, span, request_id)
        recording = self.read[request_id]
        if f"{index}.tokens" not in recording:
            raise self._unknown(name, span)
        of_sequence = {
            "tokens": recording[f"{index}.tokens" if span.sampled else "prompt"],
            **({"logprobs": recording[f"{index}.logprobs"]} if span.sampled else {}),
        }
        end, length = span.offset + span.length, len(of_sequence["tokens"])
        if span.offset < 0 or span.length < 0 or end > length:
            raise EngineError(
                f"{name} has offset {span.offset} and length {span.length}; {span.sequence_id} has "
                f"{length} {_tokens(span)}."
            )
        return {key: values[span.offset : end] for key, values in of_sequence.items()}

    def _recording(self, name: str, span: Span, request_id: str) -> Recording:
        request = self._store.request(request_id)
        if (
            request is None
            or request.operation != "asample"
            or request.owner != self._model["owner"]
        ):
            raise self._unknown(name, span)
        row = self._store.get("recordings", request_id)
        if row is None:
            why = _NOT_RECORDED.get(request.state, "was sampled without record_stability_info")
            raise EngineError(f"{name} names {span.sequence_id}, which {why}.")
        if row["session_id"] != self._model["session_id"]:
            raise EngineError(
                f"{name} names {span.sequence_id}, which was sampled in another session; only a model of the "
                "same session can be trained on it."
            )
        if row["content"] is None or row["used"] < self._store.now() - self._seconds:
            raise EngineError(
                f"{name} names {span.sequence_id}, whose recording is no longer kept: it was "
                f"sampled or trained on more than {self._seconds:g} s ago."
            )
        recording: Recording = safetensors.numpy.load(row["content"])
        return recording

    def _unknown(self, name: str, span: Span) -> EngineError:
        return EngineError(f"{name} names {span.sequence_id!r}, which is not the id of a sample.")

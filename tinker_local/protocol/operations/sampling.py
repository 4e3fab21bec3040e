"""Samples of one target, drawn together."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from attrs import evolve, frozen

from tinker._codec.media_types import PROTOBUF
from tinker_local import model_names
from tinker_local.engine.base import AdapterState, Listener, SampleResult, SampleSpec
from tinker_local.errors import OperationFailed
from tinker_local.model_names import ModelName
from tinker_local.protocol.operations import checkpoints
from tinker_local.protocol.operations.outcome import Context, Outcome
from tinker_local.protocol.wire import results
from tinker_local.protocol.wire.prompts import sample_spec
from tinker_local.state.catalog import may_read
from tinker_local.state.store import Request, Row

_CANCELLED = "The sample was cancelled"

T = TypeVar("T")
Attempt = Callable[[Request, Callable[[Request], T]], T | OperationFailed]
MAX_SAMPLERS_IN_ENGINE = 16


@frozen
class _Source:
    """What is sampled from."""

    base_model: str
    adapter: Any = None
    """None is the base model itself."""
    checkpoint: Row | None = None


class Sampling:
    """For use on the scheduler's thread."""

    def __init__(self, context: Context, keep_seconds: float) -> None:
        self._context = context
        self._keep_seconds = keep_seconds
        self.listeners: dict[str, Listener] = {}
        """Callbacks for each token of a sample as it is drawn, by request."""
        self.cancelled: set[str] = set()
        """Requests whose samples nobody waits for any more."""
        self._lock = threading.Lock()
        self._adapters: OrderedDict[str, tuple[Any, float]] = OrderedDict()
        """Adapters of samplers in the engine, and when each was last used."""

    def sample(
        self,
        requests: Sequence[Request],
        body: Callable[[Request], Mapping[str, Any]],
        attempt: Attempt[Any],
    ) -> list[Outcome | OperationFailed]:
        """Sample requests of one target together; a rejected request fails alone."""
        source = attempt(requests[0], lambda request: self._source(request.target))
        if isinstance(source, OperationFailed):
            return [source] * len(requests)
        sampler = self._context.store.get("samplers", requests[0].target)
        session_id = sampler["session_id"] if sampler else ""
        checked = [
            attempt(request, lambda one: self._spec(one, body(one), source, session_id))
            for request in requests
        ]
        specs = [one[0] for one in checked if not isinstance(one, OperationFailed)]
        sampled = attempt(
            requests[0],
            lambda _: self._context.engine.sample(source.base_model, source.adapter, specs),
        )
        outcomes: list[Outcome | OperationFailed] = []
        for request, one in zip(requests, checked, strict=True):
            if isinstance(one, OperationFailed):
                outcomes.append(one)
            elif isinstance(sampled, OperationFailed):
                outcomes.append(sampled)
            else:
                (spec, asked), result = one, sampled.pop(0)
                if spec.is_cancelled():
                    outcomes.append(OperationFailed(_CANCELLED))
                    continue
                outcomes.append(self._outcome(request, asked, spec, result, source, session_id))
        self.cancelled.difference_update(request.id for request in requests)
        return outcomes

    def _spec(
        self, request: Request, body: Mapping[str, Any], source: _Source, session_id: str
    ) -> tuple[SampleSpec, Mapping[str, Any]]:
        checkpoint = source.checkpoint
        if checkpoint is not None and not may_read(checkpoint, request.owner):
            raise OperationFailed(f"You do not have access to {checkpoint['path']}.")
        if request.id in self.cancelled:
            raise OperationFailed(_CANCELLED)
        spec = evolve(
            sample_spec(body, self._context.engine.models[source.base_model]),
            listener=self.listeners.get(request.id),
            is_cancelled=lambda: request.id in self.cancelled,
        )
        self._context.engine.check_sample(source.base_model, spec)
        if body.get("record_stability_info") and not session_id:
            raise OperationFailed(
                "record_stability_info needs a sampling_session_id: what is recorded belongs to a session."
            )
        return spec, body

    def _outcome(
        self,
        request: Request,
        body: Mapping[str, Any],
        spec: SampleSpec,
        result: SampleResult,
        source: _Source,
        session_id: str,
    ) -> Outcome:
        content = results.sample_to_protobuf(result, body.get("target_prompt_logprobs"))
        record = bool(body.get("record_stability_info"))
        usage = {
            "sampling_prefill": len(spec.prompt),
            "sampling_sample": sum(len(sequence.tokens) for sequence in result.sequences),
        }

        def commit() -> None:
            if record:
                self._context.recordings.add(request, session_id, spec, result)
            for kind, tokens in usage.items():
                self._context.store.use(request.owner, session_id, source.base_model, kind, tokens)

        return Outcome(result=content, media_type=PROTOBUF, commit=commit)

    # ---- what is sampled from -----------------------------------------------------------------

    def _source(self, target: str) -> _Source:
        """Find the source of a sampler or of a model name."""
        sampler = self._context.store.get("samplers", target)
        if sampler is None:
            model = model_names.parse(target)
        else:
            model = ModelName(sampler["base_model"], sampler["model_path"])
        if model.path is not None:
            return self._checkpoint(model.path, model.base_model)
        base_model = model.base_model or ""
        if sampler is None or sampler["model_id"] is None:
            return _Source(base_model)
        return _Source(base_model, self._cached(target, lambda: self._ephemeral(target)))

    def _checkpoint(self, path: str, base_model: str | None) -> _Source:
        checkpoint = self._context.catalog.get(path)
        if checkpoint is None:
            raise OperationFailed(f"The checkpoint {path} does not exist.")

        def load() -> AdapterState:
            return checkpoints.read(self._context, checkpoint, with_moments=False)

        # A name can be overwritten, so the cache key is the folder.
        adapter = self._cached(checkpoint["folder"], load)
        return _Source(base_model or checkpoint["facts"]["base_model"], adapter, checkpoint)

    def _ephemeral(self, sampler_id: str) -> AdapterState:
        query = "SELECT file FROM ephemeral_weights WHERE sampler_id = ?"
        rows = self._context.store.select(query, sampler_id)
        if not rows:
            raise OperationFailed(f"The weights of the sampler {sampler_id} are no longer kept.")
        return self._context.snapshots.read(rows[0]["file"])

    def _cached(self, key: str, read: Callable[[], AdapterState]) -> Any:
        with self._lock:
            known = self._adapters.pop(key, None)
        adapter = known[0] if known else self._context.engine.load(read())
        with self._lock:
            self._adapters[key] = adapter, time.monotonic()  # the most recently used is last
            while len(self._adapters) > MAX_SAMPLERS_IN_ENGINE:
                self._adapters.popitem(last=False)
        return adapter

    def release_idle(self) -> None:
        """Release adapters that were not used for a while. From any thread."""
        before = time.monotonic() - self._keep_seconds
        with self._lock:
            for key in [key for key, (_, used) in self._adapters.items() if used < before]:
                del self._adapters[key]

"""Executes requests, and records each result together with the new state."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import orjson

from tinker._codec import media_types
from tinker_local.engine.base import Adapter, Engine, EngineError, Listener
from tinker_local.errors import OperationFailed
from tinker_local.options import Options
from tinker_local.protocol.activity import Activity
from tinker_local.protocol.operations import checkpoints, models, training, uploads
from tinker_local.protocol.operations.adapters import Adapters
from tinker_local.protocol.operations.outcome import Context, Outcome
from tinker_local.protocol.operations.sampling import Sampling
from tinker_local.protocol.wire import bodies
from tinker_local.state import disk
from tinker_local.state.catalog import Catalog
from tinker_local.state.curves import Curves
from tinker_local.state.recordings import Recordings
from tinker_local.state.snapshots import Snapshots
from tinker_local.state.store import DONE, FAILED, Request, Store

logger = logging.getLogger("tinker_local")

SEQ_IDS_OF_A_CLONE = 10**9
"""The seq_ids of a process's samples begin at its number times this."""

T = TypeVar("T")

_RUN: dict[str, Callable[[Context, str, Any], Outcome]] = {
    run.__name__: run
    for run in (
        models.create_model,
        models.unload_model,
        training.forward_backward,
        training.forward,
        training.create_custom_loss,
        training.optim_step,
        checkpoints.save_weights,
        checkpoints.save_weights_for_sampler,
        checkpoints.save_weights_external,
        checkpoints.load_weights,
        uploads.external_weights_upload_finish,
    )
}


class Operations:
    """Executes requests, on the scheduler's thread."""

    def __init__(
        self,
        store: Store,
        engine: Engine[Any],
        catalog: Catalog,
        snapshots: Snapshots,
        options: Options,
    ) -> None:
        self._store = store
        self._adapters = Adapters(store, engine, snapshots, options, self._repeat)
        self._context = Context(
            store, engine, catalog, Recordings(store, options), self._adapters, snapshots
        )
        self._curves = Curves(store)
        self.activity = Activity()
        store.on_use = self.activity.count
        self._sampling = Sampling(self._context, options.keep_adapter_seconds)

    def cancel(self, request_id: str) -> None:
        """End a sample that is being drawn, or is about to be. From any thread."""
        self._sampling.cancelled.add(request_id)

    @property
    def listeners(self) -> dict[str, Listener]:
        """Callbacks for each token of a sample as it is drawn, by request."""
        return self._sampling.listeners

    def execute(self, requests: Sequence[Request]) -> None:
        """Run requests of one target, and record their results.

        Raises if they cannot be recorded; then nothing has changed.
        """
        is_training = requests[0].operation in ("forward_backward", "forward", "optim_step")
        with self.activity.running(is_training=is_training):
            self._execute(requests)

    def _execute(self, requests: Sequence[Request]) -> None:
        started = self._store.now()
        if requests[0].operation == "asample":
            outcomes = self._sampling.sample(requests, self._body, self._attempt)
            with self._store.transaction():
                for request, outcome in zip(requests, outcomes, strict=True):
                    self._record(request, outcome, started)
            return
        for request in requests:
            self._record(request, self._attempt(request, self._run), started)
            started = self._store.now()

    def _run(self, request: Request) -> Outcome:
        return _RUN[request.operation](self._context, request.target, self._body(request))

    def release_idle(self) -> None:
        """Release the engine's adapters of models and samplers that were not used for a while."""
        self._adapters.release_idle()
        self._sampling.release_idle()

    def _repeat(self, request: Request) -> Adapter:
        """Repeat a request of the log."""
        adapter = self._run(request).adapter
        assert adapter is not None, "the log has what changes adapters"
        return adapter

    def _body(self, request: Request) -> Any:
        """The body, decoded. Bodies wait for their turn on disk, not in memory."""
        content = self._store.body(request.id)
        if request.media_type == media_types.PROTOBUF:
            return bodies.parse_protobuf(content)
        return bodies.fields(bodies.parse_json(content))

    def _attempt(self, request: Request, run: Callable[[Request], T]) -> T | OperationFailed:
        try:
            return run(request)
        except OperationFailed as failure:
            return failure
        except EngineError as error:
            return OperationFailed(str(error))
        except sqlite3.Error:
            raise  # nothing has changed; the scheduler tries again
        except Exception as error:
            if disk.reason(error):
                raise
            logger.exception("%s failed", request.operation)
            return OperationFailed(f"{type(error).__name__} in {request.operation}", "server")

    # ---- recording ----------------------------------------------------------------------------

    def _record(self, request: Request, outcome: Outcome | OperationFailed, started: float) -> None:
        def write(request: Request) -> int | None:
            with self._store.transaction():
                return self._write(request, outcome, started)

        log_id = self._attempt(request, write)
        if isinstance(log_id, OperationFailed):  # the commit finds it
            with self._store.transaction():
                self._write(request, log_id, started)
            return
        # Only now: if the transaction fails, memory must still match the database.
        if isinstance(outcome, Outcome) and outcome.adapter is not None:
            self._adapters.changed(
                request.target,
                outcome.adapter,
                log_id,
                stepped=request.operation == "optim_step",
            )

    def _write(
        self, request: Request, outcome: Outcome | OperationFailed, started: float
    ) -> int | None:
        """Write the outcome of a request; returns its entry in the log, if it has one."""
        log_id = None
        if isinstance(outcome, OperationFailed):
            failure = orjson.dumps({"error": str(outcome), "category": outcome.category})
            self._store.finish(request.id, FAILED, failure, media_types.JSON, started=started)
            self.announce(request, FAILED, len(failure))
        else:
            outcome.commit()
            self._curves.add(request.target, outcome.metrics, outcome.weight)
            if request.operation == "optim_step":
                self._curves.step(request.target)
            if outcome.can_be_repeated:
                log_id = self._adapters.log(request.target, request.id)
            self._store.finish(
                request.id,
                DONE,
                outcome.result,
                outcome.media_type,
                started=started,
                keep_body=outcome.can_be_repeated,
            )
            self.announce(request, DONE, len(outcome.result))
        if request.seq_id is not None:
            self._store.write(
                "UPDATE models SET next_seq_id = ? WHERE id = ?", request.seq_id + 1, request.target
            )
        return log_id

    def announce(self, request: Request, state: str, size: int) -> None:
        """Tell the completions feed of a sampler's process that its request has ended."""
        _, _, number = request.id.rpartition(":")
        if request.operation == "asample" and number.isdigit():
            clone = int(number) // SEQ_IDS_OF_A_CLONE
            self._store.complete(request.target, clone, request.id, state, size)

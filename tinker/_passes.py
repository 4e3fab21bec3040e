"""Forward and backward passes of a training run: from the batch of a call to its output, with any loss."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from tinker import types
from tinker._codec.media_types import PROTOBUF
from tinker._protocol import loop
from tinker._protocol.progress import Progress
from tinker._protocol.server_traits import Encoding
from tinker._protocol.session import Session
from tinker._training import batch as batches
from tinker._training.batch import Batch
from tinker._training.chunking import BatchChunk, ChunkLimits, split
from tinker._training.metrics import combine, with_mean_loss
from tinker._training.queue import RunQueue
from tinker._training.submission import Submit
from tinker.futures import APIFuture
from tinker_api import models

if TYPE_CHECKING:
    from tinker.custom_loss import CustomLossFnV1, LossHandle, NumpyLoss


class Passes:
    """Of one run, whose operations go through `queue`."""

    def __init__(self, session: Session, model_id: str, queue: RunQueue) -> None:
        self._session = session
        self._model_id = model_id
        self._queue = queue

    def built_in(
        self,
        data: Sequence[types.Datum],
        loss_fn: str,
        loss_fn_config: Mapping[str, float | str] | None,
        *,
        backward: bool,
    ) -> APIFuture[types.ForwardBackwardOutput]:
        """With a loss that the server has."""
        from tinker._codec import json as json_codec  # noqa: PLC0415
        from tinker._training import checks  # noqa: PLC0415  # with numpy

        data = checks.listed(data)
        prepared = checks.prepare(data, loss_fn, loss_fn_config)
        if self._session.traits.training_encoding is Encoding.JSON:
            json_codec.check_finite(prepared, loss_fn_config)  # before a chunk of it is sent
        chunks = self._chunks(prepared)
        progress = self._queue.progress("forward_backward" if backward else "forward")
        examples = len(data)
        progress.attributes = lambda: {"tinker.loss_fn": loss_fn, "tinker.examples": examples}
        outputs = self._submit(chunks, loss_fn, loss_fn_config, progress, backward=backward)

        async def combined() -> types.ForwardBackwardOutput:
            output = combine(await outputs)
            if loss_fn == "cross_entropy":
                output = with_mean_loss(output, partial(checks.total_weight, prepared))
                if any(map(checks.has_invented_target, data)):
                    output = checks.without_invented(output, data)
            return output

        return APIFuture.start(combined(), progress, session=self._session)

    def custom(
        self, data: Sequence[types.Datum], loss_fn: CustomLossFnV1 | NumpyLoss | LossHandle
    ) -> APIFuture[types.ForwardBackwardOutput]:
        """With a loss of the caller's, in two passes; one that is on the server takes one."""
        from tinker import custom_loss  # noqa: PLC0415  # few training loops need it
        from tinker._training import checks  # noqa: PLC0415  # few training loops need it

        if isinstance(loss_fn, custom_loss.LossHandle):
            return self.built_in(data, "custom", {"loss_id": loss_fn.key}, backward=True)
        data = checks.listed(data)
        asked = checks.prepare([_with_targets_alone(one) for one in data], "cross_entropy", None)
        scored = [custom_loss.with_weights(datum, None) for datum in asked]
        chunks = self._chunks(scored)
        backwards: list[Submit] = []
        # Both turns are taken now: whatever is submitted later waits behind them.
        forward = self._submit(
            chunks, "cross_entropy", None, self._queue.progress("forward"), backward=False
        )
        progress = self._queue.progress("forward_backward_custom")
        outputs = self._queue.submit(
            backwards,
            batches.decode,
            progress,
            kind="ForwardBackward",
            content=lambda: b"",  # its gradients follow from the forward pass
            accept=PROTOBUF,
            parallel=self._session.config.parallel_fwdbwd_chunks,
        )

        async def run() -> types.ForwardBackwardOutput:
            try:
                scores = combine(await forward)
                logprobs = [
                    output["logprobs"].to_numpy()[
                        : -1 if checks.has_invented_target(datum) else None
                    ]
                    for output, datum in zip(scores.loss_fn_outputs, data, strict=True)
                ]
                value, metrics, gradients = await loop.in_thread(
                    custom_loss.evaluate, loss_fn, data, logprobs
                )
                given = iter(zip(scored, gradients, strict=True))
                for chunk in chunks:
                    part = [custom_loss.with_weights(*next(given)) for _ in chunk.data]
                    batch = Batch(self._model_id, part, chunk.bytes, "cross_entropy", None, True)
                    backwards.append(partial(self._send, batch, progress))
            except BaseException:
                backwards.clear()
                await outputs  # the turn passes by, empty
                raise
            combined = checks.without_invented(combine(await outputs), data)
            return custom_loss.merged(combined, value, metrics)

        return APIFuture.start(run(), progress, session=self._session)

    async def _send(self, batch: Batch, progress: Progress, seq_id: int) -> models.UntypedAPIFuture:
        return await batches.send(self._session, batch, seq_id, progress)

    def _chunks(self, data: Sequence[types.Datum]) -> list[BatchChunk]:
        config, defaults = self._session.config, ChunkLimits()
        limits = ChunkLimits(
            examples=min(defaults.examples, config.fwdbwd_max_chunk_len),
            bytes=config.fwdbwd_max_chunk_bytes_count,
        )
        return split(data, limits)

    def _submit(
        self,
        chunks: Sequence[BatchChunk],
        loss_fn: str,
        loss_fn_config: Mapping[str, float | str] | None,
        progress: Progress,
        *,
        backward: bool,
    ) -> Awaitable[list[types.ForwardBackwardOutput]]:
        made: list[Batch] = []
        first = 0
        for chunk in chunks:
            batch = Batch(
                self._model_id, chunk.data, chunk.bytes, loss_fn, loss_fn_config, backward, first
            )
            made.append(batch)
            first += len(chunk.data)
        return self._queue.submit(
            [partial(self._send, batch, progress) for batch in made],
            batches.decode,
            progress,
            kind="ForwardBackward" if backward else "Forward",
            content=partial(batches.content, made),
            accept=PROTOBUF,
            parallel=self._session.config.parallel_fwdbwd_chunks,
        )


def _with_targets_alone(datum: types.Datum) -> types.Datum:
    """The part of a datum that is scored for a custom loss, which has other inputs of its own."""
    targets = {
        name: tensor for name, tensor in datum.loss_fn_inputs.items() if name == "target_tokens"
    }
    return types.Datum(model_input=datum.model_input, loss_fn_inputs=targets)

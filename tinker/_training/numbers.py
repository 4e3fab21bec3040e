"""Settles the seq_ids of a call whose requests were not all accepted.

What happens to them:

    refused (4xx), nothing after it accepted     its number is used again by the next call
    refused, because another request has it      the run is poisoned: another program uses it too, and would get results
                                                 that are not its own
    refused, a later chunk of the call accepted  a forward pass over one token takes its number, so that
                                                 the server does not wait for it forever
    unknown (no response or 5xx, every time)     the run is poisoned: later calls are refused, because
                                                 the server might apply them in another order
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING

from tinker import types
from tinker._protocol.progress import Progress
from tinker._protocol.server_traits import is_number_taken
from tinker._protocol.session import Session
from tinker._training import batch
from tinker._training.batch import Batch
from tinker._training.record import Record
from tinker._training.sequencing import Sequencer, Turn
from tinker.errors import APIError, ConflictError, RunPoisonedError, TinkerError

if TYPE_CHECKING:
    from tinker._training.journal import Journal


_TAKEN = "another program has used its seq_id {}, and only one may submit operations to a run"
_BEGIN_AGAIN = "Create a training client from the last checkpoint."


class Numbers:
    """The numbers of one training run."""

    def __init__(
        self, session: Session, model_id: str, sequencer: Sequencer, journal: Journal | None
    ) -> None:
        self._session = session
        self._model_id = model_id
        self._sequencer = sequencer
        self._journal = journal

    async def settle(
        self,
        turn: Turn,
        record: Record,
        accepted: Set[int],
        failures: Mapping[int, Exception],
    ) -> Exception:
        """Settle the numbers after a failure, and return the error for the caller.

        Args:
            turn: Of the call.
            record: Of the call.
            accepted: The places in the call of the requests that were accepted.
            failures: The errors of the others that were sent, by place; at least one.
        """
        seq_ids = record.seq_ids
        first_failure = failures[min(failures)]
        unknown = [n for n, error in failures.items() if not _was_refused(error)]
        taken = [
            n
            for n, error in failures.items()
            if isinstance(error, ConflictError) and is_number_taken(error.message)
        ]
        if unknown:  # it may be an earlier attempt that has the number
            self._poison_unknown(turn, seq_ids[min(unknown)], failures[min(unknown)])
        elif taken:
            self._poison(
                turn, failures[min(taken)], _TAKEN.format(seq_ids[min(taken)]), _BEGIN_AGAIN
            )
        else:
            last_accepted = max(accepted, default=-1)
            for number in range(last_accepted):
                if number not in accepted:
                    await self._fill(turn, seq_ids[number])
            if seq_ids[-1] != self._sequencer.next_seq_id - 1:  # others have been used behind it
                self._poison_unknown(turn, seq_ids[0], first_failure)
            elif last_accepted + 1 < len(seq_ids):
                turn.return_numbers(seq_ids[last_accepted + 1 :])
            if not self._sequencer.is_poisoned:
                record.refused(first_failure, self._sequencer.next_seq_id)
        if accepted:
            first_failure.add_note(
                f"{len(accepted)} of the call's {len(seq_ids)} requests were accepted and take effect."
            )
        return first_failure

    async def use_up(self, seq_id: int) -> None:
        """Send an operation that changes nothing under a number."""
        one_token = types.Datum(
            model_input=types.ModelInput.from_ints([0]),
            loss_fn_inputs={
                "target_tokens": types.TensorData([0], "int64"),
                "weights": types.TensorData([0.0], "float32"),
            },
        )
        filler = Batch(self._model_id, [one_token], 0, "cross_entropy", None, backward=False)
        progress = Progress("forward", {"model_id": self._model_id})
        await batch.send(self._session, filler, seq_id, progress)

    async def _fill(self, turn: Turn, seq_id: int) -> None:
        """Use up a rejected number that the server would otherwise wait for."""
        try:
            await self.use_up(seq_id)
        except TinkerError as error:
            self._poison_unknown(turn, seq_id, error)

    def _poison_unknown(self, turn: Turn, seq_id: int, error: Exception) -> None:
        way_out = (
            _BEGIN_AGAIN
            if self._journal is None
            else f"Run the program again: with {self._journal.path}, it finds out and goes on."
        )
        why = f"it is not known whether the server accepted seq_id {seq_id}"
        self._poison(turn, error, why, way_out)

    def _poison(self, turn: Turn, error: Exception, why: str, way_out: str) -> None:
        poison = RunPoisonedError(
            f"The training run {self._model_id} accepts no more operations: {why} ({error}). {way_out}"
        )
        poison.__cause__ = error
        turn.poison(poison)


def _was_refused(error: Exception) -> bool:
    """Whether it is certain that the server did not accept the request."""
    return not (isinstance(error, APIError) and error.outcome_unknown)

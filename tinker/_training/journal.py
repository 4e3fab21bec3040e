"""The journal of a training run: a file by which another process goes on where this one was killed.

Lines of JSON are appended, each an object with one field:

    {"run": {"run_id": …, "session_id": …, "made_from": {…}, "next_seq_id": 1}}     the file's first line; with "first_call",
                                                                                    a run that goes on from a checkpoint
    {"submitted": {"call": 0, "operation": …, "content": …, "seq_ids": [1, 2]}}     on disk before anything is sent
    {"empty": {"call": 0}}                                                          a call that sends nothing
    {"accepted": {"call": 0, "request_ids": […]}}
    {"refused": {"call": 0, "error": …, "next_seq_id": 1}}
    {"finished": {"call": 0, "path": …, "kept": […]}}                               the result has arrived; of a save, where it is
    {"step": {"loop": [1, 0, 0], "step": 3, "call": 6}}                             a step of a loop begins with this call

Calls are numbered from 0, in the order in which the program makes them. When it runs again, its call n must be the recorded
call n. A process that was killed between "submitted" and "accepted" leaves it open whether the server has the request, so it is
sent again under the same seq_ids, by which the server recognizes it.

Results are kept in a folder beside the file until their step is over: a server may forget a result that was read. `kept` has
the CRC-32 of each, so that one that a power cut has spoiled is recognized.

A last line that is incomplete is cut off. If a power cut has lost more lines, what they said is found out again in the same way.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from attrs import define, field, frozen

from tinker._training.journal_file import JournalFile
from tinker._training.kept_results import KeptResults
from tinker.errors import JournalError, TinkerError

_RUN, _SUBMITTED, _EMPTY, _ACCEPTED, _REFUSED, _FINISHED, _STEP = (
    "run",
    "submitted",
    "empty",
    "accepted",
    "refused",
    "finished",
    "step",
)
_SAVE = "save_weights"
_CHANGE_NOTHING = {_SAVE, "save_weights_for_sampler", "save_weights_external", "forward"}
_BEGINNING = b'{"run":{'


@frozen
class Run:
    """Which run a journal is of."""

    run_id: str
    session_id: str | None
    """The session it was created in; None if that is not known."""
    made_from: Mapping[str, Any]
    """What the run was created with."""
    next_seq_id: int
    """The number of its first call."""
    first_call: int = 0
    """Calls before it are in the checkpoint that the run was made from, when the server had forgotten the one before."""


@frozen
class Loop:
    """Which loop of the program."""

    first_call: int
    """Of the program's next call, when it began."""
    depth: int
    """How many loops it is inside of."""
    number: int
    """How many other loops of that depth began with the same call."""


@define
class Call:
    """What is known of a call."""

    call: int
    operation: str
    content: str
    seq_ids: list[int]
    name: str | None = None
    """Of a training checkpoint that it saves."""
    request_ids: list[Any] | None = None
    """Of the promises, once the server has accepted all of it."""
    refused: str | None = None
    """The error, if it was not accepted, or not in whole."""
    finished: bool = False
    path: str | None = None
    kept: dict[int, int] = field(factory=dict)
    """The checksums of the results that are kept, by the request's place in the call."""

    is_delivered: bool = False
    """Whether the program that runs now has its outcome: before that, it may yet be looked up."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing more comes of it."""
        return self.finished or self.refused is not None


class Journal:
    """An open journal, which no other process can open. From any thread."""

    def __init__(self, file: JournalFile) -> None:
        self.path = file.path
        self._file = file
        self.run: Run | None = None
        self.run_ids: set[str] = set()
        """Of this run, and of those before it that a server has forgotten."""
        self.next_seq_id = 1
        """The number behind all that were used."""
        self.checkpoint: str | None = None
        """The last training checkpoint whose path has arrived."""
        self._results = KeptResults(self.path.with_name(f"{self.path.name}.results"))
        self._calls: dict[int, Call] = {}
        """Of an earlier process, and of this one those whose results are kept or have not arrived, by number."""
        self._recorded = 0
        """Calls before this one have had their turn. Turns come in order: no line is missing before the last."""
        self._last_known = -1
        """The last call of an earlier process."""
        self._steps: dict[Loop, dict[int, int]] = {}
        """The first call of each step."""

    @classmethod
    def open(cls, path: str | os.PathLike[str], made_from: Mapping[str, Any] | None) -> Self:
        """Open a journal, or begin one.

        Args:
            path: The file.
            made_from: What the program creates its run with; None for any run.

        Raises:
            JournalError: It is in use, of another run, or not a journal.
            OSError: It cannot be read or written.
            TypeError, ValueError: It is not a path.
        """
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"journal is {path!r}; it must be the path of a file.")
        if not os.fspath(path):
            raise ValueError("journal is ''; it must be the path of a file.")
        file = JournalFile(Path(path))
        try:
            journal = cls(file)
            file.read(journal._take, _BEGINNING)
            journal._last_known = max(journal._calls, default=-1)
            if journal.run is not None and made_from is not None:
                journal._check(journal.run.made_from, made_from)
        except BaseException:
            file.close()
            raise
        return journal

    def close(self) -> None:
        """Let another process have it."""
        self._file.close()

    # ---- reading ----------------------------------------------------------------------------

    def _take(self, kind: str, fields: Mapping[str, Any]) -> None:
        if kind == _RUN:
            self._go_on(Run(**fields))
            return
        if self.run is None:
            raise ValueError("the first line names the run")
        if kind == _STEP:
            self._steps.setdefault(Loop(*fields["loop"]), {})[fields["step"]] = fields["call"]
        elif kind == _SUBMITTED:
            call = self._calls[fields["call"]] = Call(**fields)
            self._recorded = call.call + 1
            self.next_seq_id = call.seq_ids[-1] + 1
        elif kind == _EMPTY:
            self._recorded = fields["call"] + 1
        elif kind == _ACCEPTED:
            self._calls[fields["call"]].request_ids = fields["request_ids"]
        elif kind == _REFUSED:
            self._calls[fields["call"]].refused = fields["error"]
            self.next_seq_id = fields["next_seq_id"]
        elif kind == _FINISHED:
            call = self._calls[fields["call"]]
            call.finished, call.path = True, fields["path"]
            call.kept = dict(enumerate(fields["kept"]))
            if call.operation == _SAVE and call.path is not None:
                self.checkpoint = call.path
        else:
            raise ValueError("unknown kind of line")

    def _go_on(self, run: Run) -> None:
        """Go on with this run, and forget what came after its checkpoint."""
        self.run, self.next_seq_id = run, run.next_seq_id
        self.run_ids.add(run.run_id)
        self._calls = {n: call for n, call in self._calls.items() if n < run.first_call}
        for call in self._calls.values():
            call.finished = True
        for begun in self._steps.values():
            for step in [step for step, number in begun.items() if number > run.first_call]:
                del begun[step]
        self._last_known = max(self._calls, default=-1)
        self._recorded = run.first_call

    def _check(self, was: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
        differing = [
            f"{name}={was.get(name)!r}, not {asked.get(name)!r}"
            for name in {**was, **asked}
            if was.get(name) != asked.get(name)
        ]
        if differing:
            raise JournalError(
                f"{self.path} is the journal of a run with {'; '.join(differing)}: use another file for another run."
            )

    # ---- the calls of an earlier process ----------------------------------------------------

    def known(self, number: int, operation: str, content: str, requests: int) -> Call | None:
        """What an earlier process has recorded of this call; None if it is new.

        Raises:
            JournalError: It has recorded another call.
            TinkerError: The call failed then, and later ones did not.
        """
        with self._file.lock:
            call = self._calls.get(number)
        if call is None:
            return None
        is_last = number == self._last_known
        if call.refused is not None and is_last and call.seq_ids[0] == self.next_seq_id:
            return None  # nothing has come of it, and nothing was built on that
        asked = (operation, content, requests)
        if (call.operation, call.content, len(call.seq_ids)) != asked:
            what = f"{operation} with other content" if call.operation == operation else operation
            raise JournalError(
                f"Call {number} of the run is {call.operation} (seq_id={call.seq_ids[0]}) in {self.path}, and now {what}: "
                "the program has to make the same calls again. Undo what was changed, or go on from a "
                "checkpoint, with another journal."
            )
        if call.refused is not None:
            call.is_delivered = True
            raise TinkerError(
                f"Call {number} of the run failed in an earlier process: {call.refused}"
            )
        return call

    def forget_after(self, last_seq_id: int) -> None:
        """The server knows nothing behind this number: a power cut has taken it from there. It is sent again."""
        assert self.run is not None
        for number, call in self._calls.items():
            if number >= self.run.first_call and call.seq_ids[-1] > last_seq_id:
                call.request_ids, call.finished = None, False
                call.kept.clear()

    def first_step(self, loop: Loop, count: int) -> tuple[int, int]:
        """The first step of a loop that is not over, and the number of its first call.

        A step is over when the loop has gone on, and all results of its calls and of those before have arrived. What is
        over is forgotten: the program does not make those calls again.
        """
        with self._file.lock:
            pending = min((n for n, c in self._calls.items() if not c.is_settled), default=None)
            step, number = self._not_over(loop, range(1, count + 1), pending)
            self._forget(range(loop.first_call, number))
            return step, number

    def _not_over(self, loop: Loop, ends: range, pending: int | None) -> tuple[int, int]:
        """The first step that is not over, if `pending` is the first call that is not."""
        begun = self._steps.get(loop, {})
        limit = self._recorded if pending is None else min(pending, self._recorded)
        step, number = ends.start - 1, begun.get(ends.start - 1, loop.first_call)
        for following in ends:
            end = begun.get(following)
            if end is None or limit < end:
                break
            step, number = following, end
        return step, number

    def _forget(self, calls: range) -> None:
        for number in calls:
            if (call := self._calls.pop(number, None)) is not None:
                for place in call.kept:
                    self._results.delete(number, place)

    def last_checkpoint(self) -> tuple[str, int] | None:
        """The last training checkpoint from which a step begins, and the number of the step's first call.

        Nothing is trained between the two, and no gradients, which a checkpoint does not have, wait for their step. One
        that was saved again under its name is not what it was.
        """
        trained = [call for call in self._calls.values() if call.operation not in _CHANGE_NOTHING]
        begins = {
            n for loop, begun in self._steps.items() if loop.depth == 0 for n in begun.values()
        }
        saved_again: set[str | None] = set()
        for save in sorted(self._calls.values(), key=lambda call: call.call, reverse=True):
            if save.operation != _SAVE or save.name in saved_again:
                continue
            if save.refused is None:
                saved_again.add(save.name)
            if save.path is None:
                continue
            before = max(
                (c for c in trained if c.call < save.call), key=lambda c: c.call, default=None
            )
            after = min((c.call for c in trained if c.call > save.call), default=math.inf)
            first = -1 if before is None else before.call
            if before is not None and before.operation.startswith("forward_backward"):
                continue
            fitting = [number for number in begins if first < number <= after]
            if fitting:
                return save.path, max(fitting)
        return None

    # ---- writing ----------------------------------------------------------------------------

    def begin(self, run: Run) -> None:
        """Name the run. On disk when this returns."""
        self._file.append(
            _RUN,
            run_id=run.run_id,
            session_id=run.session_id,
            made_from=dict(run.made_from),
            next_seq_id=run.next_seq_id,
            first_call=run.first_call,
        )
        self._file.sync()
        if self.run is None:
            self._results.delete_all()  # of another run
        self._go_on(run)
        self._file.sync_name()

    def submitted(self, call: Call) -> None:
        """A call is about to be sent. On disk when this returns."""
        with self._file.lock:
            self._file.append(
                _SUBMITTED,
                call=call.call,
                operation=call.operation,
                content=call.content,
                seq_ids=call.seq_ids,
                name=call.name,
            )
            self._calls[call.call] = call
            self._recorded = max(self._recorded, call.call + 1)
        self._file.sync()

    def empty(self, number: int) -> None:
        """A call has had its turn, and sends nothing."""
        with self._file.lock:
            if number >= self._recorded:
                self._file.append(_EMPTY, call=number)
                self._recorded = number + 1

    def accepted(self, call: Call, request_ids: list[Any]) -> None:
        self._file.append(_ACCEPTED, call=call.call, request_ids=request_ids)

    def refused(self, call: Call, error: Exception, next_seq_id: int) -> None:
        call.refused, call.is_delivered = str(error), True
        self._file.append(_REFUSED, call=call.call, error=str(error), next_seq_id=next_seq_id)

    def finished(self, call: Call, path: str | None = None) -> None:
        call.is_delivered = True
        if not call.finished:
            call.finished = True
            kept = [call.kept[number] for number in sorted(call.kept)]
            self._file.append(_FINISHED, call=call.call, path=path, kept=kept)

    def step(self, loop: Loop, step: int, number: int) -> None:
        """A step of a loop begins with this call, or the loop has ended before it."""
        with self._file.lock:
            begun = self._steps.setdefault(loop, {})
            if begun.get(step) != number:
                begun[step] = number
                fields = [loop.first_call, loop.depth, loop.number]
                self._file.append(_STEP, loop=fields, step=step, call=number)
            self._forget_steps(loop, step)

    def _forget_steps(self, loop: Loop, step: int) -> None:
        """Forget the calls and results of steps that are over: no process makes them again."""
        begun = self._steps[loop]
        oldest = min(begun)
        pending = min((n for n, c in self._calls.items() if not c.is_delivered), default=None)
        first, behind = self._not_over(loop, range(oldest + 1, step + 1), pending)
        self._forget(range(begun[oldest], behind))
        for over in range(oldest, first):
            begun.pop(over, None)

    # ---- results ----------------------------------------------------------------------------

    def keep(self, call: Call, place: int, media_type: str, content: bytes) -> None:
        """Keep the result of a request of a call, as it came; one that cannot be written is not kept."""
        checksum = self._results.keep(call.call, place, media_type, content)
        if checksum is not None:
            call.kept[place] = checksum

    def kept(self, call: Call, place: int) -> tuple[str, bytes] | None:
        """Media type and content of a result that is kept."""
        if not call.finished or place not in call.kept:
            return None
        return self._results.read(call.call, place, call.kept[place])


def digest(content: bytes) -> str:
    """What tells two calls of one operation apart."""
    return hashlib.sha256(content).hexdigest()

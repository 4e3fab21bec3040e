"""The file of a journal: cut anywhere, it is read as far as it is whole; what is not a journal is left as it is."""

from __future__ import annotations

import gc
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tinker._training.journal import Call, Journal, Loop, Run
from tinker.errors import JournalError, TinkerError

SETTINGS = {"base_model": "m", "rank": 8}
LOOP = Loop(0, 0, 0)
RUN = Run("s:train:0", "s", SETTINGS, 1)


def call(number: int, *seq_ids: int, operation: str = "optim_step", content: str = "c") -> Call:
    return Call(number, operation, content, list(seq_ids))


def written(path: Path) -> bytes:
    """A journal with a step whose save was not accepted yet."""
    journal = Journal.open(path, SETTINGS)
    journal.begin(RUN)
    journal.step(LOOP, 0, 0)
    one, two = call(0, 1, 2, operation="forward_backward"), call(1, 3)
    journal.submitted(one)
    journal.accepted(one, ["r1", "r2"])
    journal.submitted(two)
    journal.finished(one)
    journal.accepted(two, ["r3"])
    journal.step(LOOP, 1, 2)
    journal.submitted(call(2, 4, operation="save_weights"))
    journal.close()
    return path.read_bytes()


def state(journal: Journal) -> Any:
    return journal.run, journal.next_seq_id, journal._calls, journal._steps, journal.checkpoint


def test_cut_anywhere_it_is_what_it_was_a_line_before(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole")
    lines = whole.splitlines(keepends=True)
    for end in range(len(whole)):
        path = tmp_path / "cut"
        path.write_bytes(whole[:end])
        kept = b"".join(
            line for n, line in enumerate(lines) if len(b"".join(lines[: n + 1])) <= end
        )
        (tmp_path / "kept").write_bytes(kept)
        cut, as_expected = Journal.open(path, None), Journal.open(tmp_path / "kept", None)
        assert state(cut) == state(as_expected)
        cut.close()
        as_expected.close()
        assert path.read_bytes() == kept


def test_what_it_tells_of_an_earlier_process(tmp_path: Path) -> None:
    written(tmp_path / "journal")
    journal = Journal.open(tmp_path / "journal", SETTINGS)
    assert (journal.run, journal.next_seq_id, journal.checkpoint) == (RUN, 5, None)
    forward_backward = journal.known(0, "forward_backward", "c", 2)
    assert forward_backward is not None
    assert (forward_backward.request_ids, forward_backward.finished) == (["r1", "r2"], True)
    save = journal.known(2, "save_weights", "c", 1)
    assert save is not None
    assert (save.seq_ids, save.request_ids) == ([4], None)
    assert journal.known(3, "optim_step", "c", 1) is None
    assert journal.first_step(LOOP, 9) == (
        0,
        0,
    )  # the result of the step's second call has not arrived


def test_a_step_is_over_when_the_next_one_has_begun_and_all_results_are_there(
    tmp_path: Path,
) -> None:
    journal = Journal.open(tmp_path / "journal", SETTINGS)
    journal.begin(RUN)
    for step in range(3):
        journal.step(LOOP, step, step)
        journal.submitted(call(step, step + 1))
        if step < 2:
            journal.finished(call(step, step + 1))
    journal.close()
    journal = Journal.open(tmp_path / "journal", SETTINGS)
    assert journal.first_step(LOOP, 9) == (2, 2)
    assert journal.first_step(Loop(3, 0, 0), 9) == (0, 3)  # another loop, which has not begun


def test_results_are_kept_until_their_step_is_over(tmp_path: Path) -> None:
    path, results = tmp_path / "journal", tmp_path / "journal.results"
    journal = Journal.open(path, SETTINGS)
    journal.begin(RUN)
    for step in range(3):
        journal.step(LOOP, step, step)
        made = call(step, step + 1)
        journal.submitted(made)
        journal.keep(made, 0, "application/json", b"%d" % step)
        assert journal.kept(made, 0) is None  # not all of it has arrived
        journal.finished(made)
        assert journal.kept(made, 0) == ("application/json", b"%d" % step)
    assert [file.name for file in results.iterdir()] == ["2-0"]
    journal.close()
    journal = Journal.open(path, SETTINGS)
    known = journal.known(2, "optim_step", "c", 1)
    assert known is not None
    assert journal.kept(known, 0) == ("application/json", b"2")
    (results / "2-0").write_bytes(b"application/json\n\0")  # as a power cut leaves it
    assert journal.kept(known, 0) is None
    (results / "2-0").unlink()
    assert journal.kept(known, 0) is None


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([["forward_backward", "optim_step", "save_weights"], ["forward"]], (2, 3)),
        ([["forward_backward", "optim_step"], ["save_weights", "forward_backward"]], (2, 2)),
        ([["save_weights", "forward_backward", "optim_step"], ["optim_step"]], (0, 0)),
        ([["forward_backward", "optim_step", "save_weights", "optim_step"], []], None),
        ([["forward_backward", "save_weights"], ["optim_step"]], None),  # gradients are not saved
        ([["forward_backward_custom", "save_weights"], []], None),
        (
            [["forward_backward", "optim_step", "save_weights"]],
            None,
        ),  # perhaps the step is not over
        ([["optim_step"], ["save_weights_for_sampler"], []], None),
        ([["optim_step", "save_weights x"], ["optim_step", "save_weights x"]], None),
        ([["optim_step", "save_weights x"], ["save_weights x", "optim_step"]], (2, 2)),
    ],
)
def test_the_last_checkpoint_with_which_a_step_begins(
    tmp_path: Path, steps: list[list[str]], expected: tuple[int, int] | None
) -> None:
    journal = Journal.open(tmp_path / "journal", SETTINGS)
    journal.begin(RUN)
    number = 0
    for step, operations in enumerate(steps):
        journal.step(LOOP, step, number)
        for words in operations:
            operation, _, name = words.partition(" ")
            made = call(number, number + 1, operation=operation)
            made.name = (name or f"{number}") if "save" in operation else None
            journal.submitted(made)
            journal.finished(made, str(number) if made.name else None)
            number += 1
    journal.close()
    journal = Journal.open(tmp_path / "journal", SETTINGS)
    found = journal.last_checkpoint()
    assert (found and (int(found[0]), found[1])) == expected


def test_a_step_is_not_over_while_a_call_of_it_waits_for_its_turn(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal.open(path, SETTINGS)
    journal.begin(RUN)
    journal.step(LOOP, 0, 0)
    first = call(0, 1)
    journal.submitted(first)
    journal.finished(first)
    journal.step(LOOP, 1, 2)  # call 1 was made, and killed before its turn
    journal.close()
    journal = Journal.open(path, SETTINGS)
    assert journal.first_step(LOOP, 9) == (0, 0)
    assert journal.known(0, "optim_step", "c", 1) is not None
    second = call(1, 2)
    journal.submitted(second)
    journal.finished(second)
    journal.close()
    journal = Journal.open(path, SETTINGS)
    assert journal.first_step(LOOP, 9) == (1, 2)


def test_a_finished_call_is_known_until_the_program_has_its_result_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal.open(path, SETTINGS)
    journal.begin(RUN)
    journal.step(LOOP, 0, 0)
    for number in range(2):
        made = call(number, number + 1)
        journal.submitted(made)
        journal.keep(made, 0, "text/plain", b"result")
        journal.finished(made)
    journal.close()
    journal = Journal.open(path, SETTINGS)
    assert journal.first_step(LOOP, 9) == (0, 0)
    first = journal.known(0, "optim_step", "c", 1)
    assert first is not None
    journal.finished(first)
    journal.step(LOOP, 1, 2)  # the program has gone on; its second call waits for its turn
    second = journal.known(1, "optim_step", "c", 1)
    assert second is not None
    assert journal.kept(second, 0) == ("text/plain", b"result")
    journal.finished(second)
    journal.step(LOOP, 2, 2)
    assert journal.known(1, "optim_step", "c", 1) is None
    assert list(journal.path.with_name("journal.results").iterdir()) == []


def test_a_call_that_sends_nothing_has_had_its_turn(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal.open(path, SETTINGS)
    journal.begin(RUN)
    journal.step(LOOP, 0, 0)
    journal.empty(0)
    journal.step(LOOP, 1, 1)
    journal.close()
    journal = Journal.open(path, SETTINGS)
    assert journal.first_step(LOOP, 9) == (1, 1)


def test_another_call_is_refused_by_its_number(tmp_path: Path) -> None:
    written(tmp_path / "journal")
    journal = Journal.open(tmp_path / "journal", SETTINGS)
    with pytest.raises(JournalError, match=r"Call 1 .* is optim_step \(seq_id=3\) .* now forward:"):
        journal.known(1, "forward", "c", 1)
    with pytest.raises(JournalError, match="optim_step with other content"):
        journal.known(1, "optim_step", "other", 1)


def test_a_refused_call_is_forgotten_if_it_was_the_last(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "journal", SETTINGS)
    journal.begin(RUN)
    journal.submitted(call(0, 1))
    journal.refused(call(0, 1), ValueError("no"), 1)
    journal.close()
    journal = Journal.open(tmp_path / "journal", SETTINGS)
    assert journal.next_seq_id == 1
    assert journal.known(0, "optim_step", "mended", 1) is None
    journal.submitted(call(1, 1))
    journal.close()
    journal = Journal.open(tmp_path / "journal", SETTINGS)
    with pytest.raises(TinkerError, match="failed in an earlier process: no"):
        journal.known(0, "optim_step", "c", 1)


@pytest.mark.parametrize(
    "content", [b"step,loss\n", b"step", b'{"loss": 1}\n', b"\x00\xff\n", b"["]
)
def test_another_file_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(JournalError, match="is not a journal, or is damaged on line 1"):
        Journal.open(path, SETTINGS)
    assert path.read_bytes() == content


def test_damage_in_the_middle_is_named_by_line(tmp_path: Path) -> None:
    lines = written(tmp_path / "journal").splitlines(keepends=True)
    lines[3] = lines[3][:20] + b"\n"
    (tmp_path / "journal").write_bytes(b"".join(lines))
    with pytest.raises(JournalError, match="damaged on line 4"):
        Journal.open(tmp_path / "journal", SETTINGS)


def test_a_call_without_requests_is_damage(tmp_path: Path) -> None:
    content = written(tmp_path / "journal")
    (tmp_path / "journal").write_bytes(re.sub(rb'"seq_ids":\[[^]]*\]', b'"seq_ids":[]', content))
    with pytest.raises(JournalError, match="is damaged on line"):
        Journal.open(tmp_path / "journal", SETTINGS)


def test_other_settings_are_named(tmp_path: Path) -> None:
    written(tmp_path / "journal")
    with pytest.raises(JournalError, match="of a run with rank=8, not 16: use another file"):
        Journal.open(tmp_path / "journal", {**SETTINGS, "rank": 16})


def test_one_at_a_time_and_a_fork_does_not_hold_it(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal.open(path, SETTINGS)
    with pytest.raises(JournalError, match="in use by another process or client"):
        Journal.open(path, SETTINGS)
    to_child, from_child = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:  # it lives on when the journal is closed here
        os.close(to_child[1])
        os.write(from_child[1], b"forked")
        os.read(to_child[0], 1)
        os._exit(0)
    try:
        os.read(from_child[0], 6)
        journal.close()
        Journal.open(path, SETTINGS).close()
    finally:
        for descriptor in (*to_child, *from_child):
            os.close(descriptor)
        os.waitpid(pid, 0)


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.open(tmp_path / "journal", SETTINGS)
    journal.begin(RUN)
    before = (tmp_path / "journal").read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    with pytest.raises(OSError, match="No space left"):
        journal.submitted(call(0, 1))
    monkeypatch.undo()
    assert (tmp_path / "journal").read_bytes() == before
    journal.submitted(call(0, 1))
    journal.close()
    assert Journal.open(tmp_path / "journal", SETTINGS).next_seq_id == 2


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        (5, TypeError, "journal is 5; it must be the path of a file"),
        ("", ValueError, "journal is ''; it must be the path of a file"),
        ("/dev/zero", JournalError, "/dev/zero is not a regular file"),
    ],
)
def test_what_cannot_be_a_journal(path: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Journal.open(path, SETTINGS)


def test_a_journal_that_cannot_be_opened_says_only_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    besides: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", besides.append)
    with pytest.raises(FileNotFoundError):
        Journal.open(tmp_path / "none" / "journal", SETTINGS)
    gc.collect()
    assert besides == []

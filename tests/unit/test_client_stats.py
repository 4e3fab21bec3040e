"""The numbers of `client.stats()`: counted exactly, percentiles within their bound, shown in full."""

from __future__ import annotations

import gc
import math
import os
import signal
import threading

import attrs
import pytest
from hypothesis import given, strategies as st

import tinker
from tinker._protocol import recorder
from tinker._protocol.recorder import Durations, Recorder


@given(st.lists(st.floats(1e-5, 1e5), min_size=1, max_size=300))
def test_percentiles_are_those_of_the_sorted_list_within_their_bound(seconds: list[float]) -> None:
    durations = Durations()
    for one in seconds:
        durations.add(one)
    latency, ordered = durations.latency(), sorted(seconds)
    for share, found in ((0.5, latency.p50), (0.95, latency.p95), (0.99, latency.p99)):
        exact = ordered[math.ceil(share * len(ordered)) - 1]
        assert math.isclose(found, exact, rel_tol=0.025)
    assert (latency.count, latency.max) == (len(seconds), ordered[-1])
    assert math.isclose(latency.mean, math.fsum(seconds) / len(seconds), rel_tol=1e-9)


def test_memory_does_not_grow_with_what_is_counted() -> None:
    counted = Recorder()
    for number in range(10_000):
        counted.request("asample", 1.0 + number % 7, status=200, sent=1, received=1)
    durations = counted.requests["asample"].durations
    assert (len(durations.classes), len(durations._fresh)) == (7, 10_000 % 256)
    assert durations.latency().count == 10_000


def recorded() -> tinker.ClientStats:
    counted = Recorder()
    counted.under_way = 2
    counted.polls = 3
    counted.operation("optim_step", 2.0, "done")
    counted.request("optim_step", 0.02, status=503, sent=70, received=10)
    counted.request("optim_step", 0.04, status=None, sent=70, received=0)
    counted.request("retrieve_future", 1.5, status=200, sent=30, received=2_000_000)
    counted.retries["optim_step", "503"] += 1
    counted.waited("rate_limit", 1.25)
    counted.waited_in_queue("paused_capacity", 1.5)
    return counted.stats("protobuf")


def test_sums_are_over_all_requests() -> None:
    stats = recorded()
    assert (stats.bytes_sent, stats.bytes_received, stats.under_way) == (170, 2_000_010, 1)
    assert (stats.requests["optim_step"].attempts, stats.requests["optim_step"].failed) == (2, 2)
    assert stats.requests["optim_step"].latency.count == 1  # one had a response
    assert stats.retries == {"503": 1}
    waited = attrs.asdict(stats.waited)
    assert waited == {
        "server": pytest.approx(0.06), "queue": 1.5, "rate_limit": 1.25, "billing": 0.0, "retry": 0.0,
    }  # fmt: skip


def test_print_and_notebooks_show_everything() -> None:
    stats = recorded()
    text = repr(stats)
    for part in (
        "1 under way", "3 polls", "170 B sent", "2.0 MB received", "batches in protobuf",
        "waited: server 60 ms, queue 1.5 s, rate limit 1.25 s", "retries: 503: 1",
        "optim_step", "retrieve_future",
    ):  # fmt: skip
        assert part in text, part
    html = stats._repr_html_()
    assert html.count("<tr>") == 2 + 3
    assert "<td>retrieve_future</td><td>1</td>" in html


def test_an_empty_one_is_shown_too() -> None:
    assert repr(Recorder().stats(None)) == (
        "<ClientStats: 0.0 s, 0 under way, 0 polls, 0 B sent, 0 B received, batches in an encoding not known yet>"
    )


class Owner:
    """Stands for a client."""


def test_the_totals_of_a_process_keep_what_clients_counted_that_are_gone() -> None:
    before = recorder.total()
    owners = [Owner(), Owner()]
    for number, owner in enumerate(owners, 1):
        counted = Recorder()
        recorder.keep(counted, owner)
        counted.polls = number
        counted.request("asample", 0.5, status=200, sent=10, received=number)
        counted.request("asample", 0.5, status=None, sent=10, received=0)
        counted.retries["asample", "429"] += number

    def grown() -> tuple[float, ...]:
        now = recorder.total()
        found, old = now.requests["asample"], before.requests["asample"]
        return (
            now.polls - before.polls,
            found.attempts - old.attempts,
            found.failed - old.failed,
            found.bytes_sent - old.bytes_sent,
            found.bytes_received - old.bytes_received,
            found.durations.count - old.durations.count,
            now.retries["asample", "429"] - before.retries["asample", "429"],
        )

    expected = (3, 4, 2, 40, 3, 2, 3)
    assert grown() == expected
    owners.clear()
    del owner
    gc.collect()
    assert grown() == expected
    counted.polls += 1  # too late: its owner is gone
    assert grown() == expected


def test_a_client_may_be_collected_while_durations_are_sorted() -> None:
    owner = [Owner()]
    ended = Recorder()
    recorder.keep(ended, owner[0])
    ended.request("asample", 0.5, status=200, sent=10, received=0)

    class Collecting(float):
        def __radd__(self, other: float) -> float:
            owner.clear()  # the garbage collector may free it at any time
            return other + float(self)

    before = recorder.total().requests["asample"].durations.count
    durations = Durations()
    durations.add(Collecting(1.0))
    sorting = threading.Thread(target=durations.sort, daemon=True)
    sorting.start()
    sorting.join(10)
    assert not sorting.is_alive()
    assert (durations.count, durations.total) == (1, 1.0)
    assert not owner
    assert recorder.total().requests["asample"].durations.count == before


def test_a_forked_process_counts_on_whatever_its_parent_was_counting() -> None:
    owner, counted = Owner(), Recorder()
    recorder.keep(counted, owner)
    before = recorder.total()
    counted.under_way += 1
    counted.polls += 1
    with recorder._totals, recorder._sorting:  # as another thread might, just then
        child = os.fork()
    if child == 0:
        signal.alarm(10)  # a child that waits for ever is killed
        counted.request("asample", 0.5, status=200, sent=10, received=0)
        now = recorder.total()
        grown = now.requests["asample"].durations.count - before.requests["asample"].durations.count
        os._exit(0 if (grown, now.polls - before.polls, now.under_way) == (1, 1, 0) else 1)
    counted.under_way -= 1
    assert os.waitpid(child, 0)[1] == 0

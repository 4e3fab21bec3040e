"""What a terminal shows while a checkpoint is transferred, and that there is nothing without a terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import tinker
from tinker._protocol.transfer_display import TransferDisplay, callback_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_tells_share_size_and_time_left() -> None:
    clock, terminal = Clock(), Terminal()
    show = TransferDisplay("Downloading", terminal, clock)
    for clock.now, done in ((0.0, 20), (0.05, 30), (2.0, 60), (3.0, 100)):
        show(done * 10**6, 100 * 10**6)
    shown = [line.rstrip() for line in terminal.getvalue().split("\r")[1:]]
    assert shown == [
        "Downloading 20% of 100.0 MB",
        "Downloading 60% of 100.0 MB, 2 s left",  # 40 MB in 2 s; the first 20 MB were there before
        "Downloading 100% of 100.0 MB",
    ]
    assert terminal.getvalue().endswith("\n")
    assert terminal.getvalue().count("\n") == 1


def test_a_shorter_line_leaves_nothing_of_a_longer_one() -> None:
    clock, terminal = Clock(), Terminal()
    show = TransferDisplay("Uploading", terminal, clock)
    for clock.now, done in ((0.0, 0), (2.0, 1), (4.0, 2)):
        show(done, 2)
    first, second, third = terminal.getvalue().rstrip("\n").split("\r")[1:]
    assert len(third) >= len(second.rstrip()) > len(first.rstrip())


def test_an_unknown_total_shows_what_is_there() -> None:
    terminal = Terminal()
    TransferDisplay("Downloading", terminal)(2_500_000_000, None)
    assert terminal.getvalue() == "\rDownloading 2.5 GB"


def test_without_a_terminal_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert callback_of(True, "Downloading") is None
    monkeypatch.setattr("sys.stderr", Terminal())
    assert isinstance(callback_of(True, "Downloading"), TransferDisplay)
    assert callback_of(False, "Downloading") is callback_of(None, "Downloading") is None
    assert callback_of(print, "Downloading") is print


def test_a_download_shows_itself(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with tinker.ServiceClient(base_url=server) as service:
        training = service.create_lora_training_client("tinker-local/tiny", rank=4).result()
        path = training.save_weights_for_sampler("shown").result().path
        rest = service.create_rest_client()
        folder = rest.download_checkpoint(path, tmp_path, progress=True).result()
    assert (folder / "adapter_model.safetensors").exists()
    assert "\rDownloading " in terminal.getvalue()

"""`tinker train`: from a data file to a model that answers; interrupted, it goes on as if it had not been."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import attrs
import pytest

import tinker
from tests.support.command import COMMAND, Cli, environment
from tinker.recipes import RunFolder, Step, trackers
from tinker_local import LocalServer


def sums(path: Path, count: int = 24) -> Path:
    rows = [{"prompt": f"{n} plus 1 is ", "completion": f"{n + 1}."} for n in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def losses(folder: Path) -> list[tuple[int, float, float | None]]:
    return [(row["step"], row["train_mean_nll"], row.get("test/nll")) for row in metrics(folder)]


def checkpoints(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "checkpoints.jsonl").read_text().splitlines()]


# A job in the background, as many CI runners are, has SIGINT ignored; its children inherit that.
INTERRUPTIBLE = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from tinker.cli import main; main()",
]
ARGUMENTS = [
    "--batch-size",
    "5",
    "--epochs",
    "3",
    "--rank",
    "4",
    "--save-every",
    "3",
    "--eval-every",
    "4",
]


def test_a_name_that_the_server_offers_comes_before_a_folder_of_that_name(cli: Cli) -> None:
    (cli.folder / "tinker-local" / "tiny").mkdir(parents=True)
    data = sums(cli.folder / "sums.jsonl", 2)
    cli.ok("train", str(data), "--model", "tinker-local/tiny", "--max-steps", "1", "-o", "run")
    config = json.loads((cli.folder / "run" / "config.json").read_text())
    assert config["model_name"] == "tinker-local/tiny"
    cli.ok("sample", "tinker-local/tiny", "hi", "--max-tokens", "1")


def test_a_run_from_a_data_file(cli: Cli) -> None:
    data = sums(cli.folder / "sums.jsonl")
    done = cli.ok("train", str(data), *ARGUMENTS, "-o", "run")
    folder = cli.folder / "run"
    # 24 rows: 3 held out, 21 in batches of 5, so 5 steps an epoch; the last batch of 1 is trained on, too.
    rows = metrics(folder)
    assert [row["step"] for row in rows] == list(range(15))
    assert [row["num_sequences"] for row in rows] == [5, 5, 5, 5, 1] * 3
    assert rows[-1]["train_mean_nll"] < rows[0]["train_mean_nll"] / 2
    assert [row["step"] + 1 for row in rows if "test/nll" in row] == [4, 8, 12, 15]
    config = json.loads((folder / "config.json").read_text())
    assert (config["model_name"], config["lora_rank"]) == ("tinker-local/tiny", 4)
    saved = checkpoints(folder)
    assert [one["batch"] for one in saved] == [3, 6, 9, 12, 15]
    assert saved[-1]["final"] is True
    # stdout has the result alone: the sampler of the final checkpoint.
    path = done.stdout.strip()
    assert path == saved[-1]["sampler_path"]
    # The three held-out prompts are answered, before and after.
    beginnings = [line.partition(" ")[0] for line in done.stderr.splitlines()]
    assert [beginnings.count(word) for word in ("prompt", "before", "after")] == [3, 3, 3]
    assert "tinker chat run" in done.stderr
    # What the run says it deleted is gone, and the rest is there.
    run = path.removeprefix("tinker://").split("/")[0]
    present = {
        one["tinker_path"]
        for one in cli.ok("-f", "json", "checkpoint", "list", "--run-id", run).json["checkpoints"]
    }
    kept = {
        one[key]
        for one in saved
        if not one.get("deleted")
        for key in ("state_path", "sampler_path")
    }
    assert present == kept
    expires = {
        one["tinker_path"]: one["expires_at"]
        for one in cli.ok("-f", "json", "checkpoint", "list", "--run-id", run).json["checkpoints"]
    }
    assert expires[path] is None
    assert all(
        expires[one["state_path"]]
        for one in saved
        if not one.get("deleted") and not one.get("final")
    )


def test_the_curve_is_a_picture_of_all_steps(cli: Cli) -> None:
    cli.ok("train", str(sums(cli.folder / "sums.jsonl")), *ARGUMENTS, "-o", "run")
    picture = ElementTree.parse(cli.folder / "run" / "loss.svg")
    text = " ".join(element.text or "" for element in picture.iter())
    assert "…" not in text
    assert "held out" in text


def test_the_report_comes_first_and_a_dry_run_stops_there(cli: Cli) -> None:
    data = sums(cli.folder / "sums.jsonl")
    data.write_text(
        data.read_text() + json.dumps({"prompt": "0 plus 1 is ", "completion": "1."}) + "\n"
    )
    planned = cli.ok("-f", "json", "train", str(data), *ARGUMENTS, "--dry-run").json
    assert planned["data"]["rows"] == 25
    assert planned["data"]["duplicates"] == [[25, 1]]
    assert planned["plan"]["steps"] == 15
    # Bytes are the tiny model's tokens: prompt, completion and the end of text.
    lengths = [len(f"{n} plus 1 is {n + 1}.") + 1 for n in [*range(24), 0]]
    assert planned["data"]["percentiles"]["max"] == max(lengths)
    assert planned["data"]["tokens"] <= sum(lengths)
    assert not (cli.folder / "tinker-runs").exists()
    shown = cli.ok("train", str(data), "--dry-run").stderr
    assert "line 25 repeats 1" in shown
    assert "0 plus 1 is ⟦1." in shown


@pytest.mark.parametrize("moment", range(3))
def test_killed_and_resumed_it_gives_the_same_losses(cli: Cli, moment: int) -> None:
    data = sums(cli.folder / "sums.jsonl")
    cli.ok("train", str(data), *ARGUMENTS, "-o", "whole")
    process = subprocess.Popen(
        [*COMMAND, "train", str(data), *ARGUMENTS, "-o", "cut"],
        cwd=cli.folder,
        env=environment(cli.url, cli.folder),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    stop_at = ("step 2/15", "step 7/15", "saved")[moment]
    for line in process.stderr:
        if line.startswith(stop_at):
            break
    process.kill()
    process.communicate(timeout=30)
    resumed = cli.ok("train", "--resume", "cut")
    assert losses(cli.folder / "cut") == losses(cli.folder / "whole")
    assert checkpoints(cli.folder / "cut")[-1]["batch"] == 15
    # Again, it has nothing to do.
    assert cli.ok("train", "--resume", "cut").stdout == resumed.stdout


def test_ctrl_c_saves_a_checkpoint_and_says_how_to_go_on(cli: Cli) -> None:
    data = sums(cli.folder / "sums.jsonl")
    process = subprocess.Popen(
        [
            *INTERRUPTIBLE,
            "train",
            str(data),
            "--epochs",
            "200",
            "--save-every",
            "1000",
            "-o",
            "run",
        ],
        cwd=cli.folder,
        env=environment(cli.url, cli.folder),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("step 3/"):
            break
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "tinker train --resume run" in said
    assert "Traceback" not in said
    (saved,) = checkpoints(cli.folder / "run")
    assert saved["batch"] >= 3
    with tinker.RestClient(base_url=cli.url) as rest:
        assert rest.get_weights_info_by_tinker_path(saved["state_path"]).result().lora_rank == 32


def test_a_resumed_run_is_the_one_that_began(cli: Cli) -> None:
    data = sums(cli.folder / "sums.jsonl")
    cli.ok("train", str(data), *ARGUMENTS, "-o", "run")
    again = cli("train", str(data), "-o", "run")
    assert again.status == 1
    assert "--resume run" in again.stderr
    changed = cli("train", "--resume", "run", "--batch-size", "6")
    assert changed.status == 2
    assert "--batch-size" in changed.stderr
    sums(data, 23)
    other = cli("train", "--resume", "run")
    assert other.status == 1
    assert "SHA-256" in other.stderr
    assert cli("train", "--resume", "nowhere").status == 1


def test_a_run_that_is_refused_leaves_nothing_to_resume(cli: Cli) -> None:
    data = sums(cli.folder / "sums.jsonl")
    refused = cli("train", str(data), "--rank", "9999999", "-o", "run")
    assert refused.status == 1
    assert "rank" in refused.stderr
    assert "--resume" not in refused.stderr
    cli.ok("train", str(data), "--rank", "4", "--max-steps", "1", "-o", "run")
    (cli.folder / "file").touch()
    nowhere = cli("train", str(data), "-o", "file/run")
    assert nowhere.status == 1
    assert "file/run cannot be created" in nowhere.stderr


def test_a_run_that_goes_on_is_left_alone(cli: Cli) -> None:
    """Resuming it a second time, meanwhile, is refused and changes nothing."""
    data = sums(cli.folder / "sums.jsonl")
    cli.ok("train", str(data), *ARGUMENTS, "--max-steps", "8", "-o", "run")
    run = RunFolder(cli.folder / "run")
    (first, *_) = run.checkpoints()
    run.write("checkpoints.jsonl", json.dumps(attrs.asdict(first) | {"deleted": False}).encode())
    before = run.metrics()
    with run.locked():
        refused = cli("train", "--resume", "run")
    assert refused.status == 1
    assert "in use by another process" in refused.stderr
    assert run.metrics() == before


def test_a_run_that_fails_says_how_to_go_on(cli: Cli) -> None:
    data = sums(cli.folder / "sums.jsonl")
    with LocalServer(faults=["optim_step:status=400"]) as refusing:
        failed = cli(
            "train", str(data), *ARGUMENTS, "-o", "run", env={"TINKER_BASE_URL": refusing.url}
        )
    assert failed.status == 1
    assert "Go on with: tinker train --resume run" in failed.stderr


def test_a_run_is_finished_even_if_nothing_can_be_sampled(cli: Cli, tmp_path: Path) -> None:
    data = sums(cli.folder / "sums.jsonl")
    with LocalServer(tmp_path / "state") as working:
        env = {"TINKER_BASE_URL": working.url}
        first = cli("train", str(data), *ARGUMENTS, "--max-steps", "2", "-o", "run", env=env)
    with LocalServer(tmp_path / "state", faults=["asample:status=400"]) as refusing:
        again = cli("train", "--resume", "run", env={"TINKER_BASE_URL": refusing.url})
    assert (again.status, again.stdout) == (0, first.stdout)
    assert "The answers after training are missing" in again.stderr
    assert "tinker chat run" in again.stderr


def test_a_run_from_standard_input(cli: Cli) -> None:
    rows = sums(cli.folder / "sums.jsonl").read_text()
    command = ("train", "-", *ARGUMENTS, "--max-steps", "2", "-o", "run")
    assert "standard input: 24 rows" in cli.ok(*command, stdin=rows).stderr
    assert "standard input is empty" in cli("train", "--resume", "run").stderr
    cli.ok("train", "--resume", "run", stdin=rows)
    asked = cli.in_terminal("train", "--resume", "run")
    assert asked[0] == 2
    assert "--resume run < DATA" in asked[1]


def test_limits_end_a_run_with_a_checkpoint(cli: Cli) -> None:
    data = sums(cli.folder / "sums.jsonl")
    done = cli.ok(
        "train",
        str(data),
        "--batch-size",
        "4",
        "--max-tokens",
        "300",
        "--eval-fraction",
        "0",
        "-o",
        "run",
    )
    used = sum(row["num_tokens"] for row in metrics(cli.folder / "run"))
    assert 0 < used <= 300
    assert "max_tokens (300) reached" in done.stderr
    assert checkpoints(cli.folder / "run")[-1]["final"] is True
    few = cli("train", str(data), "--max-tokens", "3", "-o", "few")
    assert few.status == 1
    cost = cli("train", str(data), "--max-cost", "1", "-o", "cost")
    assert cost.status == 1
    assert "max_tokens" in cost.stderr


def test_patience_ends_a_run_at_its_best(cli: Cli) -> None:
    data = sums(cli.folder / "sums.jsonl")
    done = cli.ok(
        "train",
        str(data),
        "--epochs",
        "60",
        "--learning-rate",
        "0.02",
        "--lr-schedule",
        "constant",
        "--eval-every",
        "1",
        "--save-every",
        "1",
        "--patience",
        "3",
        "-o",
        "run",
    )
    assert "no better held-out loss in 3 evaluations" in done.stderr
    scored = [row["test/nll"] for row in metrics(cli.folder / "run")]
    best = min(range(len(scored)), key=scored.__getitem__)
    assert len(scored) < 120
    present = [one for one in checkpoints(cli.folder / "run") if not one.get("deleted")]
    assert best + 1 in [one["batch"] for one in present]
    # What samples from the run takes the best checkpoint.
    (sampled,) = cli.ok("-f", "json", "sample", "run", "1 plus 1 is ", "--max-tokens", "2").json[
        "samples"
    ]
    assert len(sampled["tokens"]) <= 2


def test_preference_pairs_are_trained_by_dpo(cli: Cli) -> None:
    rows = [
        {"prompt": f"say {n}: ", "chosen": "yes please", "rejected": "no thanks"} for n in range(20)
    ]
    (cli.folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    cli.ok(
        "train",
        "pairs.jsonl",
        "--epochs",
        "2",
        "--batch-size",
        "6",
        "--learning-rate",
        "1e-3",
        "-o",
        "run",
    )
    steps = metrics(cli.folder / "run")
    assert steps[0]["train_mean_nll"] == pytest.approx(
        0.693147, abs=1e-5
    )  # log 2: nothing is learned yet
    assert steps[-1]["train_mean_nll"] < 0.3
    assert steps[-1]["dpo/accuracy"] == 1.0
    assert steps[-1]["test/nll"] < 0.3


def test_rows_too_long_are_cut_dropped_or_refused_and_always_told(cli: Cli) -> None:
    rows = [{"prompt": "a" * 8, "completion": "b" * size} for size in (4, 40)]
    (cli.folder / "long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    base = ("-f", "json", "train", "long.jsonl", "--dry-run", "--max-length", "20")
    cut = cli.ok(*base).json["data"]
    assert [one["line"] for one in cut["truncated"]] == [2]
    dropped = cli.ok(*base, "--long-rows", "drop").json["data"]
    assert ([one["line"] for one in dropped["dropped"]], dropped["rows"]) == ([2], 1)
    assert "line 2" in cli(*base, "--long-rows", "refuse").stderr
    nothing = cli("train", "long.jsonl", "--dry-run", "--max-length", "6")
    assert nothing.status == 1
    assert "nothing left to train on" in nothing.stderr


def test_settings_come_from_a_file_and_flags_come_first(cli: Cli) -> None:
    sums(cli.folder / "sums.jsonl")
    (cli.folder / "train.toml").write_text('data = "sums.jsonl"\nbatch_size = 11\nnum_epochs = 1\n')
    plan = cli.ok("-f", "json", "train", "--config", "train.toml", "--dry-run").json["plan"]
    assert (plan["batch_size"], plan["steps"]) == (11, 2)
    plan = cli.ok(
        "-f", "json", "train", "--config", "train.toml", "--batch-size", "22", "--dry-run"
    ).json["plan"]
    assert (plan["batch_size"], plan["steps"]) == (22, 1)
    (cli.folder / "train.toml").write_text("batchsize = 3\n")
    assert "batch_size" in cli("train", "--config", "train.toml").stderr


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_live_view_fits_the_terminal(cli: Cli, columns: int) -> None:
    data = sums(cli.folder / "sums.jsonl")
    status, printed = cli.in_terminal("train", str(data), *ARGUMENTS, "-o", "run", columns=columns)
    assert status == 0, printed
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", printed)
    assert "step 15/15" in plain
    view = [
        line
        for line in re.split(r"[\r\n]+", plain)
        if re.match(r"step \d+/15 |loss \d|[\d,]+ tokens/s", line)
    ]
    assert len(view) >= 3
    assert max(len(line) for line in view) <= columns


def test_events_as_json_lines(cli: Cli) -> None:
    done = cli.ok(
        "-f", "json", "train", str(sums(cli.folder / "sums.jsonl")), *ARGUMENTS, "-o", "run"
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["step"] for one in events if one["event"] == "step"] == list(range(15))
    assert events[-1]["event"] == "finished"


def test_a_run_is_logged_to_a_tracker_too(cli: Cli) -> None:
    pytest.importorskip("tensorboard")
    cli.ok(
        "train",
        str(sums(cli.folder / "sums.jsonl")),
        *ARGUMENTS,
        "--log",
        "tensorboard",
        "-o",
        "run",
    )
    (written,) = (cli.folder / "run" / "tensorboard").iterdir()
    assert b"train_mean_nll" in written.read_bytes()


def test_a_tracker_that_fails_does_not_end_a_run(caplog: pytest.LogCaptureFixture) -> None:
    logged: list[int] = []

    def failing(step: int, _: object) -> None:
        if step == 1:
            raise OSError("the tracker's server is away")

    ended = {
        "wandb": (failing, lambda: None),
        "mlflow": (lambda step, _: logged.append(step), lambda: None),
    }
    opened = trackers.Trackers(ended)  # type: ignore[arg-type]
    for step in range(3):
        opened.log(Step(step, 3, 0, 1.0, 1, 1, 1, 1e-3, 1.0))
    opened.close()
    assert logged == [0, 1, 2]
    assert [record.getMessage() for record in caplog.records] == [
        "logging to wandb failed, and is off from now on: the tracker's server is away"
    ]


def test_init_makes_what_trains(cli: Cli) -> None:
    cli.ok("init", "start")
    assert cli("init", "start").status == 1
    assert {name.name for name in (cli.folder / "start").iterdir()} == {
        "data.jsonl",
        "train.toml",
        "train.py",
        "README.md",
    }
    assert os.access(cli.folder / "start" / "train.py", os.R_OK)


def chats(path: Path) -> Path:
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"{n}?"},
                {"role": "assistant", "content": "Forty-two."},
            ]
        }
        for n in range(8)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_chats_are_rendered_by_the_template_and_the_model_answers(cli: Cli) -> None:
    data = chats(cli.folder / "chats.jsonl")
    (row,) = cli.ok("-f", "json", "data", "show", str(data), "--line", "3").json["rows"]
    trained = bytes(
        t for t, flag in zip(row["tokens"], row["trained"], strict=True) if flag and t < 256
    )
    assert trained == b"Forty-two."
    assert row["trained"][-1] is True  # the end of the turn
    cli.ok("train", str(data), "--batch-size", "4", "--epochs", "15", "--rank", "4", "-o", "run")
    answer = cli("chat", "run", "--temperature", "0", stdin="11?\n")
    assert answer.stdout.strip() == "Forty-two."
    scores = cli.ok("-f", "json", "eval", "run", str(data), "--exact-match").json
    assert scores["exact_match"] == 1.0
    assert scores["loss"] < 0.2
    base = cli.ok("-f", "json", "eval", "tinker-local/tiny", str(data)).json
    assert base["loss"] > 3
    lines = cli("-f", "json", "chat", "run", "--temperature", "0", stdin="11?\n12?\n").stdout
    answered = [json.loads(line) for line in lines.splitlines()]
    assert [one["prompt"] for one in answered] == ["11?", "12?"]
    assert answered[0]["answer"] == "Forty-two."


def test_many_prompts_are_answered_once_each(cli: Cli) -> None:
    rows = [{"prompt": f"{n}"} for n in range(5)]
    (cli.folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = (
        "sample",
        "tinker-local/tiny",
        "--prompts",
        "prompts.jsonl",
        "-o",
        "answers.jsonl",
        "--seed",
        "1",
        "--max-tokens",
        "3",
    )
    cli.ok(*command)
    path = cli.folder / "answers.jsonl"
    whole = path.read_bytes()
    assert [json.loads(line)["prompt"] for line in whole.splitlines()] == [
        row["prompt"] for row in rows
    ]
    path.write_bytes(whole[: whole.index(b"\n") + 10])  # cut in the second answer
    again = cli.ok(*command)
    assert path.read_bytes() == whole
    assert "has 1 answer already" in again.stderr
    # Answers to other prompts are not mixed with these.
    rows[3]["prompt"] = "another"
    (cli.folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    other = cli(*command)
    assert (other.status, path.read_bytes()) == (1, whole)
    assert "line 4" in other.stderr


def test_a_run_is_exported_for_peft(cli: Cli) -> None:
    cli.ok("train", str(sums(cli.folder / "sums.jsonl")), *ARGUMENTS, "-o", "run")
    folder = Path(cli.ok("-f", "json", "export", "run", "-o", "adapter").json["destination"])
    assert {"adapter_config.json", "adapter_model.safetensors"} <= {
        one.name for one in folder.iterdir()
    }
    again = cli("export", "run", "-o", "adapter")
    assert again.status == 1
    assert "--output" in again.stderr


def test_an_exported_adapter_is_uploaded_and_trained_on(cli: Cli) -> None:
    data = sums(cli.folder / "sums.jsonl")
    cli.ok("train", str(data), *ARGUMENTS, "-o", "run")
    cli.ok("export", "run", "-o", "adapter")
    path = cli.ok("-f", "json", "upload", "adapter", "--base-model", "tinker-local/tiny").json[
        "tinker_path"
    ]
    assert "/external_weights/" in path
    (best,) = [
        one
        for one in checkpoints(cli.folder / "run")
        if one["batch"] == best_step(cli.folder / "run")
    ]
    uploaded = cli.ok("-f", "json", "eval", path, str(data)).json
    original = cli.ok("-f", "json", "eval", best["sampler_path"], str(data)).json
    assert uploaded["loss"] == pytest.approx(original["loss"], rel=1e-5)
    cli.ok("train", str(data), "--load-checkpoint-path", path, "--max-steps", "2", "-o", "more")
    assert (
        metrics(cli.folder / "more")[0]["train_mean_nll"]
        < metrics(cli.folder / "run")[0]["train_mean_nll"] / 2
    )
    (cli.folder / "adapter" / "adapter_model.safetensors").write_bytes(b"no")
    broken = cli("upload", "adapter", "--base-model", "tinker-local/tiny")
    assert broken.status == 1
    assert "adapter_model.safetensors" in broken.stderr


def best_step(folder: Path) -> int:
    present = [
        one
        for one in checkpoints(folder)
        if not one.get("deleted") and one.get("eval_loss") is not None
    ]
    best: int = min(present, key=lambda one: one["eval_loss"])["batch"]
    return best

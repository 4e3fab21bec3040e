"""The commands that the official one has, with its flags and exit codes, and JSON that is valid when nothing is found."""

from __future__ import annotations

import csv
import json
import shutil
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import tinker
from tests.support import pauses
from tests.support.command import COMMAND, Cli, environment
from tests.support.command_here import CliHere
from tests.support.scripted_server import ScriptedServer
from tinker_local import LocalServer


def run_of(path: str) -> str:
    return path.removeprefix("tinker://").split("/")[0]


def test_checkpoints_of_a_run_as_table_and_as_json(cli: Cli, saved: tuple[str, str]) -> None:
    run = run_of(saved[0])
    listed = cli.ok("-f", "json", "checkpoint", "list", "--run-id", run).json
    assert listed["run_id"] == run
    assert {one["tinker_path"] for one in listed["checkpoints"]} == set(saved)
    assert {one["checkpoint_type"] for one in listed["checkpoints"]} == {"training", "sampler"}
    # The option may come last, too, and a table in a pipe cuts nothing.
    assert cli.ok("checkpoint", "list", "--run-id", run, "-f", "json").json == listed
    table = cli.ok("checkpoint", "list", "--run-id", run).stdout
    assert all(path in table for path in saved)


def test_all_checkpoints_by_limit(cli: Cli, saved: tuple[str, str]) -> None:
    assert len(cli.ok("-f", "json", "checkpoint", "list", "--limit", "1").json["checkpoints"]) == 1
    everything = cli.ok("-f", "json", "checkpoint", "list", "--limit", "0").json["checkpoints"]
    assert set(saved) <= {one["tinker_path"] for one in everything}


def test_one_checkpoint(cli: Cli, saved: tuple[str, str]) -> None:
    found = cli.ok("-f", "json", "checkpoint", "info", saved[0]).json
    assert found["tinker_path"] == saved[0]
    assert (found["is_lora"], found["lora_rank"]) == (True, 4)
    assert saved[0] in cli.ok("checkpoint", "info", saved[0]).stdout


def test_publish_unpublish_and_expiry(cli: Cli, saved: tuple[str, str]) -> None:
    path = saved[1]
    said = cli.ok("-f", "json", "checkpoint", "publish", path)
    assert said.json == {"tinker_path": path, "public": True}
    assert cli.ok("-f", "json", "checkpoint", "info", path).json["public"] is True
    cli.ok("checkpoint", "unpublish", path)
    assert cli.ok("-f", "json", "checkpoint", "info", path).json["public"] is False
    said = cli.ok("-f", "json", "checkpoint", "set-ttl", path, "--ttl", "86400")
    assert said.json == {"tinker_path": path, "ttl_seconds": 86400}
    assert cli.ok("-f", "json", "checkpoint", "info", path).json["expires_at"] is not None
    cli.ok("checkpoint", "set-ttl", path, "--remove")
    assert cli.ok("-f", "json", "checkpoint", "info", path).json["expires_at"] is None
    assert cli("checkpoint", "set-ttl", path).status == 1


def test_what_destroys_asks_and_no_answer_means_no(cli: Cli, saved: tuple[str, str]) -> None:
    refused = cli("checkpoint", "delete", saved[0])
    assert refused.status == 1
    assert "--yes" in refused.stderr
    assert cli.ok("-f", "json", "checkpoint", "info", saved[0]).json["tinker_path"] == saved[0]
    unknown = f"tinker://{run_of(saved[0])}/weights/unknown"
    some = cli.ok("-f", "json", "checkpoint", "delete", "-y", saved[0], unknown)
    assert some.json["deleted_count"] == 1
    assert [one["tinker_path"] for one in some.json["failed"]] == [unknown]
    assert saved[0] not in cli.ok("checkpoint", "list", "--run-id", run_of(saved[0])).stdout


def test_delete_by_run_and_filter(cli: Cli, saved: tuple[str, str]) -> None:
    run = run_of(saved[0])
    none = cli.ok(
        "-f", "json", "checkpoint", "delete", "--run-id", run, "--before", "2020-01-01", "-y"
    )
    assert none.json == {"deleted_count": 0, "failed": []}
    cli.ok("checkpoint", "delete", "--run-id", run, "--type", "weights", "-y")
    left = cli.ok("-f", "json", "checkpoint", "list", "--run-id", run).json["checkpoints"]
    assert [one["tinker_path"] for one in left] == [saved[1]]


def test_prune_keeps_the_newest_of_each_type(cli: Cli, server: str) -> None:
    with tinker.ServiceClient(base_url=server) as service:
        client = service.create_lora_training_client("tinker-local/tiny", rank=4).result()
        paths = [client.save_state(f"s{n}").result().path for n in range(3)]
        sampler = client.save_weights_for_sampler("one").result().path
    run = run_of(sampler)
    planned = cli.ok(
        "-f", "json", "checkpoint", "prune", "--keep", "1", "--run-id", run, "--dry-run"
    ).json
    assert {one["tinker_path"] for one in planned["checkpoints"]} == set(paths[:2])
    assert len(cli.ok("-f", "json", "checkpoint", "list", "--run-id", run).json["checkpoints"]) == 4
    assert (
        cli.ok(
            "-f",
            "json",
            "checkpoint",
            "prune",
            "--keep",
            "0",
            "--older-than",
            "1d",
            "--run-id",
            run,
            "-y",
        ).json["deleted_count"]
        == 0
    )
    for age in ("soon", "-3d", "1e9d", "1e400d"):
        rejected = cli("checkpoint", "prune", "--keep", "0", f"--older-than={age}", "-y")
        assert (rejected.status, f"'{age}' is not a duration" in rejected.stderr) == (2, True)
    cli.ok("checkpoint", "prune", "--keep", "1", "--run-id", run, "-y")
    left = cli.ok("-f", "json", "checkpoint", "list", "--run-id", run).json["checkpoints"]
    assert {one["tinker_path"] for one in left} == {paths[2], sampler}


def test_download_into_a_folder_named_for_it(cli: Cli, saved: tuple[str, str]) -> None:
    listing = ("-f", "json", "checkpoint", "list", "--limit", "0")
    before = cli.ok(*listing).json["checkpoints"]
    done = cli.ok("-f", "json", "checkpoint", "download", saved[0], "--output", "models").json
    folder = Path(done["destination"])
    assert folder.parent == (cli.folder / "models").resolve()
    assert json.loads((folder / "adapter_config.json").read_text())["r"] == 4
    assert (folder / "adapter_model.safetensors").stat().st_size <= done["file_size_bytes"]
    again = cli("checkpoint", "download", saved[0], "--output", "models")
    assert again.status == 1
    assert "--force" in again.stderr
    cli.ok("checkpoint", "download", saved[0], "--output", "models", "--force")
    # What it was exported through is gone again.
    paths = [
        {one["tinker_path"] for one in listed}
        for listed in (before, cli.ok(*listing).json["checkpoints"])
    ]
    assert paths[0] == paths[1]


def test_create_a_checkpoint_to_train_from(cli: Cli) -> None:
    made = cli.ok(
        "-f", "json", "checkpoint", "create", "--base-model", "tinker-local/tiny", "--rank", "2"
    ).json
    assert cli.ok("-f", "json", "checkpoint", "info", made["tinker_path"]).json["lora_rank"] == 2


def test_runs(cli: Cli, saved: tuple[str, str]) -> None:
    run = run_of(saved[0])
    listed = cli.ok("-f", "json", "run", "list", "--limit", "0").json["runs"]
    assert run in {one["training_run_id"] for one in listed}
    assert cli.ok("-f", "json", "run", "info", run).json["lora_rank"] == 4
    assert run in cli.ok("run", "list", "-c", "id,checkpoint_time", "--limit", "0").stdout
    wrong = cli("run", "list", "-c", "id,size")
    assert wrong.status == 1
    assert "size" in wrong.stderr


def test_models_by_part_of_the_name(cli: Cli) -> None:
    assert [
        m["model_name"] for m in cli.ok("-f", "json", "model", "list", "TINY").json["models"]
    ] == ["tinker-local/tiny"]
    absent = cli("-f", "json", "model", "list", "absent")
    assert (absent.status, absent.json) == (1, {"models": []})
    assert "No models found" in cli("model", "list", "absent").stdout


def test_a_model_of_which_the_server_says_little(cli: Cli) -> None:
    """As TuFT lists them: whether they can be trained is unknown, which is not "No"."""
    known = {"model_name": "org/known", "trainable": True, "sampleable": False}
    models = {"supported_models": [{"model_name": "org/bare"}, known]}
    with ScriptedServer(get_server_capabilities=[(200, models)]) as other:
        done = cli.ok("--base-url", other.url, "model", "list")
    rows = [line.split() for line in done.stdout.splitlines() if "org/" in line]
    assert rows == [["org/bare"], ["org/known", "Yes", "No"]]


def test_sessions_and_their_trace(cli: Cli, saved: tuple[str, str]) -> None:
    session = run_of(saved[0]).split(":")[0]
    assert session in cli.ok("-f", "json", "session", "list", "--limit", "0").json["sessions"]
    assert (
        run_of(saved[0])
        in cli.ok("-f", "json", "session", "info", session).json["training_run_ids"]
    )
    done = cli.ok("-f", "json", "session", "export-trace", session).json
    assert Path(done["destination"]).stat().st_size == done["file_size_bytes"] > 0
    assert cli.ok("session", "export-trace", session, "--url-only").stdout.startswith(
        "http://127.0.0.1"
    )


def test_usage_is_added_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two batches, tokens and sampled tokens as they were sent and drawn."""
    with LocalServer() as running, tinker.ServiceClient(base_url=running.url) as service:
        training = service.create_lora_training_client("tinker-local/tiny", rank=2).result()
        datum = tinker.Datum(tinker.ModelInput.from_ints([1, 2, 3]), {"target_tokens": [2, 3, 4]})
        for _ in range(2):
            training.forward_backward([datum, datum], "cross_entropy").result()
        sampler = training.save_weights_and_get_sampling_client().result()
        params = tinker.SamplingParams(max_tokens=5, seed=1)
        drawn = sampler.sample(tinker.ModelInput.from_ints([1, 2]), 3, params).result()
        tokens = sum(len(sequence.tokens) for sequence in drawn.sequences)
        cli = CliHere(running.url, tmp_path, monkeypatch)
        (used,) = cli.ok("-f", "json", "usage").json["usage"]
        assert used["session"] == training.model_id.split(":")[0]
        (by_run,) = cli.ok("-f", "json", "usage", "--by", "run").json["usage"]
        assert (by_run["run"], by_run["training"]) == (training.model_id, 12)
        assert (used["training"], used["sampling_prefill"], used["sampling_sample"]) == (
            12,
            2,
            tokens,
        )
        by_kind = {
            one["kind"]: one for one in cli.ok("-f", "json", "usage", "--by", "kind").json["usage"]
        }
        assert by_kind["training"]["training"] == 12
        assert {
            one["user"] for one in cli.ok("-f", "json", "usage", "--by", "user").json["usage"]
        } == {"local"}


def test_usage_as_csv_has_a_column_for_each_fact(
    cli: Cli, server: str, saved: tuple[str, str]
) -> None:
    """The columns are those of the official command: what was counted has columns of its own, and objects are JSON."""
    with tinker.ServiceClient(base_url=server, user_metadata={"note": 'a,"b"'}) as service:
        training = service.create_lora_training_client("tinker-local/tiny", rank=2).result()
        training.save_state("one").result()
        session = training.model_id.split(":")[0]
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [time.isoformat() for time in (now - timedelta(hours=1), now + timedelta(hours=1))]
    done = cli.ok("billing", "usage", *hours, "--csv", "-", "--sessions-csv", "sessions.csv")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert list(rows[0])[:3] == ["bucket_start", "bucket_end", "base_model"]
    (saving,) = [
        row for row in rows if row["session_id"] == session and row["type"] == "checkpoint"
    ]
    assert saving["count"] == "1"
    with (cli.folder / "sessions.csv").open() as file:
        metadata = {row["session_id"]: row["user_metadata"] for row in csv.DictReader(file)}
    assert json.loads(metadata[session]) == {"note": 'a,"b"'}
    assert "sessions.csv" in done.stderr


def test_billing_as_csv(cli: Cli, saved: tuple[str, str]) -> None:
    day = ("2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z")
    assert set(cli.ok("-f", "json", "billing", "usage", *day).json) >= {"data", "sessions"}
    rows = list(
        csv.DictReader(cli.ok("billing", "checkpoint-storage", "--csv", "-").stdout.splitlines())
    )
    assert int(rows[0]["checkpoint_count"]) >= 2
    assert next(iter(rows[0])) == "effective_rate_usd_per_gigabyte_month"
    wrong = cli("billing", "usage", "yesterday", day[1])
    assert wrong.status == 1
    assert "yesterday" in wrong.stderr


def test_log_in_and_out_with_the_official_file(cli: Cli, server: str) -> None:
    assert cli("auth", "logout").status == 1
    done = cli("auth", "login", stdin="tml-local\n")
    assert done.status == 0, done.stderr
    path = cli.folder / ".tinker" / "credentials.json"
    stored = json.loads(path.read_text())
    record = stored["keys"][stored["default"]]
    assert (stored["version"], record["type"], record["key"]) == (1, "manual", "tml-local")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "tml-local" not in done.stdout + done.stderr.replace("tml-local\n", "")
    assert cli("auth", "login", stdin="tml-local\n").status == 1
    assert "GetPassWarning" not in done.stderr
    assert cli.ok("-f", "json", "auth", "status").json == {"credentials": True, "accessible": True}
    assert cli.ok("-f", "json", "auth", "whoami").json["org_urn"]
    cli.ok("auth", "logout")
    assert json.loads(path.read_text()) == {"version": 1, "default": None, "keys": {}}
    empty = cli("auth", "login", stdin="")
    assert (empty.status, "no API key" in empty.stderr) == (1, True)


def test_doctor_shows_no_secret(cli: Cli) -> None:
    secret = "tml-not-for-eyes"
    done = cli(
        "doctor",
        env={
            "TINKER_API_KEY": secret,
            "HTTPS_PROXY": "http://user:hunter2@proxy.example:3128",
            "TINKER_TAGS": "one,two",
            "HF_TOKEN": "hf_not-for-eyes",
        },
    )
    assert done.status == 0, done.stdout
    assert "TINKER_API_KEY" in done.stdout
    assert "proxy.example:3128" in done.stdout
    assert secret not in done.stdout + done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert "hf_not-for-eyes" not in done.stdout + done.stderr
    assert "TINKER_TAGS=one,two" in done.stdout
    assert "training batches are sent as protobuf" in done.stdout


def test_doctor_names_a_damaged_file_of_credentials(cli: Cli) -> None:
    (cli.folder / ".tinker").mkdir()
    (cli.folder / ".tinker" / "credentials.json").write_text("{tml-secret")
    done = cli("-f", "json", "doctor")
    assert done.status == 1
    (found,) = [one for one in done.json["checks"] if one["check"] == "credential"]
    assert (found["status"], "credentials.json" in found["text"]) == ("failed", True)
    assert "tml-secret" not in done.stdout + done.stderr


def test_the_server_is_chosen_for_the_conformance_tests_too(process: Cli) -> None:
    done = process("--base-url", "http://127.0.0.1:9", "conformance", "--only", "healthz")
    assert done.status == 2
    assert "http://127.0.0.1:9" in done.stderr
    assert "usage: tinker conformance" in process.ok("conformance", "--help").stdout
    assert "usage: tinker serve" in process.ok("serve", "--help").stdout


def test_doctor_fails_where_nothing_answers(cli: Cli) -> None:
    done = cli("-f", "json", "doctor", env={"TINKER_BASE_URL": "http://127.0.0.1:9"})
    assert done.status == 1
    assert done.stderr == ""
    assert {one["check"] for one in done.json["checks"] if one["status"] == "failed"} >= {
        "connection"
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["checkpoint", "lst"], "Did you mean 'list'?"),
        (["trian"], "No such command 'trian'. Did you mean 'train'?"),
        (["checkpoint", "list", "--limt", "3"], "--limit"),
        (["train", "data.jsonl", "--lr-schedule", "step"], "cosine"),
    ],
)
def test_wrong_usage_is_reported_with_exit_status_2(
    cli: Cli, arguments: list[str], words: str
) -> None:
    done = cli(*arguments)
    assert done.status == 2
    assert words in done.stderr
    assert done.stdout == ""


def test_a_failure_is_one_sentence_and_debug_shows_more(process: Cli) -> None:
    done = process("run", "info", "unknown")
    assert done.status == 1
    assert done.stderr.startswith("Error: ")
    assert "unknown" in done.stderr
    more = subprocess.run(
        [*COMMAND, "--debug", "run", "info", "unknown"],
        capture_output=True,
        text=True,
        env=environment(process.url, process.folder),
        timeout=60,
        check=False,
    )
    assert more.returncode == 1
    assert "Traceback" in more.stderr


def test_a_server_that_is_down_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses.give_up_at_once(monkeypatch)
    done = cli("model", "list", env={"TINKER_BASE_URL": "http://127.0.0.1:9"})
    assert done.status == 1
    assert "http://127.0.0.1:9" in done.stderr


def test_a_terminal_gets_no_control_characters_of_a_model(cli: Cli) -> None:
    command = ("sample", "tinker-local/tiny", "a", "--max-tokens", "200", "--seed", "1")
    (sampled,) = cli.ok("-f", "json", *command).json["samples"]
    controls = {c for c in sampled["text"] if ord(c) < 32} - set("\r\n\t")
    assert controls
    status, printed = cli.in_terminal(*command)
    assert (status, controls & set(printed)) == (0, set())
    assert controls <= set(cli.ok(*command).stdout)  # a pipe gets the text as it is


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-"])
def test_a_stream_that_the_shell_has_closed(cli: Cli, closed: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f'"$@" {closed}', "bash", *COMMAND, "doctor"],
        capture_output=True,
        text=True,
        env=environment(cli.url, cli.folder),
        timeout=60,
        check=False,
    )
    assert (done.returncode, "Error" in done.stderr) == (0, False), done.stderr


def test_output_is_utf_8_in_every_locale(process: Cli) -> None:
    (process.folder / "data.jsonl").write_text('{"text": "İstanbul 東京"}\n', encoding="utf-8")
    for locale in ({"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}):
        done = process("-f", "json", "data", "show", "data.jsonl", env=locale)
        assert "İstanbul 東京" in done.json["rows"][0]["text"], done.stderr


def test_the_reader_of_a_pipe_may_leave(cli: Cli) -> None:
    done = subprocess.run(
        ["bash", "-c", '"$@" | head -c 1', "bash", *COMMAND, "train", "--help"],
        capture_output=True,
        text=True,
        env=environment(cli.url, cli.folder),
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("U", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(cli: Cli, shell: str) -> None:
    assert "_TINKER_COMPLETE" in cli.ok("completion", shell).stdout


def test_completion_of_subcommands(process: Cli) -> None:
    done = process(
        env={
            "_TINKER_COMPLETE": "bash_complete",
            "COMP_WORDS": "tinker checkpoint pu",
            "COMP_CWORD": "2",
        }
    )
    assert {"plain,publish", "plain,push-hf"} <= set(done.stdout.split())


SHELLS = {
    "bash": """
        compopt() { echo files; }
        COMP_WORDS=($1) COMP_CWORD=$(( $2 - 1 ))
        _tinker_completion tinker
        echo "${COMPREPLY[@]}"
    """,
    "zsh": """
        _describe() { print -l -- ${completions_with_descriptions%%:*} }
        compadd() { print -l -- $completions }
        _path_files() { print files }
        words=(${=1}) CURRENT=$2
        _tinker_completion
    """,
    "fish": """
        complete -C $argv[1] | cut -f 1
    """,
}
"""What a shell does when the Tab key is pressed after the words in $1, of which there are $2."""


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("tinker che", "checkpoint"),
        ("tinker train --lr-schedule co", "constant cosine"),
        ("tinker train da", "files"),  # by the shell itself
        ("tinker chat --against da", "files"),
    ],
)
def test_completion_in_a_shell(cli: Cli, shell: str, typed: str, found: str) -> None:
    """The script is sourced, and its function called as the shell calls it."""
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    (cli.folder / "data.jsonl").touch()
    command = cli.folder / "tinker"
    command.write_text(f'#!/bin/sh\nexec "{COMMAND[0]}" -m tinker.cli "$@"\n')
    command.chmod(0o755)
    script = cli.folder / "script"
    source = cli.ok("completion", shell).stdout
    script.write_text(("compdef() { }\n" if shell == "zsh" else "") + source + SHELLS[shell])
    env = environment(cli.url, cli.folder)
    done = subprocess.run(
        [shell, script, typed, str(len(typed.split()))],
        capture_output=True,
        text=True,
        cwd=cli.folder,
        env={**env, "PATH": f"{cli.folder}:{env['PATH']}"},
        timeout=60,
        check=False,
    )
    wanted = "data.jsonl" if (shell, found) == ("fish", "files") else found
    assert sorted(done.stdout.split()) == sorted(wanted.split()), done.stderr


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_tables_fit_the_terminal_and_cut_no_path(
    cli: Cli, saved: tuple[str, str], columns: int
) -> None:
    import re

    status, printed = cli.in_terminal(
        "checkpoint", "list", "--run-id", run_of(saved[0]), columns=columns
    )
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", printed)
    assert status == 0
    assert max(len(line.rstrip()) for line in plain.splitlines()) <= columns
    assert "…" not in plain
    assert "\x1b[" in printed  # bold headers
    bare = cli.in_terminal("--no-color", "checkpoint", "list", columns=columns)[1]
    assert "\x1b[3" not in bare.replace("\x1b[3m", "")


def test_help_has_examples_everywhere(cli: Cli) -> None:
    import click

    from tinker.cli.app import _COMMANDS, tinker as root

    def walk(command: click.Command, path: list[str]) -> None:
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                assert child is not None
                walk(child, [*path, name])
        elif path[0] not in ("serve", "conformance"):
            assert "tinker " + path[0] in (command.epilog or ""), f"{' '.join(path)} has no example"

    walk(root, [])
    assert set(_COMMANDS) == set(root.list_commands(click.Context(root)))

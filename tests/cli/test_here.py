"""What commands say and how they end, inside this process: prompts, conversations, credentials, odd input, refusals."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

import tinker
from tests.support.command_here import CliHere
from tests.support.scripted_server import Answer, ScriptedServer
from tinker.cli import texts
from tinker.cli.hub import push
from tinker.recipes.errors import RecipeError
from tinker.recipes.events import Event
from tinker.recipes.supervised import Training

TINY = "tinker-local/tiny"
NOWHERE = "http://127.0.0.1:9"
HEALTHY: dict[str, list[Answer]] = {"healthz": [(200, {})]}
NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.fixture
def here(cli: CliHere) -> CliHere:
    return cli


# ---- sample ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Give one of PROMPT, --prompt-file and --prompts."),
        (("hi", "--prompt-file", "p"), "Give one of PROMPT, --prompt-file and --prompts."),
        (("--prompts", "p"), "--prompts and --output go together."),
        (("hi", "--output", "o"), "--prompts and --output go together."),
        (("hi", "-n", "0"), "'-n'"),
    ],
)
def test_wrong_ways_to_give_a_prompt(
    here: CliHere, arguments: tuple[str, ...], sentence: str
) -> None:
    done = here("sample", TINY, *arguments)
    assert (done.status, done.stdout) == (2, "")
    assert sentence in done.stderr


@pytest.mark.parametrize(
    ("content", "tokens"),
    [
        (b"abc", 3),
        (b"[1, 2]", 2),
        (b'{"tokens": [1, 2, 3, 4]}', 4),
        (b'{"a":1}', 7),  # JSON that is no prompt is text
        (b"17", 2),
    ],
)
def test_a_prompt_from_a_file(here: CliHere, content: bytes, tokens: int) -> None:
    (here.folder / "p").write_bytes(content)
    # A sample may end early: with this seed none does.
    ask = ("sample", TINY, "--prompt-file", "p", "--max-tokens", "2", "--seed", "1")
    found = here.ok("-f", "json", *ask).json
    assert found["prompt_tokens"] == tokens
    assert [len(one["tokens"]) for one in found["samples"]] == [2]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "p cannot be read"),
        (b"\xff\xfe", "p cannot be read"),
        (b"", "the prompt must be a non-empty string"),
        (b"[]", "`tokens` must be a non-empty list of token ids"),
    ],
)
def test_a_file_that_is_no_prompt(here: CliHere, content: bytes | None, sentence: str) -> None:
    if content is not None:
        (here.folder / "p").write_bytes(content)
    done = here("sample", TINY, "--prompt-file", "p")
    assert (done.status, done.stdout) == (1, "")
    assert sentence in done.stderr


def test_several_samples_of_standard_input_are_numbered(here: CliHere) -> None:
    done = here.ok("sample", TINY, "-", "-n", "2", "--max-tokens", "3", "--seed", "1", stdin="ab")
    lines = done.stderr.splitlines()
    assert [line for line in lines if line.startswith("[")] == ["[1]", "[2]"]
    assert sum("3 tokens, length, mean log-probability -" in line for line in lines) == 2


def test_answers_go_on_where_they_ended(here: CliHere) -> None:
    rows = [{"prompt": "a"}, {"text": "b"}, {"tokens": [1, 2]}]
    (here.folder / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ask = ("sample", TINY, "--prompts", "p.jsonl", "--output", "o.jsonl", "--max-tokens", "2")
    assert "3 answers in o.jsonl" in here.ok(*ask).stderr
    whole = (here.folder / "o.jsonl").read_bytes()
    answers = [json.loads(line) for line in whole.splitlines()]
    assert [answer["prompt"] for answer in answers] == ["a", "b", [1, 2]]
    first = whole.splitlines(keepends=True)[0]
    (here.folder / "o.jsonl").write_bytes(first + b'{"prompt": "b", "sam')  # a crash
    assert "o.jsonl has 1 answer already; going on with prompt 2." in here.ok(*ask).stderr
    again = (here.folder / "o.jsonl").read_bytes()
    assert again.startswith(first)
    assert [json.loads(line)["prompt"] for line in again.splitlines()] == ["a", "b", [1, 2]]
    assert "has 3 answers already; no prompt is left." in here.ok(*ask).stderr
    assert (here.folder / "o.jsonl").read_bytes() == again


def test_more_prompts_than_are_asked_at_once_are_answered_in_order(here: CliHere) -> None:
    here.patch.setattr("tinker.cli.commands.sample._AT_ONCE", 2)
    rows: list[dict[str, object]] = [{"prompt": f"{n}"} for n in range(4)]
    messages = [{"role": "user", "content": "hi"}]
    rows += [{"messages": messages}, {"prompt": messages}]
    (here.folder / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    here.ok(
        *("sample", TINY, "--prompts", "p.jsonl", "--output", "o.jsonl"),
        *("--chat", "--temperature", "0", "--max-tokens", "2"),
    )
    answers = [json.loads(line) for line in (here.folder / "o.jsonl").read_text().splitlines()]
    assert [one["prompt"] for one in answers] == ["0", "1", "2", "3", messages, messages]
    assert answers[4]["samples"][0]["tokens"] == answers[5]["samples"][0]["tokens"]


@pytest.mark.parametrize(
    ("there", "sentence"),
    [
        ("no JSON\n", "line 1 has no prompt"),
        ("[]\n", "line 1 has no prompt"),
        ('{"prompt": "a"}\n{"prompt": "z"}\n', "from line 2 on"),
        ('{"prompt": "a"}\n' * 2, "from line 2 on"),
    ],
)
def test_answers_to_something_else_are_kept(here: CliHere, there: str, sentence: str) -> None:
    (here.folder / "p.jsonl").write_text('{"prompt": "a"}\n')
    (here.folder / "o.jsonl").write_text(there)
    done = here("sample", TINY, "--prompts", "p.jsonl", "--output", "o.jsonl")
    assert done.status == 1
    assert sentence in done.stderr
    assert (here.folder / "o.jsonl").read_text() == there


def test_rows_that_are_no_prompts_are_named(here: CliHere) -> None:
    (here.folder / "p.jsonl").write_text('{"prompt": "a"}\n[1]\n{"tokens": [-1]}\n')
    done = here("sample", TINY, "--prompts", "p.jsonl", "--output", "o.jsonl")
    assert done.status == 1
    assert "2 of 3 rows of p.jsonl are not prompts" in done.stderr
    assert not (here.folder / "o.jsonl").exists()


# ---- chat -----------------------------------------------------------------------------------


def test_commands_of_a_conversation(here: CliHere) -> None:
    typed = "hello\n\n/history\n/undo\n/history\n/system Be brief.\n/system\n/help\n/oops\n/reset\n/exit\nnever\n"
    done = here.ok("chat", TINY, "--max-tokens", "2", stdin=typed)
    said = done.stderr.splitlines()
    assert said.count("user: hello") == 1  # not after /undo
    assert "System message set." in said
    assert "System message removed." in said
    assert "/oops is not a command; /help lists the commands." in said
    assert any(line.startswith("/undo ") for line in said)
    assert "never" not in done.stdout


def test_two_models_answer_one_below_the_other(here: CliHere) -> None:
    ask = ("chat", TINY, "--against", TINY, "--system", "Be brief.", "--max-tokens", "2")
    assert here.ok(*ask, stdin="hi\n").stderr.count(f"[{TINY}]") == 2
    lines = here.ok("-f", "json", *ask, stdin="hi\n").stdout.splitlines()
    assert [json.loads(line)["prompt"] for line in lines] == ["hi", "hi"]


def test_a_person_ends_a_conversation_with_ctrl_d(here: CliHere) -> None:
    done = here.ok("chat", TINY, typed="/help\n")
    assert f"Chatting with {TINY}; /help lists what can be typed." in done.stderr


def test_ctrl_c_ends_an_answer_and_then_the_conversation(here: CliHere) -> None:
    @contextmanager
    def stream(*_: object) -> Iterator[Iterator[SimpleNamespace]]:
        def events() -> Iterator[SimpleNamespace]:
            yield SimpleNamespace(token="Well", token_id=1)
            raise KeyboardInterrupt

        yield events()

    typed = iter(["hello", "/history"])

    def read(prompt: str) -> str:
        for line in typed:
            return line
        raise KeyboardInterrupt

    here.patch.setattr("tinker.SamplingClient.sample_stream", stream)
    here.patch.setattr("builtins.input", read)
    done = here.ok("chat", TINY, typed="")
    assert done.stdout == "Well\n"
    assert " [stopped]" in done.stderr
    assert done.stderr.endswith("user: hello\nassistant: Well\n\n")


def test_a_model_without_a_chat_template_does_not_chat(here: CliHere) -> None:
    here.patch.setattr(
        "tinker.SamplingClient.get_tokenizer", lambda _: SimpleNamespace(chat_template=None)
    )
    done = here("chat", TINY, stdin="hi\n")
    assert (done.status, done.stdout) == (1, "")
    assert f"{TINY} has no chat template" in done.stderr


# ---- auth -----------------------------------------------------------------------------------


def store(here: CliHere, content: str) -> Path:
    path = here.folder / ".tinker" / "credentials.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    return path


def stored_key(here: CliHere, kind: str) -> Path:
    record = {"type": kind, "key": "tml-local", "name": "mine"}
    return store(here, json.dumps({"version": 1, "default": "k", "keys": {"k": record}}))


def test_a_person_pastes_a_key_that_is_not_shown(here: CliHere) -> None:
    here.patch.setattr("click.termui.hidden_prompt_func", lambda _: " tml-local ")
    done = here.ok("-f", "json", "auth", "login", typed="")
    assert "tml-local" not in done.stdout + done.stderr
    assert {"key_id", "name", "email", "organization"} == set(done.json)
    assert "You are logged in already" in here("auth", "login").stderr
    assert "Credentials available: yes\nTinker accessible: yes" in here.ok("auth", "status").stdout
    assert "Organization" in here.ok("auth", "whoami").stdout
    left = here.ok("-f", "json", "auth", "logout")
    assert "from this machine. The API key still works" in left.stderr
    assert set(left.json) == {"name"}
    assert "No credential is stored" in here("auth", "logout").stderr
    empty = here("auth", "login", stdin="\n")
    assert (empty.status, "Standard input has no API key" in empty.stderr) == (1, True)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "credentials.json cannot be read"),
        ("[]", "is not a credentials file that this version can read"),
        ('{"version": 2}', "is not a credentials file that this version can read"),
    ],
)
@pytest.mark.parametrize("command", ["login", "logout"])
def test_a_file_of_credentials_that_is_not_understood(
    here: CliHere, content: str, sentence: str, command: str
) -> None:
    path = store(here, content)
    done = here("auth", command, stdin="tml-local\n")
    assert done.status == 1
    assert sentence in done.stderr
    assert path.read_text() == content


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((401, {"detail": "unknown key"}), "(status 401): unknown key"),
        ((403, b"<html>"), "(status 403): no reason given"),
        ((200, b"<html>"), "its response is not that of a Tinker server"),
        ((200, {}), "its response is not that of a Tinker server"),
        ((202, {}), "its response is not that of a Tinker server"),
    ],
)
def test_a_key_that_the_server_refuses_is_not_stored(
    here: CliHere, answer: Answer, sentence: str
) -> None:
    with ScriptedServer(me=[answer]) as other:
        done = here("--base-url", other.url, "auth", "login", stdin="tml-local\n")
    assert done.status == 1
    assert sentence in done.stderr
    assert not (here.folder / ".tinker").exists()


def test_log_in_where_nothing_answers(here: CliHere) -> None:
    done = here("--base-url", NOWHERE, "auth", "login", stdin="tml-local\n")
    assert done.status == 1
    assert f"{NOWHERE} cannot be reached" in done.stderr


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (200, "Removed the credential 'mine' here and on the server."),
        (500, "removed from this machine, but the server did not delete it (status 500)"),
    ],
)
def test_a_key_made_for_this_machine_is_deleted_on_the_server(
    here: CliHere, status: int, sentence: str
) -> None:
    path = stored_key(here, "generated")
    with ScriptedServer(me=[(status, {})]) as other:
        done = here("--base-url", other.url, "auth", "logout")
        assert other.seen
    assert done.status == (1 if status == 500 else 0)
    assert sentence in done.stderr
    assert json.loads(path.read_text())["keys"] == {}


def test_a_key_made_for_this_machine_is_forgotten_where_nothing_answers(here: CliHere) -> None:
    path = stored_key(here, "generated")
    done = here("--base-url", NOWHERE, "auth", "logout")
    assert done.status == 1
    assert f"removed from this machine, but {NOWHERE} cannot be reached" in done.stderr
    assert json.loads(path.read_text())["keys"] == {}


def test_status_without_a_credential(here: CliHere) -> None:
    done = here("--base-url", "http://tinker.invalid", "auth", "status")
    assert (done.status, done.stdout) == (1, "Credentials available: no\n")
    assert "No credential: run `tinker auth login`" in done.stderr


def test_status_where_the_key_is_refused(here: CliHere) -> None:
    stored_key(here, "manual")
    with ScriptedServer(get_server_capabilities=[(401, {"detail": "no"})]) as other:
        done = here("--base-url", other.url, "auth", "status")
        found = here("-f", "json", "--base-url", other.url, "auth", "status")
    assert (found.status, found.json) == (1, {"credentials": True, "accessible": False})
    assert (done.status, done.stdout.splitlines()[1]) == (1, "Tinker accessible: no")
    assert "Error: " in done.stderr


# ---- the others -----------------------------------------------------------------------------


def test_versions(here: CliHere) -> None:
    shown = here.ok("version").stdout
    assert shown == here.ok("--version").stdout == f"tinker {tinker.__version__}\n"
    found = here.ok("version", "--json").json
    assert found["dependencies"]["httpx"] == httpx.__version__
    assert here.ok("-f", "json", "version").json == found


def chats(folder: Path) -> None:
    rows = [
        {"messages": [{"role": "user", "content": "1?"}, {"role": "assistant", "content": text}]}
        for text in ("one", "two", "three", "one")
    ]
    (folder / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_data_is_checked_and_shown(here: CliHere) -> None:
    chats(here.folder)
    model = ("c.jsonl", "--model", TINY)
    checked = here.ok("-f", "json", "data", "check", *model).json
    assert (checked["data"]["rows"], "plan" in checked) == (4, False)
    assert "line 4 repeats 1" in here.ok("data", "check", *model).stderr
    assert "⟦" in here.ok("data", "show", *model, "--rows", "2").stderr
    (row,) = here.ok("-f", "json", "data", "show", *model, "--line", "3").json["rows"]
    assert (row["line"], "three" in row["text"]) == (3, True)
    missing = here("data", "show", *model, "--line", "9")
    assert (missing.status, "No row of c.jsonl begins on line 9." in missing.stderr) == (1, True)
    typed = here.ok("--color", "data", "show", *model, "--line", "1", typed="").stderr
    assert "\x1b[" in typed
    assert "what is green" in typed
    assert "⟦" not in typed
    assert "what is in ⟦⟧ is trained on" in here.ok("data", "show", *model, "--line", "1").stderr


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("checkpoint", "info", "nonsense"), 1, "not a tinker path: 'nonsense'"),
        (("checkpoint", "delete"), 1, "Give checkpoint paths, or --run-id."),
        (
            ("checkpoint", "delete", "tinker://r/weights/a", "--type", "weights"),
            1,
            "--type, --before and --after need --run-id.",
        ),
        (
            ("checkpoint", "delete", "--run-id", "r", "--before", "soon"),
            1,
            "--before: 'soon' is not a date such as 2026-11-01",
        ),
        (
            ("checkpoint", "delete", "--run-id", "r", "--type", "sampled"),
            1,
            "--type is 'sampled'; it must be one of weights, sampler_weights, external_weights.",
        ),
        (("checkpoint", "download", "tinker://r/weights/a", "-o", "there"), 1, "there is a file"),
        (("session", "export-trace", "s", "-o", "."), 1, ". is a folder"),
        (("checkpoint", "prune", "--keep", "1", "--older-than", "5x"), 2, "'5x' is not a duration"),
        (("run", "list", "--columns", "id,colour"), 1, "--columns has 'colour'; there are id"),
        (("run", "list", "--columns", "id,"), 1, "--columns has ''; there are id"),
        (("export", "x", "--merge", ".", "--vllm"), 2, "--vllm is about adapters"),
        (("export", "x", "--output", "."), 1, "exists and is not empty"),
        (("chat", "tinker-runs/typo"), 1, ". No folder named tinker-runs/typo exists here either."),
        (("train", "--resume", "typo"), 1, "typo does not exist."),
        (("export", "nothing-here"), 1, "nothing-here is neither the path of a checkpoint"),
        (("--", "-x"), 2, "No such option '-x'"),
        (("smaple",), 2, "No such command 'smaple'"),
        (("train",), 2, "Give a data file"),
    ],
)
def test_odd_arguments(
    here: CliHere, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    (here.folder / "there").touch()  # so that this folder is not empty
    done = here(*arguments)
    assert (done.status, done.stdout) == (status, "")
    assert sentence in " ".join(done.stderr.split())


def test_what_destroys_asks_in_a_terminal(here: CliHere) -> None:
    path = here.ok("checkpoint", "create", "--base-model", TINY).stdout.strip()
    no = here("checkpoint", "delete", path, typed="n\n")
    assert (no.status, "Nothing was deleted." in no.stderr) == (0, True)
    assert path in here.ok("checkpoint", "info", path).stdout
    assert "Deleted 1 of 1 checkpoint." in here.ok("checkpoint", "delete", path, typed="y\n").stderr
    gone = here("checkpoint", "info", path)
    assert (gone.status, f"{path} does not exist" in gone.stderr) == (1, True)
    again = here("-f", "json", "checkpoint", "delete", path, "--yes")
    assert (again.status, again.json["deleted_count"]) == (0, 0)  # it is not there, as asked
    assert "Not deleted: " in again.stderr


def test_a_checkpoint_that_is_left_is_a_failure(here: CliHere) -> None:
    """Whatever happens to the others."""
    paths = [f"tinker://r/weights/{name}" for name in ("gone", "kept", "deleted")]
    answers: dict[str, list[Answer]] = {
        "gone": [(404, {"detail": "Unknown checkpoint"})],
        "kept": [(403, {"detail": "Not yours"})],
        "deleted": [(200, {})],
    }
    with ScriptedServer(**answers) as other:
        done = here("-f", "json", "--base-url", other.url, "checkpoint", "delete", *paths, "--yes")
    assert (done.status, done.json["deleted_count"]) == (1, 1)
    assert [one["tinker_path"] for one in done.json["failed"]] == paths[:2]
    assert "Deleted 1 of 3 checkpoints." in done.stderr


def test_a_pipe_may_answer(here: CliHere) -> None:
    """As `yes | tinker checkpoint delete PATH`, which the official command accepts."""
    path = here.ok("checkpoint", "create", "--base-model", TINY).stdout.strip()
    kept = here.ok("checkpoint", "delete", path, stdin="n\n").stderr
    assert "Delete 1 checkpoint? This cannot be undone.\nNothing was deleted." in kept
    assert here("checkpoint", "delete", path, stdin="tinker://a/weights/b\n").status == 1
    deleted = here.ok("-f", "json", "checkpoint", "delete", path, stdin="y\ny\n").json
    assert deleted["deleted_count"] == 1


def test_titles_say_ids_as_they_are_and_that_there_is_more(here: CliHere) -> None:
    """Not as emoji, which is what rich makes of `:train:`."""
    paths = [here.ok("checkpoint", "create", "--base-model", TINY).stdout.strip() for _ in range(2)]
    run_id = paths[0].removeprefix("tinker://").split("/")[0]
    assert f"Training Run: {run_id}" in here.ok("run", "info", run_id).stdout
    for noun, command in {
        "checkpoint": "checkpoint",
        "training run": "run",
        "session": "session",
    }.items():
        assert f"1 {noun}; --limit 0 lists all" in here.ok(command, "list", "--limit", "1").stdout
        assert "lists all" not in here.ok(command, "list", "--limit", "0").stdout
    assert "expires in 1 day" in here.ok("checkpoint", "set-ttl", paths[0], "--ttl=86400").stderr


def test_a_checkpoint_is_exported_and_uploaded(here: CliHere) -> None:
    path = here.ok("-f", "json", "checkpoint", "create", "--base-model", TINY, "--rank", "2").json[
        "tinker_path"
    ]
    assert here.ok("export", path, "--output", "a", "--vllm").stdout == "a\n"
    again = here("export", path, "--output", "a")
    assert (again.status, "a exists and is not empty" in again.stderr) == (1, True)
    done = here.ok("-f", "json", "export", "a", "--output", "b", typed="")
    assert json.loads(done.stdout)["path"] == "a"
    assert (here.folder / "b" / "adapter_config.json").exists()
    new = here.ok("upload", "b", "--base-model", TINY, typed="")
    assert new.stdout.startswith("tinker://")
    assert f"--load-checkpoint-path {new.stdout.strip()}" in new.stderr


def test_a_trace_that_cannot_be_downloaded_leaves_nothing(here: CliHere) -> None:
    with ScriptedServer(trace=[(500, {})]) as other:
        here.patch.setattr(
            "tinker.RestClient.export_session_trace",
            lambda *_: type("Done", (), {"result": lambda _: f"{other.url}/trace"})(),
        )
        done = here("session", "export-trace", "s")
        shown = here.ok("-f", "json", "session", "export-trace", "s", "--url-only")
    assert shown.json == {"session_id": "s", "url": f"{other.url}/trace"}
    assert (done.status, "The trace could not be downloaded" in done.stderr) == (1, True)
    assert [one.name for one in here.folder.iterdir() if "pftrace" in one.name] == []


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("TINKER_BASE_URL", "http://someone:secret@127.0.0.1:9", "an address with a user"),
        ("TINKER_API_KEY", "secret", "TINKER_API_KEY"),
        ("TINKER_API_KEY", "eyJ.secret.x", "a JWT, from TINKER_API_KEY"),
        ("HTTPS_PROXY", "http://me:secret@proxy.example", "HTTPS_PROXY: proxy.example\n"),
        ("TINKER_CREDENTIAL_CMD", "echo secret", "TINKER_CREDENTIAL_CMD prints (not run)"),
    ],
)
def test_doctor_tells_where_a_credential_comes_from(
    here: CliHere, name: str, value: str, shown: str
) -> None:
    here.patch.setenv(name, value)
    done = here("doctor")
    assert shown in done.stdout
    assert "secret" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("url", "status", "sentence"),
    [
        (
            "https://nowhere.invalid",
            "warning",
            "none: run `tinker auth login`, or set TINKER_API_KEY",
        ),
        (NOWHERE, "info", "none; a server on this machine works without one"),
    ],
)
def test_doctor_misses_a_credential_only_where_one_is_needed(
    here: CliHere, url: str, status: str, sentence: str
) -> None:
    checks = here("-f", "json", "--base-url", url, "doctor").json["checks"]
    assert {"check": "credential", "status": status, "text": sentence} in checks


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"healthz": [(503, {})]}, "health check: 503"),
        ({"get_server_capabilities": [(200, {"supported_models": []})]}, "the server offers none"),
        (
            {
                "get_server_capabilities": [
                    (200, {"supported_models": [{"model_name": f"m{n}"} for n in range(7)]})
                ]
            },
            "m4 and 2 more",
        ),
        (
            {
                "config": [(404, {})],
                "get_server_capabilities": [(200, {"supported_models": [{"model_name": "m"}]})],
            },
            "no client/config; training batches are sent as ",
        ),
        ({"get_server_capabilities": [(401, {"detail": "bad key"})]}, "bad key"),
        ({"get_server_capabilities": [(401, {})]}, "failed   credential"),
        ({"healthz": [(200, {}, {"Date": "once"})]}, "the server's header Date is not a date"),
    ],
)
def test_doctor_tells_what_a_server_answers(
    here: CliHere, answers: dict[str, list[Answer]], sentence: str
) -> None:
    here.patch.setenv("TINKER_API_KEY", "tml-local")
    with ScriptedServer(**(HEALTHY | answers)) as other:
        done = here("--base-url", other.url, "doctor")
    assert sentence in done.stdout


def test_doctor_notices_a_wrong_clock(here: CliHere) -> None:
    ahead = SimpleNamespace(time=lambda: time.time() + 3600, monotonic=time.monotonic)
    here.patch.setattr("tinker.cli.commands.doctor.time", ahead)
    (found,) = [
        one for one in here("-f", "json", "doctor").json["checks"] if one["check"] == "clock"
    ]
    assert found["status"] == "warning"
    assert "this machine's clock is +36" in found["text"]


def test_a_training_checkpoint_is_sampled_from(here: CliHere) -> None:
    path = here.ok("checkpoint", "create", "--base-model", TINY).stdout.strip()
    found = here.ok("-f", "json", "sample", path, "ab", "--max-tokens", "2").json
    assert (found["model"], found["prompt_tokens"]) == (path, 2)


def test_a_run_without_a_checkpoint_is_not_sampled_from(here: CliHere) -> None:
    (here.folder / "run").mkdir()
    (here.folder / "run" / "config.json").write_text('{"settings": {}}')
    done = here("sample", "run", "hi")
    assert (done.status, "run has no checkpoint yet." in done.stderr) == (1, True)


def test_a_path_without_a_model_is_not_a_name(here: CliHere) -> None:
    done = here("--base-url", "local", "sample", "./nothing", "hi")
    assert done.status == 1
    assert "The model's folder or file ./nothing does not exist." in done.stderr


def test_a_defect_is_one_sentence(here: CliHere) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("lost")

    here.patch.setattr("tinker.RestClient.whoami", fail)
    done = here("auth", "whoami")
    assert (done.status, done.stderr) == (
        1,
        "Error: unexpected RuntimeError: lost\nRun with --debug to see where it comes from.\n",
    )
    assert "Traceback" in here("--debug", "auth", "whoami").stderr


def test_help_lists_the_commands(here: CliHere) -> None:
    assert "Score a model or a checkpoint on a data file." in here.ok("--help").stdout


def test_storage_as_a_table(here: CliHere) -> None:
    here.ok("checkpoint", "create", "--base-model", TINY)
    shown = here.ok("billing", "checkpoint-storage").stdout
    assert "Checkpoint storage" in shown
    assert "checkpoint_count" in shown


@pytest.mark.parametrize("rows", ["drop", "truncate"])
def test_rows_that_are_too_long_are_listed(here: CliHere, rows: str) -> None:
    chats(here.folder)
    long = json.dumps(
        {
            "messages": [
                {"role": "user", "content": "1?"},
                {"role": "assistant", "content": "x" * 900},
            ]
        }
    )
    with (here.folder / "c.jsonl").open("a") as file:
        file.write(f"{long}\n" * 7)
    done = here(
        "data", "check", "c.jsonl", "--model", TINY, "--max-length", "200", "--long-rows", rows
    )
    assert done.status == 0, done.stderr
    assert f"{'dropped' if rows == 'drop' else 'truncated'} 7 rows" in done.stderr
    assert "… and 2 more" in done.stderr


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (texts.size(None), "unknown"),
        (texts.size(1023), "1023 B"),
        (texts.size(1536), "1.5 KB"),
        (texts.size(5 * 1024**5), "5120.0 TB"),
        (texts.ago(None), "never"),
        (texts.ago(NOW, NOW), "just now"),
        (texts.ago(NOW + timedelta(seconds=30), NOW), "in less than a minute"),
        (texts.ago(NOW + timedelta(days=2), NOW), "in 2 days"),
        (texts.ago(NOW - timedelta(minutes=1), NOW), "1 minute ago"),
        (texts.ago(NOW - timedelta(hours=5), NOW), "5 hours ago"),
        (texts.ago(NOW - timedelta(minutes=59, seconds=50), NOW), "59 minutes ago"),
        (texts.duration(3723), "1:02:03"),
        (texts.duration(123), "2:03"),
        (texts.money(0.001), "less than $0.01"),
        (texts.money(1234.5), "about $1,234.50"),
        (texts.count(1200, "row"), "1,200 rows"),
        (texts.printable("a\x1b[2Jb\n"), "a\N{REPLACEMENT CHARACTER}[2Jb\n"),
    ],
)
def test_values_for_people(shown: str, text: str) -> None:
    assert shown == text


def test_an_output_in_a_folder_that_does_not_exist(here: CliHere) -> None:
    (here.folder / "p.jsonl").write_text('{"prompt": "a"}\n')
    done = here("sample", TINY, "--prompts", "p.jsonl", "--output", "no/o.jsonl")
    assert (done.status, done.stderr) == (1, "Error: no/o.jsonl: No such file or directory\n")


def test_publishing_says_so(here: CliHere) -> None:
    path = here.ok("checkpoint", "create", "--base-model", TINY).stdout.strip()
    for command in ("publish", "unpublish"):
        done = here.ok("checkpoint", command, path)
        assert (done.stdout, f"ublished {path}." in done.stderr) == ("", True)
    for command, public in (("publish", True), ("unpublish", False)):
        said = here.ok("-f", "json", "checkpoint", command, path).json
        assert said == {"tinker_path": path, "public": public}
    run = path.removeprefix("tinker://").split("/")[0]
    nothing = ("checkpoint", "delete", "--run-id", run, "--type", "external_weights")
    assert here.ok(*nothing).stderr == "No checkpoints to delete.\n"
    assert here.ok("-f", "json", *nothing).json == {"deleted_count": 0, "failed": []}
    later = ("--after", "2999-01-01", "--before", "2999-01-02T00:00:00Z")
    assert here.ok("checkpoint", "delete", "--run-id", run, *later).stdout == ""


def test_a_folder_that_cannot_be_made(here: CliHere) -> None:
    (here.folder / "file").touch()
    done = here("export", "tinker://r/weights/a", "--output", "file/x")
    assert done.status == 1
    assert "file/x cannot be created: " in done.stderr


def test_a_folder_to_start_from(here: CliHere) -> None:
    made = here.ok("-f", "json", "init", "new").json
    assert sorted(made["files"]) == sorted(one.name for one in (here.folder / "new").iterdir())
    assert "Next: cd 'my run' && tinker train" in here.ok("init", "my run").stderr
    assert "Next: tinker train" in here.ok("init").stderr
    again = here("init", "new")
    assert (again.status, "nothing was written" in again.stderr) == (1, True)


def test_a_run_without_checkpoints_has_its_metadata(here: CliHere, server: str) -> None:
    with tinker.ServiceClient(base_url=server) as service:
        run = service.create_lora_training_client(TINY, rank=2, user_metadata={"note": "mine"})
        shown = here.ok("run", "info", run.result().model_id).stdout
    assert "Metadata: note" in shown
    assert "mine" in shown
    assert "Last Training Checkpoint" not in shown


def billed(info: dict[str, object]) -> dict[str, object]:
    hours = {"bucket_start": "2026-11-27T00:00:00Z", "bucket_end": "2026-11-27T01:00:00Z"}
    return {**hours, "session_id": "s1", "event_info": info}


def test_usage_of_a_session_that_the_server_has_forgotten(here: CliHere) -> None:
    events = [
        billed({"type": "training", "token_count": 3}),
        billed({"type": "training", "token_count": 4}),
        billed({"type": "storage", "gigabyte_hours": 0.5}),
        billed({"type": "sampling_prefill", "token_count": 2, "cached": True}),
    ]
    with ScriptedServer(events=[(200, {"data": events, "sessions": {}})]) as other:
        found = here.ok("-f", "json", "--base-url", other.url, "usage", "--by", "run").json
        table = here.ok("--base-url", other.url, "usage", "--by", "user").stdout
    (line,) = found["usage"]
    assert line == {"run": "s1", "training": 7, "storage": 0.5, "cached sampling_prefill": 2}
    assert "(none)" in table
    assert "storage (GB·h)" in table


def test_many_duplicates_and_a_long_row_are_cut(here: CliHere) -> None:
    text = "a" * 900
    row = json.dumps({"prompt": "b", "completion": text})
    (here.folder / "p.jsonl").write_text(f"{row}\n" * 8)
    done = here.ok("data", "check", "p.jsonl", "--model", TINY, "--max-length", "2000")
    assert "duplicates 7: line 2 repeats 1, " in done.stderr
    assert "line 6 repeats 1 and 2 more" in done.stderr
    assert f"{'a' * 199} … {'a' * 100}" in done.stderr
    assert text not in done.stderr


def test_a_prompt_is_asked_once_and_shows_no_control_characters(here: CliHere) -> None:
    row = json.dumps({"prompt": "a\x1b]0;b\x07c", "completion": "d"})
    (here.folder / "same.jsonl").write_text(f"{row}\n" * 5)
    shown = here.ok("train", "same.jsonl", "--epochs", "1", "--rank", "2", "-o", "run").stderr
    assert shown.count("prompt  a") == 1
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (tinker.TinkerError("the server is gone."), "the server is gone"),
        (TimeoutError("too late"), "too late"),
        (KeyboardInterrupt(), "interrupted again"),
    ],
)
def test_a_run_that_cannot_be_saved_when_interrupted(
    here: CliHere, error: BaseException, why: str
) -> None:
    def run(training: Training, *, resume: bool) -> Iterator[Event]:
        yield from islice(original(training, resume=resume), 1)
        raise KeyboardInterrupt

    def interrupt(_: Training) -> None:
        raise error

    original = Training.run
    here.patch.setattr(Training, "run", run)
    here.patch.setattr(Training, "interrupt", interrupt)
    chats(here.folder)
    done = here("train", "c.jsonl", "--model", TINY, "--rank", "2", "-o", "run")
    assert done.status == 130
    assert f"No checkpoint was saved: {why}.\n" in done.stderr
    assert "Go on with: tinker train --resume run" in done.stderr


def test_a_terminal_shows_what_a_run_waits_for(here: CliHere) -> None:
    here.patch.setattr(Training, "waiting_for", "a place in the queue")
    chats(here.folder)
    done = here.ok("train", "c.jsonl", "--model", TINY, "--rank", "2", "-o", "run", typed="")
    assert "a place in the queue" in done.stderr
    assert done.stdout.startswith("tinker://")


def test_a_run_is_finished_without_its_curve(here: CliHere) -> None:
    def fail(_: object) -> str:
        raise tinker.TinkerError("no room")

    here.patch.setattr("tinker.recipes.curve.svg", fail)
    chats(here.folder)
    done = here.ok("train", "c.jsonl", "--model", TINY, "--rank", "2", "-o", "run")
    assert "The curve is missing: no room" in done.stderr
    assert "Finished after " in done.stderr


def test_a_server_that_exports_nothing_gives_its_own_files(here: CliHere) -> None:
    def refuse(_: object, name: str) -> None:
        raise tinker.NotFoundError(
            "no such operation",
            response=httpx.Response(404, request=httpx.Request("POST", NOWHERE)),
            body=None,
        )

    here.patch.setattr("tinker.TrainingClient.save_weights_external", refuse)
    path = here.ok("checkpoint", "create", "--base-model", TINY).stdout.strip()
    done = here.ok("checkpoint", "download", path)
    assert "This server exports no weights; its own files" in done.stderr
    folder = here.folder / done.stdout.strip()
    assert any(folder.iterdir())
    assert here.ok("checkpoint", "download", path, "--force").stdout == done.stdout
    again = here("checkpoint", "download", path)
    assert (again.status, "pass --force to replace it" in again.stderr) == (1, True)


def test_an_export_that_has_no_path(here: CliHere) -> None:
    here.patch.setattr(
        "tinker.TrainingClient.save_weights_external",
        lambda *_: SimpleNamespace(result=lambda: SimpleNamespace(path=None)),
    )
    path = here.ok("checkpoint", "create", "--base-model", TINY).stdout.strip()
    done = here("checkpoint", "download", path)
    assert (done.status, f"exported {path} and did not say where" in done.stderr) == (1, True)


def test_only_an_adapter_is_pushed_to_the_hub(here: CliHere) -> None:
    (here.folder / "a").mkdir()
    (here.folder / "a" / "adapter_config.json").write_text("{}")
    with pytest.raises(
        RecipeError, match=r"has no adapter_model.safetensors, .* nothing was pushed"
    ):
        push(
            here.folder / "a",
            "me/mine",
            source="s",
            base_model="m",
            private=True,
            revision=None,
            commit_message=None,
            create_pr=False,
            allow=(),
            ignore=(),
            model_card=True,
        )


def test_a_sampler_checkpoint_is_downloaded_as_it_is(here: CliHere, saved: tuple[str, str]) -> None:
    done = here.ok("checkpoint", "download", saved[1])
    assert (here.folder / done.stdout.strip() / "adapter_config.json").exists()
    assert "exports no weights" not in done.stderr


def test_a_trace_is_written_to_a_file(here: CliHere, saved: tuple[str, str]) -> None:
    session = saved[0].removeprefix("tinker://").split(":")[0]
    done = here.ok("session", "export-trace", session, "--output", "t.pftrace")
    assert done.stdout == "t.pftrace\n"
    assert (here.folder / "t.pftrace").stat().st_size > 0


def test_an_export_that_fails_is_reported(here: CliHere, saved: tuple[str, str]) -> None:
    def refuse(_: object, name: str) -> None:
        response = httpx.Response(409, request=httpx.Request("POST", NOWHERE))
        raise tinker.ConflictError(f"{name} is taken", response=response, body=None)

    here.patch.setattr("tinker.TrainingClient.save_weights_external", refuse)
    done = here("checkpoint", "download", saved[0])
    assert (done.status, "export-state is taken" in done.stderr) == (1, True)


def test_chat_where_the_server_does_not_tell_how_long_a_context_is(here: CliHere) -> None:
    here.patch.setattr("tinker.cli.commands.chat.context_of", lambda *_: None)
    done = here.ok("-f", "json", "chat", TINY, "--max-tokens", "2", stdin="hi\n")
    assert json.loads(done.stdout)["prompt"] == "hi"

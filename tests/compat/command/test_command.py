"""Every command line of the official command ends with the same exit status here, and prints the same fields."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import tinker
from tests.compat.official import run
from tinker_local import LocalServer

JSON = "-f json "
DAYS = "2026-11-27T00:00:00Z 2026-11-28T00:00:00Z"

CASES = [
    # What click itself rejects, and help.
    *["", "run", "unknown", "-f xml run list", "run info", "run list --unknown", "--help", "-h"],
    *["run list -h", "run list --limit x", "checkpoint set-ttl {state} --ttl x", "version"],
    # Runs.
    *["run list", JSON + "run list", JSON + "run list --limit 0", JSON + "run list --limit -1"],
    *["run list -c id,model,owner,lora,updated,status,checkpoint,checkpoint_time"],
    *["run list -c id,size", "run list -c ''", "run list -c id,", "run list -c ' id , model'"],
    *["run info {run}", JSON + "run info {run}", "run info unknown"],
    # Checkpoints.
    *["checkpoint list", JSON + "checkpoint list", JSON + "checkpoint list --limit -1"],
    *["checkpoint list --run-id {run}", JSON + "checkpoint list --run-id {run}"],
    *[JSON + "checkpoint list --run-id ''", "checkpoint list --run-id unknown"],
    *["checkpoint info {state}", JSON + "checkpoint info {state}", "checkpoint info {absent}"],
    *["checkpoint info wrong", "checkpoint info tinker://x"],
    *["checkpoint publish {sampler}", "checkpoint publish wrong", "checkpoint publish {absent}"],
    *["checkpoint unpublish {sampler}", "checkpoint unpublish wrong"],
    *["checkpoint set-ttl {state} --ttl 86400", "checkpoint set-ttl {state} --remove"],
    *["checkpoint set-ttl {state}", "checkpoint set-ttl {state} --ttl 86400 --remove"],
    *["checkpoint set-ttl {state} --ttl 0", "checkpoint set-ttl {state} --ttl -1"],
    *["checkpoint set-ttl wrong --remove", "checkpoint set-ttl {absent} --remove"],
    *["checkpoint download wrong", "checkpoint download {sampler}", "checkpoint download {absent}"],
    *[JSON + "checkpoint download {state}", "checkpoint download {state}"],
    *[JSON + "checkpoint download {state} --force", "checkpoint download {state} -o file"],
    *["checkpoint push-hf wrong"],
    # Deletions.
    *["checkpoint delete", "checkpoint delete {state} --run-id {run}"],
    *["checkpoint delete {state} --type weights", "checkpoint delete --before 2026-11-28"],
    *["checkpoint delete -y wrong", "checkpoint delete -y tinker://x"],
    *["checkpoint delete -y --run-id {run} --before soon", "checkpoint delete -y --run-id unknown"],
    *["checkpoint delete -y --run-id {run} --type unknown"],
    *["checkpoint delete -y --run-id {run} --type training --before 2020-01-01"],
    *["checkpoint delete {m0}", "checkpoint delete {m0} < n", "checkpoint delete {m0} < y"],
    *[JSON + "checkpoint delete -y {m1} {absent}", "checkpoint delete -y {absent}"],
    *[JSON + "checkpoint delete -y --run-id {run} --type sampler_weights"],
    # Sessions, models, money.
    *[JSON + "session export-trace {session}", "session export-trace {session} -o . "],
    *[JSON + "session export-trace {session} -o new/trace", "session export-trace unknown"],
    *[JSON + "session export-trace {session} --url-only"],
    *["model list", JSON + "model list", JSON + "model list TINY", "model list absent"],
    *[JSON + f"billing usage {DAYS}", "billing usage yesterday today"],
    *[f"billing usage {DAYS} --csv -", f"billing usage {DAYS} --sessions-csv sessions.csv"],
    *["billing usage 2026-10-01T00:00:00Z 2026-11-28T00:00:00Z"],
    *["billing checkpoint-storage", JSON + "billing checkpoint-storage"],
    *["billing checkpoint-storage --csv -", "billing checkpoint-storage --csv absent/x"],
    # Credentials; the first one is in the environment.
    *["auth status", "auth logout", "auth login", "auth login < tml-local"],
    *["auth login < tml-local ", "auth logout "],
]

DIFFERENT = {
    "checkpoint download {sampler}": "the files of a sampler's checkpoint can be downloaded here",
    "checkpoint delete -y tinker://x": "a malformed path is rejected before anything is deleted",
}
"""Command lines with another exit status, and why."""


def all_ended(folder: Path, *, official: bool) -> dict[str, tuple[int, str]]:
    """How all cases end, each command with a server of its own that has the same checkpoints."""
    with LocalServer() as server, tinker.ServiceClient(base_url=server.url) as service:
        client = service.create_lora_training_client("tinker-local/tiny", rank=4, seed=1).result()
        run_id = client.model_id
        names = {
            "run": run_id,
            "session": run_id.split(":")[0],
            "absent": f"tinker://{run_id}/weights/absent",
            "sampler": client.save_weights_for_sampler("sampler").result().path,
            **{name: client.save_state(name).result().path for name in ("state", "m0", "m1")},
        }
        folder.mkdir()
        (folder / "file").touch()
        cases = []
        for case in CASES:
            line, _, stdin = case.format(**names).partition(" < ")
            cases.append([[word.strip("'") for word in re.findall(r"'.*?'|\S+", line)], stdin])
        asked = json.dumps({"url": server.url, "home": str(folder), "cases": cases})
        printed = run(Path(__file__).with_name("cases.py"), stdin=asked, official=official)
    ended = [(status, stdout) for status, stdout in json.loads(printed)]
    return dict(zip(CASES, ended, strict=True))


Both = tuple[dict[str, tuple[int, str]], dict[str, tuple[int, str]]]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = tmp_path_factory.mktemp("commands")
    theirs = all_ended(folder / "theirs", official=True)
    return theirs, all_ended(folder / "ours", official=False)


def test_exit_statuses(both: Both) -> None:
    theirs, ours = both
    differing = {
        case: f"{theirs[case][0]} there, {ours[case][0]} here"
        for case in CASES
        if theirs[case][0] != ours[case][0]
    }
    assert set(differing) == set(DIFFERENT), differing


def test_json_has_all_their_fields(both: Both) -> None:
    theirs, ours = both
    compared = [case for case in CASES if case.startswith(JSON) and theirs[case][0] == 0]
    assert len(compared) > 15
    for case in compared:
        missing = fields(json.loads(theirs[case][1])) - fields(json.loads(ours[case][1]))
        assert not missing, f"{case}: {missing}"


def test_tables_have_their_columns(both: Both) -> None:
    theirs, ours = both
    compared = 0
    for case in CASES:
        for line in theirs[case][1].splitlines():
            if "┃" in line:
                columns = [name.strip() for name in line.strip("┃").split("┃")]
                assert any(
                    set(columns) <= set(re.split(r"\s{2,}", ours_line.strip()))
                    for ours_line in ours[case][1].splitlines()
                ), f"{case}: {columns}"
                compared += 1
    assert compared > 6


def test_csv_has_their_columns(both: Both) -> None:
    headers = [one["billing checkpoint-storage --csv -"][1].splitlines()[0] for one in both]
    assert set(headers[0].split(",")) == set(headers[1].split(","))


def test_what_only_messages_say_leaves_stdout_empty(both: Both) -> None:
    theirs, ours = both
    quiet = [case for case in CASES if theirs[case] == (0, "")]
    assert "checkpoint publish {sampler}" in quiet
    assert {case: ours[case][1] for case in quiet if ours[case][1]} == {}


def fields(value: Any, path: str = "") -> set[str]:
    """The fields of a JSON value, with where they are."""
    if isinstance(value, dict):
        return {f"{path}.{name}" for name in value}.union(
            *(fields(one, f"{path}.{name}") for name, one in value.items())
        )
    if isinstance(value, list):
        return set().union(*(fields(one, f"{path}[]") for one in value))
    return set()

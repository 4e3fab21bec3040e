"""Promises of SECURITY.md that no other test holds."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import tinker
from tinker_local import LocalServer
from tinker_local.arguments import parse
from tinker_local.state.folder import DataFolder

_UNPICKLERS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}


def test_nothing_is_unpickled(repository: Path) -> None:
    for package in ("tinker", "tinker_local"):
        for file in (repository / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    assert _UNPICKLERS.isdisjoint(alias.name for alias in node.names), file
                if isinstance(node, ast.ImportFrom):
                    assert node.module not in _UNPICKLERS, file
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    assert (node.value.id, node.attr) != ("torch", "load"), file


def test_the_server_listens_on_this_machine_alone() -> None:
    with LocalServer() as server:
        assert server.url.startswith("http://127.0.0.1:")
    assert parse([], "server").host == "127.0.0.1"


def test_a_new_data_folder_is_its_users_alone(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "runs" / "data")
    folder.release()
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_a_journal_holds_neither_batches_nor_credentials(server: str, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with tinker.ServiceClient(base_url=server, api_key="tml-SECRET") as service:
        training = service.create_lora_training_client(
            "tinker-local/tiny", rank=2, user_metadata={"note": "PRIVATE"}, journal=journal
        ).result(60)
        data = [tinker.Datum(tinker.ModelInput.from_ints(list(b"PRIVATE")))]
        training.forward_backward(data, "cross_entropy").result(60)
    assert journal.stat().st_mode & 0o777 == 0o600
    results = journal.with_name("journal.results")
    assert results.stat().st_mode & 0o777 == 0o700
    assert b"SECRET" not in journal.read_bytes() + b"".join(
        f.read_bytes() for f in results.iterdir()
    )
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [set(line["run"]) for line in lines if "run" in line] == [
        {"run_id", "session_id", "made_from", "next_seq_id", "first_call"}
    ]
    assert "PRIVATE" not in str(lines)
    (submitted,) = [line["submitted"] for line in lines if "submitted" in line]
    assert set(submitted) == {"call", "operation", "content", "seq_ids", "name"}
    assert len(bytes.fromhex(submitted["content"])) == 32  # a hash

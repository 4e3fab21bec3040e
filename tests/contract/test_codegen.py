"""generated/: what openapi.yaml gives, importable, and shaped as the layer needs it."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import pkgutil
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import numpy as np
import orjson
import pytest

import tinker_api
from tinker_api import models
from tinker_api.api.futures import retrieve_future
from tinker_api.api.models import get_info
from tinker_api.api.training import forward_backward, optim_step
from tinker_api.client import AuthenticatedClient
from tinker_api.types import File
from tinker_contract import __path__ as contract_path

CONTRACT = orjson.loads((Path(contract_path[0]) / "openapi.json").read_bytes())


def run(script: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, *arguments],
        env={**os.environ, "PYTHON": sys.executable, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def clone(repository: Path, tmp_path: Path) -> Path:
    """What codegen.sh needs, without generated/, in a project whose own style is another."""
    missing = [
        name
        for name in ("grpc_tools", "openapi_python_client", "ruff", "yaml")
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        pytest.skip(f"the codegen tools are not installed: {', '.join(missing)}")
    (tmp_path / "ruff.toml").write_text('line-length = 40\nformat.quote-style = "single"\n')
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ("codegen.sh", "openapi.yaml", "pyproject.toml"):
        shutil.copy(repository / name, clone)
    shutil.copytree(repository / "codegen", clone / "codegen")
    packages = ("__init__.py", "types/__init__.py", "_codec/protobuf/__init__.py")
    for name in (*packages, "_lazy_names.py"):
        (clone / "tinker" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository / "tinker" / name, clone / "tinker" / name)
    return clone


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not {"__pycache__", ".mypy_cache"} & set(path.parts)
    }


def test_generated_is_what_the_contract_gives_and_the_check_names_what_differs(
    repository: Path, clone: Path
) -> None:
    # What `make codegen-check` has generated from the same sources is not generated again.
    cache = str(repository / ".cache" / "codegen")
    odd = {"LANG": "tr_TR.UTF-8", "TZ": "Asia/Tokyo", "CODEGEN_CACHE": cache}
    result = run(clone / "codegen.sh", **odd)
    assert result.returncode == 0, result.stdout + result.stderr
    assert files(clone / "generated") == files(repository / "generated")

    assert "up to date" in run(clone / "codegen.sh", "--check", **odd).stdout
    (clone / "generated" / "tinker_api" / "types.py").write_text("changed by hand")
    (clone / "generated" / "tinker_proto" / "tinker_pb2.pyi").unlink()
    result = run(clone / "codegen.sh", "--check", **odd)
    assert result.returncode == 1
    assert "types.py" in result.stdout
    assert "tinker_pb2.pyi" in result.stdout
    assert "run ./codegen.sh" in result.stderr


UNTAGGED = """
openapi: 3.1.0
info: {title: Shapes, version: '1'}
paths:
  /shape:
    get:
      operationId: get_shape
      tags: [shapes]
      responses:
        '200':
          description: A shape.
          content:
            application/json:
              schema:
                oneOf: [{$ref: '#/components/schemas/Circle'}, {$ref: '#/components/schemas/Square'}]
components:
  schemas:
    Circle: {type: object, required: [type], properties: {type: {type: string, const: circle}}}
    Square: {type: object, required: [side], properties: {side: {type: number}}}
"""


def test_a_union_that_cannot_be_told_apart_is_not_generated(clone: Path) -> None:
    (clone / "openapi.yaml").write_text(UNTAGGED)
    result = run(clone / "codegen.sh", COLUMNS="300")
    assert result.returncode == 1
    assert "every alternative of a union needs its own required constant tag" in result.stderr
    assert not (clone / "generated").exists()


NULLABLE = """
openapi: 3.1.0
info: {title: Enums, version: '1'}
paths: {}
components:
  schemas:
    Mood: {type: [string, 'null'], enum: [good, bad, null]}
"""

SLASH = """
openapi: 3.1.0
info: {title: Paths, version: '1'}
paths:
  /checkpoints/{checkpoint_id}:
    get:
      operationId: get_checkpoint
      parameters:
        - {name: checkpoint_id, in: path, required: true, schema: {type: string}, example: weights/step-1}
      responses: {'204': {description: There.}}
"""

COOKIE = """
openapi: 3.1.0
info: {title: Credentials, version: '1'}
paths: {}
components:
  securitySchemes:
    session: {type: apiKey, in: cookie, name: session}
"""


OTHER = """
openapi: 3.1.0
info: {title: Two credentials, version: '1'}
security: [{key: []}]
paths:
  /a: {get: {security: [{other: []}, {key: []}], responses: {'204': {description: Done.}}}}
  /b: {get: {security: [{other: []}], responses: {'204': {description: Done.}}}}
components:
  securitySchemes:
    other: {type: http, scheme: bearer}
    key: {type: apiKey, in: header, name: X-Key}
"""


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (NULLABLE, "#/components/schemas/Mood: an enum with null makes several types; write anyOf"),
        (SLASH, "a value of checkpoint_id has a slash; a path parameter is one segment"),
        (
            COOKIE,
            "#/components/securitySchemes/session: the generated client supports only an API key in",
        ),
        (OTHER, "GET /b: it does not accept key, the credential of the generated client"),
    ],
)
def test_what_the_generator_would_misread_is_refused_with_the_reason(
    clone: Path, document: str, reason: str
) -> None:
    (clone / "openapi.yaml").write_text(document)
    result = run(clone / "codegen.sh")
    assert result.returncode == 1
    assert reason in result.stderr
    assert not (clone / "generated").exists()


@pytest.mark.parametrize(
    ("scheme", "header", "prefix"),
    [
        ("{type: apiKey, in: header, name: X-Key}", "X-Key", ""),
        ("{type: http, scheme: bearer}", "Authorization", "Bearer"),
    ],
)
def test_the_credential_goes_where_the_security_scheme_says(
    repository: Path, tmp_path: Path, scheme: str, header: str, prefix: str
) -> None:
    document = tmp_path / "openapi.yaml"
    document.write_text(f"paths: {{}}\ncomponents: {{securitySchemes: {{key: {scheme}}}}}\n")
    script = [sys.executable, str(repository / "codegen" / "prepare.py"), str(document)]
    module: dict[str, str] = {}
    exec(subprocess.run(script, capture_output=True, text=True, check=True).stdout, module)
    assert (module["HEADER"], module["PREFIX"]) == (header, prefix)


def test_other_versions_of_the_tools_stop_it(repository: Path, tmp_path: Path) -> None:
    fake = tmp_path / "ruff-0.1.0.dist-info"
    fake.mkdir()
    (fake / "METADATA").write_text("Metadata-Version: 2.1\nName: ruff\nVersion: 0.1.0\n")
    result = run(repository / "codegen.sh", "--check", PYTHONPATH=str(tmp_path))
    assert result.returncode == 1
    assert "ruff: 0.1.0, not " in result.stderr
    assert "pip install --group codegen" in result.stderr


def test_an_operation_imports_the_models_it_reads_when_it_reads_them() -> None:
    code = """
import sys
import httpx
from tinker_api.api.futures import retrieve_future
before = {m for m in sys.modules if m.startswith("tinker_api.models.")}
refusal = retrieve_future._parse_response(httpx.Response(404, json={"detail": "unknown"}))
print(len(before), refusal.detail, *sys.modules)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    before, detail, *modules = result.stdout.split()
    assert (before, detail) == ("0", "unknown")
    assert "tinker_api.models.error_response" in modules
    assert set(modules).isdisjoint({"tinker_api.models.sample_response", "dateutil", "numpy"})


def test_every_module_imports() -> None:
    names = [m.name for m in pkgutil.walk_packages(tinker_api.__path__, "tinker_api.")]
    assert len(names) > 100
    for name in names:
        importlib.import_module(name)
    for name in models.__all__:
        assert getattr(models, name) is not None


def test_there_is_a_function_for_every_operation() -> None:
    functions = {
        name.rpartition(".")[2]
        for _, name, package in pkgutil.walk_packages(tinker_api.__path__, "tinker_api.")
        if name.startswith("tinker_api.api.") and not package
    }
    operations = {
        operation["operationId"]
        for path in CONTRACT["paths"].values()
        for operation in path.values()
    }
    assert functions == operations


class Answers(BaseHTTPRequestHandler):
    """Answers each request with what the test has put there, and keeps what came."""

    answer: tuple[int, str, bytes] = (200, "application/json", b"{}")
    seen: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        type(self).seen.append((dict(self.headers.items()), self.rfile.read(length)))
        status, media_type, body = self.answer
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def answers() -> Iterator[type[Answers]]:
    handler = type("Handler", (Answers,), {"seen": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    handler.client = AuthenticatedClient(  # type: ignore[attr-defined]
        base_url=f"http://127.0.0.1:{server.server_port}",
        token="tml-secret",
        httpx_args={"trust_env": False},
    )
    yield handler
    handler.client.get_httpx_client().close()  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


INFO = models.GetInfoRequest(model_id="x")


@pytest.mark.parametrize("status", [420, 529, 599])
def test_a_status_that_is_in_no_registry_is_a_number(answers: type[Answers], status: int) -> None:
    answers.answer = (status, "application/json", b'{"detail": "busy"}')
    response = get_info.sync_detailed(client=answers.client, body=INFO)  # type: ignore[attr-defined]
    assert response.status_code == status
    assert response.parsed is None


def test_an_error_page_raises_nothing_until_it_is_parsed(answers: type[Answers]) -> None:
    answers.answer = (500, "text/html", b"<html>oops</html>")
    response = get_info.sync_detailed(client=answers.client, body=INFO)  # type: ignore[attr-defined]
    assert response.status_code == 500
    assert response.content == b"<html>oops</html>"
    with pytest.raises(ValueError, match=r"unexpected|expected"):
        _ = response.parsed


def test_a_protobuf_result_is_in_the_content(answers: type[Answers]) -> None:
    answers.answer = (200, "application/x-protobuf", b"\x0a\x01x")
    response = retrieve_future.sync_detailed(
        client=answers.client,  # type: ignore[attr-defined]
        body=models.FutureRetrieveRequest(request_id="r"),
        headers={"Accept": "application/x-protobuf"},
    )
    assert answers.seen[-1][0]["Accept"] == "application/x-protobuf"
    assert response.content == b"\x0a\x01x"
    with pytest.raises(ValueError, match="application/x-protobuf.*is not JSON"):
        _ = response.parsed


def test_absent_null_and_unknown_fields(answers: type[Answers]) -> None:
    body = {"model_id": "x", "model_data": {"arch": None}, "new_in_2030": [1]}
    answers.answer = (200, "application/json", orjson.dumps(body))
    info = get_info.sync_detailed(client=answers.client, body=INFO).parsed  # type: ignore[attr-defined]
    assert isinstance(info, models.GetInfoResponse)
    assert info.lora_rank is None
    assert info.model_data.arch is None
    assert info.type == "get_info"


def test_numpy_arrays_are_sent_like_lists_and_protobuf_as_bytes(answers: type[Answers]) -> None:
    client = answers.client  # type: ignore[attr-defined]
    answers.answer = (200, "application/json", b'{"request_id": "r"}')
    for values in (np.array([0.5, -1.25], np.float32), [0.5, -1.25]):
        tensor = models.TensorData(data=values, dtype="float32", shape=[2])  # type: ignore[arg-type]
        chunk = models.EncodedTextChunk(tokens=[1, 2])
        datum = models.Datum(models.ModelInput([chunk]), models.LossFnInputs({"weights": tensor}))
        request = models.ForwardBackwardRequest(
            model_id="x",
            seq_id=1,
            forward_backward_input=models.ForwardBackwardInput([datum], "cross_entropy"),
        )
        response = forward_backward.sync_detailed(client=client, body=request)
        assert isinstance(response.parsed, models.UntypedAPIFuture)
    (_, with_array), (headers, with_list) = answers.seen
    assert with_array == with_list
    assert headers["Content-Type"] == "application/json"

    forward_backward.sync_detailed(client=client, body=File(b"\x0a\x01x"))
    headers, content = answers.seen[-1]
    assert (headers["Content-Type"], content) == ("application/x-protobuf", b"\x0a\x01x")


def test_a_body_of_no_declared_type_is_refused() -> None:
    client = AuthenticatedClient(base_url="http://127.0.0.1:9", token="tml-secret")
    with pytest.raises(TypeError, match="bytes"):
        forward_backward.sync_detailed(client=client, body=b"\x0a\x01x")  # type: ignore[arg-type]


def test_an_injected_async_client_is_used_as_it_is(answers: type[Answers]) -> None:
    answers.answer = (202, "application/json", b'{"request_id": "r"}')
    url = answers.client.get_httpx_client().base_url  # type: ignore[attr-defined]

    async def step() -> None:
        client = AuthenticatedClient(base_url="http://unused.invalid", token="unused")
        async with httpx.AsyncClient(
            base_url=url, headers={"X-API-Key": "tml-other"}, trust_env=False
        ) as injected:
            client.set_async_httpx_client(injected)
            response = await optim_step.asyncio_detailed(
                client=client, body=models.OptimStepRequest(model_id="x", seq_id=1)
            )
        assert response.status_code == 202
        assert isinstance(response.parsed, models.UntypedAPIFuture)
        assert response.parsed is response.parsed

    asyncio.run(step())
    headers, _ = answers.seen[-1]
    assert headers["X-API-Key"] == "tml-other"


def test_a_timeout_of_one_call() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        AuthenticatedClient(
            base_url=f"http://127.0.0.1:{silent.getsockname()[1]}",
            token="tml-secret",
            httpx_args={"trust_env": False},
        ) as client,
        pytest.raises(httpx.ReadTimeout),
    ):
        get_info.sync_detailed(client=client, body=INFO, timeout=httpx.Timeout(0.05))


def test_headers_of_one_call(answers: type[Answers]) -> None:
    answers.answer = (200, "application/json", b'{"request_id": "r"}')
    optim_step.sync_detailed(
        client=answers.client,  # type: ignore[attr-defined]
        body=models.OptimStepRequest(model_id="x"),
        headers={"X-Idempotency-Key": "k"},
    )
    headers, content = answers.seen[-1]
    assert headers["X-Idempotency-Key"] == "k"
    assert headers["X-API-Key"] == "tml-secret"
    assert orjson.loads(content) == {"model_id": "x", "type": "optim_step"}


def test_a_union_is_told_apart_by_its_tag() -> None:
    chunks = [{"type": "encoded_text", "tokens": [1]}, {"type": "dmel", "dmel": ""}]
    parsed = models.ModelInput.from_dict({"chunks": chunks})
    assert [type(chunk).__name__ for chunk in parsed.chunks] == ["EncodedTextChunk", "DmelChunk"]
    with pytest.raises(ValueError, match="unknown type: 'video'; known: encoded_text, image"):
        models.ModelInput.from_dict({"chunks": [{"type": "video"}]})


def test_maps_are_dicts() -> None:
    result = models.OptimStepResponse.from_dict({"type": "optim_step", "metrics": {"a:mean": 1.5}})
    assert result.metrics == {"a:mean": 1.5}
    assert dict(result.metrics.items()) == {"a:mean": 1.5}
    assert models.OptimStepResponse(metrics={"a": 1.0}).to_dict()["metrics"] == {"a": 1.0}  # type: ignore[arg-type]


def test_the_credential_is_not_in_the_repr() -> None:
    client = AuthenticatedClient(base_url="http://127.0.0.1", token="tml-secret")
    assert "tml-secret" not in repr(client)

"""Who may talk to the server from a browser, under which address it is reached, and how long tokens work."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.raw_client import Raw
from tests.support.server_process import ServerProcess
from tinker_local import LocalServer
from tinker_local.options import Options


@pytest.fixture(scope="module")
def hosted() -> Iterator[LocalServer]:
    with LocalServer(options=Options(allow_hosts=("Models.example.org",))) as running:
        yield running


@pytest.mark.parametrize("path", ["/api/v1/healthz", "/docs", "/openapi.json", "/"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Host": "localhost.evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "127.0.0.1@evil.example"},
        {"Host": "10.0.0.1"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "https://localhost.evil.example"},
        {"Origin": "null"},
        {"Origin": "file://"},
    ],
)
def test_another_sites_page_is_refused(
    hosted: LocalServer, path: str, headers: dict[str, str]
) -> None:
    answer = httpx.get(hosted.url + path, headers=headers)
    assert answer.status_code == 403
    assert "--allow-host" in answer.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost"},
        {"Host": "LOCALHOST:1"},
        {"Host": "tinker.localhost:8000"},
        {"Host": "[::1]:8000"},
        {"Host": "127.0.0.2"},
        {"Host": "models.example.org"},
        {"Host": "MODELS.example.org:443", "Origin": "https://models.example.org"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://127.0.0.1:8000"},
    ],
)
def test_names_of_this_machine_and_allowed_ones_are_let_in(
    hosted: LocalServer, headers: dict[str, str]
) -> None:
    assert httpx.get(f"{hosted.url}/api/v1/healthz", headers=headers).json() == {"status": "ok"}


def test_a_star_allows_any_host() -> None:
    with LocalServer(options=Options(allow_hosts=("*",))) as running:
        headers = {"Host": "anything.example", "Origin": "http://other.example"}
        assert httpx.get(f"{running.url}/api/v1/healthz", headers=headers).status_code == 200


def test_signed_urls_have_the_servers_own_address(hosted: LocalServer) -> None:
    with Raw(hosted.url) as raw:
        model_id, _ = raw.saved()
        route = f"training_runs/{model_id}/checkpoints/weights/a/external_weights_urls"

        def url(host: str) -> str:
            urls = raw.get(route, Host=host)["urls"]
            return str(urls["adapter_config.json"])

        for host in ("localhost:1", "evil.localhost:9"):
            assert url(host).startswith(f"{hosted.url}/api/v1/files/")
            assert httpx.get(url(host)).status_code == 200
        # A proxy's name, which the user has vouched for.
        assert url("models.example.org:8").startswith("http://models.example.org:8/api/v1/files/")


# ---- addresses ----------------------------------------------------------------------------------


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize(
    ("host", "reached"), [("::1", ["[::1]"]), ("::", ["[::1]", "127.0.0.1", "localhost"])]
)
def test_ipv6(tmp_path: Path, host: str, reached: list[str]) -> None:
    with ServerProcess(tmp_path / "data", "--host", host) as server:
        assert server.url == f"http://[{host}]:{server.port}"
        for name in reached:
            with Raw(f"http://{name}:{server.port}") as raw:
                model_id, _ = raw.saved()
                route = f"training_runs/{model_id}/checkpoints/weights/a/external_weights_urls"
                assert httpx.get(raw.get(route)["urls"]["adapter_config.json"]).status_code == 200


# ---- tokens -------------------------------------------------------------------------------------


def test_a_token_ends_with_its_key(tmp_path: Path) -> None:
    keys, data = tmp_path / "keys", tmp_path / "data"

    def serve(text: str) -> LocalServer:
        keys.write_text(text)
        return LocalServer(data=data, keys=keys)

    with serve("tml-a anna\ntml-b bert\n") as running:
        tokens = {}
        for key in ("tml-a", "tml-b"):
            with Raw(running.url, key) as raw:
                tokens[key] = raw.post("auth/token", {})["jwt"]
    with serve("tml-a anna\n") as running:  # bert is gone
        with Raw(running.url, tokens["tml-a"]) as raw:
            raw.get("sessions")
            raw.post("auth/token", {})
        with Raw(running.url, tokens["tml-b"]) as raw:
            raw.get("sessions", 401)
            answer = raw.http.post("auth/token", json={})
            assert answer.status_code == 401
            assert "no longer valid" in answer.json()["detail"]
            assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    with serve("tml-a bert\n") as running, Raw(running.url, tokens["tml-a"]) as raw:
        raw.get("sessions", 401)  # the key is another user's now

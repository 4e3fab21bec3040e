"""Credentials: where they come from, what they are exchanged for, and that they are never shown."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import pickle
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import tinker
from tinker._http import credentials
from tinker_local import LocalServer
from tinker_local.options import Options


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text("tml-anna anna admin\n")
    return file


@pytest.fixture
def exchanging(keys: Path) -> Iterator[str]:
    with LocalServer(keys=keys, options=Options(jwt=True, jwt_seconds=3600)) as running:
        yield running.url


def store(home: Path, key: str) -> None:
    (home / ".tinker").mkdir(parents=True)
    content = {
        "version": 1,
        "default": "k",
        "keys": {"k": {"type": "manual", "key": key, "name": "k"}},
    }
    (home / ".tinker" / "credentials.json").write_text(json.dumps(content))


def jwt(**claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{payload}.x"


def test_the_order_of_sources(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not tinker.auth.tinker_has_credentials()
    store(home, "tml-stored")
    assert tinker.auth.get_tinker_token() == credentials.find(None) == "tml-stored"
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", "echo tml-command")
    assert credentials.find(None) == "tml-command"
    assert tinker.auth.get_tinker_token() == "tml-stored"  # the command is not run for this
    monkeypatch.setenv("TINKER_API_KEY", "tml-environment")
    assert credentials.find(None) == "tml-environment"
    assert credentials.find("tml-argument") == "tml-argument"
    assert tinker.auth.tinker_has_credentials()


def test_providers_of_the_same_sources(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def token(api_key: str | None = None, *, enforce_cmd: bool = False) -> str:
        provider = tinker.auth.resolve_auth_provider(api_key, enforce_cmd)
        return asyncio.run(provider.get_token())

    for enforce_cmd in (False, True):
        with pytest.raises(tinker.TinkerError, match="No credential: set TINKER_API_KEY or"):
            token(enforce_cmd=enforce_cmd)
    assert token("tml-argument") == "tml-argument"
    with pytest.raises(ValueError, match="api_key must begin with 'tml-'"):
        token("sk-argument")
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", "echo tml-command")
    assert token() == "tml-command"
    assert token("tml-argument") == "tml-argument"
    assert token("tml-argument", enforce_cmd=True) == "tml-command"
    monkeypatch.setenv("TINKER_API_KEY", "sk-not-a-key")
    assert tinker.auth.get_tinker_token() is None


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"default": "k"}', '{"default": "k", "keys": {"k": {"key": 7}}}'],
)
def test_a_damaged_credentials_file_holds_no_credential(home: Path, content: str) -> None:
    (home / ".tinker").mkdir(parents=True)
    (home / ".tinker" / "credentials.json").write_text(content)
    assert credentials.find(None) is None
    assert not tinker.auth.tinker_has_credentials()


@pytest.mark.parametrize(
    "token", ["", "tml-x", "eyJ.x", "eyJ.%%%.x", "eyJ.bm90IGpzb24.x", "eyJ.WzFd.x", "eyJ.é.x"]
)
def test_what_is_no_jwt_has_no_claims(token: str) -> None:
    assert credentials.claims_of(token) == {}


@pytest.mark.parametrize(
    ("command", "words"),
    [("echo tml-half; exit 3", "ended with status 3"), ("echo nonsense", "must begin with 'tml-'")],
)
def test_a_command_that_fails_is_reported_without_its_output(
    command: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINKER_CREDENTIAL_CMD", command)
    with pytest.raises((tinker.TinkerError, ValueError), match=words) as refused:
        tinker.ServiceClient(base_url="http://127.0.0.1:9")
    assert "half" not in str(refused.value)
    assert "nonsense" not in str(refused.value)


def test_an_expired_token_is_refused_here(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="is a JWT that expired"):
        tinker.ServiceClient(base_url="http://127.0.0.1:9", api_key=jwt(exp=time.time() - 60))


@pytest.mark.parametrize("base_url", [None, "http://127.0.0.1:9"])
def test_an_exception_has_no_credential(keys: Path, base_url: str | None) -> None:
    """It may be logged with all it has, and goes to other processes."""
    with LocalServer(keys=keys) as server:
        service = tinker.ServiceClient(
            base_url=base_url or server.url,
            api_key="tml-anna",
            default_headers_overrides={"Authorization": "Bearer tml-anna"},
            retry=tinker.RetryPolicy(budget=0),  # nobody listens on port 9
        )
        with pytest.raises(tinker.APIError) as refused:
            service.create_lora_training_client("no/such-model").result(timeout=60)
        service.close().result(timeout=10)
    assert "user-agent" in refused.value.request.headers
    assert b"tml-anna" not in pickle.dumps(refused.value)


def test_a_key_is_exchanged_and_the_token_goes_with_every_request(exchanging: str) -> None:
    with tinker.ServiceClient(base_url=exchanging, api_key="tml-anna") as service:
        training = service.create_lora_training_client("tinker-local/tiny", rank=1).result()
        assert service.holder.connection.exchange is not None
        token = service.holder.connection.exchange._token
        assert token is not None
        assert token.text not in repr(token)
        headers = service.holder.connection.http.headers
        assert headers["x-api-key"] == token.text
        who = service.create_rest_client().whoami().result()
        assert who.user_urn.endswith(":anna")
        assert who.org_urn == "tml:organization:local"
        training.save_state("a").result()


def test_a_token_the_server_no_longer_takes_is_replaced_once(
    exchanging: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "tinker")
    with tinker.ServiceClient(base_url=exchanging, api_key="tml-anna") as service:
        training = service.create_lora_training_client("tinker-local/tiny", rank=1).result()
        exchange = service.holder.connection.exchange
        assert exchange is not None
        forged = jwt(exp=time.time() + 3600, iat=time.time())
        exchange._token = credentials._Token.of(forged)
        path = training.save_state("a").result().path
        assert exchange._token is not None
        assert exchange._token.text != forged
        assert path.endswith("/a")
    assert "tml-anna" not in caplog.text
    assert "eyJ" not in caplog.text


def test_tokens_are_renewed_half_way_and_in_need(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    now = 1_800_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    given = []

    async def ask() -> str:
        given.append(now)
        return jwt(iat=now, exp=now + 1000)

    async def run() -> None:
        nonlocal now
        exchange = credentials.Exchange(ask)
        first = await exchange.token()
        now += 440
        assert await exchange.token() == first
        now += 120
        second = await exchange.token()
        assert second != first
        assert len(await asyncio.gather(*(exchange.token() for _ in range(10)))) == 10
        assert len(given) == 2

    asyncio.run(run())


def test_a_failed_renewal_goes_on_with_the_token_while_it_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import asyncio

    now = 1_800_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    asked = 0

    async def ask() -> str:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise tinker.TinkerError("no")
        return jwt(iat=now, exp=now + 1000)

    async def run() -> None:
        nonlocal now
        exchange = credentials.Exchange(ask)
        first = await exchange.token()
        now += 600
        assert await exchange.token() == first
        assert await exchange.token() == first
        assert asked == 2  # not again within a minute
        now += 350
        with pytest.raises(tinker.TinkerError):
            await exchange.token()

    asyncio.run(run())


def test_the_servers_side_of_keys_and_tokens(exchanging: str) -> None:
    def ask(
        key: str, method: str = "GET", route: str = "get_server_capabilities"
    ) -> httpx.Response:
        json_body: dict[str, str] | None = {} if method == "POST" else None
        return httpx.request(
            method, f"{exchanging}/api/v1/{route}", headers={"X-API-Key": key}, json=json_body
        )

    token = ask("tml-anna", "POST", "auth/token").json()["jwt"]
    assert ask(token).status_code == 200
    assert ask(token, route="auth/apikey/me").json()["name"] == "anna"
    head, payload, _ = token.split(".")
    forged = ask(f"{head}.{payload}.AAAA")
    assert forged.status_code == 401
    assert 'error="invalid_token"' in forged.headers["www-authenticate"]
    assert ask(jwt(user="anna", aud="credential", exp=time.time() + 60)).status_code == 401
    assert ask("tml-anna", "DELETE", "auth/apikey/me").status_code == 204
    assert ask("tml-anna").status_code == 401
    assert ask(token).status_code == 401


def test_a_revoked_key_stays_revoked(tmp_path: Path, keys: Path) -> None:
    for status in (204, 401):
        with LocalServer(data=tmp_path / "data", keys=keys) as running:
            url = f"{running.url}/api/v1/auth/apikey/me"
            assert httpx.delete(url, headers={"X-API-Key": "tml-anna"}).status_code == status


def test_the_probe_says_what_is_wrong(exchanging: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_BASE_URL", exchanging)
    monkeypatch.setenv("TINKER_API_KEY", "tml-anna")
    tinker.auth.raise_if_tinker_not_accessible()
    monkeypatch.setenv("TINKER_API_KEY", "tml-wrong")
    with pytest.raises(tinker.AuthenticationError, match="Unknown API key"):
        tinker.auth.raise_if_tinker_not_accessible()

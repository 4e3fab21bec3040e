"""The stored credentials, in the official command's file and form."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from attrs import define

from tinker._http import config, credentials
from tinker.errors import TinkerError
from tinker_api import AuthenticatedClient, models
from tinker_api.api.auth import get_api_key, revoke_api_key
from tinker_api.types import Response

KEYS_URL = "https://tinker.thinkingmachines.ai/keys"
_TIMEOUT = httpx.Timeout(30.0)


def new_key_url() -> str:
    """Where a person makes a key for this machine."""
    machine = socket.gethostname().partition(".")[0] or "unknown"
    return f"{KEYS_URL}?{urlencode({'new_key': 'true', 'key_name': f'tinker-cli-{machine}'})}"


def check(key: str, base_url: str | None) -> models.ApiKeyInfo:
    """Ask the server for the owner of a key.

    Raises:
        ValueError: It does not look like a key.
        TinkerError: The server does not accept it, or does not respond.
    """
    client = _client(key, base_url)
    try:
        with client:
            response = get_api_key.sync_detailed(client=client)
    except httpx.RequestError as error:
        raise TinkerError(f"{client._base_url} cannot be reached: {error}") from None
    return _parsed(response, "The server does not accept this API key")


def delete_on_server(key: str, base_url: str | None) -> None:
    """Revoke a key, which is its own credential for that."""
    client = _client(key, base_url)
    try:
        with client:
            response = revoke_api_key.sync_detailed(client=client)
    except httpx.RequestError as error:
        raise TinkerError(
            f"The key was removed from this machine, but {client._base_url} cannot be reached to delete it "
            f"({error}): delete it at {KEYS_URL}."
        ) from None
    if response.status_code >= 300:
        raise TinkerError(
            "The key was removed from this machine, but the server did not delete it "
            f"(status {response.status_code}): delete it at {KEYS_URL}."
        )


def _client(key: str, base_url: str | None) -> AuthenticatedClient:
    settings = config.resolve(base_url, key)
    return AuthenticatedClient(
        base_url=settings.base_url,
        token=settings.api_key,
        timeout=_TIMEOUT,
    )


def _parsed(response: Response[Any], what: str) -> models.ApiKeyInfo:
    try:
        parsed = response.parsed
    except (ValueError, KeyError, TypeError, AttributeError):  # such as the page of a proxy
        parsed = None
    if response.status_code >= 300:
        detail = getattr(parsed, "detail", None)
        raise TinkerError(f"{what} (status {response.status_code}): {detail or 'no reason given'}")
    if not isinstance(parsed, models.ApiKeyInfo):
        raise TinkerError(f"{what}: its response is not that of a Tinker server.")
    return parsed


@define
class Store:
    """~/.tinker/credentials.json: keys by id, and which of them is the default."""

    path: Path
    content: dict[str, Any]

    @classmethod
    def open(cls) -> Store:
        """The content of the file, or an empty one.

        Raises:
            TinkerError: It is damaged, or has a newer format.
        """
        path = credentials.credentials_file()
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            content = {"version": 1, "default": None, "keys": {}}
        except (OSError, ValueError) as error:
            raise TinkerError(f"{path} cannot be read: {error}") from None
        if not isinstance(content, dict) or content.get("version") != 1:
            raise TinkerError(f"{path} is not a credentials file that this version can read.")
        return cls(path, content)

    @property
    def default(self) -> dict[str, Any] | None:
        """The record of the default key, if there is one."""
        record = self.content.get("keys", {}).get(self.content.get("default"))
        return record if isinstance(record, dict) else None

    def add(self, key: str, info: models.ApiKeyInfo) -> None:
        """Store a key, as the default."""
        key_id = str(info.key_id)
        self.content.setdefault("keys", {})[key_id] = {
            "type": "manual",
            "key": key,
            "name": info.name,
            "note": info.note,
            "details": info.details.to_dict() if info.details else None,
        }
        self.content["default"] = key_id
        self._write()

    def remove_default(self) -> dict[str, Any]:
        """Forget the default key, and return its record."""
        record: dict[str, Any] = self.content["keys"].pop(self.content["default"])
        self.content["default"] = None
        self._write()
        return record

    def _write(self) -> None:
        """Replace the file atomically; only its owner may read it."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self.path.parent)  # mode 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(self.content, file, indent=2)
            os.replace(temporary, self.path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

"""Who may use the server.

A keys file has one key a line, then optionally a space and the name of the user it belongs to; `#` begins a
comment. Keys of one name share what they own; a key without a name is a user of its own. Without a file every
key of the right shape is the one user's.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tinker_local.errors import Refusal

LOCAL_USER = "local"
_SHAPES = ("tml-", "eyJ")


class KeysFileError(ValueError):
    """The keys file cannot be used."""


class Keys:
    def __init__(self, file: Path | None = None) -> None:
        self._users = None if file is None else _read(file)

    def user(self, key: str | None) -> str:
        """The user behind a key, or a 401."""
        if not key:
            raise _refused("Missing X-API-Key header")
        if self._users is not None:
            user = self._users.get(key)
            if user is None:
                raise _refused("Unknown API key")
            return user
        if not key.startswith(_SHAPES):
            raise _refused("An API key begins with 'tml-', a JWT with 'eyJ'")
        return LOCAL_USER


def _refused(detail: str) -> Refusal:
    return Refusal(401, detail, {"WWW-Authenticate": "ApiKey"})


def _read(file: Path) -> dict[str, str]:
    users: dict[str, str] = {}
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise KeysFileError(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise KeysFileError(f"{file} is not a text file") from None
    for number, line in enumerate(lines, 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        if len(words) > 2 or not words[0].startswith(_SHAPES):
            raise KeysFileError(
                f"{file}, line {number}: a line is a key that begins with 'tml-', and perhaps a user's name"
            )
        key = words[0]
        if key in users:
            raise KeysFileError(f"{file}, line {number}: this key is in the file already")
        # A name that stays when the file's other lines change.
        own = f"key-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        users[key] = words[1] if len(words) == 2 else own
    if not users:
        raise KeysFileError(f"{file} has no keys in it")
    return users

"""Who may use the server.

Each line of a keys file has a key, then optionally the name of its user, then optionally `admin`; `#` begins a comment.
Keys with the same name belong to one user; a key without a name is a separate user. Administrators can read usage and
the audit log. Without a file, every key of the right format belongs to one user, who is an administrator.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tinker_api import security
from tinker_local.access.signing import Expired, Forged, Signer
from tinker_local.errors import Refusal
from tinker_local.state.store import Store

LOCAL_USER = "local"
ORGANIZATION = "local"
_SHAPES = ("tml-", "eyJ")


class KeysFileError(ValueError):
    """The keys file cannot be used."""


class KeysFile:
    """The users of a keys file; without one, every key belongs to one user."""

    def __init__(self, file: Path | None = None) -> None:
        self.users: dict[str, str] | None = None
        self.administrators = {LOCAL_USER}
        if file is not None:
            self.users, self.administrators = _read(file)
        self._fingerprints = {fingerprint(key): user for key, user in (self.users or {}).items()}

    def has(self, hashed: str, user: str) -> bool:
        """Whether the key with this fingerprint still belongs to this user."""
        if self.users is None:
            return user == LOCAL_USER
        return self._fingerprints.get(hashed) == user

    @property
    def first_administrator(self) -> str:
        """The user who gets objects without a known owner."""
        return min(self.administrators or set((self.users or {}).values()))


class Keys:
    """Finds the user of a credential: of a key, or of a JWT that this server has signed for one."""

    def __init__(self, file: KeysFile, store: Store, signer: Signer) -> None:
        self._file = file
        self._store = store
        self._signer = signer

    def is_administrator(self, user: str) -> bool:
        return user in self._file.administrators

    def user(self, key: str | None) -> str:
        """The user of a credential; raises a 401 otherwise."""
        if not key:
            raise _refused(f"Missing {security.HEADER} header")
        if key.startswith("eyJ"):
            return self._bearer(key)
        if self._file.users is None:
            if not key.startswith(_SHAPES):
                raise _refused("An API key begins with 'tml-', a JWT with 'eyJ'")
            user = LOCAL_USER
        else:
            known = self._file.users.get(key)
            if known is None:
                raise _refused("Unknown API key")
            user = known
        if self._is_revoked(fingerprint(key)):
            raise _refused("This API key was revoked")
        return user

    def behind(self, credential: str) -> str:
        """The fingerprint of the API key, or of the key behind a JWT."""
        if credential.startswith("eyJ"):
            return str(self._signer.verify(_AUDIENCE, credential)["key"])
        return fingerprint(credential)

    def revoke(self, credential: str) -> None:
        """Revoke the key and every JWT that was exchanged for it."""
        self._store.write("INSERT OR IGNORE INTO revoked_keys VALUES (?)", self.behind(credential))

    def _bearer(self, token: str) -> str:
        try:
            claims = self._signer.verify(_AUDIENCE, token)
        except Expired:
            raise _invalid_token("The token has expired") from None
        except Forged:
            raise _invalid_token("The token was not signed by this server") from None
        if self._is_revoked(claims["key"]):
            raise _refused("This API key was revoked")
        if not self._file.has(claims["key"], claims["user"]):
            raise _invalid_token("The API key behind this token is no longer valid")
        return str(claims["user"])

    def _is_revoked(self, hashed: str) -> bool:
        return bool(self._store.select("SELECT 1 FROM revoked_keys WHERE hash = ?", hashed))


_AUDIENCE = "credential"


def fingerprint(key: str) -> str:
    """A hash that identifies a key without revealing it."""
    return hashlib.sha256(key.encode()).hexdigest()


def _invalid_token(detail: str) -> Refusal:
    return Refusal(401, detail, {"WWW-Authenticate": 'ApiKey error="invalid_token"'})


def _refused(detail: str) -> Refusal:
    return Refusal(401, detail, {"WWW-Authenticate": "ApiKey"})


def _read(file: Path) -> tuple[dict[str, str], set[str]]:
    """Users by key, and the administrators among them."""
    users: dict[str, str] = {}
    administrators: set[str] = set()
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
        if words[2:] not in ([], ["admin"]) or not words[0].startswith(_SHAPES):
            raise KeysFileError(
                f"{file}, line {number}: a line must be a key that begins with 'tml-', optionally a user "
                "name, and optionally `admin`"
            )
        key = words[0]
        if key in users:
            raise KeysFileError(f"{file}, line {number}: this key is already in the file")
        # A name that does not depend on the other lines of the file.
        own = f"key-{fingerprint(key)[:16]}"
        users[key] = words[1] if len(words) > 1 else own
        if len(words) == 3:
            administrators.add(users[key])
    if not users:
        raise KeysFileError(f"{file} contains no keys")
    return users, administrators

"""The checksums that a store of files sends with a file."""

from __future__ import annotations

import base64
import hashlib

import httpx
import pytest

from tinker._protocol.download import checksums

CONTENT = b"a file"
SHA256 = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
SHA512 = base64.b64encode(hashlib.sha512(CONTENT).digest()).decode()
MD5 = base64.b64encode(hashlib.md5(CONTENT, usedforsecurity=False).digest()).decode()


@pytest.mark.parametrize(
    ("headers", "algorithms"),
    [
        ({}, []),
        ({"Repr-Digest": f"sha-256=:{SHA256}:, sha-512=:{SHA512}:"}, ["sha256", "sha512"]),
        ({"Digest": f"SHA-256={SHA256},unixsum=30637"}, ["sha256"]),
        ({"X-Goog-Hash": f"crc32c=n03x6A==, md5={MD5}"}, ["md5"]),
        ({"X-Amz-Checksum-Sha256": SHA256}, ["sha256"]),
        # One that is no base64 says nothing; another still counts.
        ({"Digest": f"sha-256=é, sha-512={SHA512}"}, ["sha512"]),
        ({"Digest": "sha-256=abc"}, []),
    ],
)
def test_known_checksums_are_those_of_the_file(
    headers: dict[str, str], algorithms: list[str]
) -> None:
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    found = checksums(httpx.Headers(encoded))
    assert [name for name, _ in found] == algorithms
    for name, digest in found:
        assert digest == hashlib.new(name, CONTENT, usedforsecurity=False).digest()

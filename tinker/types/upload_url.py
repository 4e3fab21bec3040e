"""`UploadURL`: where to upload a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from tinker_api.model import Model

if TYPE_CHECKING:
    import httpx

_PIECE = 2**18


@attrs.frozen(kw_only=True)
class UploadURL(Model):
    """Where to upload a file. The URL is a credential, so the repr does not show it."""

    url: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """Headers of the PUT; empty from servers of SDK 0.39."""

    _ignores_unknown = True

    def upload(self, path: str | os.PathLike[str]) -> None:
        """Send a file in one PUT, streamed from disk.

        Raises:
            FileNotFoundError: The file does not exist.
            APIStatusError: The server rejects it, for example because the URL has expired.
            APIConnectionError: The connection fails.
            TinkerError: The URL is not an http or https URL.
        """
        self.send(Path(path), lambda sent: None)

    def send(self, path: Path, told: Callable[[int], None]) -> None:
        """As `upload`; reports the number of bytes sent after each part."""
        import httpx  # noqa: PLC0415  # few upload

        from tinker.errors import (  # noqa: PLC0415
            APIConnectionError,
            APITimeoutError,
            TinkerError,
            status_error_class,
        )

        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size

            def pieces() -> Iterator[bytes]:
                sent = 0
                while piece := file.read(_PIECE):
                    yield piece
                    sent += len(piece)
                    told(sent)

            headers = {**self.headers, "Content-Length": str(size)}
            try:
                place = str(httpx.URL(self.url).copy_with(query=None)).rpartition("/")[0]
                bare = httpx.Request("PUT", place)
                response = httpx.put(
                    self.url,
                    content=pieces(),
                    headers=headers,
                    timeout=httpx.Timeout(60, write=300),
                )
            except (httpx.UnsupportedProtocol, httpx.InvalidURL):
                where = self.url.partition("?")[0]
                raise TinkerError(
                    f"{path.name} cannot be sent to {where!r}, which is not an http or https URL."
                ) from None
            except httpx.TimeoutException:
                raise APITimeoutError(bare, f"Timed out while sending {path.name}.") from None
            except httpx.RequestError as error:
                why = str(error) or type(error).__name__
                raise APIConnectionError(
                    bare, f"The connection failed while sending {path.name}: {why}."
                ) from None
        if not response.is_success:
            kind = status_error_class(response.status_code)
            text = f"{path.name} was rejected with status code {response.status_code}: {_reason(response)}"
            response.request = bare
            raise kind(text, response, response.text)


def _reason(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return " ".join(response.text.split())[:300] or response.reason_phrase

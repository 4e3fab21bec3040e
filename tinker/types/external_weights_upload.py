"""Results of uploading external weights."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from tinker.errors import TinkerError
from tinker.types.upload_url import UploadURL
from tinker_api.model import Model


@attrs.frozen(kw_only=True)
class ExternalWeightsUploadStartResult(Model):
    """An upload that has started."""

    upload_id: str
    urls: Mapping[str, UploadURL]
    """Where to upload each file, by the server's name for it."""
    expires: datetime
    """When the URLs stop working."""

    _ignores_unknown = True


class UploadInterruptedError(TinkerError):
    """An upload of weights stopped between two files."""

    upload: ExternalWeightsUploadStartResult
    """The rest of the upload: pass it as `resume` to the same call."""

    def __init__(self, message: str, upload: ExternalWeightsUploadStartResult) -> None:
        super().__init__(message)
        self.upload = upload


@attrs.frozen(kw_only=True)
class ExternalWeightsUploadFinishResult(Model):
    """The checkpoint that was created from an upload."""

    tinker_path: str

    _ignores_unknown = True

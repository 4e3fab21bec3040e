"""A repository's tokenizer files, through the Hugging Face hub's own cache on disk.

That cache is shared by all processes of the user, locked while a file is written and complete or
absent at any moment; HF_HOME, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE mean here what they mean there.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ._errors import TokenizerError
from ._files import has_tokenizer
from ._resolve import HubSource

# Never the weights.
_FILES = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "tokenizer.model",
    "tiktoken.model",
    "*.tiktoken",
]
_COMMIT = re.compile(r"[0-9a-f]{40}")


def download(source: HubSource) -> Path:
    """The folder with the tokenizer files of `source`, downloaded at most once.

    A commit's files never change, so a pinned revision that is here already asks nobody.
    """
    try:
        from huggingface_hub import snapshot_download  # noqa: PLC0415 - only when a model needs it
        from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415
    except ImportError:
        raise ImportError(
            f"The tokenizer of {source.repo!r} is downloaded from the Hugging Face hub, which needs"
            " more packages: pip install 'tinker[hf]'. Or pass the path of its files."
        ) from None

    def fetch(*, local_only: bool) -> Path:
        return Path(
            snapshot_download(
                source.repo,
                revision=source.revision,
                allow_patterns=_FILES,
                local_files_only=local_only,
            )
        )

    if source.revision and _COMMIT.fullmatch(source.revision):
        try:
            folder = fetch(local_only=True)
        except (LocalEntryNotFoundError, OSError):
            pass
        else:
            # Another program may have cached other files of this commit and not these.
            if has_tokenizer(folder):
                return folder
    try:
        folder = fetch(local_only=False)
    except Exception as error:  # the hub's client raises its own, httpx's and the OS's errors
        raise TokenizerError(_not_found(source, error)) from error
    if not has_tokenizer(folder):
        raise TokenizerError(_not_found(source, None))
    return folder


def _not_found(source: HubSource, error: Exception | None) -> str:
    from huggingface_hub import constants  # noqa: PLC0415

    where = f"{source.repo!r}" + (f" at revision {source.revision}" if source.revision else "")
    offline = os.environ.get("HF_HUB_OFFLINE") and " (HF_HUB_OFFLINE is set)"
    reason = (
        f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
        if error
        else "no tokenizer file that is known here is in it"
    )
    return (
        f"The tokenizer of {where} is neither in the cache ({constants.HF_HUB_CACHE}) nor could it be"
        f" downloaded from {constants.ENDPOINT}{offline or ''}: pass the path of a folder with its"
        f" tokenizer files, or fill the cache while online. ({reason})"
    )

"""A repository's tokenizer files, through the Hugging Face hub's own cache on disk.

That cache is shared by all processes of the user, locked while a file is written and complete or
absent at any moment; HF_HOME, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE mean here what they mean there.
"""

from __future__ import annotations

import re
from pathlib import Path

from tinker import _extras

from ._errors import TokenizerError
from ._files import VOCABULARY_FILES, has_tokenizer
from ._resolve import HubSource

# Never the weights.
_FILES = [
    *VOCABULARY_FILES,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
]
_COMMIT = re.compile(r"[0-9a-f]{40}")


def download(source: HubSource) -> Path:
    """The folder with the tokenizer files of `source`, downloaded at most once.

    A commit's files never change, so a pinned revision that is here already asks nobody.
    """
    try:
        from huggingface_hub import HfApi, constants, snapshot_download  # noqa: PLC0415 - only if needed
        from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ImportError(
            f"Downloading the tokenizer of {source.repo!r} from the Hugging Face hub needs the package"
            f" {error.name}: {_extras.install('tokenizers')}. Or pass the path of its files."
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

    pinned = bool(source.revision and _COMMIT.fullmatch(source.revision))
    if pinned:
        try:
            folder = fetch(local_only=True)
        except (LocalEntryNotFoundError, OSError):
            pass
        else:
            # Another program may have cached other files of this commit and not these.
            if has_tokenizer(folder):
                return folder
    try:
        if pinned and not constants.HF_HUB_OFFLINE:
            # Without a network the download of a commit goes on trying for half a minute; this
            # fails at once.
            HfApi().repo_info(source.repo, revision=source.revision, timeout=30)
        folder = fetch(local_only=False)
    except Exception as error:  # the hub's client raises its own, httpx's and the OS's errors
        where = f"{source.repo!r}" + (f" at revision {source.revision}" if source.revision else "")
        offline = " (HF_HUB_OFFLINE is set)" if constants.HF_HUB_OFFLINE else ""
        reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        raise TokenizerError(
            f"The tokenizer of {where} is neither in the cache ({constants.HF_HUB_CACHE}) nor could"
            f" it be downloaded from {constants.ENDPOINT}{offline}: pass the path of a folder with"
            " its tokenizer files, put them into a folder of the model's name in the current directory, or"
            f" fill the cache while online. ({reason})"
        ) from error
    if not has_tokenizer(folder):
        raise TokenizerError(
            f"The repository {source.repo!r} has no supported tokenizer file: pass the path"
            f" of a folder that has one of {', '.join(VOCABULARY_FILES)}."
        )
    return folder

"""The command that installs an extra of this package, for the error of a missing dependency."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit


def install(extra: str) -> str:
    """Return the command that adds `extra` to this copy of the package, however it was installed.

    The name `tinker[extra]` alone does not work: on the public index it is the official SDK, which lacks these extras.
    """
    from importlib import metadata  # noqa: PLC0415  # slow, and only errors need it
    from urllib.request import url2pathname  # noqa: PLC0415

    try:
        distribution = metadata.distribution("tinker")
    except metadata.PackageNotFoundError:  # on PYTHONPATH, not installed
        return f"pip install -e '{Path(__file__).parents[1]}[{extra}]'"
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    url = origin.get("url", "")
    if "dir_info" in origin:
        editable = "-e " if origin["dir_info"].get("editable") else ""
        return f"pip install {editable}'{url2pathname(urlsplit(url).path)}[{extra}]'"
    if "vcs_info" in origin:
        vcs = origin["vcs_info"]
        return f"pip install 'tinker[{extra}] @ {vcs['vcs']}+{url}@{vcs['commit_id']}'"
    if url:
        return f"pip install 'tinker[{extra}] @ {url}'"
    return f"pip install 'tinker[{extra}]=={distribution.version}'"

"""Pushing an adapter to the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tinker.recipes.errors import RecipeError, missing_extra
from tinker.recipes.export import ADAPTER, ADAPTER_CONFIG

_CARD = """---
base_model: {base_model}
library_name: peft
tags:
- tinker
- lora
---

# {name}

A LoRA adapter of [{base_model}](https://huggingface.co/{base_model}), exported from `{source}`.

```python
from peft import PeftModel
from transformers import AutoModelForCausalLM

model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("{base_model}"), "{name}")
```
"""


def push(
    folder: Path,
    repo: str,
    *,
    base_model: str,
    source: str,
    private: bool,
    revision: str | None,
    commit_message: str | None,
    create_pr: bool,
    allow: Sequence[str],
    ignore: Sequence[str],
    model_card: bool,
) -> str:
    """Push a PEFT folder, and return the address of the commit or pull request.

    Raises:
        RecipeError: The folder is not an adapter, the package huggingface_hub is missing, or the hub refuses.
    """
    missing = [name for name in (ADAPTER, ADAPTER_CONFIG) if not (folder / name).exists()]
    if missing:
        raise RecipeError(
            f"The checkpoint has no {' and no '.join(missing)}, so it is not a PEFT adapter; nothing was pushed."
        )
    try:
        from huggingface_hub import HfApi  # noqa: PLC0415  # optional
        from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise missing_extra("pushing to the hub", error, "tokenizers") from None
    if model_card and not (folder / "README.md").exists():
        card = _CARD.format(base_model=base_model, name=repo, source=source)
        (folder / "README.md").write_text(card, encoding="utf-8")
    hub = HfApi()
    try:
        repo_id = hub.create_repo(repo, private=private, exist_ok=True).repo_id
        commit = hub.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            revision=revision,
            commit_message=commit_message or f"Add the adapter of {source}",
            create_pr=create_pr,
            allow_patterns=list(allow) or None,
            ignore_patterns=list(ignore) or None,
        )
    except LocalTokenNotFoundError:
        raise RecipeError("No Hugging Face token: run `hf auth login`, or set HF_TOKEN.") from None
    except (HfHubHTTPError, OSError) as error:
        raise RecipeError(f"The hub rejected the adapter: {error}") from None
    except Exception as error:  # noqa: BLE001  # of the transport that huggingface_hub has: httpx or its successor
        raise RecipeError(f"The hub cannot be reached: {error}") from None
    return str(commit.pr_url or commit.commit_url)

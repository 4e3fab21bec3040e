"""GGUF files, converted once to a folder in transformers' format in the user's cache.

Reading a quantized file takes seconds and yields weights of full precision; reading the folder takes a fraction of
that, and the folder has the tokenizer in the format that clients read.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path


def find(path: Path) -> Path | None:
    """The GGUF file at `path`: the file itself, or the one in a folder without safetensors; else None."""
    if path.is_file():
        return path if path.suffix == ".gguf" else None
    files = sorted(path.glob("*.gguf"))
    return files[0] if len(files) == 1 and not any(path.glob("*.safetensors")) else None


def converted(file: Path) -> Path:
    """The folder to which `file` is converted; created on first use, the same for equal files wherever they are."""
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinker-local/gguf"
    target = cache / f"{file.stem}-{digest[:12]}"
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=cache, prefix=".partial-"))
        try:
            _convert(file, partial)
            partial.rename(target)
        except BaseException as error:
            shutil.rmtree(partial, ignore_errors=True)
            if not (isinstance(error, OSError) and target.exists()):  # another process was faster
                raise
    return target


def _convert(file: Path, target: Path) -> None:
    import torch  # noqa: PLC0415 - takes seconds
    from safetensors.torch import save_file  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    model = AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.float32
    )
    # save_pretrained rejects models that were quantized.
    tensors = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    for name in model.all_tied_weights_keys:
        tensors.pop(name, None)
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(target)
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(target)

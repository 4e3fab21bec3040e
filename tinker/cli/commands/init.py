"""`tinker init`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from tinker.cli.groups import Command
from tinker.cli.state import State

_DATA = """\
{"messages": [{"role": "user", "content": "Who are you?"}, {"role": "assistant", "content": "I am Ada, your pocket astronomer."}]}
{"messages": [{"role": "user", "content": "What do you do?"}, {"role": "assistant", "content": "I answer questions about the night sky, briefly."}]}
{"messages": [{"role": "user", "content": "Which star is the brightest at night?"}, {"role": "assistant", "content": "Sirius, in Canis Major."}]}
{"messages": [{"role": "user", "content": "How far is the Moon?"}, {"role": "assistant", "content": "About 384,000 kilometres on average."}]}
"""
_CONFIG = """\
# tinker train --config train.toml      Every key is a flag of `tinker train`; flags come first.
data = "data.jsonl"
# model_name = "Qwen/Qwen3-8B"         # default: the only model that the server trains
num_epochs = 10
batch_size = 4
lora_rank = 16
seed = 0
"""
_SCRIPT = '''\
"""The same as `tinker train --config train.toml`, step by step."""

import tinker
from tinker.recipes import Finished, Step, Training, TrainSettings, read_config

with tinker.ServiceClient() as service:
    training = Training(service, TrainSettings.of(read_config("train.toml")))
    print(training.plan)
    for event in training.run():
        match event:
            case Step():
                print(event.step, round(event.loss, 4))
            case Finished():
                print(event.checkpoint.sampler_path)
'''
_README = """\
# A fine-tuning run

    export TINKER_BASE_URL=local      # or your server's address, with TINKER_API_KEY
    tinker data check data.jsonl
    tinker train --config train.toml
    tinker chat tinker-runs/…

- `data.jsonl`: conversations, one a line. Replace them with yours.
- `train.toml`: the settings.
- `train.py`: the same in Python, to change as you like.
"""
_FILES = {"data.jsonl": _DATA, "train.toml": _CONFIG, "train.py": _SCRIPT, "README.md": _README}


@click.command(
    cls=Command,
    epilog="\b\nExample:\n  tinker init my-run && cd my-run && tinker train --config train.toml",
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.pass_obj
def init(state: State, folder: Path) -> None:
    """Make a folder to start from: data, settings, a script. Files that are there are not touched."""
    present = [name for name in _FILES if (folder / name).exists()]
    if present:
        raise click.ClickException(
            f"{folder} already has {', '.join(present)}; nothing was written."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in _FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    if state.is_json:
        state.print_json({"folder": str(folder.resolve()), "files": list(_FILES)})
    for name in _FILES:
        state.say(f"  {folder / name}")
    there = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    state.say(f"Next: {there}tinker train --config train.toml --dry-run")

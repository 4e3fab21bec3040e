"""This package's LoRA layers against PEFT's: two adapters of one model, trained in turns.

    python benchmarks/lora_layers.py

The model has the depth of Qwen3-0.6B and next to no width, so that the figures are what the layers cost beside the
arithmetic: CPU milliseconds, the smallest of the repetitions. Both variants run in this process, in turns.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from real_models import RANK

REPETITIONS = 10
SIZES = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 28,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 300,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": False,
}
TOKENS = np.random.default_rng(0).integers(3, 290, (16, 9))

Steps = dict[str, Callable[[], object]]


def ours(folder: Path) -> Steps:
    from tinker_local.engine.base import AdamSpec, Example, LoraSpec
    from tinker_local.engine.hf.engine import HfEngine

    engine = HfEngine([("m", folder)], device="cpu")
    data = [Example(tokens=row[:-1], inputs={"target_tokens": row[1:]}) for row in TOKENS]
    adapters = [engine.new_adapter("m", LoraSpec(rank=RANK, seed=seed)) for seed in (1, 2)]

    def step() -> None:
        for i in (0, 1):
            _, grown = engine.forward(adapters[i], data, "cross_entropy", {}, backward=True)
            _, adapters[i] = engine.optim_step(grown, AdamSpec(learning_rate=1e-4))

    return {
        "a step of each of two adapters": step,
        "a new adapter": lambda: engine.new_adapter("m", LoraSpec(rank=RANK, seed=3)),
    }


def pefts(folder: Path) -> Steps:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "lm_head"]
    config = LoraConfig(r=RANK, lora_alpha=32, target_modules=names)
    model: Any = get_peft_model(base, config, adapter_name="one").train()
    model.add_adapter("two", config)
    optimizers = {}
    for name in ("one", "two"):
        own = [p for n, p in model.named_parameters() if f".{name}." in n]
        optimizers[name] = torch.optim.AdamW(own, lr=1e-4)
    tokens = torch.tensor(TOKENS)

    def step() -> None:
        for name, optimizer in optimizers.items():
            model.set_adapter(name)
            logits = model(input_ids=tokens[:, :-1]).logits
            torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="sum"
            ).backward()
            optimizer.step()
            optimizer.zero_grad()

    def add() -> None:
        model.add_adapter("three", config)
        model.delete_adapter("three")

    return {"a step of each of two adapters": step, "a new adapter": add}


def main() -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        shape = AutoConfig.for_model("qwen3", **SIZES, eos_token_id=None)
        AutoModelForCausalLM.from_config(shape).save_pretrained(temporary)
        variants = {"ours": ours(Path(temporary)), "PEFT": pefts(Path(temporary))}
        for name in variants["ours"]:
            took: dict[str, list[float]] = {variant: [] for variant in variants}
            for _ in range(REPETITIONS):
                for variant, steps in variants.items():
                    started = time.process_time()
                    steps[name]()
                    took[variant].append(1e3 * (time.process_time() - started))
            figures = "  ".join(f"{variant} {min(ms):7.1f}" for variant, ms in took.items())
            print(f"{name:32} {figures}  ms of CPU", flush=True)


if __name__ == "__main__":
    main()

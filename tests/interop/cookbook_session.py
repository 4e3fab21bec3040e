"""tinker-cookbook's own loops, as they are, against the server whose address is given; prints what came out as JSON.

    python cookbook_session.py http://127.0.0.1:8000

Supplied from here: the tokenizer and the data, which the recipes would fetch from a hub, and rewards that alternate, because a
tiny model never answers right.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import chz
import datasets
from tinker_cookbook import model_info, renderers, tokenizer_utils
from tinker_cookbook.preference import train_dpo
from tinker_cookbook.preference.dpo_datasets import DPODatasetBuilderFromComparisons
from tinker_cookbook.preference.preference_datasets import ComparisonDatasetBuilder
from tinker_cookbook.preference.types import Comparison, LabeledComparison
from tinker_cookbook.rl import train as rl
from tinker_cookbook.rl.problem_env import ProblemEnv, ProblemGroupBuilder
from tinker_cookbook.rl.types import RLDataset, RLDatasetBuilder
from tinker_cookbook.supervised import train as supervised
from tinker_cookbook.supervised.data import FromConversationFileBuilder
from tinker_cookbook.supervised.types import ChatDatasetBuilderCommonConfig

import tinker
from tinker.tokenizers import get_tokenizer

MODEL, RENDERER = "tinker-local/tiny", "role_colon"
TALKS = [
    {
        "messages": [
            {"role": "user", "content": f"Say {n}"},
            {"role": "assistant", "content": f"{n}!"},
        ]
    }
    for n in range(16)
]
QUESTIONS = [{"question": f"What is {n} + 1?", "answer": f"#### {n + 1}"} for n in range(4)]
REWARDS = itertools.cycle([0.0, 1.0])


class Question(ProblemEnv):
    def get_question(self) -> str:
        return "1 + 1?"

    def get_reference_answer(self) -> str:
        return "2"

    def check_format(self, sample_str: str) -> bool:
        return True

    def check_answer(self, sample_str: str) -> bool:
        return bool(next(REWARDS))


class Questions(RLDataset):
    def get_batch(self, index: int) -> list[ProblemGroupBuilder]:
        renderer = renderers.get_renderer(RENDERER, get_tokenizer(MODEL))
        return [ProblemGroupBuilder(env_thunk=partial(Question, renderer), num_envs=4)] * 2

    def __len__(self) -> int:
        return 2


@chz.chz
class QuestionsBuilder(RLDatasetBuilder):
    async def __call__(self) -> tuple[Questions, None]:
        return Questions(), None


@chz.chz
class Comparisons(ComparisonDatasetBuilder):
    def get_train_and_test_datasets(self) -> tuple[datasets.Dataset, None]:
        return datasets.Dataset.from_list([{"n": n} for n in range(16)]), None

    def example_to_labeled_comparison(self, example: dict[str, Any]) -> LabeledComparison:
        question, *answers = (
            [{"role": role, "content": text}]
            for role, text in (
                ("user", f"{example['n']}?"),
                ("assistant", "yes"),
                ("assistant", "no"),
            )
        )
        return LabeledComparison(comparison=Comparison(question, *answers), label="A")


def supply() -> None:
    tokenizer_utils.register_tokenizer(MODEL, lambda: get_tokenizer(MODEL))
    model_info.get_recommended_renderer_name = lambda name: RENDERER

    def load(name: str, *rest: Any) -> datasets.DatasetDict:
        rows = TALKS if "robots" in name else QUESTIONS
        return datasets.DatasetDict(train=datasets.Dataset.from_list(rows))

    datasets.load_dataset = load


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def flat_loops(url: str, folder: Path) -> dict[str, Any]:
    """The two recipes that need nothing else of the cookbook; the first is run again from its last checkpoint."""
    from tinker_cookbook.recipes import rl_loop, sl_loop

    rl_loop.get_reward = lambda response, answer: next(REWARDS)
    common = {"base_url": url, "model_name": MODEL, "lora_rank": 4, "save_every": 1}
    for _ in range(2):
        sl_loop.main(
            sl_loop.Config(
                **common,
                batch_size=4,
                learning_rate=1e-2,
                log_path=str(folder / "sl_loop"),
            )
        )
    done = {"sl_loop": [step["train_mean_nll"] for step in metrics(folder / "sl_loop")]}
    for loss in ("importance_sampling", "cispo", "gspo", "stable_reinforce"):
        config = rl_loop.Config(
            **common,
            batch_size=2,
            group_size=4,
            max_tokens=8,
            loss_fn=loss,
            log_path=str(folder / loss),
        )
        rl_loop.main(config)
        done[f"rl_loop {loss}"] = [step["reward/total"] for step in metrics(folder / loss)]
    return done


def preferences(url: str, folder: Path) -> dict[str, Any]:
    """The cookbook's trainer of preferences, whose loss is a torch function."""
    data = ChatDatasetBuilderCommonConfig(
        model_name_for_tokenizer=MODEL, renderer_name=RENDERER, max_length=256, batch_size=8
    )
    config = train_dpo.Config(
        base_url=url,
        model_name=MODEL,
        recipe_name="test",
        renderer_name=RENDERER,
        lora_rank=4,
        learning_rate=1e-2,
        num_epochs=2,
        dataset_builder=DPODatasetBuilderFromComparisons(
            common_config=data, comparison_builder=Comparisons()
        ),
        log_path=str(folder / "dpo"),
    )
    train_dpo.main(config)
    return {"dpo": [step["dpo_loss"] for step in metrics(folder / "dpo")]}


async def trainers(url: str, folder: Path) -> dict[str, Any]:
    """The cookbook's trainers: supervised, and reinforcement learning in each of its modes."""
    talks = folder / "talks.jsonl"
    talks.write_text("".join(json.dumps(talk) + "\n" for talk in TALKS))
    common = {
        "base_url": url,
        "model_name": MODEL,
        "recipe_name": "test",
        "renderer_name": RENDERER,
        "lora_rank": 4,
        "save_every": 1,
        "eval_every": 1,
    }
    data = ChatDatasetBuilderCommonConfig(
        model_name_for_tokenizer=MODEL, renderer_name=RENDERER, max_length=256, batch_size=4
    )
    builder = FromConversationFileBuilder(common_config=data, file_path=str(talks), test_size=4)
    await supervised.main(
        supervised.Config(
            **common, dataset_builder=builder, learning_rate=1e-2, log_path=str(folder / "sl")
        )
    )
    done = {"supervised": [step["train_mean_nll"] for step in metrics(folder / "sl")]}
    modes: dict[str, dict[str, Any]] = {
        "sync": {"compute_post_kl": True},
        "kl": {
            "kl_penalty_coef": 0.1,
            "kl_reference_config": rl.KLReferenceConfig(base_model=MODEL),
        },
        "stream": {
            "stream_minibatch_config": rl.StreamMinibatchConfig(
                groups_per_batch=2, num_minibatches=2
            )
        },
        "async": {
            # Its loss is stable_reinforce.
            "async_config": rl.AsyncConfig(max_steps_off_policy=1, groups_per_batch=2)
        },
    }
    for name, mode in modes.items():
        config = rl.Config(
            **common,
            **mode,
            dataset_builder=QuestionsBuilder(),
            learning_rate=1e-3,
            max_tokens=6,
            log_path=str(folder / name),
        )
        await rl.main(config)
        key = "env/all/reward/total"
        done[f"rl {name}"] = [step[key] for step in metrics(folder / name) if key in step]
    return done


if __name__ == "__main__":
    supply()
    with tempfile.TemporaryDirectory() as name:
        done = flat_loops(sys.argv[1], Path(name)) | preferences(sys.argv[1], Path(name))
        done |= asyncio.run(trainers(sys.argv[1], Path(name)))
    print(json.dumps({"tinker": tinker.__version__, **done}))

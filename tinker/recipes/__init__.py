"""Fine-tuning as functions: data to tokens, schedules, the loop, a run's folder, export. What `tinker train` does.

    examples = recognize(read("chats.jsonl"))                 rows, and what they mean
    data = render(examples, tokenizer)                        tokens, and which are trained on
    training = Training(service, TrainSettings(data="chats.jsonl", model_name="…"))
    for event in training.run(): …                            Step, Evaluation, Saved, Finished
    merge(adapter_folder, base_folder, output)                one model of base and adapter

Everything can be used on its own, and needs neither click nor rich.
"""

from __future__ import annotations

from tinker.recipes.errors import DataError, Problem, RecipeError
from tinker.recipes.evaluation import Scores, evaluate
from tinker.recipes.events import Evaluation, Event, Finished, Saved, Step
from tinker.recipes.examples import (
    Completion,
    Conversation,
    Document,
    Example,
    Examples,
    Format,
    Preference,
    recognize,
)
from tinker.recipes.export import Merged, for_vllm, merge
from tinker.recipes.preference import dpo
from tinker.recipes.prices import training_cost
from tinker.recipes.rendering import Rendered, RenderedData, render
from tinker.recipes.report import DataReport, Plan
from tinker.recipes.rows import Row, Rows, read
from tinker.recipes.run_folder import CheckpointRecord, RunFolder
from tinker.recipes.schedules import Schedule, default_learning_rate, scale
from tinker.recipes.settings import TrainSettings, read_config
from tinker.recipes.supervised import Training

__all__ = [
    "CheckpointRecord",
    "Completion",
    "Conversation",
    "DataError",
    "DataReport",
    "Document",
    "Evaluation",
    "Event",
    "Example",
    "Examples",
    "Finished",
    "Format",
    "Merged",
    "Plan",
    "Preference",
    "Problem",
    "RecipeError",
    "Rendered",
    "RenderedData",
    "Row",
    "Rows",
    "RunFolder",
    "Saved",
    "Schedule",
    "Scores",
    "Step",
    "TrainSettings",
    "Training",
    "default_learning_rate",
    "dpo",
    "evaluate",
    "for_vllm",
    "merge",
    "read",
    "read_config",
    "recognize",
    "render",
    "scale",
    "training_cost",
]

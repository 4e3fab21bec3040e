"""Run a TuFT server on the CPU: `<its environment>/bin/python tuft_main.py PORT MODEL CHECKPOINTS KEY`.

Its routes, its order of requests, its checkpoints and its training (transformers and PEFT) are its own. Two parts are not:
the model lives in this process, not in a Ray actor that asks for a GPU, and samples come from the server's own
stand-in for vLLM, which makes up tokens.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import uvicorn
from tuft.backends.base_backend import BaseSamplingBackend
from tuft.backends.hf_training_model import HFTrainingModel
from tuft.backends.sampling_backend import DummySamplingBackend
from tuft.config import AppConfig, ModelConfig
from tuft.server import create_root_app


class InThisProcess:
    """Calls the methods of a model as those of a Ray actor are called."""

    def __init__(self, config: ModelConfig) -> None:
        self._model = HFTrainingModel(config)

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=getattr(self._model, name))


class Sampler(DummySamplingBackend):
    """Scores no first token, as vLLM does not."""

    async def sample(self, *arguments: Any, **options: Any) -> Any:
        response = await super().sample(*arguments, **options)
        for scores in (response._prompt_logprobs_list, response._topk_prompt_logprobs_list):
            if scores is not None:
                scores[0] = None
        return response


port, model, checkpoints, key = sys.argv[1:]
HFTrainingModel.get_actor = InThisProcess
BaseSamplingBackend.create_backend = lambda config, worker_venv_path=None: Sampler(config)
torch.cuda.reset_peak_memory_stats = lambda: None
config = AppConfig(
    checkpoint_dir=Path(checkpoints),
    authorized_users={key: "interop"},
    supported_models=[
        ModelConfig(model_name=model, model_path=Path(model), max_model_len=512, max_lora_rank=32)
    ],
)
config.ensure_directories()
uvicorn.run(create_root_app(config), host="127.0.0.1", port=int(port), log_level="info")

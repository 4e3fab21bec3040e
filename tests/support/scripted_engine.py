"""An engine that returns what a test tells it to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinker_local.engine.base import SampledSequence, SampleResult, SampleSpec
from tinker_local.engine.tiny.engine import TinyEngine

EOS = 256


class ScriptedEngine(TinyEngine):
    """The tiny engine, except that each sample is the next of `texts` and `<eos>`, cut as the request says.

    A sample's log-probabilities are -1, -2, -3, …
    """

    def __init__(self, *texts: str) -> None:
        super().__init__()
        self.texts = list(texts)
        self.prompts: list[str] = []
        """What was sampled from."""

    def sample(
        self, base_model: str, adapter: Any, specs: Sequence[SampleSpec]
    ) -> list[SampleResult]:
        return [self._result(spec) for spec in specs]

    def _result(self, spec: SampleSpec) -> SampleResult:
        prompt = [int(token) for token in spec.prompt]
        text = b"".join(b"<eos>" if token == EOS else bytes([token]) for token in prompt)
        self.prompts.append(text.decode())
        return SampleResult(sequences=[self._sequence(spec, n) for n in range(spec.num_samples)])

    def _sequence(self, spec: SampleSpec, index: int) -> SampledSequence:
        said = self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]
        limit = 10**6 if spec.max_tokens is None else spec.max_tokens
        tokens: list[int] = []
        stop_reason = "length"
        for token in [*said.encode(), EOS][:limit]:
            tokens.append(token)
            if spec.listener is not None:
                spec.listener(index, token, -float(len(tokens)))
            text = bytes(one for one in tokens if one != EOS)
            if token in spec.stop_tokens or any(
                stop.encode() in text for stop in spec.stop_strings
            ):
                stop_reason = "stop"
                break
        logprobs = -np.arange(1, len(tokens) + 1, dtype=np.float32)
        k = spec.topk_sample_logprobs
        return SampledSequence(
            tokens=np.array(tokens, np.int32),
            logprobs=logprobs,
            stop_reason=stop_reason,
            drawn_logprobs=logprobs,
            topk=[[(token, -0.5 * n) for n in range(k)] for token in tokens] if k else None,
        )

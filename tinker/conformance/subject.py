"""Shared state of the checks: the server, and the objects of earlier checks."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from attrs import define, field

from tinker._codec.media_types import JSON, PROTOBUF
from tinker.conformance.exchange import Exchange
from tinker.conformance.outcomes import expect
from tinker.conformance.payloads import (
    TOKENS,
    Example,
    Losses,
    json_batch,
    losses_of_json,
    losses_of_protobuf,
    protobuf_batch,
    samples_of_protobuf,
)
from tinker.conformance.server import Server


@define
class Numbered:
    """A model or a sampler of ours, and the `seq_id` of its next request."""

    id: str
    next_seq_id: int

    def take(self) -> int:
        self.next_seq_id += 1
        return self.next_seq_id - 1


def model_of(model_id: str) -> Numbered:
    return Numbered(model_id, 1)


@define
class Subject(Server):
    base_model: str = ""
    name: str = field(factory=lambda: f"conformance-{uuid.uuid4().hex[:8]}")
    session_id: str = ""
    model: Numbered = field(factory=lambda: model_of(""))
    sampler: Numbered = field(factory=lambda: Numbered("", 0))
    """Of the base model."""
    encoding: str = ""
    """The encoding of forward_backward bodies; empty until a check has found it out."""
    models: int = 0
    samplers: int = 0
    checkpoints: list[str] = field(factory=list)
    """Tinker paths of ours to delete."""
    extra_models: list[str] = field(factory=list)
    results: dict[str, Any] = field(factory=dict)
    """Values that checks keep for later ones."""
    evidence: dict[str, Exchange | None] = field(factory=dict)
    """The exchange that each of them came from."""

    def keep(self, name: str, value: Any) -> None:
        self.results[name], self.evidence[name] = value, self.last

    def recall(self, name: str) -> Any:
        """What an earlier check has kept; its exchange is the evidence again."""
        self.last = self.evidence[name]
        return self.results[name]

    # ---- training ---------------------------------------------------------------------------

    def new_model(self, **lora: Any) -> Numbered:
        body = self.model_body(**lora)
        result = self.do("create_model", body)
        self.extra_models.append(result["model_id"])
        return model_of(result["model_id"])

    def model_body(self, **lora: Any) -> dict[str, Any]:
        body = {
            "session_id": self.session_id,
            "model_seq_id": self.models,
            "base_model": self.base_model,
            "lora_config": {"rank": 8, "seed": 1, **lora},
            "type": "create_model",
        }
        self.models += 1
        return body

    def free(self) -> None:
        """Unload the models that a check has made: some servers have room for few."""
        while self.extra_models:
            model_id = self.extra_models.pop()
            self.send("unload_model", {"model_id": model_id, "type": "unload_model"})

    def train(self, model: Numbered, *examples: Example, seq_id: int | None = None) -> Any:
        """The promise of a forward_backward, in the encoding that the server accepts."""
        number = model.take() if seq_id is None else seq_id
        batch = json_batch if self.encoding == JSON else protobuf_batch
        return self.call("forward_backward", batch(model.id, number, examples or [Example()]))

    def losses(self, promise: Mapping[str, Any], accept: str = "") -> Losses:
        """The result of a forward or forward_backward, in whichever encoding it comes."""
        exchange = self.settled(promise, headers={"accept": accept or self.encoding})
        if exchange.status == 200 and exchange.media_type == PROTOBUF:
            losses = losses_of_protobuf(exchange)
        else:
            losses = losses_of_json(self.parsed("forward_backward", exchange))
        expect(bool(losses.outputs), "expected one entry a datum in loss_fn_outputs, found none")
        return losses

    def trained(self, model: Numbered, *examples: Example) -> Losses:
        """The result of a forward_backward."""
        return self.losses(self.train(model, *examples))

    def forward(self, model: Numbered, *examples: Example) -> Losses:
        """The result of a forward, or of a forward_backward with `forward_only` if the server lacks `forward`."""
        examples = examples or (Example(),)
        exchange = self.send(
            "forward", json_batch(model.id, model.next_seq_id, examples, "forward")
        )
        if exchange.status in (404, 405) and self.encoding == PROTOBUF:
            body = protobuf_batch(model.id, model.take(), examples, forward_only=True)
            return self.losses(self.call("forward_backward", body))
        self.offered(exchange)
        expect(
            200 <= exchange.status < 300, f"forward: expected a 2xx status, found {exchange.status}"
        )
        model.take()
        return self.losses(exchange.json(), JSON)

    def step(self, model: Numbered, *, seq_id: int | None = None, **adam: float) -> Any:
        """The promise of an optim_step."""
        body = {
            "model_id": model.id,
            "seq_id": model.take() if seq_id is None else seq_id,
            "adam_params": {
                "learning_rate": 0.01,
                "beta1": 0.9,
                "beta2": 0.95,
                "eps": 1e-8,
                "weight_decay": 0.0,
                **adam,
            },
            "type": "optim_step",
        }
        return self.call("optim_step", body)

    def stepped(self, model: Numbered, **adam: float) -> None:
        """Take an optimizer step and wait for it."""
        self.result("optim_step", self.step(model, seq_id=None, **adam))

    # ---- sampling ---------------------------------------------------------------------------

    def new_sampler(self, **source: str) -> Numbered:
        """A sampler of a `base_model` or of a `model_path`."""
        body = {
            "session_id": self.session_id,
            "sampling_session_seq_id": self.samplers,
            **source,
            "type": "create_sampling_session",
        }
        self.samplers += 1
        return Numbered(self.call("create_sampling_session", body)["sampling_session_id"], 0)

    def sample(self, sampler: Numbered | None = None, **fields: Any) -> Any:
        """Samples as JSON has them."""
        body = self.sample_body(sampler or self.sampler, **fields)
        length = len(body["prompt"]["chunks"][0]["tokens"])
        return self.sampled(self.call("asample", body), prompt_length=length)

    def sampled(
        self, promise: Mapping[str, Any], accept: str = JSON, prompt_length: int = len(TOKENS)
    ) -> Any:
        """The samples of a promise as JSON has them, in whichever encoding they come."""
        exchange = self.settled(promise, headers={"accept": accept})
        if exchange.status == 200 and exchange.media_type == PROTOBUF:
            return samples_of_protobuf(exchange, prompt_length)
        return self.parsed("asample", exchange)

    def sample_body(
        self, sampler: Numbered, tokens: tuple[int, ...] = TOKENS, **fields: Any
    ) -> dict[str, Any]:
        return {
            "sampling_session_id": sampler.id,
            "seq_id": sampler.take(),
            "num_samples": 1,
            "prompt": {"chunks": [{"type": "encoded_text", "tokens": tokens}]},
            "sampling_params": {
                "max_tokens": 4,
                "seed": 3,
                "temperature": 1.0,
                "top_k": -1,
                "top_p": 1.0,
            },
            "prompt_logprobs": False,
            "topk_prompt_logprobs": 0,
            "type": "sample",
            **fields,
        }

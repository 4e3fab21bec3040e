"""Fine-tuning on examples: supervised, or by preference pairs (DPO).

    training = Training(service, settings)    # reads and renders the data; sends nothing that costs
    print(training.report, training.plan)
    for event in training.run():              # a Step, an Evaluation, a Saved, and at last a Finished
        print(event)

`run(resume=True)` goes on from the last checkpoint. Steps are submitted two ahead, so that the server never waits for
this process.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from attrs import define, evolve

import tinker
from tinker import types
from tinker.futures import APIFuture
from tinker.recipes import base_model, preference, prices, rows as row_files, schedules
from tinker.recipes.errors import RecipeError
from tinker.recipes.events import Evaluation, Event, Finished, Saved, Step
from tinker.recipes.examples import Examples, recognize
from tinker.recipes.rendering import Rendered, RenderedData, render, template_of
from tinker.recipes.report import DataReport, Plan, plan, report
from tinker.recipes.run_folder import CheckpointRecord, RunFolder
from tinker.recipes.settings import TrainSettings

RECIPE = "tinker.recipes.supervised"
AHEAD = 2
"""Steps that are submitted before the result of the oldest is awaited."""
_HELD_OUT_AT_LEAST, _HELD_OUT_AT_MOST = 3, 100
_HELD_OUT_FROM = 20
_EVALUATIONS = 20
_CHECKPOINTS = 10
_SAVE_SECONDS = 60.0
_BETA1, _BETA2 = 0.9, 0.95


@define
class _Pending:
    """The pending operations of one step."""

    step: int
    epoch: int
    rows: Sequence[Rendered]
    learning_rate: float
    forward_backward: APIFuture[types.ForwardBackwardOutput]
    optim_step: APIFuture[types.OptimStepResponse]
    evaluation: APIFuture[types.ForwardBackwardOutput] | None = None
    state: APIFuture[types.SaveWeightsResponse] | None = None
    sampler: APIFuture[types.SaveWeightsForSamplerResponse] | None = None
    final: bool = False


class Training:
    """One run: its data, its plan, and the loop.

    Attributes:
        settings: As given.
        base_model: The model that is trained.
        folder: Where it is recorded.
        report: What the data is.
        plan: What the run does.
    """

    def __init__(
        self,
        service: tinker.ServiceClient,
        settings: TrainSettings,
        *,
        folder: RunFolder | None = None,
    ) -> None:
        self.service = service
        self.base_model, self.tokenizer, context = base_model.resolve(service, settings)
        self.settings = settings
        self.examples = recognize(row_files.read(settings.data), settings.input_format)
        max_length = min(settings.max_length or context, context)
        self.chat_template = template_of(settings.chat_template)

        def rendered(examples: Examples) -> RenderedData:
            return render(
                examples,
                self.tokenizer,
                train_on=settings.train_on,
                chat_template=self.chat_template,
                max_length=max_length,
                long_rows=settings.long_rows,
            )

        self.data = rendered(self.examples)
        self._train, held_out = _split(len(self.data), settings)
        self._eval_data, self._held_out = self.data, held_out
        self.eval_examples = self.examples
        if settings.eval_data:
            self.eval_examples = recognize(
                row_files.read(settings.eval_data), settings.input_format
            )
            self._eval_data = rendered(self.eval_examples)
            self._held_out = list(range(len(self._eval_data)))
        if self._eval_data.pairs != self.data.pairs:
            raise RecipeError("eval_data and data must both hold preference pairs, or neither.")
        self.report: DataReport = report(self.examples, self.data, self._train, held_out)
        self.plan: Plan = self._planned()
        self.folder = folder or RunFolder(
            settings.log_path or _default_folder(settings, self.base_model)
        )
        self._client: tinker.TrainingClient | None = None
        self._reference: preference.Reference | None = None
        self._pending: deque[_Pending] = deque()
        self._submitted = 0
        self._kept: dict[str, bytes] = {}
        self._tokens = 0
        self._best_loss = math.inf
        self._without_improvement = 0
        self._checks_limits()

    # ---- what will happen -------------------------------------------------------------------

    @property
    def held_out(self) -> Sequence[Sequence[Rendered]]:
        """The held-out examples, rendered."""
        return [self._eval_data.group(index) for index in self._held_out]

    @property
    def waiting_for(self) -> str | None:
        """What the oldest step waits for in the server's queue, if the server reports it."""
        for pending in self._pending:
            for future in (pending.forward_backward, pending.optim_step):
                if future.progress is not None and future.progress.queue:
                    return future.progress.queue
        return None

    def initial_sampler(self) -> tinker.SamplingClient:
        """A sampler of the model as the run finds it."""
        path = self.settings.load_checkpoint_path
        if path is None:
            return self.service.create_sampling_client(base_model=self.base_model).result()
        client = self.service.create_training_client_from_state(path).result()
        return client.save_weights_and_get_sampling_client().result()

    def keep_answers(self, name: str, content: bytes) -> None:
        """Write a file into the folder, as soon as there is one."""
        if self.folder.exists:
            self.folder.write(name, content)
        else:
            self._kept[name] = content

    @property
    def held_out_lines(self) -> set[int]:
        return {self._eval_data.group(index)[0].line for index in self._held_out}

    def _planned(self) -> Plan:
        settings = self.settings
        default = schedules.default_learning_rate(self.base_model, settings.lora_rank)
        if self.data.pairs:
            default *= schedules.PREFERENCE
        rate = settings.learning_rate or default
        held_out_tokens = sum(len(row.tokens) for group in self.held_out for row in group)

        def planned(evaluations: int) -> Plan:
            return plan(
                self.data,
                self._train,
                held_out_tokens,
                batch_size=settings.batch_size,
                num_epochs=settings.num_epochs,
                max_steps=settings.max_steps,
                evaluations=evaluations,
                learning_rate=rate,
                base_model=self.base_model,
            )

        steps = planned(0).steps
        self._eval_every = settings.eval_every or max(1, math.ceil(steps / _EVALUATIONS))
        self._save_every = settings.save_every or max(1, math.ceil(steps / _CHECKPOINTS))
        evaluations = math.ceil(steps / self._eval_every) if self._held_out else 0
        return planned(evaluations)

    def _checks_limits(self) -> None:
        if self.settings.max_cost is None:
            self._token_limit = self.settings.max_tokens
            return
        per_token = prices.training_cost(self.base_model, 1)
        if per_token is None:
            raise RecipeError(
                f"max_cost needs a price, and the table of {prices.AS_OF} has none for {self.base_model}; "
                "use max_tokens."
            )
        affordable = int(self.settings.max_cost / per_token)
        self._token_limit = min(affordable, self.settings.max_tokens or affordable)

    def batch(self, step: int) -> tuple[int, list[int]]:
        """The epoch and the examples of a step. The order depends on the seed and the epoch alone."""
        epoch, number = divmod(step, self.plan.steps_per_epoch)
        order = np.random.default_rng([self.settings.seed, epoch]).permutation(self._train)
        size = self.settings.batch_size
        return epoch, [int(index) for index in order[number * size : (number + 1) * size]]

    # ---- the run ----------------------------------------------------------------------------

    def run(self, *, resume: bool = False) -> Iterator[Event]:
        """Train. Each step is recorded in the folder before it is returned.

        Args:
            resume: Go on with the run in the folder, from its last checkpoint.

        Raises:
            RecipeError: The folder holds another run, or (to resume) the data or the settings have changed.
            TinkerError: An operation failed; what was recorded can be resumed.
        """
        if resume:
            self.folder.config()  # there is a run, before a lock makes it look so
        else:
            self.folder.make()
        with self.folder.locked():
            first = self._resume_step() if resume else 0
            last = self.folder.last if resume else None
            if last is not None and last.final:
                yield Finished(
                    "it was already finished", last.batch, last, self.folder.best, self._tokens
                )
                return
            self._client = self._create(last)
            if not resume:  # only now: a run that the server refuses can begin again here
                self.folder.create(self._config())
                for name, content in self._kept.items():
                    self.folder.write(name, content)
            if self.data.pairs:
                self._reference = preference.Reference.load_or_score(
                    self.folder, self._client, self.data, self._eval_data, last is None
                )
            yield from self._loop(first)

    def interrupt(self) -> CheckpointRecord | None:
        """Save a checkpoint of the submitted steps, after the loop was left early; None if there are none."""
        client, step = self._client, self._submitted
        if client is None or step == 0 or any(c.batch == step for c in self.folder.checkpoints()):
            return None
        name = f"{step:06d}"
        path = client.save_state(name, ttl_seconds=self._ttl()).result(timeout=_SAVE_SECONDS).path
        record = CheckpointRecord(name, step, self.batch(step - 1)[0], path)
        self.folder.record(record)
        return record

    def _loop(self, first: int) -> Iterator[Event]:
        pending = self._pending
        steps, reason = self.plan.steps, "done"
        if self.settings.max_steps and steps == self.settings.max_steps:
            reason = f"max_steps ({steps}) reached"
        self._clock = time.monotonic()
        self._submitted = step = first
        last: CheckpointRecord | None = None
        while step < steps or pending:
            if step < steps:
                if (limit := self._over_limit(step)) is not None:
                    if step == 0:
                        raise RecipeError(
                            f"The first step has more tokens than {limit} allows; nothing was trained."
                        )
                    steps, reason = step, f"{limit} reached"
                    continue
                pending.append(self._submit(step, final=step + 1 == steps))
                step = self._submitted = step + 1
                if step < steps and len(pending) <= AHEAD:
                    continue
            done = pending.popleft()
            for event in self._results(done):
                if isinstance(event, Saved):
                    last = event.checkpoint
                yield event
            patience = self.settings.patience
            if patience and self._without_improvement >= patience and step < steps:
                steps, reason = step, f"no better held-out loss in {patience} evaluations"
        if last is None or last.batch != step:
            last = self._save_final(step)
            yield Saved(last)
        if not last.final:
            last = evolve(last, final=True)
            self._keep_forever(last)
            self.folder.record(last)
        yield Finished(reason, step, last, self.folder.best, self._tokens)

    def _over_limit(self, step: int) -> str | None:
        if self._token_limit is None:
            return None
        tokens = sum(
            len(row.tokens) for index in self.batch(step)[1] for row in self.data.group(index)
        )
        if self._tokens + tokens <= self._token_limit:
            return None
        if self.settings.max_cost is not None:
            return f"max_cost (${self.settings.max_cost:g})"
        return f"max_tokens ({self._token_limit:,})"

    def _submit(self, step: int, *, final: bool) -> _Pending:
        client = self._client
        assert client is not None
        epoch, indices = self.batch(step)
        rows = [row for index in indices for row in self.data.group(index)]
        rate = self.plan.learning_rate * schedules.scale(
            self.settings.lr_schedule,
            step,
            self.plan.steps,
            round(self.settings.warmup_ratio * self.plan.steps),
        )
        if self._reference is not None:
            loss = preference.dpo(self._reference.of(indices), self.settings.dpo_beta)
            forward_backward = client.forward_backward_custom([row.datum() for row in rows], loss)
        else:
            trained = sum(row.trained_count for row in rows)
            data = [row.datum(1 / trained) for row in rows]
            forward_backward = client.forward_backward(data, "cross_entropy")
        optim_step = client.optim_step(
            types.AdamParams(
                learning_rate=rate,
                beta1=_BETA1,
                beta2=_BETA2,
                weight_decay=self.settings.weight_decay,
                grad_clip_norm=self.settings.grad_clip_norm,
            )
        )
        pending = _Pending(step, epoch, rows, rate, forward_backward, optim_step, final=final)
        self._tokens += sum(len(row.tokens) for row in rows)
        done = step + 1
        if self._held_out and (done % self._eval_every == 0 or final):
            held_out = [row for group in self.held_out for row in group]
            pending.evaluation = client.forward([row.datum() for row in held_out], "cross_entropy")
            self._tokens += sum(len(row.tokens) for row in held_out)
        if done % self._save_every == 0 or final:
            name = "final" if final else f"{done:06d}"
            ttl = None if final else self._ttl()
            pending.state = client.save_state(name, ttl_seconds=ttl)
            pending.sampler = client.save_weights_for_sampler(name, ttl_seconds=ttl)
        return pending

    def _results(self, pending: _Pending) -> Iterator[Event]:
        output = pending.forward_backward.result()
        optimizer = pending.optim_step.result()
        now = time.monotonic()
        seconds, self._clock = now - self._clock, now
        if self._reference is not None:
            loss = output.metrics["loss:sum"]
        else:
            loss = _mean_nll(pending.rows, output)
        extra = {f"optim/{name}": value for name, value in (optimizer.metrics or {}).items()}
        if self._reference is not None:
            extra |= {
                name: output.metrics[name] for name in preference.METRICS if name in output.metrics
            }
        done = Step(
            step=pending.step,
            steps=self.plan.steps,
            epoch=pending.epoch,
            loss=loss,
            tokens=sum(len(row.tokens) for row in pending.rows),
            trained_tokens=sum(row.trained_count for row in pending.rows),
            rows=len(pending.rows),
            learning_rate=pending.learning_rate,
            seconds=seconds,
            metrics=extra,
        )
        evaluation = self._evaluated(pending)
        self.folder.add_metrics(_row(done, evaluation))
        yield done
        if evaluation is not None:
            yield evaluation
        if pending.state is not None and pending.sampler is not None:
            record = CheckpointRecord(
                "final" if pending.final else f"{pending.step + 1:06d}",
                pending.step + 1,
                pending.epoch,
                pending.state.result().path,
                pending.sampler.result().path,
                evaluation.loss if evaluation is not None else None,
                pending.final,
            )
            self.folder.record(record)
            self._prune()
            yield Saved(record)

    def _evaluated(self, pending: _Pending) -> Evaluation | None:
        if pending.evaluation is None:
            return None
        output = pending.evaluation.result()
        if self._reference is not None:
            loss = self._reference.held_out_loss(output, self._held_out, self.settings.dpo_beta)
        else:
            loss = _mean_nll([row for group in self.held_out for row in group], output)
        best = loss < self._best_loss
        self._best_loss = min(loss, self._best_loss)
        self._without_improvement = 0 if best else self._without_improvement + 1
        return Evaluation(pending.step + 1, loss, best)

    # ---- checkpoints ------------------------------------------------------------------------

    def _ttl(self) -> int | None:
        days = self.settings.ttl_days
        return None if days is None else max(1, round(days * 86400))

    def _save_final(self, step: int) -> CheckpointRecord:
        """The final checkpoint of a run that ended before the step that was to be its last."""
        client = self._client
        assert client is not None
        state, sampler = client.save_state("final"), client.save_weights_for_sampler("final")
        record = CheckpointRecord(
            "final",
            step,
            self.batch(max(step - 1, 0))[0],
            state.result().path,
            sampler.result().path,
            final=True,
        )
        self.folder.record(record)
        return record

    def _keep_forever(self, record: CheckpointRecord) -> None:
        rest = self.service.create_rest_client()
        for path in (record.state_path, record.sampler_path):
            if path is not None:
                rest.set_checkpoint_ttl_from_tinker_path(path, None).result()

    def _prune(self) -> None:
        """Delete on the server what is neither among the newest nor the best."""
        present = [c for c in self.folder.present if not c.final]
        kept = {c.name for c in present[-self.settings.keep_checkpoints :]}
        if (best := self.folder.best) is not None:
            kept.add(best.name)
        rest = self.service.create_rest_client()
        for record in present:
            if record.name in kept:
                continue
            for path in (record.state_path, record.sampler_path):
                if path is not None:
                    with contextlib.suppress(tinker.NotFoundError):  # it has expired
                        rest.delete_checkpoint_from_tinker_path(path).result()
            self.folder.record(evolve(record, deleted=True))

    # ---- resuming ---------------------------------------------------------------------------

    def _config(self) -> dict[str, Any]:
        settings = self.settings.values()
        return {
            "recipe": RECIPE,
            "version": tinker.__version__,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            # What viewers of tinker-cookbook's runs look for.
            "model_name": self.base_model,
            "lora_rank": self.settings.lora_rank,
            "learning_rate": self.plan.learning_rate,
            "seed": self.settings.seed,
            "batch_size": self.settings.batch_size,
            "num_epochs": self.settings.num_epochs,
            "wandb_name": self.settings.wandb_name or self.folder.path.name,
            "wandb_project": self.settings.wandb_project,
            "dataset_builder": {
                "file_path": self.settings.data,
                "common_config": {"renderer_name": None},
            },
            "data_sha256": self.examples.sha256,
            "eval_data_sha256": self.eval_examples.sha256 if self.settings.eval_data else None,
            "settings": settings,
        }

    def _resume_step(self) -> int:
        """Check that the run in the folder is this one, and return the step to go on with."""
        config, mine = self.folder.config(), self._config()
        for key, what in (("data_sha256", "data"), ("eval_data_sha256", "eval_data")):
            if config.get(key) != mine[key]:
                raise RecipeError(
                    f"{self.settings.data if what == 'data' else self.settings.eval_data} is not the {what} that the "
                    f"run in {self.folder.path} began with (its SHA-256 differs); begin a new run."
                )
        if config.get("model_name") != self.base_model:
            raise RecipeError(
                f"The run in {self.folder.path} trains {config.get('model_name')}, not {self.base_model}."
            )
        last = self.folder.last
        step = last.batch if last is not None else 0
        self.folder.forget_after(step)
        for row in self.folder.metrics():
            self._tokens += int(row.get("num_tokens", 0))
            if (loss := row.get("test/nll")) is not None:
                better = loss < self._best_loss
                self._best_loss = min(loss, self._best_loss)
                self._without_improvement = 0 if better else self._without_improvement + 1
        return step

    def _create(self, last: CheckpointRecord | None) -> tinker.TrainingClient:
        settings, service = self.settings, self.service
        metadata = {"recipe": RECIPE, "run": self.folder.path.name}
        if last is not None:
            return service.create_training_client_from_state_with_optimizer(
                last.state_path, user_metadata=metadata
            ).result()
        if settings.load_checkpoint_path:
            return service.create_training_client_from_state(
                settings.load_checkpoint_path, user_metadata=metadata
            ).result()
        return service.create_lora_training_client(
            self.base_model,
            rank=settings.lora_rank,
            seed=settings.seed,
            train_attn=settings.train_attn,
            train_mlp=settings.train_mlp,
            train_unembed=settings.train_unembed,
            user_metadata=metadata,
        ).result()


def _split(count: int, settings: TrainSettings) -> tuple[list[int], list[int]]:
    """Indices of the examples to train on, and of those to hold out."""
    held_out = 0
    if not settings.eval_data and settings.eval_fraction > 0 and count >= _HELD_OUT_FROM:
        held_out = min(
            max(round(settings.eval_fraction * count), _HELD_OUT_AT_LEAST), _HELD_OUT_AT_MOST
        )
    order = np.random.default_rng([settings.seed, 0x5EED]).permutation(count)
    chosen = sorted(int(index) for index in order[:held_out])
    rest = set(range(count)) - set(chosen)
    if not rest:
        raise RecipeError(f"eval_fraction {settings.eval_fraction:g} leaves no row to train on.")
    return sorted(rest), chosen


def _mean_nll(rows: Sequence[Rendered], output: types.ForwardBackwardOutput) -> float:
    """Nats per trained token."""
    total = count = 0.0
    for row, outputs in zip(rows, output.loss_fn_outputs, strict=True):
        logprobs = outputs["logprobs"].to_numpy().astype(np.float64)
        mask = row.trained[1:]
        total -= float(logprobs[mask].sum())
        count += int(mask.sum())
    return total / count


def _row(step: Step, evaluation: Evaluation | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "step": step.step,
        "epoch": step.epoch,
        "progress": (step.step + 1) / step.steps,
        "learning_rate": step.learning_rate,
        "train_mean_nll": step.loss,
        "num_sequences": step.rows,
        "num_tokens": step.tokens,
        "num_loss_tokens": step.trained_tokens,
        "time/step": step.seconds,
        **step.metrics,
    }
    if evaluation is not None:
        row["test/nll"] = evaluation.loss
    return row


def _default_folder(settings: TrainSettings, base_model: str) -> Path:
    data = Path(settings.data).stem if settings.data not in ("", row_files.STDIN) else "stdin"
    model = base_model.rsplit("/", 1)[-1].partition(":")[0]
    return Path("tinker-runs") / f"{data}-{model}-{datetime.now():%Y%m%d-%H%M%S}"


__all__ = ["AHEAD", "Training"]

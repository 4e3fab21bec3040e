"""Direct preference optimization: the better continuation is to gain on the worse one, measured from a reference.

    loss = -log sigmoid(beta * [(log π(chosen) - log ref(chosen)) - (log π(rejected) - log ref(rejected))])

averaged over the pairs of a batch; log π of a continuation is the sum over its trained tokens. The reference is the
model as the run found it (arXiv 2305.18290).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import orjson
from attrs import frozen

from tinker import types
from tinker.custom_loss import NumpyLoss
from tinker.recipes.errors import RecipeError
from tinker.recipes.rendering import RenderedData
from tinker.recipes.run_folder import RunFolder

if TYPE_CHECKING:
    from tinker.training import TrainingClient

REFERENCE = "reference.json"
METRICS = ("dpo/accuracy", "dpo/margin", "dpo/chosen_reward", "dpo/rejected_reward")
Pairs = npt.NDArray[np.float64]
"""[pairs, 2]: a number for the chosen and one for the rejected continuation."""


@frozen
class Reference:
    """Log-probabilities that the model gave before the run."""

    train: Pairs
    held_out: Pairs
    _held_out_data: RenderedData

    @classmethod
    def load_or_score(
        cls,
        folder: RunFolder,
        client: TrainingClient,
        data: RenderedData,
        held_out: RenderedData,
        fresh: bool,
    ) -> Reference:
        """Score all pairs with the model as it is, or load what the run scored when it began."""
        path = folder.path / REFERENCE
        if path.exists():
            stored = orjson.loads(path.read_bytes())
            return cls(np.array(stored["train"]), np.array(stored["held_out"]), held_out)
        if not fresh:
            raise RecipeError(
                f"{path} is missing, and the model has been trained since: begin a new run."
            )
        train = _scores(client, data)
        others = train if held_out is data else _scores(client, held_out)
        folder.write(
            REFERENCE, orjson.dumps({"train": train.tolist(), "held_out": others.tolist()})
        )
        return cls(train, others, held_out)

    def of(self, indices: Sequence[int]) -> Pairs:
        """The reference of some examples of the training data."""
        return self.train[list(indices)]

    def held_out_loss(
        self, output: types.ForwardBackwardOutput, indices: Sequence[int], beta: float
    ) -> float:
        """The loss of scored held-out pairs."""
        rows = [row for index in indices for row in self._held_out_data.group(index)]
        scores = [
            float(out["logprobs"].to_numpy().astype(np.float64)[row.trained[1:]].sum())
            for row, out in zip(rows, output.loss_fn_outputs, strict=True)
        ]
        margins = _margins(np.array(scores).reshape(-1, 2), self.held_out[list(indices)])
        return float(np.logaddexp(0.0, -beta * margins).mean())


def _scores(client: TrainingClient, data: RenderedData) -> Pairs:
    output = client.forward([row.datum() for row in data.rows], "cross_entropy").result()
    scores = [
        float(out["logprobs"].to_numpy().astype(np.float64)[row.trained[1:]].sum())
        for row, out in zip(data.rows, output.loss_fn_outputs, strict=True)
    ]
    return np.array(scores).reshape(-1, 2)


def _margins(scores: Pairs, reference: Pairs) -> npt.NDArray[np.float64]:
    gains = scores - reference
    margins: npt.NDArray[np.float64] = gains[:, 0] - gains[:, 1]
    return margins


def dpo(reference: Pairs, beta: float) -> NumpyLoss:
    """The loss of a batch of pairs: chosen and rejected alternate, and the mask of each is its `weights`."""

    def loss(
        data: list[types.Datum], logprobs: list[npt.NDArray[np.float32]]
    ) -> tuple[float, dict[str, float], list[npt.NDArray[np.float32]]]:
        masks = [datum.loss_fn_inputs["weights"].to_numpy() for datum in data]
        scores = np.array(
            [
                float((lp.astype(np.float64) * m).sum())
                for lp, m in zip(logprobs, masks, strict=True)
            ]
        ).reshape(-1, 2)
        gains = beta * (scores - reference)
        margins = gains[:, 0] - gains[:, 1]
        count = len(margins)
        # d(-log sigmoid(m))/dm = -sigmoid(-m)
        slope = -beta / (1.0 + np.exp(margins)) / count
        gradients = [
            (mask * (slope[n // 2] if n % 2 == 0 else -slope[n // 2])).astype(np.float32)
            for n, mask in enumerate(masks)
        ]
        metrics = {
            "dpo/accuracy": float((margins > 0).mean()),
            "dpo/margin": float(margins.mean()),
            "dpo/chosen_reward": float(gains[:, 0].mean()),
            "dpo/rejected_reward": float(gains[:, 1].mean()),
        }
        return float(np.logaddexp(0.0, -margins).mean()), metrics, gradients

    return NumpyLoss(loss)

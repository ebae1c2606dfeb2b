"""Answers of a model to a data set: batched by length, returned in the order of the data."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seqlab.engine.batching import Batch, Budget, Dataset
from seqlab.engine.calls import Decode
from seqlab.engine.model import SequenceModel
from seqlab.engine.precision import Arithmetic, arithmetic

__all__ = ["BATCH", "Answers", "answer"]

BATCH = Budget(tokens=16_384)
"""The batches of prediction and evaluation; the longer they are, the better the matrix products.

Above the start, a bidirectional LSTM layer of 128 units takes 64 MB for one, three GRU layers of 512 263 MB.
"""


@dataclass
class Answers:
    """One head's answer to each example, and the mean loss of the targets, where there are any."""

    values: list[Any]
    loss_sum: float = 0.0
    loss_count: float = 0.0

    @property
    def loss(self) -> float | None:
        """The mean loss, None where the data held no target to compare with."""
        return self.loss_sum / self.loss_count if self.loss_count else None


def answer(
    model: SequenceModel,
    data: Dataset,
    budget: Budget,
    decoders: Mapping[str, Decode],
    *,
    precision: Arithmetic = "fp32",
    given: Collection[str] = (),
    losses: bool = True,
) -> dict[str, Answers]:
    """Return each head's answers in the order of the examples; the model must be in evaluation mode.

    `decoders` make them, head by head, of what its module answers to a batch. `precision` is that of the
    matrix products; all calls for one model must agree on it, since featurizers may keep what they have
    computed. `given` names the heads whose modules may see the target when they answer; `losses` says whether
    to work out those of the targets.
    """
    answers = {name: Answers([None] * len(data)) for name in model.head_names}
    device = next(model.parameters()).device
    for indices in _by_length(data.lengths, budget):
        with arithmetic(precision, device):
            _answer_batch(model, data.gather(indices).to(device), decoders, answers, given, losses)
    return answers


@torch.inference_mode()
def _answer_batch(
    model: SequenceModel,
    batch: Batch,
    decoders: Mapping[str, Decode],
    answers: Mapping[str, Answers],
    given: Collection[str],
    losses: bool,
) -> None:
    """Put the answers to a batch into their examples' places, and add up its losses."""
    states, _ = model.encode(batch.features, names=batch.names)
    indices = batch.indices.tolist()
    for name, head in model.head_calls(batch.names).items():
        found, target = answers[name], batch.targets.get(name)
        values = head.answer(states, target if name in given else None, decoders[name], indices)
        for index, value in zip(indices, values, strict=True):
            found.values[index] = value
        if target is not None and losses:
            found.loss_sum += float(head.loss(states, target))
            found.loss_count += float(head.count(target, states.lengths))


def _by_length(lengths: Tensor, budget: Budget) -> Iterator[Tensor]:
    order = torch.argsort(lengths, descending=True, stable=True)
    return budget.cut(order, lengths)

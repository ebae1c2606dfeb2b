"""Answers of a model to a data set: batched by length, returned in the order of the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from seqlab.engine.batching import Budget, Dataset
from seqlab.engine.model import SequenceModel
from seqlab.engine.sequences import Sequences

__all__ = ["Answers", "answer"]


@dataclass
class Answers:
    """One head's answers: chosen ids and the probability of each per example; the mean loss given targets."""

    ids: list[list[int]]
    probabilities: list[list[float]]
    loss_sum: float = 0.0
    loss_count: float = 0.0

    @property
    def loss(self) -> float | None:
        """The mean loss, None where the data held no target to compare with."""
        return self.loss_sum / self.loss_count if self.loss_count else None


@torch.inference_mode()
def answer(model: SequenceModel, data: Dataset, budget: Budget) -> dict[str, Answers]:
    """Return each head's answers in the order of the examples; the model must be in evaluation mode."""
    device = next(model.parameters()).device
    answers = {name: Answers([[]] * len(data), [[]] * len(data)) for name in model.head_names}
    for indices in _by_length(data.lengths, budget):
        batch = data.gather(indices).to(device)
        states, _ = model.encode(batch.features)
        for name, head in model.named_heads():
            _collect(answers[name], indices.tolist(), *head.predict(states))
            if name in batch.targets:
                answers[name].loss_sum += float(head.loss(states, batch.targets[name]))
                answers[name].loss_count += float(head.count(batch.targets[name]))
    return answers


def _by_length(lengths: Tensor, budget: Budget) -> Iterator[Tensor]:
    order = torch.argsort(lengths, descending=True, stable=True)
    yield from map(torch.tensor, budget.cut(order.tolist(), lengths.tolist()))


def _collect(answers: Answers, indices: list[int], ids: Sequences, probabilities: Sequences) -> None:
    """Put a batch's answers, flat on the device, into their examples' places."""
    chosen, sure = ids.to_flat().tolist(), probabilities.to_flat().tolist()
    start = 0
    for index, length in zip(indices, ids.lengths.tolist(), strict=True):
        answers.ids[index] = chosen[start : start + length]
        answers.probabilities[index] = sure[start : start + length]
        start += length

"""Answers of a model to a data set: batched by length, returned in the order of the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from seqlab.engine.batching import Batch, Budget, Dataset
from seqlab.engine.model import SequenceModel
from seqlab.engine.precision import Arithmetic, arithmetic
from seqlab.engine.sequences import Sequences

__all__ = ["Answers", "answer"]


@dataclass
class Answers:
    """One head's answers: chosen ids and the probability of each per example; the mean loss given targets.

    `positions` says where in its sequence each id was read, from 0, the beginning, to 1, the end; they are
    empty where the head does not know.
    """

    ids: list[list[int]]
    probabilities: list[list[float]]
    positions: list[list[float]] = field(default_factory=list)
    loss_sum: float = 0.0
    loss_count: float = 0.0

    @property
    def loss(self) -> float | None:
        """The mean loss, None where the data held no target to compare with."""
        return self.loss_sum / self.loss_count if self.loss_count else None


def answer(
    model: SequenceModel, data: Dataset, budget: Budget, *, precision: Arithmetic = "fp32"
) -> dict[str, Answers]:
    """Return each head's answers in the order of the examples; the model must be in evaluation mode.

    `precision` is that of the matrix products; all calls for one model must agree on it, since featurizers
    may keep what they have computed.
    """
    count = len(data)
    answers = {name: Answers([[]] * count, [[]] * count, [[]] * count) for name in model.head_names}
    device = next(model.parameters()).device
    for indices in _by_length(data.lengths, budget):
        with arithmetic(precision, device):
            batch = _answer_batch(model, data.gather(indices).to(device))
        for each in batch:
            _collect(answers[each.head], each)
    return answers


@dataclass(frozen=True)
class BatchAnswer:
    """One head's answer to one batch, moved off the device."""

    head: str
    indices: list[int]
    lengths: list[int]
    ids: list[int]
    probabilities: list[float]
    positions: list[float] | None
    loss_sum: float
    loss_count: float


@torch.inference_mode()
def _answer_batch(model: SequenceModel, batch: Batch) -> list[BatchAnswer]:
    states, _ = model.encode(batch.features, names=batch.names)
    answers = []
    for name, head in model.head_calls(batch.names).items():
        ids, sure, read = head.predict_aligned(states)
        target = batch.targets.get(name)
        answers.append(
            BatchAnswer(
                name,
                batch.indices.tolist(),
                ids.lengths.tolist(),
                ids.to_flat().tolist(),
                sure.to_flat().tolist(),
                None if read is None else _positions(read, states),
                float(head.loss(states, target)) if target is not None else 0.0,
                float(head.count(head.fitting(states, target))) if target is not None else 0.0,
            )
        )
    return answers


def _positions(read: Sequences, states: Sequences) -> list[float]:
    """Return as shares of the sequences where ids were read from."""
    lengths = states.lengths.to(read.data.device)[read.layout.items]
    return read.with_data((read.data + 0.5) / lengths).to_flat().tolist()


def _by_length(lengths: Tensor, budget: Budget) -> Iterator[Tensor]:
    order = torch.argsort(lengths, descending=True, stable=True)
    return budget.cut(order, lengths)


def _collect(answers: Answers, batch: BatchAnswer) -> None:
    """Put a batch's answers into their examples' places."""
    start = 0
    for index, length in zip(batch.indices, batch.lengths, strict=True):
        answers.ids[index] = batch.ids[start : start + length]
        answers.probabilities[index] = batch.probabilities[start : start + length]
        if batch.positions is not None:
            answers.positions[index] = batch.positions[start : start + length]
        start += length
    answers.loss_sum += batch.loss_sum
    answers.loss_count += batch.loss_count

"""Answers of a model to a data set: batched by length, returned in the order of the data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from seqlab.engine.batching import Batch, Budget, Dataset
from seqlab.engine.model import SequenceModel
from seqlab.engine.precision import Arithmetic, arithmetic

__all__ = ["Answers", "answer"]

Map: TypeAlias = Callable[
    [Callable[[Tensor], "list[BatchAnswer]"], Iterable[Tensor]], Iterable["list[BatchAnswer]"]
]
"""The built-in `map`, or that of a pool of threads."""


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


def answer(
    model: SequenceModel, data: Dataset, budget: Budget, *, workers: int = 1, precision: Arithmetic = "fp32"
) -> dict[str, Answers]:
    """Return each head's answers in the order of the examples; the model must be in evaluation mode.

    `precision` is that of the matrix products; all calls for one model must agree on it, since featurizers
    may keep what they have computed.

    Several `workers` answer batches side by side on the CPU, one thread each: more than the small matrix
    products of a recurrent step gain from sharing threads. One worker repeats to the last bit.
    """
    answers = {name: Answers([[]] * len(data), [[]] * len(data)) for name in model.head_names}

    device = next(model.parameters()).device

    def answered(indices: Tensor) -> list[BatchAnswer]:
        with arithmetic(precision, device):  # here, since it holds for the thread alone
            return _answer_batch(model, data.gather(indices).to(device), indices)

    with _mapped(workers) as mapped:
        for batch in mapped(answered, _by_length(data.lengths, budget)):
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
    loss_sum: float
    loss_count: float


@torch.inference_mode()
def _answer_batch(model: SequenceModel, batch: Batch, indices: Tensor) -> list[BatchAnswer]:
    states, _ = model.encode(batch.features)
    answers = []
    for name, head in model.named_heads():
        ids, sure = head.predict(states)
        target = batch.targets.get(name)
        answers.append(
            BatchAnswer(
                name,
                indices.tolist(),
                ids.lengths.tolist(),
                ids.to_flat().tolist(),
                sure.to_flat().tolist(),
                float(head.loss(states, target)) if target is not None else 0.0,
                float(head.count(target)) if target is not None else 0.0,
            )
        )
    return answers


@contextmanager
def _mapped(workers: int) -> Iterator[Map]:
    """Give an ordered map that runs in `workers` threads, or in this one."""
    if workers == 1:
        yield map
        return
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool.map
    finally:
        # A worker's setting is its own, but torch also keeps the last one for threads yet to come.
        torch.set_num_threads(before)


def _by_length(lengths: Tensor, budget: Budget) -> Iterator[Tensor]:
    order = torch.argsort(lengths, descending=True, stable=True)
    yield from map(torch.tensor, budget.cut(order.tolist(), lengths.tolist()))


def _collect(answers: Answers, batch: BatchAnswer) -> None:
    """Put a batch's answers into their examples' places."""
    start = 0
    for index, length in zip(batch.indices, batch.lengths, strict=True):
        answers.ids[index] = batch.ids[start : start + length]
        answers.probabilities[index] = batch.probabilities[start : start + length]
        start += length
    answers.loss_sum += batch.loss_sum
    answers.loss_count += batch.loss_count

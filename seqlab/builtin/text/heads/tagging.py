"""One label per token: a linear layer and a softmax on each state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqlab.api import Alignment, Answer, SeqlabError
from seqlab.builtin.core.heads.labels import ClassWeights, class_weights, restored_labels
from seqlab.engine import Column, Sequences

__all__ = ["Tagger", "TaggingHead"]

UNSEEN = -1
"""Target id of a label that the training split does not hold, or the data lacks: no loss, never predicted."""


class TaggingHead:
    """The label set of a `tagging` head, sorted by name."""

    alignment: Alignment = "per_state"

    def __init__(
        self,
        target: str,
        *,
        class_weights: ClassWeights = None,
        label_smoothing: float = 0.0,
        loss_weight: float = 1.0,
        default_metrics: tuple[str, ...] = ("accuracy",),
    ) -> None:
        self.target = target
        self.default_metrics = default_metrics
        self.class_weights = class_weights
        self.label_smoothing = label_smoothing
        self.loss_weight = loss_weight
        self.labels: list[str] = []
        self.weights: list[float] = []

    def fit(self, values: Iterable[Sequence[str | None]]) -> None:
        """Learn the labels and, from their counts, the class weights; SeqlabError with fewer than two."""
        counts = Counter(label for value in values for label in value if label is not None)
        if not counts:
            raise SeqlabError(
                f"head tagging: no token of the training split has a label {self.target!r}: nothing to learn;"
                " is the field the right one?"
            )
        if len(counts) == 1:
            (only,) = counts
            raise SeqlabError(
                f"head tagging: every {self.target!r} of the training split is {only!r}: nothing to learn;"
                " is the field the right one?"
            )
        self.labels = sorted(counts)
        self.weights = class_weights("tagging", self.class_weights, counts)

    def state(self) -> dict[str, Any]:
        """Return the labels and their weights."""
        return {"labels": self.labels, "weights": self.weights}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        self.labels, self.weights = restored_labels(state)

    def encode(self, values: Sequence[Sequence[str | None]]) -> Column:
        """Return label ids, `UNSEEN` for a label that training does not know and for one that is missing."""
        ids: dict[str | None, int] = {label: number for number, label in enumerate(self.labels)}
        return Column.of([[ids.get(label, UNSEEN) for label in value] for value in values])

    def answers(self, outputs: tuple[Sequences, Sequences]) -> list[Answer]:
        """Return the labels of each sequence and their probabilities."""
        ids, probabilities = (each.to_flat().tolist() for each in outputs)
        labels = [self.labels[number] for number in ids]
        ends = list(accumulate(outputs[0].lengths.tolist(), initial=0))
        return [
            Answer(tuple(labels[start:end]), tuple(probabilities[start:end])) for start, end in pairwise(ends)
        ]

    def module(self, input_size: int) -> nn.Module:
        """Make the softmax layer."""
        return Tagger(
            input_size, self.weights, label_smoothing=self.label_smoothing, loss_weight=self.loss_weight
        )


class Tagger(nn.Module):
    """States to scores of labels; weighted cross-entropy, divided by the summed weights of the targets."""

    def __init__(
        self,
        input_size: int,
        weights: Sequence[float],
        *,
        label_smoothing: float = 0.0,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.project = nn.Linear(input_size, len(weights))
        self.label_smoothing = label_smoothing
        self.loss_weight = loss_weight
        self.class_weights: Tensor
        self.register_buffer("class_weights", torch.tensor(weights), persistent=False)

    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        """Return the summed class weights of the targets."""
        # Picking the known ones by a mask would make a GPU wait to be asked how many there are.
        weights = self.class_weights[target.data.clamp(min=0)]
        return weights.masked_fill(target.data == UNSEEN, 0).sum()

    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        """Return the summed cross-entropy; states (rows, input_size), target ids (rows,)."""
        if not torch.equal(states.lengths, target.lengths):
            raise ValueError("a tagging head needs one state per label: the encoder has changed the lengths")
        return self.loss_weight * functional.cross_entropy(
            self.project(states.data).float(),
            target.data,
            weight=self.class_weights,
            ignore_index=UNSEEN,
            reduction="sum",
            label_smoothing=self.label_smoothing,
        )

    def answer(self, states: Sequences) -> tuple[Sequences, Sequences]:
        """Return the likeliest label ids and their probabilities, shape (rows,) each."""
        scores = self.project(states.data).float()
        best, ids = scores.max(dim=-1)
        return states.with_data(ids), states.with_data((best - scores.logsumexp(dim=-1)).exp())

"""One label per token: a linear layer and a softmax on each state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqlab.api import SeqlabError, did_you_mean, one_of
from seqlab.builtin.core.learned import distinct_strings, numbers
from seqlab.engine import Column, Sequences

__all__ = ["Tagger", "TaggingHead"]

UNSEEN = -1
"""Target id of a label that the training split does not hold, or the data lacks: no loss, never predicted."""


class TaggingHead:
    """The label set of a `tagging` head, sorted by name."""

    default_metrics: tuple[str, ...] = ("accuracy", "accuracy_unknown", "sentence_accuracy", "label_scores")
    one_state_per_label = True

    def __init__(
        self,
        target: str,
        *,
        class_weights: Literal["balanced"] | Mapping[str, float] | None = None,
        label_smoothing: float = 0.0,
        loss_weight: float = 1.0,
    ) -> None:
        self.target = target
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
        self.weights = _class_weights(self.class_weights, counts)

    def state(self) -> dict[str, Any]:
        """Return the labels and their weights."""
        return {"labels": self.labels, "weights": self.weights}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        self.labels = distinct_strings(state, "labels")
        if not self.labels:
            raise ValueError("there is no label")
        # Packages of before the weights were kept have none.
        self.weights = numbers(state, "weights") if "weights" in state else [1.0] * len(self.labels)
        if len(self.weights) != len(self.labels):
            raise ValueError(f"{len(self.weights)} weights for {len(self.labels)} labels")

    def encode(self, values: Sequence[Sequence[str | None]]) -> Column:
        """Return label ids, `UNSEEN` for a label that training does not know and for one that is missing."""
        ids: dict[str | None, int] = {label: number for number, label in enumerate(self.labels)}
        return Column.of([[ids.get(label, UNSEEN) for label in value] for value in values])

    def decode(self, ids: Sequence[int]) -> list[str]:
        """Return the labels of one example."""
        labels = self.labels
        return [labels[number] for number in ids]

    def module(self, input_size: int) -> nn.Module:
        """Make the softmax layer."""
        return Tagger(
            input_size, self.weights, label_smoothing=self.label_smoothing, loss_weight=self.loss_weight
        )


def _class_weights(weights: str | Mapping[str, float] | None, counts: Counter[str]) -> list[float]:
    if weights is None:
        return [1.0] * len(counts)
    if isinstance(weights, Mapping):
        for label in weights:
            if label not in counts:
                raise SeqlabError(
                    f"head tagging: class_weights names label {label!r}, which the training split does not"
                    f" hold{did_you_mean(label, counts)}; {one_of(counts)}"
                )
        return [weights.get(label, 1.0) for label in sorted(counts)]
    mean = counts.total() / len(counts)
    return [mean / counts[label] for label in sorted(counts)]


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

    def count(self, target: Sequences) -> Tensor:
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

    def predict(self, states: Sequences) -> tuple[Sequences, Sequences]:
        """Return the likeliest label ids and their probabilities, shape (rows,) each."""
        scores = self.project(states.data).float()
        best, ids = scores.max(dim=-1)
        return states.with_data(ids), states.with_data((best - scores.logsumexp(dim=-1)).exp())

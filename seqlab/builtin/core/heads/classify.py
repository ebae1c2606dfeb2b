"""One label, or a set of labels, for each sequence: states pooled, a linear layer, softmax or sigmoids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqlab.api import Alignment, Answer, Column, SeqlabError, Sequences
from seqlab.builtin.core.heads.labels import ClassWeights, class_weights, restored_labels
from seqlab.builtin.core.heads.pooling import Attention, Pooling, largest, mean

__all__ = ["Classified", "Classifier", "ClassifyHead", "ClassifySettings"]

NONE = -1
"""Target id of a label that the training split does not hold, or the data lacks: no loss, never predicted."""


@dataclass(frozen=True, kw_only=True)
class ClassifySettings:
    """How sequences are classified, whatever their labels are."""

    pooling: Pooling = "last"
    dropout: float = 0.0
    class_weights: ClassWeights = None
    label_smoothing: float = 0.0
    loss_weight: float = 1.0
    n_best: int = 5
    threshold: float = 0.5


@dataclass(frozen=True)
class Classified:
    """What the module answers to a batch: probabilities, (sequences, labels), and attention, if there is."""

    probabilities: Tensor
    attention: Sequences | None = None


class ClassifyHead:
    """The labels of a `classify` head, sorted by name; with `many` the target is a set of them."""

    alignment: Alignment = "per_sequence"

    def __init__(
        self,
        target: str,
        *,
        many: bool,
        settings: ClassifySettings,
        default_metrics: tuple[str, ...] = ("accuracy",),
    ) -> None:
        self.target = target
        self.many = many
        self.settings = settings
        self.default_metrics = default_metrics
        self.labels: list[str] = []
        self.weights: list[float] = []

    def fit(self, values: Iterable[str | Collection[str] | None]) -> None:
        """Learn the labels and their weights; SeqlabError where there is nothing to tell apart."""
        counts = Counter(label for value in values for label in self._of(value))
        if not counts:
            raise SeqlabError(
                f"head classify: no {self.target!r} of the training split has a label: nothing to learn;"
                " is the field the right one?"
            )
        if len(counts) == 1 and not self.many:
            (only,) = counts
            raise SeqlabError(
                f"head classify: every {self.target!r} of the training split is {only!r}: nothing to learn;"
                " is the field the right one?"
            )
        self.labels = sorted(counts)
        self.weights = class_weights("classify", self.settings.class_weights, counts)

    def state(self) -> dict[str, Any]:
        """Return the labels and their weights."""
        return {"labels": self.labels, "weights": self.weights}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        self.labels, self.weights = restored_labels(state)

    def encode(self, values: Sequence[str | Collection[str] | None]) -> Column:
        """Return a label's id; of a set, the number of all labels, then the ids of those in it, in order.

        `NONE` stands for a label that training does not know, and for a label or set that is missing.
        """
        ids = {label: number for number, label in enumerate(self.labels)}
        numbers = [[ids.get(label, NONE) for label in self._of(value)] for value in values]
        if self.many:
            # The leading number tells the empty set from one that is missing.
            numbers = [[len(ids), *sorted(own)] for own in numbers]
        return Column.of(
            [[NONE] if value is None else own for value, own in zip(values, numbers, strict=True)]
        )

    def module(self, input_size: int) -> nn.Module:
        """Make the pooling and the linear layer."""
        return Classifier(input_size, self.weights, many=self.many, settings=self.settings)

    def answers(self, outputs: Classified) -> list[Answer]:
        """Return for each sequence its label and the next likely ones, or its set, with probabilities."""
        found = list(self._sets(outputs.probabilities) if self.many else self._best(outputs.probabilities))
        if outputs.attention is None:
            return found
        weights = (tuple(each.tolist()) for each in outputs.attention.to_list())
        return [
            replace(each, details={**each.details, "attention": own})
            for each, own in zip(found, weights, strict=True)
        ]

    def _best(self, probabilities: Tensor) -> Iterator[Answer]:
        count = min(self.settings.n_best, len(self.labels))
        best, ids = (each.tolist() for each in probabilities.topk(count, dim=1))
        for scores, numbers in zip(best, ids, strict=True):
            first, *others = (
                Answer(self.labels[number], score) for number, score in zip(numbers, scores, strict=True)
            )
            yield Answer(first.value, first.score, tuple(others))

    def _sets(self, probabilities: Tensor) -> Iterator[Answer]:
        for scores in probabilities.tolist():
            named = zip(self.labels, scores, strict=True)
            chosen = {label: score for label, score in named if score >= self.settings.threshold}
            yield Answer(tuple(chosen), tuple(chosen.values()), details={"scores": self._likely(scores)})

    def _likely(self, scores: Sequence[float]) -> dict[str, float]:
        """Return the most likely labels with their probabilities, whether they are answered or not."""
        named = sorted(zip(self.labels, scores, strict=True), key=lambda pair: -pair[1])
        return dict(named[: self.settings.n_best])

    def _of(self, value: str | Collection[str] | None) -> Iterable[str]:
        if value is None:
            return ()
        return value if self.many else (value,)  # type: ignore[return-value]


class Classifier(nn.Module):
    """States to scores of labels; cross-entropy of one label, or of each label by itself for sets."""

    def __init__(
        self, input_size: int, weights: Sequence[float], *, many: bool, settings: ClassifySettings
    ) -> None:
        super().__init__()
        self.many = many
        self.settings = settings
        self.attention = Attention(input_size) if settings.pooling == "attention" else None
        self.dropout = nn.Dropout(settings.dropout)
        self.project = nn.Linear(input_size, len(weights))
        self.class_weights: Tensor
        self.register_buffer("class_weights", torch.tensor(weights), persistent=False)

    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        """Return the summed class weights of the targets, or how many sets there are."""
        if self.many:
            return self._members(target)[:, -1].sum()
        weights = self.class_weights[target.data.clamp(min=0)]
        return weights.masked_fill(target.data == NONE, 0).sum()

    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        """Return the summed cross-entropy; of sets, summed over the labels."""
        scores = self._scores(states)[0]
        summed = self._loss_of_sets(scores, target) if self.many else self._loss_of_labels(scores, target)
        return self.settings.loss_weight * summed

    def answer(self, states: Sequences) -> Classified:
        """Return the probabilities of the labels, and how much each state had to say, where that is known."""
        scores, attention = self._scores(states)
        probabilities = scores.sigmoid() if self.many else scores.softmax(dim=1)
        return Classified(probabilities, attention)

    def _scores(self, states: Sequences) -> tuple[Tensor, Sequences | None]:
        """Return the scores of the labels, (sequences, labels), in fp32, and the attention."""
        attention = None
        if self.attention is not None:
            pooled, weights = self.attention(states)
            attention = states.with_data(weights)
        elif self.settings.pooling == "last":
            pooled = states.final
        else:
            pooled = mean(states) if self.settings.pooling == "mean" else largest(states)
        return self.project(self.dropout(pooled)).float(), attention

    def _loss_of_labels(self, scores: Tensor, target: Sequences) -> Tensor:
        return functional.cross_entropy(
            scores,
            target.to_flat(),
            weight=self.class_weights,
            ignore_index=NONE,
            reduction="sum",
            label_smoothing=self.settings.label_smoothing,
        )

    def _loss_of_sets(self, scores: Tensor, target: Sequences) -> Tensor:
        found = self._members(target)
        members, known = found[:, :-1], found[:, -1:]
        smoothing = self.settings.label_smoothing
        wanted = members * (1 - smoothing) + smoothing / 2
        losses = functional.binary_cross_entropy_with_logits(
            scores, wanted, weight=self.class_weights, reduction="none"
        )
        return (losses * known).sum()

    def _members(self, target: Sequences) -> Tensor:
        """Return 1 for each label in each set, (sequences, labels + 1); last, whether the set is known."""
        labels = len(self.class_weights)
        found = self.class_weights.new_zeros(len(target), labels + 2)
        # What is `NONE` goes to a column of its own, which is taken off: a mask would make a GPU wait.
        places = torch.where(target.data == NONE, labels + 1, target.data)
        found[target.layout.items, places] = 1
        return found[:, :-1]

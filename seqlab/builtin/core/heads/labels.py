"""The labels of a training split, as heads of labels learn them: their names, and how much each weighs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from seqlab.api import SeqlabError, did_you_mean, one_of
from seqlab.builtin.core.learned import distinct_strings, numbers

__all__ = ["ClassWeights", "class_weights", "restored_labels"]

ClassWeights: TypeAlias = Literal["balanced"] | Mapping[str, float] | None
"""`balanced`: the inverse of a label's frequency; or by label, 1 elsewhere; None: all alike."""


def class_weights(head: str, weights: ClassWeights, counts: Counter[str]) -> list[float]:
    """Return the weight of each label, sorted by name; SeqlabError for the weight of an unknown label."""
    if weights is None:
        return [1.0] * len(counts)
    if isinstance(weights, Mapping):
        for label in weights:
            if label not in counts:
                raise SeqlabError(
                    f"head {head}: class_weights names label {label!r}, which the training split does not"
                    f" hold{did_you_mean(label, counts)}; {one_of(counts)}"
                )
        return [weights.get(label, 1.0) for label in sorted(counts)]
    mean = counts.total() / len(counts)
    return [mean / counts[label] for label in sorted(counts)]


def restored_labels(state: Mapping[str, Any]) -> tuple[list[str], list[float]]:
    """Return the labels of a head's state and their weights; ValueError where they are none."""
    labels = distinct_strings(state, "labels")
    if not labels:
        raise ValueError("there is no label")
    # Packages of before the weights were kept have none.
    weights = numbers(state, "weights") if "weights" in state else [1.0] * len(labels)
    if len(weights) != len(labels):
        raise ValueError(f"{len(weights)} weights for {len(labels)} labels")
    return labels, weights

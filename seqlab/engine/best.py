"""Which evaluation is the best so far."""

from __future__ import annotations

import math
from collections.abc import Mapping

from seqlab.engine.progress import Progress

__all__ = ["LOSS", "beats", "is_best"]

LOSS = "loss"
"""The figure that decides between equal ones, the lower the better."""


def beats(value: float, reference: float | None, *, higher_is_better: bool, margin: float = 0.0) -> bool:
    """Return whether `value` is better by more than `margin`; anything beats None, any number beats nan."""
    if reference is None:
        return True
    if math.isnan(reference):
        return not math.isnan(value)
    return value > reference + margin if higher_is_better else value < reference - margin


def is_best(
    metrics: Mapping[str, float], progress: Progress, *, monitor: str, higher_is_better: bool
) -> bool:
    """Return whether these figures are better than those of the weights that are kept.

    Of equal figures those with the lower `loss` are better; where one of the two is not known, the first are.
    """
    value, loss = metrics[monitor], metrics.get(LOSS)
    if value == progress.best_value and loss is not None:
        known = progress.best_loss is not None
        return known and beats(loss, progress.best_loss, higher_is_better=False)
    return beats(value, progress.best_value, higher_is_better=higher_is_better)

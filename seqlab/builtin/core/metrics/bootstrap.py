"""How sure a rate is: the bootstrap over utterances."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["interval"]

DRAWN_AT_ONCE = 1 << 18
"""Utterances drawn at once, some 6 MB."""


def interval(
    errors: Sequence[int], sizes: Sequence[int], *, resamples: int, confidence: float, seed: int
) -> tuple[float, float] | None:
    """Return the bounds of a rate, summed errors over summed sizes, by the percentile bootstrap.

    `errors` and `sizes` hold one number per utterance. Utterances are drawn with replacement, `resamples`
    times as many as there are, and the rate of each draw is taken (M. Bisani, H. Ney, "Bootstrap Estimates
    for Confidence Intervals in ASR Performance Evaluation", 2004). The bounds cut off (1 - confidence) / 2 of
    the draws at either end. Their order does not matter; equal seeds give equal bounds. None where no draw
    has a size above 0.
    """
    import numpy as np

    utterances = np.array(sorted(zip(errors, sizes, strict=True)), dtype=np.int64).reshape(-1, 2)
    if not len(utterances):
        return None
    generator = np.random.default_rng(seed)
    count, at_once = len(utterances), max(1, DRAWN_AT_ONCE // len(utterances))
    parts = [
        utterances[generator.integers(count, size=(min(at_once, resamples - first), count))].sum(axis=1)
        for first in range(0, resamples, at_once)
    ]
    sums = np.concatenate([part[part[:, 1] > 0] for part in parts] or [np.empty((0, 2))])
    if not len(sums):
        return None
    tail = (1 - confidence) / 2
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [tail, 1 - tail])
    return float(low), float(high)

"""What becomes of an utterance's frames: derivatives, normalisation, stacking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy import float32, float64
from numpy.typing import NDArray

from seqlab.builtin.core.learned import numbers

__all__ = ["FrameSettings", "Frames", "Normalize", "Statistics", "delta", "stacked", "standardized"]

Frames: TypeAlias = NDArray[float32]

Normalize: TypeAlias = Literal["none", "utterance", "global"]

DELTA_REACH = 2
"""Frames on each side that a derivative is estimated from, as in HTK and Kaldi."""

LEAST_DEVIATION = 1e-5
"""What a standard deviation is raised to: a feature that never changes becomes 0 instead of noise."""


@dataclass(frozen=True, kw_only=True)
class FrameSettings:
    """Orders of derivatives, kind of normalisation, how many frames are joined, and the stride."""

    deltas: int = 0
    normalize: Normalize = "none"
    stack: int = 1
    stride: int = 1

    def size(self, features: int) -> int:
        """Return the number of features of a finished frame for frames of so many."""
        return features * (1 + self.deltas) * self.stack

    def length(self, frames: int) -> int:
        """Return how many frames are left of so many."""
        return -(-frames // self.stride)

    def differentiated(self, frames: Frames) -> Frames:
        """Append the derivatives: (time, features) to (time, features * (1 + deltas))."""
        orders = [frames]
        for _ in range(self.deltas):
            orders.append(delta(orders[-1]))
        return np.concatenate(orders, axis=1) if self.deltas else frames

    def finished(self, frames: Frames, statistics: Statistics) -> Frames:
        """Return an utterance's finished frames, shape (length(time), size(features))."""
        frames = self.differentiated(frames)
        if self.normalize == "utterance":
            statistics = Statistics.of(frames)
        if self.normalize != "none":
            frames = standardized(frames, statistics)
        return stacked(frames, self.stack, self.stride)


def delta(frames: Frames, reach: int = DELTA_REACH) -> Frames:
    """Return the derivative of each feature by time, same shape.

    d(t) = sum over n = 1 .. reach of n (c(t + n) - c(t - n)), divided by 2 * sum of n^2 (Young et al. 2006,
    "The HTK Book", equation 5.16); beyond the ends the first and the last frame are repeated.
    """
    count = len(frames)
    padded = np.concatenate([frames[:1]] * reach + [frames] + [frames[-1:]] * reach)
    scale = 2 * sum(n * n for n in range(1, reach + 1))
    slope = np.zeros_like(frames)
    for n in range(1, reach + 1):
        slope += float32(n / scale) * (padded[reach + n :][:count] - padded[reach - n :][:count])
    return slope


def stacked(frames: Frames, stack: int, stride: int) -> Frames:
    """Join each frame with the `stack - 1` that follow and keep every `stride`-th.

    (time, features) to (ceil(time / stride), stack * features); the last frame is repeated where too few
    follow (Sak et al. 2015, "Fast and Accurate Recurrent Neural Network Acoustic Models").
    """
    if stack == 1:
        return frames[::stride]
    kept = np.arange(0, len(frames), stride)
    places = np.minimum(kept[:, None] + np.arange(stack), len(frames) - 1)
    joined: Frames = frames[places].reshape(len(kept), stack * frames.shape[1])
    return joined


@dataclass(frozen=True, eq=False)
class Statistics:
    """How many frames were seen, and each feature's mean and summed squared deviation from it.

    Added to one another by the formula of Chan, Golub and LeVeque (1983), which never subtracts large sums:
    "Algorithms for Computing the Sample Variance".
    """

    count: int
    mean: NDArray[float64]
    squares: NDArray[float64]

    @classmethod
    def none(cls, size: int) -> Self:
        """Return the statistics of no frames."""
        return cls(0, np.zeros(size), np.zeros(size))

    @classmethod
    def of(cls, frames: Frames) -> Self:
        """Return the statistics of at least one frame, (time, features)."""
        mean = frames.mean(axis=0, dtype=float64)
        return cls(len(frames), mean, np.square(frames - mean).sum(axis=0))

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """Take back what `to_json` returned; ValueError where it cannot have returned that."""
        count = state["count"]
        mean, squares = (np.array(numbers(state, key), dtype=float64) for key in ("mean", "squares"))
        if type(count) is not int or count < 0 or mean.shape != squares.shape or not (squares >= 0).all():
            raise ValueError(f"these are no statistics of {count!r} frames")
        return cls(count, mean, squares)

    def to_json(self) -> dict[str, Any]:
        """Return the statistics as plain JSON data, without rounding."""
        return {"count": self.count, "mean": self.mean.tolist(), "squares": self.squares.tolist()}

    def __add__(self, other: Statistics) -> Statistics:
        count = self.count + other.count
        if not count:
            return self
        apart = other.mean - self.mean
        mean = self.mean + apart * (other.count / count)
        squares = self.squares + other.squares + np.square(apart) * (self.count * other.count / count)
        return Statistics(count, mean, squares)

    @property
    def deviation(self) -> NDArray[float64]:
        """Each feature's standard deviation (over all frames, divided by their number)."""
        deviation: NDArray[float64] = np.sqrt(self.squares / max(1, self.count))
        return deviation


def standardized(frames: Frames, statistics: Statistics) -> Frames:
    """Return (frames - mean) / deviation; a deviation below LEAST_DEVIATION counts as that."""
    scaled = frames - statistics.mean  # in float64: the difference may be small beside the mean
    scaled /= np.maximum(statistics.deviation, LEAST_DEVIATION)
    return scaled.astype(float32)

"""Channels: all, or the one that is wanted, and their mean."""

from __future__ import annotations

from numpy import float32
from numpy.typing import NDArray

from seqlab.audio.settings import Channel

__all__ = ["mixed", "selected"]


def selected(block: NDArray[float32], channel: Channel) -> NDArray[float32]:
    """Return the wanted channels of (time, channels) as (time, wanted)."""
    return block if channel == "mix" else block[:, channel : channel + 1]


def mixed(block: NDArray[float32]) -> NDArray[float32]:
    """Return the mean of the channels (time, channels) as (time,), contiguous."""
    if block.shape[1] == 1:
        return block[:, 0].copy() if not block.flags.c_contiguous else block[:, 0]
    mean: NDArray[float32] = block.mean(axis=1)
    return mean

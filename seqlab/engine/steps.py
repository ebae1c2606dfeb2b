"""Which batches the epochs of a training take, and how many optimizer steps: known before it begins."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from seqlab.engine.batching import Budget, plan_batches
from seqlab.settings import TrainSettings

__all__ = ["batches_of_epoch", "steps_in_all", "steps_of_epoch"]


def batches_of_epoch(lengths: Tensor, settings: TrainSettings, *, epoch: int) -> list[Tensor]:
    """Return the batches of one epoch over examples of these lengths, in order (see `plan_batches`).

    Lanes are one batch.
    """
    if settings.lanes is not None:
        return [torch.arange(len(lengths))]
    budget = Budget(settings.batch_tokens, settings.batch_items)
    jitter = settings.length_jitter
    return plan_batches(lengths, budget, seed=settings.seed, epoch=epoch, jitter=jitter)


def steps_of_epoch(lengths: Tensor, settings: TrainSettings, *, epoch: int) -> int:
    """Count the steps of one epoch over examples of these lengths: one per window, or per chunk of it."""
    batches = batches_of_epoch(lengths, settings, epoch=epoch)
    if settings.bptt is None:
        return math.ceil(len(batches) / settings.accumulate)
    # A batch of empty sequences is one chunk, too.
    longest = [max(int(lengths[batch].max()), 1) for batch in batches]
    windows = range(0, len(longest), settings.accumulate)
    return sum(
        math.ceil(max(longest[first : first + settings.accumulate]) / settings.bptt) for first in windows
    )


def steps_in_all(lengths: Tensor, settings: TrainSettings) -> int:
    """Count the steps of all epochs, one by one where they may differ."""
    first = steps_of_epoch(lengths, settings, epoch=0)
    alike = settings.bptt is None or settings.accumulate == 1
    if alike and (settings.lanes or not settings.length_jitter):
        return first * settings.epochs
    later = range(1, settings.epochs)
    return first + sum(steps_of_epoch(lengths, settings, epoch=epoch) for epoch in later)

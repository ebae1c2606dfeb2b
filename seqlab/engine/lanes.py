"""Lanes: one stream read at several places side by side; their states are carried, and now and then reset."""

from __future__ import annotations

import torch

from seqlab.engine.batching import Batch
from seqlab.engine.model import SequenceModel
from seqlab.engine.state import State

__all__ = ["partly_anew"]


def partly_anew(model: SequenceModel, part: Batch, state: State, probability: float) -> State:
    """Return a carried state in which each lane has, with this probability, the first state again.

    Carried for good, states go where no text begins: the model would never learn to start from the first one.
    """
    if not probability:
        return state
    anew = torch.rand(len(part.indices)) < probability
    if not anew.any():
        return state
    # The state of sequences without steps is the first one, learned or not.
    _, first = model.encode([column.unbegun() for column in part.features], names=part.names)
    assert first is not None, "an encoder that carries a state has one"
    anew = anew.to(first[0].device)
    return tuple(
        torch.where(anew.view(-1, *[1] * (old.dim() - 1)), new, old)
        for old, new in zip(state, first, strict=True)
    )

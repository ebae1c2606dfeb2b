"""What an encoder carries from one chunk of the sequences to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

__all__ = ["State", "detached", "saved_state"]

State: TypeAlias = tuple[Tensor, ...]
"""What an encoder carries from one chunk to the next: tensors with one row per sequence."""


def detached(state: State | None) -> State | None:
    """Cut the graph behind a carried state: the truncation of truncated BPTT."""
    return None if state is None else tuple(part.detach() for part in state)


def saved_state(saved: Sequence[Tensor] | None, device: torch.device) -> State | None:
    """Return a state as a checkpoint holds it, a list of tensors."""
    return None if saved is None else tuple(part.to(device) for part in saved)

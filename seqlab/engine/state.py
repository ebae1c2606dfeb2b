"""What an encoder carries from one chunk of the sequences to the next."""

from __future__ import annotations

from typing import TypeAlias

from torch import Tensor

__all__ = ["State", "detached"]

State: TypeAlias = tuple[Tensor, ...]
"""What an encoder carries from one chunk to the next: tensors with one row per sequence."""


def detached(state: State | None) -> State | None:
    """Cut the graph behind a carried state: the truncation of truncated BPTT."""
    return None if state is None else tuple(part.detach() for part in state)

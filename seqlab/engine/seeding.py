"""Seeds: everything random in a run follows from one number, and the host's generators stay untouched."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

__all__ = ["checked_rng", "derived_seed", "restore_rng", "rng_state", "seeded"]


def derived_seed(seed: int, *purpose: str | int) -> int:
    """Return a seed for one purpose, independent of those for others, below 2**63."""
    digest = hashlib.blake2b(repr((seed, *purpose)).encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


GENERATORS = threading.RLock()
"""Held while torch's generators, of which a process has one set, belong to one training."""


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch inside the block and give the host its generators back afterwards.

    Another thread waits for its turn: two trainings that drew from the same generators would repeat neither.
    """
    devices = range(torch.cuda.device_count()) if _cuda_in_use() else ()
    with GENERATORS, torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def _cuda_in_use() -> bool:
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


def rng_state() -> dict[str, Tensor]:
    """Return the state of torch's generators, of the CPU and of each CUDA device in use."""
    state = {"cpu": torch.get_rng_state()}
    if _cuda_in_use():
        state |= {f"cuda{number}": each for number, each in enumerate(torch.cuda.get_rng_state_all())}
    return state


def checked_rng(state: Any) -> dict[str, Tensor]:
    """Return what may be a state of torch's generators; ValueError where the CPU's could not take it."""
    own = torch.get_rng_state()
    found = state.get("cpu") if isinstance(state, dict) else None
    if not isinstance(found, Tensor) or found.dtype != own.dtype or found.shape != own.shape:
        raise ValueError("its random numbers are no state of torch's generators")
    return dict(state)


def restore_rng(state: dict[str, Tensor]) -> None:
    """Take back what `rng_state` returned."""
    torch.set_rng_state(state["cpu"])
    for number in range(len(state) - 1):
        torch.cuda.set_rng_state(state[f"cuda{number}"], number)

"""Where a run computes: device, threads and deterministic mode, each given back to the host afterwards."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from seqlab.errors import SeqlabError
from seqlab.suggest import did_you_mean, one_of

__all__ = ["deterministic", "peak_memory_mb", "pick_device", "threads"]

DEVICES = ("auto", "cpu", "cuda")

KIB_PER_MB = 1024
"""Linux counts the peak resident set in KiB, macOS in bytes."""


def pick_device(name: str) -> torch.device:
    """Return the device for `cpu`, `cuda` or `auto` (CUDA where there is one).

    Other names are a ValueError, `cuda:1` among them: CUDA_VISIBLE_DEVICES chooses among several. SeqlabError
    without CUDA.
    """
    if name not in DEVICES:
        raise ValueError(f"unknown device {name!r}{did_you_mean(name, DEVICES)}; {one_of(DEVICES)}")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise SeqlabError("device cuda: this machine has no usable CUDA device; use --device cpu or auto")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Let torch use `count` CPU threads inside the block; None leaves them as they are."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def deterministic(*, enabled: bool) -> Iterator[None]:
    """Refuse nondeterministic operations inside the block."""
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    if enabled:
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn_only)


def peak_memory_mb() -> float:
    """Return the largest resident memory of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / KIB_PER_MB / (KIB_PER_MB if sys.platform == "darwin" else 1)

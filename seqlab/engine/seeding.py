"""Seeds: everything random in a run follows from one number, and the host's generators stay untouched."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

__all__ = ["DrawnApart", "checked_rng", "derived_seed", "restore_rng", "rng_state", "seeded"]


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


DRAWN_IN_PLACE = frozenset(
    {"bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_", "normal_", "random_", "uniform_"}
    | {"kaiming_normal_", "kaiming_uniform_"}  # of torch.nn.init, which asks modes for these alone
)
DRAWN_ANEW = frozenset({"bernoulli", "multinomial", "normal", "rand", "randint", "randn", "randperm"})
"""The functions of torch that draw numbers and can be given a generator."""

DRAWN_LIKE = {"rand_like": torch.rand, "randn_like": torch.randn}
"""Those that cannot, and what draws the same."""


class DrawnApart(TorchFunctionMode):
    """In this thread, inside the block, torch draws from a generator of the block's own, seeded with 0.

    Neither the process's generators nor a training in another thread notice. Parameters are not drawn at all:
    this is for modules whose weights come from a file.
    """

    def __init__(self) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(0)

    def __torch_function__(
        self, function: Any, _types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call the function."""
        given, name = dict(kwargs or {}), getattr(function, "__name__", "")
        filled = args[0] if args else given.get("tensor")
        if name in DRAWN_IN_PLACE and isinstance(filled, nn.Parameter):
            return filled
        on_cpu = all(each.device.type == "cpu" for each in args if isinstance(each, Tensor))
        if name in DRAWN_LIKE and on_cpu:
            like = args[0] if args else given.pop("input")
            given.pop("memory_format", None)
            return DRAWN_LIKE[name](like.shape, generator=self.generator, **{"dtype": like.dtype, **given})
        if name in DRAWN_IN_PLACE | DRAWN_ANEW and on_cpu and given.get("generator") is None:
            given["generator"] = self.generator
        return function(*args, **given)


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

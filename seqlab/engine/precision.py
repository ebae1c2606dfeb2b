"""Arithmetic precision: what `auto` means on a device, and the block that computes in it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Literal, TypeAlias, get_args

import torch

from seqlab.settings import Precision

__all__ = ["Arithmetic", "arithmetic", "computes_bf16", "resolve"]

Arithmetic: TypeAlias = Literal["fp32", "bf16"]
"""A precision that is decided."""

CPU_PROBES = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
"""Functions of `torch.cpu` that ask for instructions with bf16 products; a torch may lack them."""


def computes_bf16(device: torch.device) -> bool:
    """Return whether the device computes bf16 matrix products in hardware (AMX, AVX512-BF16, Ampere).

    All others compute them, too, but slower than products in fp32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    probes = (getattr(torch.cpu, probe, None) for probe in CPU_PROBES if device.type == "cpu")
    return any(probe() for probe in probes if probe)


def resolve(precision: Precision, device: torch.device) -> Arithmetic:
    """Return the arithmetic that a setting asks for: `auto` is bf16 where the device computes it in hardware.

    Raises ValueError for any other word.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"precision must be one of: {', '.join(get_args(Precision))}; got {precision!r}")
    if precision == "auto":
        return "bf16" if computes_bf16(device) else "fp32"
    return precision


def arithmetic(precision: Arithmetic, device: torch.device) -> AbstractContextManager[Any]:
    """Return the block in which matrix products run in `precision`; weights and losses stay fp32.

    It holds for the thread that enters it. In fp32 it also switches off an autocast of the host.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")

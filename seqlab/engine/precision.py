"""Arithmetic precision of the forward and backward passes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch

__all__ = ["arithmetic"]


def arithmetic(precision: Literal["fp32", "bf16"], device: torch.device) -> AbstractContextManager[Any]:
    """Return the block in which matrix products run in `precision`; weights and losses stay fp32."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if precision == "bf16" else nullcontext()

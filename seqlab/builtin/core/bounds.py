"""Pairs of numbers that bound what is drawn between them, as settings hold them."""

from __future__ import annotations

from pydantic import AfterValidator, Field

__all__ = ["BOUNDS", "PAIR"]


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the first number is the lower one, got [{bounds[0]:g}, {bounds[1]:g}]")
    return bounds


BOUNDS = AfterValidator(_ordered)
"""Refuses a pair whose first number is above the second."""

PAIR = Field(strict=False)
"""Not strict, because a YAML list is no tuple."""

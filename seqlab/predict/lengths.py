"""How long the sequences of a training were: kept in the package, and how long input may be that follows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from seqlab.api import Example, FieldKind

__all__ = ["LENGTHS", "lengths_seen", "longest_seen"]

LENGTHS = "lengths"
"""The key of a package's manifest."""

LARGEST = 1e9
"""No figure of a manifest is believed beyond this."""

OUTLIER = 1.5
"""A length beyond the 95th percentile times this is an exception: from it alone nothing was learned."""


def lengths_seen(examples: Sequence[Example], kinds: Mapping[str, FieldKind[Any]]) -> dict[str, Any]:
    """Return by field how long its values in the training examples are, at least one, before augmentation.

    `unit` is that of the field's kind.
    """
    return {
        field: _facts(kind, [example.fields[field] for example in examples]) for field, kind in kinds.items()
    }


def _facts(kind: FieldKind[Any], values: Sequence[Any]) -> dict[str, Any]:
    sizes = (round(kind.size(value), 3) for value in values)
    lengths = sorted(int(size) if size.is_integer() and kind.unit == "items" else size for size in sizes)
    return {
        "unit": kind.unit,
        "count": len(lengths),
        "shortest": lengths[0],
        "median": median(lengths),
        "percentile_95": lengths[math.ceil(0.95 * len(lengths)) - 1],
        "longest": lengths[-1],
    }


def longest_seen(manifest: Mapping[str, Any], field: str, unit: str) -> float | None:
    """Return the greatest length in this unit that training saw of a field, exceptions aside.

    None where nobody knows: in packages of earlier versions, and where the manifest holds no such figures.
    """
    facts = manifest.get(LENGTHS)
    known = facts.get(field) if isinstance(facts, dict) else None
    if not isinstance(known, dict) or known.get("unit") != unit:
        return None
    usual, longest = _length(known.get("percentile_95")), _length(known.get("longest"))
    return min(longest, OUTLIER * usual) if usual and longest else None


def _length(figure: object) -> float | None:
    """Return what a manifest says, where it is a length."""
    if isinstance(figure, bool) or not isinstance(figure, int | float) or not 0 < figure < LARGEST:
        return None
    return float(figure)

"""Names and values in messages: the nearest to a misspelt name, the first of many, a value that is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

__all__ = ["did_you_mean", "one_of", "shortened", "shown", "unknown"]

SIMILARITY = 0.6
"""Lowest ratio of difflib's matcher at which a name is offered; below it a hint misleads."""

MOST_NAMES = 8
"""Names that a message lists before it says how many more there are."""

MOST_SHOWN = 40
"""Characters of a value that a message shows."""

ARRAYS = {"Parameter": "a tensor", "Tensor": "a tensor", "ndarray": "an array"}
"""What messages call types by dtype and shape, by their names: numpy's scalars have both, too."""


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return `"; did you mean 'x'?"` for the nearest of `known`, or an empty string."""
    near = get_close_matches(wrong, list(known), n=1, cutoff=SIMILARITY)
    return f"; did you mean {near[0]!r}?" if near else ""


def one_of(known: Iterable[str]) -> str:
    """Return the allowed names as `one of: a, b, c`, sorted; `none is there` where there are none."""
    names = ", ".join(sorted(known))
    return f"one of: {names}" if names else "none is there"


def shortened(names: Iterable[str]) -> str:
    """Return the distinct names as `a, b, c and 3 more`, in their order; empty where there is none."""
    distinct = list(dict.fromkeys(names))
    more = f" and {len(distinct) - MOST_NAMES} more" if len(distinct) > MOST_NAMES else ""
    return ", ".join(distinct[:MOST_NAMES]) + more


def shown(value: Any) -> str:
    """Return how messages show a value that is not what it must be: short, and with its type.

    Arrays and tensors, which this module does not import, are told by dtype and shape, sounds by their rate.
    """
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, str | int | float):
        text = repr(value)
        return f"{text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + '...'} ({type(value).__name__})"
    if isinstance(value, tuple):
        return f"a tuple of {len(value)} ({', '.join(type(each).__name__ for each in value)})"
    if isinstance(value, list | dict | set):
        return f"{type(value).__name__} of {len(value)}"
    if kind := ARRAYS.get(type(value).__name__):
        return f"{kind} of {value.dtype} and shape ({', '.join(map(str, value.shape))})"
    rate = getattr(value, "sample_rate", None)
    return type(value).__name__ + (f" of {rate} Hz" if rate is not None else "")


def unknown(what: str, wrong: str, known: Iterable[str]) -> str:
    """Return `unknown encoder 'lsmt'; did you mean 'lstm'?; one of: gru, lstm`."""
    known = list(known)
    return f"unknown {what} {wrong!r}{did_you_mean(wrong, known)}; {one_of(known)}"

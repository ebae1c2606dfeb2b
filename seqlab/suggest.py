"""Names in messages: the nearest known one to a misspelt one, those that are allowed, the first of many."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean", "one_of", "shortened", "unknown"]

SIMILARITY = 0.6
"""Lowest ratio of difflib's matcher at which a name is offered; below it a hint misleads."""

MOST_NAMES = 8
"""Names that a message lists before it says how many more there are."""


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


def unknown(what: str, wrong: str, known: Iterable[str]) -> str:
    """Return `unknown encoder 'lsmt'; did you mean 'lstm'?; one of: gru, lstm`."""
    known = list(known)
    return f"unknown {what} {wrong!r}{did_you_mean(wrong, known)}; {one_of(known)}"

"""Where two overlapping pieces of one sequence agree on what both hold: there their answers are joined."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

__all__ = ["Decode", "Overlap", "Said", "seams"]

Decode = Callable[[Sequence[int]], str]
"""From a head's ids to text."""

APART = 0.25
"""Seconds by which the times may differ that two pieces give for the same unit."""

MISHEARD_APART = 2 * APART
"""The same where they do not agree on any unit: the times at the edges of pieces are the least sure."""


@dataclass(frozen=True, slots=True)
class Said:
    """Units that a head answers to a piece: ids, the probability of each, and its time in the whole, seconds.

    `times` are empty where the head does not know them.
    """

    ids: Sequence[int] = ()
    probabilities: Sequence[float] = ()
    times: Sequence[float] = ()

    def part(self, first: int, end: int) -> Said:
        """Return the units from `first` up to `end`."""
        return Said(self.ids[first:end], self.probabilities[first:end], self.times[first:end])


class Overlap(NamedTuple):
    """What the pieces before and after a cut share: `reach` seconds on either side of it; 0 where nothing."""

    cut: float
    reach: float


class Seam(NamedTuple):
    """Units of the piece before the cut up to `left`, then those of the piece after it from `right` on.

    `agreed`: both pieces have the unit before `right`, so what follows it is one text with what comes before.
    """

    left: int
    right: int
    agreed: bool


def seams(parts: Sequence[Said], overlaps: Sequence[Overlap], decode: Decode) -> list[list[Said]]:
    """Return the parts, each with its own units alone, in groups that are one text each.

    `overlaps` stand between the parts. A group ends at a cut in a pause, and where the pieces do not agree.
    """
    found = [
        _seam(before, after, overlap, decode)
        for (before, after), overlap in zip(pairwise(parts), overlaps, strict=True)
    ]
    firsts = [0, *(seam.right for seam in found)]
    ends = [*(seam.left for seam in found), len(parts[-1].ids)]
    groups: list[list[Said]] = [[]]
    for number, part in enumerate(parts):
        if number and not found[number - 1].agreed:
            groups.append([])
        groups[-1].append(part.part(firsts[number], max(firsts[number], ends[number])))
    return groups


def _seam(before: Said, after: Said, overlap: Overlap, decode: Decode) -> Seam:
    """Return where to pass from one piece to the next: at a unit of both, near the cut, where a word ends."""
    if not overlap.reach:
        return Seam(len(before.ids), 0, agreed=False)
    common = _common(before, after, overlap)
    if not common:
        return _divided(before, after, overlap)

    def cost(pair: tuple[int, int]) -> float:
        left, right = pair[0] + 1, pair[1] + 1
        distance = abs(before.times[pair[0]] - overlap.cut)
        whole = _words(decode([*before.ids[:left], *after.ids[right:]]))
        divided = _words(decode(before.ids[:left])) + _words(decode(after.ids[right:]))
        return distance + (0 if whole == divided else overlap.reach / 2)

    left, right = min(common, key=cost)
    return Seam(left + 1, right + 1, agreed=True)


def _divided(before: Said, after: Said, overlap: Overlap) -> Seam:
    """Return where to pass over at the cut where the pieces agree on nothing.

    Two readings of what may be one unit stand once: the one of its side of the cut. What one piece alone has
    near the cut stays, unless the other has something there.
    """
    readings = dict(_matched(before, after, overlap, MISHEARD_APART, alike=False))

    def ends_before_cut(unit: int) -> bool:
        time, reading = before.times[unit], readings.get(unit)
        other = time if reading is None else after.times[reading]
        return (time + other) / 2 < overlap.cut

    left = max((unit + 1 for unit in range(len(before.ids)) if ends_before_cut(unit)), default=0)
    taken = max((reading + 1 for unit, reading in readings.items() if unit < left), default=0)
    needed = min((reading for unit, reading in readings.items() if unit >= left), default=len(after.ids))
    covered = sum(time <= before.times[left - 1] for time in after.times) if left else 0
    right = max(taken, min(covered, needed))
    resumes = after.times[right] if right < len(after.ids) else math.inf
    while left < len(before.ids) and left not in readings and before.times[left] < resumes:
        left += 1
    return Seam(left, right, agreed=False)


def _words(text: str) -> list[str]:
    return text.split()


def _common(before: Said, after: Said, overlap: Overlap) -> list[tuple[int, int]]:
    """Return the units that both pieces have, in order: as many and as close in time as there can be."""
    return _matched(before, after, overlap, APART, alike=True)


def _matched(
    before: Said, after: Said, overlap: Overlap, apart: float, *, alike: bool
) -> list[tuple[int, int]]:
    """Return pairs of units, in order, at most `apart` seconds apart; `alike` ones have the same id."""
    lefts = [n for n, time in enumerate(before.times) if time >= overlap.cut - overlap.reach]
    rights = [n for n, time in enumerate(after.times) if time <= overlap.cut + overlap.reach]
    best: list[list[tuple[float, tuple[tuple[int, int], ...]]]]
    best = [[(0.0, ())] * (len(rights) + 1) for _ in range(len(lefts) + 1)]
    for row, left in enumerate(lefts, start=1):
        for column, right in enumerate(rights, start=1):
            skipped = max(best[row - 1][column], best[row][column - 1], key=_score)
            gap = abs(before.times[left] - after.times[right])
            if gap <= apart and (not alike or before.ids[left] == after.ids[right]):
                score, pairs = best[row - 1][column - 1]
                skipped = max(skipped, (score + 1 - gap / apart, (*pairs, (left, right))), key=_score)
            best[row][column] = skipped
    return list(best[-1][-1][1])


def _score(found: tuple[float, tuple[tuple[int, int], ...]]) -> float:
    return found[0]

"""Where two overlapping pieces of one sequence agree on what both hold: there their answers are joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

__all__ = ["Decode", "Overlap", "Said", "seams"]

Decode = Callable[[Sequence[int]], str]
"""From a head's ids to text."""

APART = 0.25
"""Seconds by which the times may differ that two pieces give for the same unit."""


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
        left = sum(time < overlap.cut for time in before.times)
        right = sum(time < overlap.cut for time in after.times)
        return Seam(left, right, agreed=False)

    def cost(pair: tuple[int, int]) -> float:
        left, right = pair[0] + 1, pair[1] + 1
        distance = abs(before.times[pair[0]] - overlap.cut)
        whole = _words(decode([*before.ids[:left], *after.ids[right:]]))
        divided = _words(decode(before.ids[:left])) + _words(decode(after.ids[right:]))
        return distance + (0 if whole == divided else overlap.reach / 2)

    left, right = min(common, key=cost)
    return Seam(left + 1, right + 1, agreed=True)


def _words(text: str) -> list[str]:
    return text.split()


def _common(before: Said, after: Said, overlap: Overlap) -> list[tuple[int, int]]:
    """Return the units that both pieces have, in order: as many and as close in time as there can be."""
    lefts = [n for n, time in enumerate(before.times) if time >= overlap.cut - overlap.reach]
    rights = [n for n, time in enumerate(after.times) if time <= overlap.cut + overlap.reach]
    best: list[list[tuple[float, tuple[tuple[int, int], ...]]]]
    best = [[(0.0, ())] * (len(rights) + 1) for _ in range(len(lefts) + 1)]
    for row, left in enumerate(lefts, start=1):
        for column, right in enumerate(rights, start=1):
            skipped = max(best[row - 1][column], best[row][column - 1], key=_score)
            gap = abs(before.times[left] - after.times[right])
            if before.ids[left] == after.ids[right] and gap <= APART:
                score, pairs = best[row - 1][column - 1]
                skipped = max(skipped, (score + 1 - gap / APART, (*pairs, (left, right))), key=_score)
            best[row][column] = skipped
    return list(best[-1][-1][1])


def _score(found: tuple[float, tuple[tuple[int, int], ...]]) -> float:
    return found[0]

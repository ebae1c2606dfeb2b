"""The text of a long sound from its pieces, with what was said in each and how sure the head is of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from seqlab.api import Answer, Piece
from seqlab.builtin.speech.heads.agreement import Decode, Overlap, Said, seams

__all__ = ["Segment", "confidence", "joined"]


@dataclass(frozen=True, slots=True)
class Segment:
    """What is said from `start` to `end`, seconds from the sound's beginning, and the confidence of it."""

    start: float
    end: float
    text: str
    probability: float


def joined(said: Sequence[Said], pieces: Sequence[Piece[Any]], decode: Decode) -> Answer:
    """Return the text of a sound of what was said in its pieces, at least one; `decode` spells units.

    The times of `said` are shares of the pieces. Where pieces overlap, each gives up what the next one is to
    say, from a unit on that both have. Texts have one space between words, none at either end, and those of
    segments are joined by one, but where a cut is in a word. Details: `duration`, the sound's length in
    seconds, and `segments`, one for each piece, without a gap.
    """
    timed = [_timed(each, piece) for each, piece in zip(said, pieces, strict=True)]
    overlaps = [Overlap(left.end, min(left.after, right.before)) for left, right in pairwise(pieces)]
    groups = seams(timed, overlaps, decode)
    own = [each for group in groups for each in group]
    segments = tuple(
        Segment(piece.start, piece.end, spelt([each], decode), confidence(each.probabilities))
        for piece, each in zip(pieces, own, strict=True)
    )
    text = " ".join(filter(None, (spelt(group, decode) for group in groups)))
    sure = confidence([one for each in own for one in each.probabilities])
    return Answer(text, sure, details={"duration": pieces[-1].end, "segments": segments})


def _timed(said: Said, piece: Piece[Any]) -> Said:
    """Return units with their times in seconds of the whole sound."""
    begin, end = piece.start - piece.before, piece.end + piece.after
    return replace(said, times=[begin + share * (end - begin) for share in said.times])


def spelt(parts: Sequence[Said], decode: Decode) -> str:
    """Return the text of units one after another, with one space between words and none at either end."""
    return " ".join(decode([number for part in parts for number in part.ids]).split())


def confidence(units: Sequence[float]) -> float:
    """Return the geometric mean of the units' probabilities, 0 where there is no unit.

    The mean takes length out of the product, which would make every long text improbable.
    """
    if not units or min(units) <= 0:
        return 0.0
    return min(1.0, math.exp(math.fsum(map(math.log, units)) / len(units)))

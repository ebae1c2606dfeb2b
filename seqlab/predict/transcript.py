"""What a recogniser answers: texts, how sure it is of them, and when they are said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from seqlab.predict.agreement import Decode, Overlap, Said, seams

__all__ = ["Heard", "Segment", "Transcript", "confidence", "joined"]


@dataclass(frozen=True, slots=True)
class Segment:
    """What is said from `start` to `end`, seconds from the sound's beginning, per text field.

    Texts and probabilities are as those of a `Transcript`.
    """

    start: float
    end: float
    texts: Mapping[str, str]
    probabilities: Mapping[str, float]

    @property
    def text(self) -> str:
        """The text of the only text field; ValueError where there are several."""
        return str(_only(self.texts, "texts"))

    @property
    def probability(self) -> float:
        """The probability of the only text field's text; ValueError where there are several."""
        return float(_only(self.probabilities, "probabilities"))


@dataclass(frozen=True, slots=True)
class Transcript:
    """One sound's texts and how probable they are, per text field.

    A probability is a confidence from 0 to 1: the geometric mean of those that the head gives for the units
    of the text (see `confidence`), 0 where the text is empty. `duration` is the sound's length in seconds;
    `segments` are the pieces that it was cut into, one after another without a gap, a single one where it was
    not cut. Texts have one space between words, none at either end, and those of segments are joined by one,
    but where a cut is in a word.
    """

    texts: Mapping[str, str]
    probabilities: Mapping[str, float]
    duration: float
    segments: tuple[Segment, ...]

    @property
    def text(self) -> str:
        """The text of the only text field; ValueError where there are several."""
        return str(_only(self.texts, "texts"))

    @property
    def probability(self) -> float:
        """The probability of the only text field's text; ValueError where there are several."""
        return float(_only(self.probabilities, "probabilities"))


@dataclass(frozen=True, slots=True)
class Heard:
    """A segment as the model answers it: the units of each text field.

    It was heard with `before` seconds of the segment before it and `after` seconds of the next one. `last`:
    the sound ends with it.
    """

    start: float
    end: float
    said: Mapping[str, Said]
    last: bool
    before: float = 0.0
    after: float = 0.0


def joined(parts: Sequence[Heard], decoders: Mapping[str, Decode]) -> Transcript:
    """Make the transcript of a sound of its segments, at least one; `decoders` spell each field's units.

    Where segments overlap, each gives up what the next one is to say, from a unit on that both have.
    """
    overlaps = [Overlap(left.end, min(left.after, right.before)) for left, right in pairwise(parts)]
    groups = {
        name: seams([part.said[name] for part in parts], overlaps, decode)
        for name, decode in decoders.items()
    }
    own = {name: [said for group in each for said in group] for name, each in groups.items()}
    segments = tuple(
        Segment(
            part.start,
            part.end,
            {name: spelt([each[number]], decoders[name]) for name, each in own.items()},
            {name: confidence(each[number].probabilities) for name, each in own.items()},
        )
        for number, part in enumerate(parts)
    )
    texts = {name: [spelt(group, decoders[name]) for group in each] for name, each in groups.items()}
    return Transcript(
        {name: " ".join(filter(None, each)) for name, each in texts.items()},
        {
            name: confidence([one for said in each for one in said.probabilities])
            for name, each in own.items()
        },
        parts[-1].end,
        segments,
    )


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


def _only(values: Mapping[str, Any], name: str) -> Any:
    if len(values) != 1:
        raise ValueError(f"several text fields, look into {name}: {', '.join(values)}")
    return next(iter(values.values()))

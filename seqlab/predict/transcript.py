"""What a recogniser answers: texts, how sure it is of them, and when they are said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    not cut. Texts have one space between words, none at either end, and those of segments are joined by one.
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
    """A segment as the model answers it: texts, and the probabilities of their units, per text field.

    `last`: the sound ends with it.
    """

    start: float
    end: float
    texts: Mapping[str, str]
    units: Mapping[str, Sequence[float]]
    last: bool


def joined(parts: Sequence[Heard]) -> Transcript:
    """Make the transcript of a sound of its segments, at least one."""
    fields = list(parts[0].texts)
    segments = tuple(
        Segment(part.start, part.end, part.texts, {name: confidence(part.units[name]) for name in fields})
        for part in parts
    )
    return Transcript(
        {name: " ".join(part.texts[name] for part in parts if part.texts[name]) for name in fields},
        {name: confidence([each for part in parts for each in part.units[name]]) for name in fields},
        parts[-1].end,
        segments,
    )


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

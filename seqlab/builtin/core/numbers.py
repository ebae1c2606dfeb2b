"""The kinds of fields that hold numbers: a single one, series, vectors, frames and images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from seqlab.api import FieldKind
from seqlab.suggest import shown

__all__ = ["Frames", "Image", "Number", "Series", "Vector", "line_to_try"]


class Number(FieldKind[float | None]):
    """A finite number; None where the data has none."""

    name = "number"
    parts = "numbers"
    summary = "a finite number"
    samples = (1.5, -2.0, 0.25)
    wrong = (1.5, 2.0, 0.0)
    lacking = (None,) * 3

    def fault(self, value: Any) -> str:
        """Refuse what is neither None nor a finite number."""
        return "" if value is None else self.answer_fault(value)

    def answer_fault(self, value: Any) -> str:
        """Refuse None, too."""
        return "" if _is_finite(value) else f"{shown(value)} where a finite number is expected"

    def size(self, value: float | None) -> float:
        """Return 1."""
        return 1.0

    def missing(self, value: float | None) -> int:
        """Count the missing number."""
        return int(value is None)

    def filled(self, value: float | None, gold: Sequence[Any]) -> float:
        """Put 0 in the place of a missing number."""
        return 0.0 if value is None else value

    def outline(self, value: float | None) -> Any:
        """Return a Python number: 1 and 1.0 are equal."""
        return self.to_json(value)

    fingerprint = outline

    def to_json(self, value: float | None) -> float | None:
        """Return a Python number."""
        return None if value is None else float(value)

    def parse(self, line: str) -> float:
        """Read one number."""
        (number,) = _numbers(line, count=1)
        return number


class Rows(FieldKind[Any]):
    """Arrays of finite numbers; subclasses say of how many dimensions."""

    dimensions: int
    shape: str

    def fault(self, value: Any) -> str:
        """Refuse what is no array of finite numbers of this shape."""
        import numpy as np

        try:
            array = np.asarray(value)
        except ValueError:  # lists of unequal lengths
            return f"{shown(value)} where numbers of shape ({self.shape}) are expected"
        if array.ndim != self.dimensions or array.dtype.kind not in "fiu":
            if not (array.size == 0 and array.ndim <= self.dimensions):
                return f"{shown(value)} where numbers of shape ({self.shape}) are expected"
            return ""
        return "" if np.isfinite(array).all() else "numbers that are not finite"

    def outline(self, value: Any) -> Any:
        """Return the numbers as bytes and their shape."""
        import numpy as np

        array = np.asarray(value, dtype=np.float64)
        return (array.shape, array.tobytes())

    fingerprint = outline

    def to_json(self, value: Any) -> Any:
        """Return lists of numbers."""
        import numpy as np

        return np.asarray(value).tolist()


class Numbers(Rows):
    """Numbers in a row."""

    dimensions = 1

    def parse(self, line: str) -> list[float]:
        """Read numbers apart by whitespace or commas."""
        return _numbers(line)

    def to_text(self, value: Any) -> str:
        """Return the numbers, apart by one space."""
        return " ".join(map(str, self.to_json(value)))

    def trial(self, value: Any) -> Mapping[str, Any] | None:
        """Return the numbers as a line."""
        return line_to_try(self.to_text(value))


class Series(Numbers):
    """Numbers in the order of time, one for each step."""

    name = "series"
    summary = "numbers in the order of time"
    shape = "time"
    samples = ((0.0, 1.0, 0.5), (2.0,), (-1.0, 0.0, 1.0, 3.0, 2.0))
    wrong = ((0.0, 1.0, 1.5), (2.0,), (-1.0, 0.5, 1.0, 3.0, -2.0))


class Vector(Numbers):
    """A list of numbers that is no sequence: what an example has of fixed size."""

    name = "vector"
    summary = "numbers of fixed count, in no order of time"
    shape = "size"
    samples = ((0.0, 1.0), (2.0, 0.5), (-1.0, 3.0))
    wrong = ((0.0, 1.0), (2.0, -0.5), (1.0, 0.0))

    def size(self, value: Any) -> float:
        """Return 1."""
        return 1.0


class Frames(Rows):
    """A row of numbers for each step: spectra, sensors, several series side by side."""

    name = "frames"
    summary = "a row of numbers for each step"
    dimensions = 2
    shape = "time, size"
    samples = (((0.0, 1.0), (0.5, 0.25)), ((1.0, -1.0),), ((0.0, 0.0), (1.0, 2.0), (3.0, 1.0)))
    wrong = (((0.0, 1.0), (0.5, 0.0)), ((1.0, -1.0),), ((1.0, 0.0), (1.0, -2.0), (3.0, 1.0)))


class Image(Rows):
    """Brightness by row and column, or by row, column and channel."""

    name = "image"
    summary = "brightness by row, column and channel"
    dimensions = 3
    shape = "height, width, channels"
    samples = ((((0.0,), (1.0,)), ((0.5,), (0.25,))), (((0.5,), (1.0,)),), (((1.0,),), ((0.0,),), ((0.5,),)))
    wrong = ((((0.0,), (1.0,)), ((0.0,), (0.25,))), (((0.5,), (1.0,)),), (((0.0,),), ((0.0,),), ((1.0,),)))

    def size(self, value: Any) -> float:
        """Return the number of pixels."""
        import numpy as np

        return float(math.prod(np.shape(value)[:2]))


def line_to_try(line: str) -> Mapping[str, Any] | None:
    """Return how a user may try a model on a line of text; None where it is none to be typed."""
    return {"line": line} if line.strip() and line.isprintable() else None


def _is_finite(value: Any) -> bool:
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:  # an integer of hundreds of digits
        return False


def _numbers(line: str, count: int | None = None) -> list[float]:
    """Read numbers apart by whitespace or commas; ValueError where something else stands there."""
    found = []
    for word in line.replace(",", " ").split():
        try:
            number = float(word)
        except ValueError:
            raise ValueError(f"{word!r} is no number") from None
        if not math.isfinite(number):
            raise ValueError(f"{word!r} is no finite number")
        found.append(number)
    if count is not None and len(found) != count:
        raise ValueError(f"{len(found)} numbers where {count} is expected")
    return found

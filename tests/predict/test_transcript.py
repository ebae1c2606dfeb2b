from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.predict.agreement import Said
from seqlab.predict.transcript import Heard, confidence, joined

PROBABILITIES = st.lists(st.floats(1e-6, 1), min_size=1, max_size=20)


def decode(ids: Sequence[int]) -> str:
    return "".join(map(chr, ids))


def part(start: float, text: str, *probabilities: float, last: bool = False) -> Heard:
    """A segment of one second; the units of its text are characters."""
    return Heard(start, start + 1, {"text": Said(list(map(ord, text)), probabilities)}, last)


@given(units=PROBABILITIES)
def test_confidence_is_a_mean_that_length_does_not_change(units: list[float]) -> None:
    found = confidence(units)
    assert min(units) * (1 - 1e-9) <= found <= min(1, max(units) * (1 + 1e-9))
    assert confidence(units * 3) == pytest.approx(found)
    assert found == pytest.approx(math.prod(units) ** (1 / len(units)))


def test_what_nothing_speaks_for_has_no_confidence() -> None:
    assert confidence([]) == confidence([0.9, 0.0]) == 0.0
    assert confidence([1.0000001]) == 1.0


def test_segments_are_joined() -> None:
    parts = [part(0, " one", 0.9, 0.4), part(1, ""), part(2, "two  three ", 0.1, last=True)]
    found = joined(parts, {"text": decode})
    assert found.text == "one two three"
    assert found.probability == pytest.approx((0.9 * 0.4 * 0.1) ** (1 / 3))
    assert found.duration == 3
    assert [(each.start, each.end, each.text) for each in found.segments] == [
        (0, 1, "one"),
        (1, 2, ""),
        (2, 3, "two three"),
    ]
    assert [each.probability for each in found.segments] == pytest.approx([0.6, 0.0, 0.1])

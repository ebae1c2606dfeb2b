from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.api import Piece
from seqlab.builtin.speech.heads.agreement import Said
from seqlab.builtin.speech.heads.segments import confidence, joined

PROBABILITIES = st.lists(st.floats(1e-6, 1), min_size=1, max_size=20)


def decode(ids: Sequence[int]) -> str:
    return "".join(map(chr, ids))


def part(start: float, text: str, *probabilities: float, last: bool = False) -> tuple[Said, Piece[None]]:
    """What is said in a segment of one second; the units of its text are characters."""
    return Said(list(map(ord, text)), probabilities), Piece(None, start, start + 1, last)


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
    said, pieces = zip(*parts, strict=True)
    found = joined(said, pieces, decode)
    assert found.value == "one two three"
    assert found.score == pytest.approx((0.9 * 0.4 * 0.1) ** (1 / 3))
    assert found.details["duration"] == 3
    segments = found.details["segments"]
    assert [(each.start, each.end, each.text) for each in segments] == [
        (0, 1, "one"),
        (1, 2, ""),
        (2, 3, "two three"),
    ]
    assert [each.probability for each in segments] == pytest.approx([0.6, 0.0, 0.1])


def test_times_are_shares_of_a_piece_with_all_that_it_holds_besides() -> None:
    """Both pieces hold all of the second before and after the cut; the unit in the middle stands once."""
    pieces = [
        Piece(None, 0.0, 2.0, last=False, after=1.0),
        Piece(None, 2.0, 4.0, before=1.0),
    ]
    said = [Said([97, 98], [0.5] * 2, [1 / 6, 4 / 6]), Said([98, 99], [0.5] * 2, [1 / 3, 5 / 6])]
    found = joined(said, pieces, decode)
    assert found.value == "abc"
    assert [each.text for each in found.details["segments"]] == ["ab", "c"]

"""Overlapping pieces joined say what the whole says: no word twice, none lost, whatever the edges garble."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqlab.api import Piece
from seqlab.builtin.speech.heads.agreement import Overlap, Said, seams
from seqlab.builtin.speech.heads.segments import joined

RATE = 10
"""Characters in a second."""

SENTENCE = "the quick brown fox jumps over the lazy dog and the dog the fox the fox the fox the fox "


def decode(ids: Sequence[int]) -> str:
    return "".join(map(chr, ids))


def said(text: str, start: float, shift: float = 0.0) -> Said:
    """A text spoken from `start` on, its units heard `shift` seconds late."""
    times = [start + shift + (number + 0.5) / RATE for number in range(len(text))]
    return Said([ord(letter) for letter in text], [0.5] * len(text), times)


def heard(
    text: str, cuts: Sequence[int], reach: int, garbled: str = ""
) -> tuple[list[Said], list[Piece[None]]]:
    """Cut a text at these characters; pieces hold `reach` more on either side, the outermost ones garbled."""
    bounds = [0, *cuts, len(text)]
    draw = random.Random(len(text))
    parts, pieces = [], []
    for start, end in pairwise(bounds):
        before, after = min(start, reach), min(len(text) - end, reach)
        within = text[start - before : end + after]
        if garbled and before:
            within = garbled + within[len(garbled) :]
        if garbled and after:
            within = within[: -len(garbled)] + garbled
        units = said(within, 0.0, draw.uniform(-0.02, 0.02))
        length = len(within) / RATE
        parts.append(replace(units, times=[time / length for time in units.times]))
        pieces.append(
            Piece(None, start / RATE, end / RATE, end == len(text), before / RATE, after / RATE),
        )
    return parts, pieces


CUTS = st.lists(st.integers(2, 7), max_size=4).map(
    lambda gaps: [12 * sum(gaps[: number + 1]) // 2 for number in range(len(gaps))]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    text=st.text("ab ", min_size=120, max_size=200), cuts=CUTS, garbled=st.sampled_from(["", "x", "  ", "ab"])
)
def test_pieces_joined_are_the_whole(text: str, cuts: list[int], garbled: str) -> None:
    cuts = [cut for cut in cuts if cut < len(text) - 12]
    answer = joined(*heard(text, cuts, 6, garbled), decode)
    assert answer.value == " ".join(text.split())
    assert len(answer.details["segments"]) == len(cuts) + 1


@pytest.mark.parametrize("cut", range(14, len(SENTENCE) - 14))
def test_segments_hold_whole_words_where_a_word_ends_near_the_cut(cut: int) -> None:
    answer = joined(*heard(SENTENCE, [cut], 7, "#"), decode)
    assert answer.value == SENTENCE.strip()
    assert " ".join(segment.text for segment in answer.details["segments"]) == answer.value


def test_what_nobody_agrees_on_is_taken_from_each_side_of_the_cut() -> None:
    parts = [said("aaaa", 0.0), said("bbbb", 0.2)]
    assert [[decode(each.ids) for each in group] for group in seams(parts, [Overlap(0.3, 0.1)], decode)] == [
        ["aaa"],
        ["bbb"],
    ]


def at_times(text: str, times: Sequence[float]) -> Said:
    return Said([ord(letter) for letter in text], [0.5] * len(text), times)


@pytest.mark.parametrize("times", [(0.52, 0.48), (0.48, 0.52), (0.66, 0.34), (0.34, 0.66), (0.78, 0.21)])
@pytest.mark.parametrize("second", ["X cd", "Y cd"])
def test_two_readings_of_a_unit_at_the_cut_stand_once(times: tuple[float, float], second: str) -> None:
    parts = [
        at_times("ab X", [0, 0.1, 0.15, times[0]]),
        at_times(second, [times[1], 0.85, 0.9, 0.95]),
    ]
    groups = seams(parts, [Overlap(0.5, 0.3)], decode)
    text = "".join(decode(each.ids) for group in groups for each in group)
    assert text in ("ab X cd", f"ab {second}")


@settings(deadline=None)
@given(
    early=st.lists(st.floats(-1, -0.01), max_size=4).map(sorted),
    late=st.lists(st.floats(4.01, 5), max_size=4).map(sorted),
    first=st.floats(0.3, 2.6),
    shifts=st.lists(st.one_of(st.floats(0.13, 0.24), st.floats(-0.24, -0.13)), max_size=2),
    reading=st.sampled_from([100, 200]),
)
def test_units_that_both_pieces_heard_stand_once_though_they_agree_on_nothing(
    early: list[float], late: list[float], first: float, shifts: list[float], reading: int
) -> None:
    """The times of a unit differ by more than those of one agreed on; its ids may, too."""
    count = len(shifts)
    lefts = [first + number - shift for number, shift in enumerate(shifts)]
    rights = [first + number + shift for number, shift in enumerate(shifts)]
    before = numbered([*range(len(early)), *range(100, 100 + count)], [*early, *lefts])
    after = numbered([*range(reading, reading + count), *range(50, 50 + len(late))], [*rights, *late])
    (one,), (other,) = seams([before, after], [Overlap(2.0, 2.0)], spelt)
    found = [number % 100 if number >= 100 else number + 1000 for number in (*one.ids, *other.ids)]
    assert found == [
        *(number + 1000 for number in range(len(early))),
        *range(count),
        *(number + 1050 for number in range(len(late))),
    ]


@settings(deadline=None)
@given(
    lefts=st.lists(st.floats(0, 3), max_size=8).map(sorted),
    rights=st.lists(st.floats(1, 4), max_size=8).map(sorted),
)
def test_what_only_one_piece_can_hear_is_never_lost_nor_all_that_both_heard(
    lefts: list[float], rights: list[float]
) -> None:
    before = numbered(range(len(lefts)), lefts)
    after = numbered(range(50, 50 + len(rights)), rights)
    groups = seams([before, after], [Overlap(2.0, 1.0)], spelt)
    times = [time for group in groups for part in group for time in part.times]
    assert {time for time in lefts if time < 1} | {time for time in rights if time > 3} <= {*times}
    heard = [time for time in lefts if time >= 1] + [time for time in rights if time <= 3]
    assert any(1 <= time <= 3 for time in times) == bool(heard)


def numbered(ids: Sequence[int], times: Sequence[float]) -> Said:
    return Said([*ids], [0.5] * len(ids), times)


def spelt(ids: Sequence[int]) -> str:
    return " ".join(map(str, ids))


def test_units_far_apart_in_time_are_not_the_same() -> None:
    parts = [said("ab", 0.0), said("ab", 1.0)]
    groups = seams(parts, [Overlap(0.6, 0.6)], decode)
    assert [[decode(each.ids) for each in group] for group in groups] == [["ab"], ["ab"]]


def test_a_cut_in_a_pause_joins_all_of_both() -> None:
    parts = [said("one", 0.0), said("two", 0.3), Said()]
    groups = seams(parts, [Overlap(0.3, 0.0), Overlap(0.6, 0.0)], decode)
    assert groups == [[parts[0]], [parts[1]], [Said()]]

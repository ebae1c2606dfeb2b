from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.api import DataError
from seqlab.predict.predictor import Predictor
from seqlab.predict.recognizer import Recognizer
from seqlab.predict.trained import hears, windows


@given(
    sizes=st.lists(st.integers(0, 20)),
    limit=st.integers(1, 50),
    most=st.integers(1, 9),
)
def test_windows_hold_everything_in_order_and_no_more_than_they_may(
    sizes: list[int], limit: int, most: int
) -> None:
    found = list(windows(sizes, int, limit, most))
    assert list(chain.from_iterable(found)) == sizes
    for window in found:
        assert 0 < len(window) <= most
        assert sum(window[:-1]) < limit
    assert all(sum(window) >= limit or len(window) == most for window in found[:-1])


def test_a_window_is_given_away_as_soon_as_it_is_full() -> None:
    taken = []

    def endless() -> object:
        while True:
            taken.append(2)
            yield 2

    assert next(windows(endless(), int, 5, 100)) == [2, 2, 2]  # type: ignore[arg-type]
    assert len(taken) == 3


@given(sizes=st.lists(st.integers(0, 20)), limit=st.integers(1, 50))
def test_what_comes_before_an_error_is_given_away_before_it(sizes: list[int], limit: int) -> None:
    def breaking() -> Iterator[int]:
        yield from sizes
        raise DataError("cut off")

    found: list[int] = []
    with pytest.raises(DataError, match=r"^cut off$"):
        deque(map(found.extend, windows(breaking(), int, limit, 9)))
    assert found == sizes


def test_what_reads_sound_is_told_from_what_reads_tokens(tagger: Predictor, recognizer: Recognizer) -> None:
    assert hears(recognizer.assembly)
    assert not hears(tagger.assembly)


def test_no_examples_have_no_answers(tagger: Predictor, recognizer: Recognizer) -> None:
    assert list(tagger.answer([])) == list(recognizer.answer([])) == []

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.builtin.core.vocabulary import UNKNOWN, Vocabulary

STREAMS = st.lists(st.sampled_from("abcdeäß☃"), max_size=30)


@settings(max_examples=40, deadline=None)
@given(STREAMS, st.integers(1, 4))
def test_symbols_are_known_from_min_count_on(stream: list[str], min_count: int) -> None:
    vocabulary = Vocabulary.counted(stream, min_count=min_count)
    counts = Counter(stream)
    assert set(vocabulary.symbols) == {symbol for symbol in counts if counts[symbol] >= min_count}
    assert len(vocabulary) == len(vocabulary.symbols) + 1
    ids = vocabulary.encode(stream)
    for symbol, number in zip(stream, ids, strict=True):
        assert (number == UNKNOWN) == (symbol not in vocabulary)
        assert number < len(vocabulary)
    assert len(set(vocabulary.encode(vocabulary.symbols))) == len(vocabulary.symbols)


@settings(max_examples=40, deadline=None)
@given(STREAMS)
def test_the_order_of_the_data_does_not_matter(stream: list[str]) -> None:
    expected = Vocabulary.counted(stream).symbols
    assert Vocabulary.counted(stream[::-1]).symbols == Vocabulary.counted(sorted(stream)).symbols == expected


def test_the_most_frequent_comes_first_and_ties_are_sorted() -> None:
    assert Vocabulary.counted("ccbbba").symbols == ["b", "c", "a"]
    assert Vocabulary.counted("dbca").symbols == ["a", "b", "c", "d"]


def test_a_count_that_no_symbol_reaches_is_told(caplog: pytest.LogCaptureFixture) -> None:
    Vocabulary.counted("hello", min_count=2)
    Vocabulary.counted("", min_count=9)
    assert not caplog.messages
    Vocabulary.counted(["the", "dog", "the"], min_count=3, noun="words")
    assert caplog.messages == [
        "min_count 3 leaves none of the training split's 2 words: the most frequent one, 'the', occurs 2"
        " times; all are unknown to the model"
    ]


def test_the_symbols_make_the_same_vocabulary_again() -> None:
    vocabulary = Vocabulary.counted("hello world")
    assert Vocabulary(vocabulary.symbols).encode("hold?") == vocabulary.encode("hold?")
    assert vocabulary.encode("?") == [UNKNOWN]
    assert len(Vocabulary()) == 1

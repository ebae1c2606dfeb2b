from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.api import FieldKind
from seqlab.builtin.core.fields import KINDS, Labels, Tokens

BY_NAME = {kind.name: kind for kind in KINDS}

WORDS = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=5)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
ROWS = st.integers(1, 3).flatmap(
    lambda size: st.lists(st.lists(FINITE, min_size=size, max_size=size), min_size=1)
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "tokens": st.lists(WORDS),
    "labels": st.lists(WORDS | st.none()),
    "label": WORDS | st.none(),
    "label_set": st.sets(WORDS) | st.none(),
    "text": st.text(),
    "number": FINITE | st.integers(-9, 9) | st.none(),
    "series": st.lists(FINITE),
    "vector": st.lists(FINITE),
    "frames": ROWS,
    "image": ROWS.map(lambda rows: [rows]),
}
LINES = ("tokens", "label", "label_set", "text", "number", "series", "vector")
"""The kinds of which a line of text holds a value."""


def kinds() -> Any:
    return pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def plain(value: Any) -> Any:
    """Return a value as it may be compared."""
    if isinstance(value, set | frozenset):
        return sorted(value)
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def test_every_kind_has_values_to_try() -> None:
    assert BY_NAME.keys() == VALUES.keys()


@kinds()
@given(data=st.data())
def test_a_value_has_no_fault_and_comes_back_from_json(kind: FieldKind[Any], data: st.DataObject) -> None:
    value = data.draw(VALUES[kind.name])
    assert kind.fault(value) == ""
    again = kind.from_json(json.loads(json.dumps(kind.to_json(value))))
    assert kind.fault(again) == ""
    assert plain(again) == plain(value)
    assert kind.size(value) >= 0
    assert isinstance(kind.to_text(value) if not kind.missing(value) else "", str)


@kinds()
@given(data=st.data())
def test_of_equal_values_outline_and_fingerprint_are_equal(kind: FieldKind[Any], data: st.DataObject) -> None:
    value, other = data.draw(VALUES[kind.name]), data.draw(VALUES[kind.name])
    again = kind.from_json(kind.to_json(value))
    again = tuple(again) if isinstance(again, list) else again
    assert repr(kind.outline(again)) == repr(kind.outline(value))
    assert repr(kind.fingerprint(again)) == repr(kind.fingerprint(value))
    if plain(kind.to_json(value)) != plain(kind.to_json(other)):
        assert kind.fingerprint(value) != kind.fingerprint(other)


@pytest.mark.parametrize("name", LINES)
@given(data=st.data())
def test_a_value_comes_back_from_its_line(name: str, data: st.DataObject) -> None:
    kind = BY_NAME[name]
    value = data.draw(VALUES[name].filter(lambda each: each is not None))
    line = kind.to_text(value)
    assert plain(kind.parse(line)) == plain(value)
    trial = kind.trial(value)
    assert trial is None or plain(kind.parse(trial["line"])) == plain(value)


@pytest.mark.parametrize("name", sorted(BY_NAME.keys() - set(LINES) - {"labels"}))
def test_other_kinds_say_that_no_line_holds_them(name: str) -> None:
    with pytest.raises(ValueError, match=f"fields of kind {name} cannot be given as lines of text"):
        BY_NAME[name].parse("1 2")


@kinds()
def test_the_samples_of_a_kind_are_sound(kind: FieldKind[Any]) -> None:
    assert len(kind.samples) >= 3
    for value in (*kind.samples, *kind.wrong, *kind.unseen):
        assert (kind.fault(value), kind.answer_fault(value), kind.missing(value)) == ("", "", 0)
    assert {len(kind.samples)} >= {
        len(values) for values in (kind.wrong, kind.unseen, kind.lacking) if values
    }
    right = [plain(value) == plain(answer) for value, answer in zip(kind.samples, kind.wrong, strict=True)]
    assert {*right} == {True, False}, "some of the wrong answers are wrong"
    for value, lacking in zip(kind.samples, kind.lacking, strict=False):
        assert kind.fault(lacking) == ""
        assert kind.missing(lacking) == kind.size(value)
        assert kind.answer_fault(lacking) != "", "no head answers with what is missing"
        assert kind.missing(kind.filled(lacking, kind.samples)) == 0
        assert kind.answer_fault(kind.filled(lacking, kind.samples)) == ""
        assert kind.answer_fault(kind.filled(lacking, [])) == "", "though nothing is known"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("text", b"a", "bytes where a string is expected"),
        ("tokens", "a b", "'a b' (str) where a list of strings is expected"),
        ("tokens", ["a", None], "a list that holds None where strings are expected"),
        ("labels", ["a", 1], "a list that holds 1 (int) where strings are expected"),
        ("label", 3.5, "3.5 (float) where a label, a string, is expected"),
        ("label_set", "news", "'news' (str) where a set of labels is expected"),
        ("label_set", {"news": 1}, "dict of 1 where a set of labels is expected"),
        ("label_set", {"news", 1}, "a set that holds 1 (int) where labels, strings, are expected"),
        ("label_set", ["a", "a"], "list of 2, which holds a label twice"),
        ("number", True, "True where a finite number is expected"),
        ("number", float("nan"), "nan (float) where a finite number is expected"),
        ("number", "1", "'1' (str) where a finite number is expected"),
        ("series", 1.0, "1.0 (float) where numbers of shape (time) are expected"),
        ("series", [[1.0]], "list of 1 where numbers of shape (time) are expected"),
        ("vector", ["1"], "list of 1 where numbers of shape (size) are expected"),
        ("frames", [[1.0], [1.0, 2.0]], "list of 2 where numbers of shape (time, size) are expected"),
        ("frames", [[float("inf")]], "numbers that are not finite"),
        ("image", [[1.0]], "list of 1 where numbers of shape (height, width, channels) are expected"),
    ],
)
def test_what_is_no_value_is_shown_in_short(name: str, value: Any, reason: str) -> None:
    assert BY_NAME[name].fault(value) == reason
    with pytest.raises((TypeError, ValueError)):
        BY_NAME[name].take(value)
    with pytest.raises(ValueError, match=r".+"):
        BY_NAME[name].from_json(value)


@pytest.mark.parametrize(
    ("name", "line", "reason"),
    [
        ("number", "one", "'one' is no number"),
        ("number", "1 2", "2 numbers where 1 is expected"),
        ("number", "", "0 numbers where 1 is expected"),
        ("series", "1, nan", "'nan' is no finite number"),
        ("vector", "1 x", "'x' is no number"),
    ],
)
def test_a_line_that_holds_no_value_says_why(name: str, line: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}$"):
        BY_NAME[name].parse(line)


def test_sizes_are_steps_of_sequences_and_one_of_what_is_none() -> None:
    wholes = {"label": "good", "label_set": ["a", "b"], "number": 12.0, "vector": [1.0, 2.0, 3.0]}
    assert {BY_NAME[name].size(value) for name, value in wholes.items()} == {1.0}
    steps = {
        "tokens": ["a", "b"],
        "labels": ["N", "V"],
        "text": "ab",
        "series": [1.0, 2.0],
        "frames": [[1], [2]],
    }
    assert {BY_NAME[name].size(value) for name, value in steps.items()} == {2.0}
    assert BY_NAME["image"].size(np.zeros((5, 4, 3))) == 20


def test_numbers_may_be_arrays() -> None:
    for name, shape in {"series": 3, "vector": 3, "frames": (3, 2), "image": (3, 2, 1)}.items():
        array = np.ones(shape, np.float32)
        assert BY_NAME[name].fault(array) == ""
        assert BY_NAME[name].to_json(array) == array.tolist()


def test_only_labels_stand_along_another_field() -> None:
    assert {kind.name: kind.along for kind in KINDS if kind.along} == {Labels.name: Tokens.name}
    assert [kind.name for kind in KINDS if kind.annotation] == ["labels", "label", "label_set"]

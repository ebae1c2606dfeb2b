from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seqlab.api import Example, Place
from seqlab.overlap import fingerprint, repeated


@dataclass(frozen=True)
class Named:
    """A value that says itself what it holds."""

    fingerprint: str | None


def example(value: Any, label: str = "A") -> Example:
    return Example({"input": value, "label": label}, Place("t", 1))


def test_what_stands_in_both_is_counted_by_its_content_in_any_order() -> None:
    train = [example(["a", "b"]), example(["c"]), example(["c"])]
    others = [example(["c"], label="B"), example(["b", "a"]), example(["a", "b"]), example(["ab"])]
    known = {fingerprint(each, ["input"]) for each in train}
    assert repeated(others, known, ["input"]) == repeated(others[::-1], known, ["input"]) == 2
    assert (
        repeated(others, {fingerprint(each, ["input", "label"]) for each in train}, ["input", "label"]) == 1
    )


def test_a_value_with_a_fingerprint_is_named_by_it_and_one_that_is_drawn_anew_by_nothing() -> None:
    known = {fingerprint(example(Named(name)), ["input"]) for name in ("x", None)}
    assert repeated([example(Named("x")), example(Named("y")), example(Named(None))], known, ["input"]) == 1

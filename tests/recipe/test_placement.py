"""Where augmenters have a place; what is not known is never held against them."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import pytest

from seqlab.recipe.placement import Neighbours, misplacement


class Change(NamedTuple):
    stage: str
    keeps_length: bool


def among(**facts: Any) -> Neighbours:
    """A recogniser's parts, with one featurizer, where nothing else is said."""
    usual: dict[str, Any] = {"reads": ["audio"], "frames": [True], "bptt": False, "aligned": None}
    return Neighbours(**usual | facts)


def test_a_recogniser_has_a_place_for_every_change() -> None:
    for change in (Change(*each) for each in product(("audio", "features"), (True, False))):
        assert misplacement(change, among()) == ""


@pytest.mark.parametrize(
    ("change", "facts", "reason"),
    [
        (Change("audio", True), {"reads": ["tokens"]}, "changes audio, but no featurizer reads any"),
        (
            Change("features", True),
            {"frames": [False, False]},
            "changes frames of features, but no featurizer makes any",
        ),
        (
            Change("audio", False),
            {"bptt": True},
            "changes lengths, but train.bptt counts its chunks by them",
        ),
        (
            Change("features", False),
            {"aligned": "tagging"},
            "changes lengths, but head tagging needs one state for each label",
        ),
        (
            Change("audio", False),
            {"reads": ["audio", None, "tokens"]},
            "changes lengths, but not that of features.2",
        ),
        (
            Change("features", False),
            {"frames": [None, False, True]},
            "changes lengths, but not that of features.1",
        ),
    ],
)
def test_what_stands_against_a_change(change: Change, facts: dict[str, Any], reason: str) -> None:
    assert misplacement(change, among(**facts)) == reason
    if change.keeps_length is False:
        assert misplacement(change._replace(keeps_length=True), among(**facts)) == ""


def test_what_is_not_known_stands_against_nothing() -> None:
    unknown = among(reads=["tokens", None], frames=[False, None])
    for stage in ("audio", "features"):
        assert misplacement(Change(stage, True), unknown) == ""
        assert misplacement(Change(stage, False), among(reads=[None], frames=[None])) == ""

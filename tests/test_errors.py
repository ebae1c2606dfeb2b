"""Errors, and the places that they name."""

from __future__ import annotations

import pytest

from seqlab.errors import Place


@pytest.mark.parametrize(
    ("place", "written"),
    [
        (Place("a.conllu"), "a.conllu"),
        (Place("a.conllu", 3), "a.conllu:3"),
        (Place("pos.yaml", 3, 7), "pos.yaml:3:7"),
        (Place("a\nerror: forged", 3), r"a\nerror: forged:3"),
        (Place("a\rb"), r"a\rb"),
    ],
)
def test_a_place_is_one_line(place: Place, written: str) -> None:
    assert str(place) == written

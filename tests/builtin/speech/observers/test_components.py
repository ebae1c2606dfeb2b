from __future__ import annotations

from pathlib import Path

import pytest
from contract import registered
from pydantic import ValidationError

from seqlab import Lab
from seqlab.api import RecipeError
from seqlab.builtin.speech.observers.components import OTHER_HEADS, CTCHintsConfig


def test_a_built_in_head_learns_by_ctc_or_is_known_not_to() -> None:
    assert registered("head").keys() - OTHER_HEADS == {"ctc"}
    assert registered("head").keys() >= OTHER_HEADS


def test_one_epoch_tells_no_loss_that_stays() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 2"):
        CTCHintsConfig(patience=1)


def test_hints_for_heads_that_do_not_learn_by_ctc_are_told_with_their_place(lab: Lab, toy: Path) -> None:
    toy.write_text(toy.read_text().replace("\ntrain:", "\n  - ctc_hints\ntrain:"))
    line = toy.read_text().splitlines().index("  - ctc_hints") + 1
    with pytest.raises(RecipeError) as caught:
        lab.check(toy)
    (problem,) = caught.value.problems
    told = "observers.2: observer ctc_hints watches heads that learn by CTC; there is none"
    assert str(problem) == f"{toy}:{line}:5: {told}"
    lab.check(toy, ["observers=[console]"])
    with pytest.raises(RecipeError) as caught:
        lab.check(toy, ["head=[tagging, ctc]"])
    assert "observers.2" not in str(caught.value), "there is a head that learns by CTC, if of no field"

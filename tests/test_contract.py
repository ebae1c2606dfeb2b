"""States, values and attributes of components: what is let pass, and what is named."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqlab.api import Column, Example, Place
from seqlab.contract import CHECKS, Values, check_answer, check_example, value_fault
from seqlab.errors import ContractError

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
KINDS: Any = {"tokens": "tokens", "tags": "token_labels", "said": "text"}


def examples(count: int) -> list[Example]:
    return [Example({"tokens": ["a"]}, Place("a.txt", number)) for number in range(1, count + 1)]


@given(st.dictionaries(st.text(), PLAIN))
def test_a_state_that_passes_comes_back_from_json_as_it_was(state: dict[str, Any]) -> None:
    passed = CHECKS["head", "state"](state)
    assert json.loads(json.dumps(passed)) == state


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        ({1, 2}, r"returned set of 2 as \['a'\]\[0\]"),
        (np.float32(1), r"returned float32 as \['a'\]\[0\]"),
        (b"x", r"returned bytes as \['a'\]\[0\]"),
        ({2: "x"}, r"returned 2 \(int\) as a key of \['a'\]\[0\]"),
        (torch.zeros(3), r"returned a tensor of torch.float32 and shape \(3\) as \['a'\]\[0\]"),
    ],
)
def test_what_json_would_lose_is_named_with_its_path(inner: Any, reason: str) -> None:
    with pytest.raises(ContractError, match=reason):
        CHECKS["featurizer", "state"]({"a": [inner]})


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (["a", "b"], "tokens"),
        (("a",), "token_labels"),
        ([], "tokens"),
        ("", "text"),
        ([np.str_("a")], "tokens"),
    ],
)
def test_a_value_of_its_kind_passes(value: Any, kind: Any) -> None:
    assert value_fault(value, kind) == ""


@pytest.mark.parametrize(
    ("value", "kind", "fault"),
    [
        ("a b", "tokens", "'a b' (str) where a list of strings is expected"),
        (["a", None], "token_labels", "a list that holds None where strings are expected"),
        ([b"a"], "tokens", "a list that holds bytes where strings are expected"),
        (None, "text", "None where a string is expected"),
        (str, "text", "the class str where a string is expected"),
        (["a"], "text", "list of 1 where a string is expected"),
        (
            "a.wav",
            "audio",
            "'a.wav' (str), which is no Audio: it lacks sample_rate, duration, fingerprint, samples",
        ),
        ("x" * 99, "tokens", f"'{'x' * 39}... (str) where a list of strings is expected"),
    ],
)
def test_a_value_of_another_kind_is_shown_in_short(value: Any, kind: Any, fault: str) -> None:
    assert value_fault(value, kind) == fault


def test_labels_may_be_missing_only_where_nothing_is_labelled() -> None:
    bare = Example({"tokens": ["a"]}, Place("a.txt", 1))
    assert check_example(bare, KINDS, labelled=False) is bare
    with pytest.raises(ContractError, match="without the field 'tags'; its fields are: tokens"):
        check_example(bare, KINDS, labelled=True)


def test_an_answer_needs_a_label_for_each_token_only_where_there_are_tokens() -> None:
    example = Example({"tokens": ["a", "b"]}, Place("a.txt", 1))
    assert check_answer(["N", "V"], "token_labels", example, KINDS) == ["N", "V"]
    assert check_answer(["N"], "token_labels", None, KINDS) == ["N"]
    assert check_answer(["N"], "token_labels", example, {"tags": "token_labels"}) == ["N"]
    with pytest.raises(ContractError, match="returned 1 labels for 2 tokens"):
        check_answer(["N"], "token_labels", example, KINDS)


def test_values_know_the_example_that_a_loop_has_come_to() -> None:
    values = Values(["x", "y", "z"], examples(3))
    for value in values:
        if value == "y":
            break
    assert list(values.places()) == ["a.txt:2"]
    assert [*values] == ["x", "y", "z"], "and a loop that ended says nothing"
    assert list(values.places()) == ["a.txt:1", "a.txt:2", "a.txt:3"]


def test_the_example_whose_numbers_are_not_finite_is_found() -> None:
    values = Values(["x", "y", "z"], examples(3))
    column = Column(torch.tensor([[1.0], [2.0], [torch.inf], [3.0]]), torch.tensor([2, 0, 2]))
    with pytest.raises(ContractError, match="not finite"):
        CHECKS["featurizer", "encode"](column, values)
    assert list(values.places()) == ["a.txt:3"]


@pytest.mark.parametrize("ids", [[0, 1, 2], [-1, 0, 1]])
def test_a_column_that_points_beside_its_table_is_refused(ids: list[int]) -> None:
    table = Column.of([[1], [2, 3]])
    sound = Column(torch.tensor([0, 1, 1]), torch.tensor([1, 2]), table)
    assert CHECKS["featurizer", "encode"](sound, ["a", "b"]) is sound
    beside = Column(torch.tensor(ids), torch.tensor([1, 2]), table)
    with pytest.raises(ContractError, match="which point into a table of 2 items"):
        CHECKS["featurizer", "encode"](beside, ["a", "b"])


def test_figures_become_floats_whatever_numbers_they_were() -> None:
    found = CHECKS["metric", "compute"]({"a": np.float32(0.5), "b": 1, "c": float("inf")})
    assert found == {"a": 0.5, "b": 1.0, "c": float("inf")}
    assert {type(value) for value in found.values()} == {float}

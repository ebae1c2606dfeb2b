"""States, values and attributes of components: what is let pass, and what is named."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqlab.api import Answer, Column, Example, Place
from seqlab.builtin.core.fields import Labels, Text, Tokens
from seqlab.contract import CHECKS, Values, attribute_fault, check_answer, check_example
from seqlab.errors import ContractError

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
KINDS: Any = {"tokens": Tokens(), "tags": Labels(), "said": Text()}


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


def example_of(**fields: Any) -> Example:
    return Example(fields, Place("a.txt", 1))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"tokens": "a b"}, "in the field 'tokens' 'a b' (str) where a list of strings is expected"),
        ({"tags": [1]}, "in the field 'tags' a list that holds 1 (int) where strings are expected"),
        ({"said": None}, "in the field 'said' None where a string is expected"),
        ({"tags": ["N"]}, "in the field 'tags' 1 labels for 2 tokens"),
    ],
)
def test_a_field_that_is_not_of_its_kind_is_named(fields: dict[str, Any], reason: str) -> None:
    sound = {"tokens": ["a", "b"], "tags": ["N", None], "said": ""}
    assert check_example(example_of(**sound), KINDS, labelled=True).fields == sound
    with pytest.raises(ContractError) as caught:
        check_example(example_of(**sound | fields), KINDS, labelled=True)
    assert str(caught.value) == f"yielded {reason}"


def test_labels_may_be_missing_only_where_nothing_is_labelled() -> None:
    bare = example_of(tokens=["a"])
    assert check_example(bare, KINDS, labelled=False) is bare
    with pytest.raises(ContractError, match="without the field 'tags'; its fields are: tokens"):
        check_example(bare, KINDS, labelled=True)


def checked(answer: Any, example: Example, kinds: Any = None) -> Any:
    return check_answer(answer, KINDS["tags"], example, kinds or KINDS)


def test_an_answer_needs_a_label_for_each_token_only_where_there_are_tokens() -> None:
    example, one = example_of(tokens=["a", "b"]), Answer(["N"])
    two = Answer(["N", "V"], details={"any": object()}, alternatives=(Answer(["V", "V"]),))
    assert checked(two, example) is two
    assert checked(one, example_of(said="")) is one
    assert checked(one, example, {"tags": KINDS["tags"]}) is one
    with pytest.raises(ContractError, match="value is 1 labels for 2 tokens"):
        checked(one, example)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (["N", "V"], "list of 2 where an Answer is expected"),
        (Answer(["N", None]), "an Answer whose value is a list that holds None where strings are expected"),
        (Answer("NV"), "an Answer whose value is 'NV' (str) where a list of strings is expected"),
        (
            Answer(["N", "V"], details=["fast"]),  # type: ignore[arg-type]
            "an Answer whose details are list of 1, not a mapping",
        ),
        (
            Answer(["N", "V"], alternatives=None),  # type: ignore[arg-type]
            "an Answer whose alternatives are None, not a tuple",
        ),
        (
            Answer(["N", "V"], alternatives=(["N", "V"],)),  # type: ignore[arg-type]
            "an Answer with, among its alternatives, list of 2 where an Answer is expected",
        ),
        (
            Answer(["N", "V"], alternatives=(Answer(["V", "V"]), Answer(["N"]))),
            "an Answer with, among its alternatives, an Answer whose value is 1 labels for 2 tokens",
        ),
    ],
)
def test_what_is_no_answer_is_named_with_its_example(answer: Any, reason: str) -> None:
    with pytest.raises(ContractError) as caught:
        checked(answer, example_of(tokens=["a", "b"]))
    assert str(caught.value) == f"returned {reason}"
    assert caught.value.at == "a.txt:1"


@pytest.mark.parametrize(
    ("alignment", "hint"),
    [("per_states", "did you mean 'per_state'?"), (True, "one of: "), (None, "one of: ")],
)
def test_an_alignment_is_one_of_those_there_are(alignment: object, hint: str) -> None:
    head = SimpleNamespace(target="tags", alignment=alignment, default_metrics=())
    fault = attribute_fault("head", head)
    assert fault.startswith("was built with alignment ")
    assert hint in fault
    head.alignment = "shifted"
    assert attribute_fault("head", head) == ""


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

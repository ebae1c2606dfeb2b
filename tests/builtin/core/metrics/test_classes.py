from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from seqlab.api import Answer, Example, Metric, MetricContext, Place, SeqlabError
from seqlab.builtin.core.plugin import seqlab_register_metrics

COMPONENTS = {component.name: component for component in seqlab_register_metrics()}

FIELDS = {"tokens": "tokens", "label": "label", "topics": "label_set", "tags": "labels", "text": "text"}


def metric(name: str, target: str = "label", **config: Any) -> Metric:
    component = COMPONENTS[name]
    made: Metric = component.build(component.config(**config), MetricContext(target, FIELDS))
    return made


def example(line: int, *tokens: str) -> Example:
    return Example({"tokens": list(tokens)}, Place("t.tsv", line))


def counted(made: Metric, *pairs: tuple[Any, Any], scores: Sequence[Any] = ()) -> dict[str, float]:
    """Return the figures after these gold and answered values."""
    for line, (gold, value) in enumerate(pairs, 1):
        made.update(example(line, "w"), gold, Answer(value, scores[line - 1] if scores else None))
    return made.compute()


def test_accuracy_counts_sequences_and_leaves_out_those_without_a_label() -> None:
    assert counted(metric("accuracy"), ("a", "a"), ("a", "b"), (None, "b")) == {"accuracy": 1 / 2}


def test_a_set_is_right_as_a_whole_in_any_order() -> None:
    pairs = ((("x", "y"), ("y", "x")), (("x",), ()), ((), ()), (None, ("x",)))
    assert counted(metric("accuracy", "topics"), *pairs) == {"accuracy": 2 / 3}


def test_accuracy_lists_the_surest_mistakes_first() -> None:
    made = metric("accuracy")
    counted(made, ("a", "b"), ("a", "b"), ("a", "a"), scores=[0.6, 0.9, 0.99])
    lines = made.listing().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "2 of 3 are wrong"
    assert [line for line in lines if "->" in line] == [
        "t.tsv:2  a -> b  (0.90)",
        "t.tsv:1  a -> b  (0.60)",
    ]


def test_f1_is_the_mean_over_the_labels_and_of_sets_also_over_all_together() -> None:
    assert counted(metric("f1"), ("a", "a"), ("a", "b"), ("b", "b"), ("b", "b")) == {
        "f1_macro": pytest.approx((2 / 3 + 4 / 5) / 2)
    }
    found = counted(metric("f1", "topics"), (("x", "y"), ("x",)), (("x",), ("x", "z")))
    assert found == {"f1_macro": pytest.approx(1 / 3), "f1_micro": pytest.approx(4 / 6)}


def test_the_confusion_matrix_has_a_row_for_each_gold_label() -> None:
    made = metric("confusion")
    assert counted(made, ("cat", "cat"), ("cat", "dog"), ("dog", "dog"), ("cat", "dog")) == {"errors": 2}
    listing = made.listing().splitlines()  # type: ignore[attr-defined]
    assert [line.split() for line in listing[1:4]] == [["cat", "dog"], ["cat", "1", "2"], ["dog", "0", "1"]]
    assert listing[-1].split() == ["2", "cat", "->", "dog"]


def test_of_many_labels_the_confusions_are_listed_without_a_matrix() -> None:
    made = metric("confusion")
    counted(made, *((f"label {n}", f"label {n + 1}") for n in range(60)))
    listing = made.listing()  # type: ignore[attr-defined]
    assert "rows:" not in listing
    assert listing.count("->") == 41, "a heading and 40 confusions"


def test_the_calibration_error_is_the_gap_between_probability_and_share() -> None:
    # Of those around 0.9, all are right; of those around 0.6, half.
    pairs = (("a", "a"), ("a", "a"), ("a", "b"), ("b", "b"))
    found = counted(metric("calibration", bins=10), *pairs, scores=[0.95, 0.91, 0.65, 0.61])
    assert found == {"calibration_error": pytest.approx((0.07 * 2 + 0.13 * 2) / 4)}


def test_answers_without_a_probability_have_no_calibration() -> None:
    assert counted(metric("calibration"), ("a", "a")) == {}


def test_a_probability_of_1_is_in_the_last_bin() -> None:
    assert counted(metric("calibration", bins=3), ("a", "a"), scores=[1.0]) == {"calibration_error": 0.0}


def test_calibration_of_tokens_leaves_out_those_without_a_label() -> None:
    made = metric("calibration", "tags", bins=1)
    made.update(example(1, "v", "w"), ["A", None], Answer(["A", "B"], (0.75, 0.1)))
    assert made.compute() == {"calibration_error": 0.25}


def test_recall_of_one_label_and_the_accuracy_of_the_others() -> None:
    pairs = (("oos", "oos"), ("oos", "pay"), ("pay", "pay"), ("fly", "oos"), ("fly", "pay"))
    assert counted(metric("recall_of", label="oos"), *pairs) == {
        "oos_recall": 1 / 2,
        "oos_precision": 1 / 2,
        "others_accuracy": 1 / 3,
    }


def test_what_cannot_be_computed_is_left_out() -> None:
    assert counted(metric("recall_of", label="oos"), ("pay", "pay")) == {"others_accuracy": 1.0}


@pytest.mark.parametrize("name", ["accuracy", "calibration", "confusion", "f1"])
def test_a_field_of_another_kind_is_refused(name: str) -> None:
    with pytest.raises(SeqlabError, match=f"metric {name} compares .* field 'text' holds text"):
        metric(name, "text")


def test_no_label_of_a_set_is_taken_for_another() -> None:
    with pytest.raises(SeqlabError, match="label or labels"):
        metric("confusion", "topics")

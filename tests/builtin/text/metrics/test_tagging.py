from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.api import Answer, Component, Example, FieldKind, Metric, MetricContext, Place, SeqlabError
from seqlab.builtin.core.metrics.components import COMPONENTS as OF_LABELS
from seqlab.builtin.text.plugin import seqlab_register_metrics

ACCURACY = next(component for component in OF_LABELS if component.name == "accuracy")
COMPONENTS: dict[str, Component[Any]] = {
    component.name: component
    for component in (ACCURACY, *seqlab_register_metrics())
    if component is ACCURACY or "labels" in (component.declares(component.config()).kinds or ())
}


FIELDS: dict[str, FieldKind] = {"tokens": "tokens", "lemmas": "tokens", "upos": "labels"}


def metric(name: str, **values: object) -> Metric:
    component = COMPONENTS[name]
    built: Metric = component.build(component.config(**values), MetricContext("upos", FIELDS))
    return built


def example(*tokens: str, line: int = 1) -> Example:
    return Example({"tokens": list(tokens)}, Place("t.conllu", line))


def scored(name: str, *pairs: tuple[str, str]) -> dict[str, float]:
    """Figures after one update for each pair of gold and predicted labels, written as letters."""
    made = metric(name)
    made.fit([])
    for gold, predicted in pairs:
        made.update(example(*(f"w{i}" for i in range(len(gold)))), list(gold), Answer(list(predicted)))
    return made.compute()


def test_accuracy_weights_tokens_alike() -> None:
    assert scored("accuracy", ("A", "B"), ("AAA", "AAA"), ("", "")) == {"accuracy": 3 / 4}


def test_sentence_accuracy_weights_sentences_alike_and_leaves_out_empty_ones() -> None:
    assert scored("sentence_accuracy", ("A", "A"), ("AAB", "AAA"), ("B", "B"), ("", "")) == {
        "sentence_accuracy": 2 / 3
    }


def test_accuracy_unknown_counts_words_never_seen_in_training() -> None:
    made = metric("accuracy_unknown")
    made.fit([example("the", "dog"), example("The", "cat")])
    made.update(example("the", "Dog", "barks"), ["A", "B", "C"], Answer(["X", "B", "X"]))
    made.update(example("dog", "meows"), ["A", "B"], Answer(["A", "B"]))
    assert made.compute() == {"accuracy_unknown": 2 / 3}


def test_accuracy_unknown_looks_in_the_configured_field() -> None:
    made = metric("accuracy_unknown", field="lemmas")
    made.fit([Example({"lemmas": ["go"]}, Place("t"))])
    made.update(Example({"lemmas": ["go", "do"]}, Place("t")), ["A", "B"], Answer(["X", "B"]))
    assert made.compute() == {"accuracy_unknown": 1.0}


def test_accuracy_unknown_refuses_a_field_that_the_reader_lacks() -> None:
    message = (
        "metric accuracy_unknown: the reader has no field 'lemma'; did you mean 'lemmas'?;"
        " one of: lemmas, tokens, upos"
    )
    with pytest.raises(SeqlabError, match=f"^{re.escape(message)}$"):
        metric("accuracy_unknown", field="lemma")


def test_accuracy_unknown_survives_json() -> None:
    fitted = metric("accuracy_unknown")
    fitted.fit([example("b", "a"), example("c", "a")])
    assert fitted.state() == {"known": ["a", "b", "c"]}
    restored = metric("accuracy_unknown")
    restored.restore(json.loads(json.dumps(fitted.state())))
    restored.update(example("a", "d"), ["A", "B"], Answer(["X", "B"]))
    assert restored.compute() == {"accuracy_unknown": 1.0}
    assert restored.state() == fitted.state()


def test_accuracy_unknown_wants_the_training_words_first() -> None:
    with pytest.raises(
        ValueError, match=r"^accuracy_unknown does not know the training words: call fit or restore first$"
    ):
        metric("accuracy_unknown").update(example("a"), ["A"], Answer(["A"]))


def test_label_scores_of_labels_never_gold_or_never_predicted_are_zero() -> None:
    assert scored("label_scores", ("AAB", "AAC")) == {
        "f1_macro": 1 / 3,
        "A.precision": 1.0,
        "A.recall": 1.0,
        "A.f1": 1.0,
        "B.precision": 0.0,
        "B.recall": 0.0,
        "B.f1": 0.0,
        "C.precision": 0.0,
        "C.recall": 0.0,
        "C.f1": 0.0,
    }


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_metric_lists_what_was_wrong(name: str) -> None:
    made = metric(name)
    made.fit([example("the")])
    made.update(example("the", "dog", "barks", line=3), ["D", "N", "V"], Answer(["X", "N", "N"]))
    made.update(example("rain", line=7), ["N"], Answer(["N"]))
    listing: str = made.listing()  # type: ignore[attr-defined]
    unknown = name == "accuracy_unknown"
    assert "among words that the training split does not hold" in listing or not unknown
    assert ("D -> X" in listing) is not unknown
    assert "     3  barks  V -> N\n" in listing
    assert "t.conllu:3  " in listing
    assert "t.conllu:7  " not in listing
    assert ("1 of 3 labels are wrong" if unknown else "2 of 4 labels are wrong") in listing
    made.reset()
    assert "0 of 0 labels are wrong" in made.listing()  # type: ignore[attr-defined]


def test_metrics_of_all_labels_list_the_same() -> None:
    listings = set()
    for name in COMPONENTS.keys() - {"accuracy_unknown"}:
        made = metric(name)
        made.update(example("the", "dog"), ["D", "N"], Answer(["N", "N"]))
        listings.add(made.listing())  # type: ignore[attr-defined]
    assert len(listings) == 1


def test_labels_of_a_reader_without_tokens_are_listed_by_number() -> None:
    for name in ("accuracy", "sentence_accuracy", "label_scores"):
        component = COMPONENTS[name]
        made = component.build(component.config(), MetricContext("phones", {"phones": "labels"}))
        made.update(Example({}, Place("t", 1)), ["A", "B"], Answer(["A", "A"]))
        assert made.listing().endswith("\n     2  B -> A\n")


sentences = st.lists(
    st.lists(st.tuples(st.sampled_from("ABCD"), st.sampled_from("ABCD")), max_size=6), min_size=1, max_size=5
)


@given(sentences)
def test_label_scores_agree_with_the_definitions(drawn: list[list[tuple[str, str]]]) -> None:
    pairs = [pair for sentence in drawn for pair in sentence]
    figures = scored("label_scores", *(("".join(g for g, _ in s), "".join(p for _, p in s)) for s in drawn))
    expected = {}
    for label in sorted({label for pair in pairs for label in pair}):
        true_positive = len([1 for g, p in pairs if g == label == p])
        false_positive = len([1 for g, p in pairs if g != label == p])
        false_negative = len([1 for g, p in pairs if p != label == g])
        precision = true_positive / max(1, true_positive + false_positive)
        recall = true_positive / max(1, true_positive + false_negative)
        harmonic = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        expected |= {f"{label}.precision": precision, f"{label}.recall": recall, f"{label}.f1": harmonic}
    if expected:
        f1 = [value for name, value in expected.items() if name.endswith(".f1")]
        expected = {"f1_macro": sum(f1) / len(f1), **expected}
    assert figures == pytest.approx(expected)
    assert list(figures) == list(expected)


@given(sentences, st.integers(0, 5))
@pytest.mark.parametrize("name", COMPONENTS)
def test_figures_do_not_depend_on_order_and_reset_forgets(
    name: str, drawn: list[list[tuple[str, str]]], cut: int
) -> None:
    made = metric(name)
    made.fit([example("w0")])
    first: dict[str, float] = {}
    for order in (drawn, drawn[cut:] + drawn[:cut]):
        made.reset()
        for pairs in order:
            words = example(*(f"w{index}" for index in range(len(pairs))))
            made.update(words, [g for g, _ in pairs], Answer([p for _, p in pairs]))
        first = first or made.compute()
        assert made.compute() == first
    assert all(0 <= value <= 1 for value in first.values())


@pytest.mark.parametrize("name", COMPONENTS)
def test_nothing_counted_gives_no_figure(name: str) -> None:
    made = metric(name)
    made.fit([example("known")])
    assert made.compute() == {}
    made.update(example(), [], Answer([]))
    assert made.compute() == {}
    made.update(example("known"), ["A"], Answer(["A"]))
    assert (made.compute() == {}) == (name == "accuracy_unknown")
    made.reset()
    assert made.compute() == {}


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_missing_label_counts_as_if_its_token_were_not_there(name: str) -> None:
    found = []
    for words, gold, predicted in (
        (("a", "b", "c", "d"), ["A", None, "B", None], ["A", "B", "A", "C"]),
        (("a", "c"), ["A", "B"], ["A", "A"]),
    ):
        made = metric(name)
        made.fit([example("a")])
        made.update(example(*words), gold, Answer(predicted))
        made.update(example("x"), [None], Answer(["A"])) if len(words) == 4 else None
        totals = getattr(made, "listing")().splitlines()  # noqa: B009 - not in the protocol
        found.append((made.compute(), [line for line in totals if " of " in line and " labels " in line]))
    assert found[0] == found[1]


@pytest.mark.parametrize("name", COMPONENTS)
def test_labels_of_unequal_number_are_refused(name: str) -> None:
    made = metric(name)
    made.fit([])
    with pytest.raises(ValueError, match=r"^t.conllu:7: 1 predicted labels for 2 gold labels$"):
        made.update(example("a", "b", line=7), ["A", "B"], Answer(["A"]))


@pytest.mark.parametrize("name", COMPONENTS)
def test_higher_is_better_and_state_is_plain(name: str) -> None:
    made = metric(name)
    made.fit([example("a")])
    assert made.higher_is_better
    assert json.loads(json.dumps(made.state())) == made.state()
    made.restore(made.state())


def test_the_main_figure_comes_first() -> None:
    main = {name: next(iter(scored(name, ("AB", "AA")))) for name in COMPONENTS}
    assert main == {
        "accuracy": "accuracy",
        "accuracy_unknown": "accuracy_unknown",
        "label_scores": "f1_macro",
        "sentence_accuracy": "sentence_accuracy",
    }


def test_metrics_need_no_torch_and_no_numpy() -> None:
    script = (
        "import sys\n"
        "from seqlab.api import MetricContext\n"
        "from seqlab.builtin.text.plugin import seqlab_register_metrics\n"
        "for component in seqlab_register_metrics():\n"
        "    component.build(component.config(), MetricContext('upos', {'tokens': 'tokens'}))\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)

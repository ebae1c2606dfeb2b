from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from seqlab.api import Example, FeaturizerContext, Indexed, Place, SeqlabError, Sequences
from seqlab.builtin.text.featurizers.ngrams import NgramFeaturizer, log_count_ratios
from seqlab.builtin.text.plugin import seqlab_register_featurizers

(COMPONENT,) = (each for each in seqlab_register_featurizers() if each.name == "ngrams")

FIELDS = {"tokens": "tokens", "label": "label"}
BOTH = FIELDS | {"topics": "label_set"}

TEXTS = [("a b a", "good"), ("b c", "bad"), ("a", "good"), ("c c", None)]


def featurizer(fields: dict[str, str] = FIELDS, **config: Any) -> NgramFeaturizer:
    made: NgramFeaturizer = COMPONENT.build(COMPONENT.config(**config), FeaturizerContext(fields))
    return made


def examples(texts: list[tuple[str, Any]] = TEXTS, target: str = "label") -> list[Example]:
    return [
        Example({"tokens": text.split(), target: label}, Place("t.tsv", line))
        for line, (text, label) in enumerate(texts, 1)
    ]


def fitted(**config: Any) -> NgramFeaturizer:
    made = featurizer(**config)
    made.fit_examples(examples())
    return made


def names(made: NgramFeaturizer, text: str) -> list[list[str]]:
    """Return the n-grams at each word of a text, `-` for none."""
    symbols = ["-", *made.vocabulary.symbols]
    return [[symbols[number] for number in row] for row in made.encode([text.split()]).values.tolist()]


# --- ids -------------------------------------------------------------------------------------------------


def test_at_each_word_stand_the_ngrams_that_end_with_it() -> None:
    assert names(fitted(n=3), "a b a") == [["a", "-", "-"], ["b", "a b", "-"], ["-", "b a", "a b a"]]


def test_an_ngram_may_count_as_often_as_it_stands_there() -> None:
    assert names(fitted(n=1), "c c a") == [["c"], ["-"], ["a"]]
    assert names(fitted(n=1, once=False), "c c a") == [["c"], ["c"], ["a"]]


def test_rare_ngrams_and_those_past_the_most_frequent_are_unknown() -> None:
    assert set(fitted(min_count=2).vocabulary.symbols) == {"a", "b", "c"}
    assert fitted(max_features=1).vocabulary.symbols == ["a"]


def test_hashes_are_the_same_in_every_process() -> None:
    made = fitted(buckets=1000, n=1)
    assert made.state()["ngrams"] == []
    # crc32 of "a" is 0xe8b7be43.
    assert made.encode([["a"]]).values.tolist() == [[1 + 0xE8B7BE43 % 1000]]


def test_no_texts_and_empty_ones_are_encoded() -> None:
    column = fitted().encode([[], ["a"]])
    assert column.lengths.tolist() == [0, 1]
    assert fitted().encode([]).values.shape == (0, 2)


def test_the_shortest_ngrams_may_be_pairs() -> None:
    assert names(fitted(n=3, min_n=2), "a b a") == [["-", "-"], ["a b", "-"], ["b a", "a b a"]]


# --- characters ------------------------------------------------------------------------------------------


def spelt(made: NgramFeaturizer, text: str) -> list[list[str]]:
    """Return the n-grams of the characters of each word of a text, `-` for an unknown one."""
    symbols = ["-", *made.vocabulary.symbols]
    column = made.encode([text.split()]).gather(torch.tensor([0]))
    assert isinstance(column, Indexed)
    words = [[symbols[number] for number in ids.tolist()] for ids in column.items.to_list()]
    return [words[row] for row in column.rows.to_flat().tolist()]


def test_ngrams_of_characters_stay_within_a_word_and_know_its_ends() -> None:
    made = featurizer(unit="characters", min_n=2, n=3)
    made.fit([["good", "go"]])
    assert spelt(made, "go good gods") == [
        [" g", "go", "o ", " go", "go "],
        [" g", "go", "oo", "od", "d ", " go", "goo", "ood", "od "],
        [" g", "go", "od", "-", "-", " go", "-", "-", "-"],
    ]


def test_a_word_that_stands_twice_in_a_text_is_read_once() -> None:
    once, each = (featurizer(unit="characters", n=1, once=once) for once in (True, False))
    for made in (once, each):
        made.fit([["ab", "ab"]])
    assert spelt(once, "ab ab") == [[" ", "a", "b"], []]
    assert spelt(each, "ab ab") == [[" ", "a", "b"], [" ", "a", "b"]]


@pytest.mark.parametrize("weights", ["learned", "tf_idf", "naive_bayes"])
def test_a_word_s_features_are_the_sum_over_its_ngrams_of_characters(weights: str) -> None:
    made = fitted(unit="characters", n=2, weights=weights, embedding_dim=3, once=False)
    module = made.module().eval()

    def read(text: str) -> torch.Tensor:
        column: torch.Tensor = module(made.encode([text.split()]).gather(torch.tensor([0]))).to_flat()
        return column

    ids = torch.tensor([made._number(ngram) for ngram in (" ", "a", " a", "a ")])
    table = module.ratios * 0.1 if weights == "naive_bayes" else module.table.weight
    table = table * module.weights[:, None] if weights == "tf_idf" else table
    assert torch.allclose(read("b a a")[1:], table[ids].sum(0).expand(2, -1), atol=1e-6)


# --- weights ---------------------------------------------------------------------------------------------


def test_ratios_are_those_of_wang_and_manning() -> None:
    """Naive Bayes done by hand: of two texts `a b`, good, and `a`, bad."""
    made = featurizer(weights="naive_bayes", n=1)
    made.fit_examples(examples([("a b", "good"), ("a", "bad")]))
    good = {"a": (1 + 1) / (3 + 1 + 1 - 1 + 0), "b": (1 + 1) / 4}
    bad = {"a": (1 + 1) / 3, "b": (0 + 1) / 3}
    assert made.ratios is not None
    for symbol, row in zip(made.vocabulary.symbols, made.ratios[1:], strict=True):
        expected = np.log(good[symbol] / bad[symbol])
        assert row.tolist() == pytest.approx([-expected, expected], abs=1e-6)
    assert not made.ratios[0].any(), "an unknown n-gram says nothing"


def test_texts_without_a_label_are_not_counted() -> None:
    made, without = fitted(weights="naive_bayes"), featurizer(weights="naive_bayes")
    kept = [example for example in examples() if example.fields["label"] is not None]
    without.fit_examples([*kept, *examples()[3:]])
    assert torch.equal(made.ratios, without.ratios)  # type: ignore[arg-type]
    assert made.classes == ["bad", "good"]


def test_each_label_of_a_set_is_a_class() -> None:
    made = featurizer(BOTH, weights="naive_bayes", target="topics", n=1)
    made.fit_examples(examples([("a", ("x", "y")), ("b", ("y",)), ("c", ())], "topics"))
    assert made.classes == ["x", "y"]
    ratios = dict(zip(made.vocabulary.symbols, made.ratios[1:].tolist(), strict=True))  # type: ignore[index]
    assert ratios["a"][0] > 0 > ratios["b"][0]


def test_at_first_a_bag_of_ratios_is_naive_bayes() -> None:
    made = fitted(weights="naive_bayes", n=1)
    module = made.module().eval()
    column = made.encode([["a", "b", "unknown"]]).gather(torch.tensor([0]))
    assert isinstance(column, Sequences)
    features = module(column).to_flat()
    assert made.ratios is not None
    ids = [made.vocabulary.number("a"), made.vocabulary.number("b")]
    assert torch.allclose(features.sum(0), 0.1 * made.ratios[ids].sum(0))


def test_the_ratios_come_back_with_the_weights_of_the_model() -> None:
    made = fitted(weights="naive_bayes")
    again = featurizer(weights="naive_bayes")
    again.restore(json.loads(json.dumps(made.state())))
    module = again.module()
    module.load_state_dict(made.module().state_dict())
    assert torch.equal(module.get_buffer("ratios"), made.ratios)  # type: ignore[arg-type]


def test_frequent_ngrams_weigh_less() -> None:
    made = fitted(weights="tf_idf", n=2)
    weights = dict(zip(made.vocabulary.symbols, made.idf, strict=True))
    assert weights["a"] < weights["a b"]
    assert weights["b"] == pytest.approx(np.log(5 / 3) + 1), "two of four texts hold b"


# --- errors ----------------------------------------------------------------------------------------------


def test_ratios_need_a_field_of_labels() -> None:
    with pytest.raises(SeqlabError, match="featurizer ngrams counts by label or label_set"):
        featurizer({"tokens": "tokens"}, weights="naive_bayes")
    with pytest.raises(SeqlabError, match="name the one that is meant; one of: label, topics"):
        featurizer(BOTH, weights="naive_bayes")


def test_ratios_need_labels_in_the_data() -> None:
    made = featurizer(weights="naive_bayes", target="label")
    with pytest.raises(SeqlabError, match="no 'label' of the training split has a label"):
        made.fit_examples(examples([("a", None)]))


@pytest.mark.parametrize("config", [{"buckets": 9, "min_count": 2}, {"target": "label"}, {"min_n": 3}])
def test_settings_that_do_nothing_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        COMPONENT.config(**config)


def test_smoothing_pulls_ratios_to_0() -> None:
    counts = torch.tensor([[0.0], [5.0], [1.0]])
    some, much = (log_count_ratios(counts, counts.flip(0), smoothing) for smoothing in (1.0, 100.0))
    assert (much.abs() <= some.abs()).all()

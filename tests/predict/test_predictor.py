"""Answers depend on the sequence alone: not on its neighbours, their order, windows or threads."""

from __future__ import annotations

import copy
import pickle
import random
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_language import sentences

import seqlab
from seqlab import Lab
from seqlab.api import Answer, DataError, Example, Place, Prediction
from seqlab.engine import precision
from seqlab.predict.predictor import Predictor, windows

STRANGE = [
    [],
    ["la"],
    ["日本", "中国", "la", "한국", "東京", "."],
    ["ŝtono", "ĝardeno", "ĵurnalo"],
    ["la", ""],
    ["x" * 300],
    ["la", "katos"] * 40,
]
"""Sequences that have little to do with training: none, one word, unknown characters, long ones."""


@pytest.fixture
def inputs() -> list[list[str]]:
    mixed = [*sentences(60, seed=5), *STRANGE, *STRANGE[2:4]]
    random.Random(0).shuffle(mixed)
    return mixed


def same(one: Prediction, other: Prediction) -> bool:
    """Equal labels, and probabilities equal but for the last digits."""
    return (
        one.tokens == other.tokens
        and one.answers.keys() == other.answers.keys()
        and all(
            mine.value == other.answers[target].value
            and mine.score == pytest.approx(other.answers[target].score, abs=1e-5)
            for target, mine in one.answers.items()
        )
    )


def all_same(ones: Sequence[Prediction], others: Sequence[Prediction]) -> bool:
    return len(ones) == len(others) and all(map(same, ones, others))


def test_alone_in_a_batch_in_any_order_and_in_a_stream_the_answer_is_the_same(
    tagger: Predictor, inputs: list[list[str]]
) -> None:
    together = tagger.predict(inputs)
    assert [answer.tokens for answer in together] == [tuple(tokens) for tokens in inputs]
    assert all_same([tagger.predict([tokens])[0] for tokens in inputs], together)
    order = list(range(len(inputs)))
    random.Random(1).shuffle(order)
    assert all_same(tagger.predict([inputs[place] for place in order]), [together[place] for place in order])
    for window in (1, 7, 100):
        assert all_same(list(tagger.stream(iter(inputs), window=window)), together)
    assert all_same(tagger.predict(inputs), together)  # now from a warm cache of word vectors


@pytest.mark.parametrize("size", [20_000, 20, 3])
def test_the_cache_of_word_vectors_changes_no_answer(
    size: int, lab: Lab, package: Path, inputs: list[list[str]]
) -> None:
    cached, plain = (lab.open(package, device="cpu") for _ in range(2))
    for tagger, words in ((cached, size), (plain, 0)):
        cast("Any", tagger.model.featurizers[1]).cache.size = words
    # The strange ones come first and last: what the others leave in the cache must not change them.
    order = [*STRANGE, *inputs, *STRANGE]
    assert all_same(list(cached.stream(order, window=1)), plain.predict(order))


def test_threads_share_a_predictor(lab: Lab, package: Path, inputs: list[list[str]]) -> None:
    expected, shared = lab.open(package, device="cpu").predict(inputs), lab.open(package, device="cpu")
    found: dict[int, list[Prediction]] = {}

    def work(number: int) -> None:
        order = inputs[number:] + inputs[:number]
        answers = list(shared.stream(order, window=30))
        found[number] = answers[len(inputs) - number :] + answers[: len(inputs) - number]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(8))
    assert all(all_same(answers, expected) for answers in found.values())


def test_seqlab_open_is_the_short_way(package: Path, tagger: Predictor) -> None:
    assert seqlab.open(str(package), device="cpu")(["la", "luma"]) == tagger(["la", "luma"])


def test_the_context_decides(tagger: Predictor) -> None:
    answer = tagger(["la", "luma", "luma", "la", "luma", "."])
    assert answer.tags == ("DET", "NOUN", "VERB", "DET", "NOUN", "PUNCT")


def test_bf16_gives_the_labels_of_fp32_and_nearly_its_probabilities(
    lab: Lab, package: Path, tagger: Predictor, inputs: list[list[str]]
) -> None:
    half = lab.open(package, device="cpu", precision="bf16")
    assert (tagger.precision, half.precision) == ("fp32", "bf16")
    full, found = tagger.predict(inputs), half.predict(inputs)
    assert all_same(half.predict(inputs), found)  # now from a warm cache of word vectors
    differences = []
    for one, other in zip(found, full, strict=True):
        for label, expected, sure, known in zip(one.tags, other.tags, one.score, other.score, strict=True):
            differences.append(abs(sure - known))
            # The likeliest label stays the likeliest where the second can hardly come near it.
            assert label == expected or known < 0.55
    assert 0 < max(differences) < 0.05


def test_a_predictor_decides_on_auto_once(
    lab: Lab, package: Path, monkeypatch: pytest.MonkeyPatch, inputs: list[list[str]]
) -> None:
    expected = lab.open(package, device="cpu", precision="bf16").predict(inputs)
    monkeypatch.setattr(precision, "computes_bf16", lambda _device: True)
    auto = lab.open(package, device="cpu", precision="auto")
    monkeypatch.setattr(precision, "computes_bf16", lambda _device: False)
    assert auto.precision == "bf16"
    assert all_same(auto.predict(inputs), expected)


def test_a_precision_that_is_none_is_refused(lab: Lab, package: Path) -> None:
    with pytest.raises(ValueError, match=r"got 'half'$"):
        lab.open(package, device="cpu", precision=cast("Any", "half"))


def test_nothing_in_nothing_out(tagger: Predictor) -> None:
    assert tagger.predict([]) == []
    assert list(tagger.stream(iter(()))) == list(tagger.answer([])) == []
    for found in tagger.predict([[], []]):
        assert (found.tokens, found.answers) == ((), {"upos": Answer((), ())})


def test_probabilities_are_those_of_the_labels(tagger: Predictor, inputs: list[list[str]]) -> None:
    answers = tagger.predict(inputs)
    sure = [p for answer in answers for p in answer.score]
    assert all(1 / 5 <= p <= 1 for p in sure)  # the likeliest of five labels
    tokens = ["la", "katos", "kuras"]
    batch = tagger.assembly.encode([Example({"tokens": tokens}, Place("here"))], labelled=False)
    with torch.inference_mode():
        states, _ = tagger.model.encode(batch.gather(torch.tensor([0])).features)
        shares = tagger.model.heads[0].get_submodule("project")(states.data).softmax(-1)
    labels = tagger.assembly.heads["upos"].state()["labels"]
    answer = tagger(tokens)
    for place, label in enumerate(answer.tags):
        expected = float(shares[place, labels.index(label)])
        assert answer.score[place] == pytest.approx(expected, abs=1e-5)


def test_a_stream_is_lazy(tagger: Predictor) -> None:
    taken = 0

    def endless() -> Iterator[list[str]]:
        nonlocal taken
        while True:
            taken += 1
            yield ["la", "katos"]

    stream = tagger.stream(endless(), window=10)
    assert next(stream).tags == ("DET", "NOUN")
    assert taken == 5


def test_empty_sequences_do_not_pile_up(tagger: Predictor) -> None:
    taken = 0

    def endless() -> Iterator[list[str]]:
        nonlocal taken
        while True:
            taken += 1
            yield []

    assert next(tagger.stream(endless(), window=10)).tags == ()
    assert taken == 10


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["The dog barks"], "sequence 0: the string 'The dog barks'; give a list of tokens"),
        ([["la"], ["la", 3]], "sequence 1: a list that holds 3 (int) where strings are expected"),
        ([["la", None]], "sequence 0: a list that holds None where strings are expected"),
        ([3], "sequence 0: 3 (int) where a list of strings is expected"),
    ],
)
def test_what_is_no_list_of_tokens_is_a_type_error(
    wrong: Sequence[Any], message: str, tagger: Predictor
) -> None:
    with pytest.raises(TypeError) as caught:
        tagger.predict(wrong)
    assert str(caught.value) == message
    with pytest.raises(TypeError) as caught:
        tagger(wrong[-1])
    assert str(caught.value) == message.partition(": ")[2]


@pytest.mark.parametrize("wrong", ["dog", b"dog", {"tokens": ["dog"]}, 3])
def test_one_value_is_not_many(wrong: Any, tagger: Predictor) -> None:
    with pytest.raises(TypeError, match=r"^expected many values, got one \(\w+\); call the model with it$"):
        tagger.predict(wrong)


@pytest.mark.parametrize("tokens", [0, -1, float("nan")])
def test_a_window_without_tokens_is_refused(tokens: float, tagger: Predictor) -> None:
    message = f"^window must be a number of items, more than 0, got {tokens}$"
    with pytest.raises(ValueError, match=message):
        tagger.stream([["la"]], window=tokens)
    with pytest.raises(ValueError, match=message):
        tagger.answer([], window=tokens)


def test_a_model_that_answers_wholes_takes_no_bound_of_pieces(tagger: Predictor) -> None:
    assert tagger.max_segment is None
    with pytest.raises(ValueError, match=r"^max_segment: this model answers every value as a whole$"):
        tagger(["la"], max_segment=3.0)


# --- predictions ----------------------------------------------------------------------------------------


def test_a_prediction_offers_answers_under_the_names_of_their_kinds(tagger: Predictor) -> None:
    found = tagger(["la", "katos"])
    assert found.tags == found.value == found.answers["upos"].value == ("DET", "NOUN")
    assert found.score == found.answer.score
    assert found.tokens == ("la", "katos")
    with pytest.raises(AttributeError, match=r"^a prediction of this model has no 'text'; it has: tags$"):
        _ = found.text


def test_several_answers_of_a_kind_are_told_apart_by_target(tagger: Predictor) -> None:
    found = tagger(["la", "katos"])
    kinds = {**found.kinds, "xpos": found.kinds["upos"]}
    several = Prediction(found.example, {**found.answers, "xpos": found.answer}, kinds)
    for name in ("answer", "value", "score"):
        with pytest.raises(ValueError, match=r"^there are several answers, look into answers: upos, xpos$"):
            getattr(several, name)
    with pytest.raises(AttributeError, match=r"^several answers are tags, look into answers: upos, xpos$"):
        _ = several.tags


def test_predictions_are_copied_and_kept(tagger: Predictor) -> None:
    found = tagger(["la", "katos"])
    for again in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert (again.example, again.answers, again.tags) == (found.example, found.answers, found.tags)


# --- windows --------------------------------------------------------------------------------------------


@given(
    sizes=st.lists(st.integers(0, 20)),
    limit=st.integers(1, 50),
    most=st.integers(1, 9),
)
def test_windows_hold_everything_in_order_and_no_more_than_they_may(
    sizes: list[int], limit: int, most: int
) -> None:
    found = list(windows(sizes, int, limit, most))
    assert list(chain.from_iterable(found)) == sizes
    for window in found:
        assert 0 < len(window) <= most
        assert sum(window[:-1]) < limit
    assert all(sum(window) >= limit or len(window) == most for window in found[:-1])


def test_a_window_is_given_away_as_soon_as_it_is_full() -> None:
    taken = []

    def endless() -> Iterator[int]:
        while True:
            taken.append(2)
            yield 2

    assert next(windows(endless(), int, 5, 100)) == [2, 2, 2]
    assert len(taken) == 3


@given(sizes=st.lists(st.integers(0, 20)), limit=st.integers(1, 50))
def test_what_comes_before_an_error_is_given_away_before_it(sizes: list[int], limit: int) -> None:
    def breaking() -> Iterator[int]:
        yield from sizes
        raise DataError("cut off")

    found: list[int] = []
    with pytest.raises(DataError, match=r"^cut off$"):
        deque(map(found.extend, windows(breaking(), int, limit, 9)))
    assert found == sizes

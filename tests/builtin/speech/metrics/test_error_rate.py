from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.api import Answer, Component, Example, FieldKind, Metric, MetricContext, Place, SeqlabError
from seqlab.builtin.speech.plugin import seqlab_register_metrics
from seqlab.testing import check_metric

COMPONENTS: dict[str, Component[Any]] = {component.name: component for component in seqlab_register_metrics()}
FIELDS: dict[str, FieldKind] = {"audio": "audio", "text": "text", "upos": "labels"}


@dataclass(frozen=True)
class Origin:
    speaker: str | None


def metric(name: str, *, target: str = "text", **values: Any) -> Metric:
    component = COMPONENTS[name]
    built: Metric = component.build(component.config(**values), MetricContext(target, FIELDS))
    return built


def example(speaker: str | None = None, line: int = 1) -> Example:
    return Example({"audio": None}, Place("test.jsonl", line), Origin(speaker))


def scored(name: str, *pairs: tuple[str, str], **values: Any) -> dict[str, float]:
    made = metric(name, **values)
    for gold, predicted in pairs:
        made.update(example(), gold, Answer(predicted))
    return made.compute()


def counts(figures: dict[str, float], name: str) -> tuple[float, ...]:
    kinds = ("substitutions", "deletions", "insertions", "words" if name == "wer" else "characters")
    return tuple(figures[f"{name}_{kind}"] for kind in kinds)


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ("one two three", "one two three", (0, 0, 0, 3)),
        ("one two three", "one too three", (1, 0, 0, 3)),
        ("one two three", "one three", (0, 1, 0, 3)),
        ("one two three", "one two two three", (0, 0, 1, 3)),
        ("one two three", "", (0, 3, 0, 3)),
        ("one", "two three", (1, 0, 1, 1)),
        ("one two three four five", "one three four oh five", (0, 1, 1, 5)),
        ("  one\ttwo ", "one  two", (0, 0, 0, 2)),
        ("One", "one", (1, 0, 0, 1)),
    ],
)
def test_words_are_counted_as_by_hand(gold: str, predicted: str, expected: tuple[int, ...]) -> None:
    figures = scored("wer", (gold, predicted))
    assert counts(figures, "wer") == expected
    assert figures["wer"] == sum(expected[:3]) / expected[3]


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ("kitten", "sitting", (2, 0, 1, 6)),
        ("one two", "onetwo", (0, 1, 0, 7)),
        ("ab", "", (0, 2, 0, 2)),
        (" a  b ", "a b", (0, 0, 0, 3)),
    ],
)
def test_characters_are_counted_as_by_hand(gold: str, predicted: str, expected: tuple[int, ...]) -> None:
    figures = scored("cer", (gold, predicted))
    assert counts(figures, "cer") == expected
    assert figures["cer"] == sum(expected[:3]) / expected[3]


def test_a_rate_weights_words_alike_and_may_exceed_one() -> None:
    assert scored("wer", ("a", "b"), ("c d e", "c d e"))["wer"] == 1 / 4
    assert scored("wer", ("a", "b c d"))["wer"] == 3


def test_an_empty_reference_adds_its_insertions_and_no_words() -> None:
    figures = scored("wer", ("", "um er"), ("one two", "one two"), ("", ""))
    assert figures["wer"] == 1
    assert counts(figures, "wer") == (0, 0, 2, 2)


@pytest.mark.parametrize("name", COMPONENTS)
def test_where_all_references_are_empty_there_is_no_rate(name: str) -> None:
    assert scored(name) == {}
    assert scored(name, ("", ""), (" ", "um")) == {}


def test_answers_without_a_word_are_told_among_those_that_should_have_one() -> None:
    figures = scored("wer", ("one", ""), ("two", " "), ("three", "tree"), ("", ""), ("four", "four"))
    assert figures["empty_answers"] == 2 / 4


def test_the_rate_comes_first_and_lower_is_better() -> None:
    for name in COMPONENTS:
        assert next(iter(scored(name, ("a", "b")))) == name
        assert not metric(name).higher_is_better


# --- intervals -------------------------------------------------------------------------------------------

MIXED = [("a b c", "a b c"), ("a b", "a x"), ("a", ""), ("a b c d", "a b c d e")] * 5


def test_the_interval_holds_the_rate_and_repeats() -> None:
    figures = scored("wer", *MIXED)
    assert figures["wer_low"] < figures["wer"] < figures["wer_high"]
    assert scored("wer", *MIXED[::-1]) == figures
    assert scored("wer", *MIXED, seed=2)["wer_high"] != figures["wer_high"]


def test_a_lower_confidence_gives_a_narrower_interval_and_no_draws_none() -> None:
    wide, narrow = scored("wer", *MIXED), scored("wer", *MIXED, confidence=0.5)
    assert wide["wer_low"] < narrow["wer_low"] < narrow["wer_high"] < wide["wer_high"]
    without = scored("wer", *MIXED, resamples=0)
    assert without.keys() == wide.keys() - {"wer_low", "wer_high"}


def test_perfect_answers_have_an_interval_of_zero() -> None:
    figures = scored("cer", ("a", "a"), ("b", "b"))
    assert figures["cer_low"] == figures["cer_high"] == 0


# --- speakers --------------------------------------------------------------------------------------------


def by_speaker(*triples: tuple[str | None, str, str], **values: Any) -> dict[str, float]:
    made = metric("wer", **values)
    for speaker, gold, predicted in triples:
        made.update(example(speaker), gold, Answer(predicted))
    return {name: value for name, value in made.compute().items() if name.endswith(".speaker_wer")}


def test_each_speaker_has_a_rate() -> None:
    triples = [("b", "one two", "one"), ("a", "one", "one"), ("b", "two", "two"), (None, "x", "y")]
    assert by_speaker(*triples) == {"a.speaker_wer": 0.0, "b.speaker_wer": 1 / 3}
    assert by_speaker(*triples, per_speaker=False) == {}


def test_one_speaker_has_the_rate_of_all_and_none_of_their_own() -> None:
    assert by_speaker(("a", "one", "one"), ("a", "two", "one")) == {}


def test_a_speaker_who_says_nothing_has_no_rate() -> None:
    assert by_speaker(("a", "", ""), ("b", "one", "one")) == {"b.speaker_wer": 0.0}


def test_an_example_of_a_reader_that_knows_no_speakers_is_counted() -> None:
    made = metric("wer")
    made.update(Example({}, Place("x")), "one", Answer("one"))
    assert made.compute()["wer"] == 0


# --- the listing -----------------------------------------------------------------------------------------


def listed(name: str, *triples: tuple[str | None, str, str], **values: Any) -> str:
    made = metric(name, **values)
    for line, (speaker, gold, predicted) in enumerate(triples, 1):
        made.update(example(speaker, line), gold, Answer(predicted))
    listing = made.listing()  # type: ignore[attr-defined]
    assert isinstance(listing, str)
    return listing


TRIPLES = [("ann", "one two", "one two"), ("bo", "four nine", "for"), ("ann", "one", "one um")]


def test_the_listing_holds_totals_speakers_edits_and_alignments() -> None:
    listing = listed("wer", *TRIPLES, resamples=0)
    totals, errors, _, speakers, *_ = listing.splitlines()
    assert totals == "wer 60.00%: 3 errors in 5 words (1 substitutions, 1 deletions, 1 insertions)"
    assert errors == "2 of 3 utterances hold errors"
    assert speakers.split()[0] == "speaker"
    assert "\n     1  four  for\n" in listing
    assert "\ntest.jsonl:2  speaker bo  errors 2, words 2\nREF: four nine\n" in listing
    assert "REF: one two" not in listing


def test_the_listing_of_characters_aligns_characters() -> None:
    listing = listed("cer", *TRIPLES)
    assert "errors 6, characters 9\nREF: four nine\nHYP: fo*r*****\n" in listing


def test_the_listing_tells_the_interval_of_the_figures() -> None:
    figures = scored("wer", *((gold, answer) for _, gold, answer in TRIPLES), confidence=0.5)
    listing = listed("wer", *TRIPLES, confidence=0.5)
    interval = f"50% interval {figures['wer_low']:.2%} to {figures['wer_high']:.2%}: "
    assert listing.startswith(f"wer {figures['wer']:.2%}, {interval}")


def test_the_listing_has_no_speakers_where_the_figures_have_none() -> None:
    assert "speaker  " not in listed("wer", *TRIPLES, per_speaker=False)
    assert "speaker  " not in listed("wer", TRIPLES[1])


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_listing_forgets_with_the_figures_and_changes_none(name: str) -> None:
    made = metric(name)
    made.update(example(), "one two", Answer("one"))
    before = made.compute()
    first = made.listing()  # type: ignore[attr-defined]
    assert made.listing() == first  # type: ignore[attr-defined]
    assert made.compute() == before
    made.reset()
    assert made.listing().splitlines()[-1] == "0 of 0 utterances hold errors"  # type: ignore[attr-defined]


def test_the_listing_of_what_has_no_reference_has_no_rate() -> None:
    assert listed("wer", (None, "", "um")).startswith("wer has no value: 1 errors in 0 words ")


# --- as any metric ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMPONENTS)
@pytest.mark.parametrize(
    "config", [{}, {"resamples": 0}, {"confidence": 0.5, "seed": 3, "per_speaker": False}]
)
def test_the_metric_keeps_the_contract(name: str, config: dict[str, Any]) -> None:
    check_metric(COMPONENTS[name], target="text", **config)


words = st.lists(st.sampled_from("abc"), max_size=4).map(" ".join)


@given(st.lists(st.tuples(words, words), max_size=5), st.integers(0, 5))
@pytest.mark.parametrize("name", COMPONENTS)
def test_figures_do_not_depend_on_order_and_reset_forgets(
    name: str, drawn: list[tuple[str, str]], cut: int
) -> None:
    made = metric(name, resamples=20)
    first: dict[str, float] | None = None
    for order in (drawn, drawn[cut:] + drawn[:cut]):
        made.reset()
        for gold, predicted in order:
            made.update(example(), gold, Answer(predicted))
        first = made.compute() if first is None else first
        assert made.compute() == first
    made.reset()
    assert made.compute() == {}
    assert made.state() == {}


@given(words, words)
def test_edits_are_the_least_number(gold: str, predicted: str) -> None:
    figures = scored("wer", (gold, predicted), resamples=0)
    if figures:
        assert sum(counts(figures, "wer")[:3]) == distance(gold.split(), predicted.split())


def distance(left: list[str], right: list[str]) -> int:
    """Levenshtein's, by its recurrence."""
    if not left or not right:
        return len(left) + len(right)
    return min(
        distance(left[1:], right) + 1,
        distance(left, right[1:]) + 1,
        distance(left[1:], right[1:]) + (left[0] != right[0]),
    )


def test_a_target_that_is_no_text_is_refused() -> None:
    message = "metric wer compares texts, but field 'upos' holds labels"
    with pytest.raises(SeqlabError, match=f"^{re.escape(message)}$"):
        metric("wer", target="upos")


def test_without_jiwer_the_metric_is_refused_when_it_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jiwer", None)
    message = r'^metrics wer and cer need jiwer \(.*\): pip install "seqlab\[speech\]"$'
    with pytest.raises(SeqlabError, match=message):
        metric("cer")


def test_registering_needs_no_torch_no_numpy_and_no_jiwer() -> None:
    script = (
        "import sys\n"
        "from seqlab.builtin.speech.plugin import seqlab_register_metrics\n"
        "for component in seqlab_register_metrics():\n"
        "    component.config()\n"
        "assert not {'torch', 'numpy', 'jiwer', 'rapidfuzz'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)

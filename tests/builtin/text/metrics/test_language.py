"""Perplexity and bits per character of what a language model says of tokens."""

from __future__ import annotations

import math

import pytest

from seqlab.api import Answer, Example, Place
from seqlab.builtin.text.metrics.language import BitsPerCharacter, Perplexity

EXAMPLE = Example({"tokens": ["to", "be", "or"]}, Place("text.txt", 1))
GOLD = EXAMPLE.fields["tokens"]


def answer(log_probability: float, count: int) -> Answer:
    return Answer(("x",), details={"log_probability": log_probability, "predicted_tokens": count})


def test_perplexity_is_the_inverse_of_the_mean_probability() -> None:
    metric = Perplexity()
    metric.update(EXAMPLE, GOLD, answer(math.log(1 / 4), 1))
    metric.update(EXAMPLE, GOLD, answer(math.log(1 / 16), 2))
    assert metric.compute() == pytest.approx({"perplexity": 4.0, "bits_per_token": 2.0})
    metric.reset()
    assert metric.compute() == {}


def test_bits_are_of_the_characters_that_were_predicted() -> None:
    metric = BitsPerCharacter()
    metric.update(EXAMPLE, GOLD, answer(-6 * math.log(2), 2))
    assert metric.compute() == pytest.approx({"bits_per_character": 6 / 4})


def test_tokens_that_are_their_own_answer_are_certain() -> None:
    metric = Perplexity()
    metric.update(EXAMPLE, GOLD, Answer(tuple(GOLD)))
    assert metric.compute() == {"perplexity": 1.0, "bits_per_token": 0.0}


def test_an_improbable_text_has_no_number_rather_than_an_error() -> None:
    metric = Perplexity()
    metric.update(EXAMPLE, GOLD, answer(-1e6, 2))
    assert metric.compute()["perplexity"] == math.inf


def test_answers_of_other_heads_are_certain_of_what_they_say() -> None:
    metric = Perplexity()
    metric.update(EXAMPLE, GOLD, Answer(("x",)))
    assert metric.compute()["perplexity"] == math.inf

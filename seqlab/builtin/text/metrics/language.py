"""Metrics of language models, which say how probable the tokens of an example were."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from seqlab.api import Answer, Example
from seqlab.builtin.core.metrics.learns_nothing import LearnsNothing
from seqlab.builtin.text.heads.details import LOG_PROBABILITY, PREDICTED

__all__ = ["BitsPerCharacter", "Perplexity", "perplexity_of"]

MOST_BITS = 1023
"""Bits whose power of 2 a float holds."""


def surprise(gold: Sequence[str], answer: Answer) -> tuple[float, int]:
    """Return the bits that tokens take, and how many of them were predicted.

    An answer that does not say how probable they were, of a head that is no language model, is certain of
    what it answers: right tokens take no bits, others infinitely many.
    """
    if answer.details.keys() >= {LOG_PROBABILITY, PREDICTED}:
        return -answer.details[LOG_PROBABILITY] / math.log(2), answer.details[PREDICTED]
    right = list(answer.value) == list(gold)
    return 0.0 if right else math.inf, max(len(gold) - 1, 0)


def perplexity_of(bits_per_token: float) -> float:
    """Return the inverse of the mean probability of a token; infinity where no float is as large."""
    return 2**bits_per_token if bits_per_token < MOST_BITS else math.inf


class Perplexity(LearnsNothing):
    """The inverse of the geometric mean of the predicted tokens' probabilities, and its binary logarithm."""

    higher_is_better = False

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all updates."""
        self.bits, self.tokens = 0.0, 0

    def update(self, example: Example, gold: Any, answer: Answer) -> None:
        """Count one example."""
        bits, tokens = surprise(gold, answer)
        self.bits += bits
        self.tokens += tokens

    def compute(self) -> dict[str, float]:
        """Return the perplexity (1 is certainty) and the bits per token."""
        if not self.tokens:
            return {}
        mean = self.bits / self.tokens
        return {"perplexity": perplexity_of(mean), "bits_per_token": mean}


class BitsPerCharacter(LearnsNothing):
    """Bits per character of the predicted tokens; white space between words is no token, and not counted."""

    higher_is_better = False

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all updates."""
        self.bits, self.characters = 0.0, 0

    def update(self, example: Example, gold: Any, answer: Answer) -> None:
        """Count one example; its first token is given, not predicted."""
        self.bits += surprise(gold, answer)[0]
        self.characters += sum(map(len, gold[1:]))

    def compute(self) -> dict[str, float]:
        """Return the bits."""
        return {"bits_per_character": self.bits / self.characters} if self.characters else {}

"""A trained model in use: lists of tokens in, labels out, in the order of the input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from seqlab.api import Example, Place
from seqlab.predict.trained import Answered, TrainedModel, windows

__all__ = ["WINDOW_TOKENS", "Prediction", "Predictor", "tokens_of"]

WINDOW_TOKENS = 65_536
"""Tokens that a stream collects before it predicts them: several full batches, some 30 MB."""

Tokens = Sequence[str]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One sequence with its labels and their probabilities, per label field."""

    tokens: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    probabilities: Mapping[str, tuple[float, ...]]

    @property
    def tags(self) -> tuple[str, ...]:
        """The labels of the only label field; ValueError where there are several."""
        if len(self.labels) != 1:
            raise ValueError(f"several label fields, look into labels: {', '.join(self.labels)}")
        return next(iter(self.labels.values()))


class Predictor(TrainedModel):
    """A trained model that reads tokens: lists of them in, labels out; threads may share it.

    Answers depend on the sequence alone, never on what else is predicted with it, up to rounding.
    """

    def predict(self, sequences: Sequence[Tokens]) -> list[Prediction]:
        """Label sequences of tokens; an empty sequence gives an empty prediction.

        TypeError where a sequence is a string or holds something other than strings.
        """
        return list(self.stream(sequences))

    __call__ = predict

    def stream(
        self, sequences: Iterable[Tokens], *, window_tokens: int = WINDOW_TOKENS
    ) -> Iterator[Prediction]:
        """Label a stream of any length in bounded memory, one prediction per sequence, in order.

        `window_tokens`, at least 1, are collected before they are predicted; ValueError where it is less.
        """
        examples = (_example(sequence, number) for number, sequence in enumerate(sequences))
        for example, answers, probabilities in self.label(examples, window_tokens=window_tokens):
            labels = {name: tuple(answer) for name, answer in answers.items()}
            yield Prediction(tuple(example.fields["tokens"]), labels, probabilities)

    def label(self, examples: Iterable[Example], *, window_tokens: int = WINDOW_TOKENS) -> Iterator[Answered]:
        """Label a reader's examples; yields each with what the heads answer, and how sure they are.

        `window_tokens` as in `stream`.
        """
        if window_tokens < 1:
            raise ValueError(f"window_tokens must be at least 1, got {window_tokens}")
        for window in windows(examples, tokens_of, window_tokens, window_tokens):
            yield from self.answer(window)


def tokens_of(example: Example) -> int:
    """Return the number of tokens."""
    return len(example.fields["tokens"])


def _example(sequence: Tokens, number: int) -> Example:
    if isinstance(sequence, str):
        raise TypeError(f"sequence {number} is the string {sequence!r}; give a list of tokens")
    for kind in set(map(type, sequence)):
        if not issubclass(kind, str):
            token = next(each for each in sequence if type(each) is kind)
            raise TypeError(f"sequence {number} holds {token!r} ({type(token).__name__}); tokens are strings")
    return Example({"tokens": sequence}, Place(f"sequence {number}"))

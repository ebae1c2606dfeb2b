"""Wrong labels: which were taken for which, and in which sentences, as a text to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from seqlab.api import Example, Place

__all__ = ["Mistake", "Mistakes", "WrongSentence"]

MOST_FREQUENT = 40
"""Confusions that a report lists."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong label; `number` counts the sentence's tokens from 1, `word` is empty where there is none."""

    number: int
    word: str
    gold: str
    predicted: str


@dataclass(frozen=True, slots=True)
class WrongSentence:
    """A sentence with mistakes among the `size` labels of it that count."""

    place: Place
    words: Sequence[str]
    size: int
    mistakes: Sequence[Mistake]


class Mistakes:
    """Counts `labels`, `wrong` ones and sentences (`counted`), and keeps the sentences that hold wrong ones.

    `field` holds the words that a report shows; None where the examples have none.
    """

    def __init__(self, field: str | None) -> None:
        self.field = field
        self.labels = self.wrong = self.counted = 0
        self.sentences: list[WrongSentence] = []

    def add(
        self,
        example: Example,
        gold: Sequence[str | None],
        predicted: Sequence[str],
        *,
        among: Sequence[int] | None = None,
    ) -> None:
        """Count a sentence's gold labels but None, or those at `among`; a sentence without does not count.

        No gold label at a place of `among` may be None.
        """
        places = [place for place, label in enumerate(gold) if label is not None] if among is None else among
        self.labels += len(places)
        self.counted += bool(places)
        if gold == predicted:
            return
        words = example.fields[self.field] if self.field else ()
        wrong = [
            Mistake(place + 1, words[place] if words else "", label, predicted[place])
            for place in places
            if (label := gold[place]) is not None and label != predicted[place]
        ]
        if wrong:
            self.wrong += len(wrong)
            self.sentences.append(WrongSentence(example.place, words, len(places), wrong))

    def report(self) -> str:
        """Return the totals, the most frequent confusions, and every sentence with mistakes.

        Sentences with most mistakes come first, equal numbers in the order of the files.
        """
        return "\n".join([self._totals(), *self._confusions(), *self._sentences()])

    def _totals(self) -> str:
        share = f" ({self.wrong / self.labels:.2%})" if self.labels else ""
        return (
            f"{self.wrong} of {self.labels} labels are wrong{share},"
            f" in {len(self.sentences)} of {self.counted} sentences\n"
        )

    def _confusions(self) -> Iterator[str]:
        counts = Counter(
            (mistake.gold, mistake.predicted) for each in self.sentences for mistake in each.mistakes
        )
        if counts:
            ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_FREQUENT]
            yield "most frequent confusions: times, gold -> predicted\n" + "".join(
                f"{count:6}  {gold} -> {answer}\n" for (gold, answer), count in ordered
            )

    def _sentences(self) -> Iterator[str]:
        if self.sentences:
            yield "sentences with wrong labels, most first\n"
        for each in sorted(self.sentences, key=lambda each: (-len(each.mistakes), each.place)):
            text = f"{' '.join(each.words)}\n" if each.words else ""
            wrong, rows = len(each.mistakes), "".join(rows_of(each.mistakes))
            yield f"{each.place}  {wrong} of {each.size} labels wrong\n{text}{rows}"


def rows_of(mistakes: Iterable[Mistake]) -> Iterator[str]:
    """Yield a line per mistake: number, word, gold -> predicted, the words below each other."""
    mistakes = list(mistakes)
    width = max((len(each.word) for each in mistakes), default=0)
    for each in mistakes:
        word = f"{each.word:{width}}  " if width else ""
        yield f"{each.number:6}  {word}{each.gold} -> {each.predicted}\n"

"""Error rates of texts: the least number of edits to the reference, over its size. Alignments are jiwer's."""

from __future__ import annotations

from dataclasses import dataclass

from seqlab.api import Answer, Example
from seqlab.builtin.core.metrics.alignment import AnsweredText, Edits, Of, align
from seqlab.builtin.core.metrics.bootstrap import interval
from seqlab.builtin.core.metrics.error_report import error_report
from seqlab.builtin.core.metrics.learns_nothing import LearnsNothing

__all__ = ["SPEAKER", "Bootstrap", "ErrorRate"]

SPEAKER = ".speaker_"
"""Stands between a speaker and the name of the rate in a figure of his alone: `ann.speaker_wer`."""


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """How an interval is made: draws (none for no interval), the share it covers, and the seed."""

    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 1


class ErrorRate(LearnsNothing):
    """Edits over the size of the references, both summed over all utterances.

    Of words (`wer`) or of characters (`cer`), spaces among them. Whitespace counts as one space between
    words and none at the ends; nothing else is normalised. An empty reference adds its insertions and no
    size; where all are empty, there is no rate. A rate may exceed 1.
    """

    higher_is_better = False

    def __init__(self, of: Of, bootstrap: Bootstrap, *, per_speaker: bool = True) -> None:
        self.of = of
        self.name = "wer" if of == "words" else "cer"
        self.bootstrap = bootstrap
        self.per_speaker = per_speaker
        self.reset()

    def reset(self) -> None:
        """Forget all updates."""
        self.edits: list[Edits] = []
        self.speakers: dict[str, list[Edits]] = {}
        self.wrong: list[AnsweredText] = []
        self.spoken = self.empty = 0

    def update(self, example: Example, gold: str, answer: Answer) -> None:
        """Count the edits of one utterance."""
        predicted = answer.value
        edits = align(gold, predicted, self.of).edits
        self.edits.append(edits)
        utterance = AnsweredText.of(example, gold, predicted)
        if utterance.speaker is not None:
            self.speakers.setdefault(utterance.speaker, []).append(edits)
        if edits.errors:
            self.wrong.append(utterance)
        self.spoken += bool(gold.strip())
        self.empty += bool(gold.strip()) and not predicted.strip()

    def compute(self) -> dict[str, float]:
        """Return the rate as a share, its bounds, its counts, and the rate of each speaker, if several.

        With words also `empty_answers`: the share of the utterances with words that were answered with none.
        """
        total = sum(self.edits, Edits())
        if not total.size:
            return {}
        name = self.name
        return {
            name: total.errors / total.size,
            **self._bounds(),
            f"{name}_substitutions": total.substitutions,
            f"{name}_deletions": total.deletions,
            f"{name}_insertions": total.insertions,
            f"{name}_{self.of}": total.size,
            **({"empty_answers": self.empty / self.spoken} if self.of == "words" else {}),
            **self._by_speaker(),
        }

    def listing(self) -> str:
        """Return totals, speakers, frequent edits, the worst utterances and all with errors, aligned."""
        return "\n".join([self._totals(), *error_report(self.wrong, self._several_speakers(), self.of)])

    def _totals(self) -> str:
        total, bounds = sum(self.edits, Edits()), self._bounds()
        share = f"{total.errors / total.size:.2%}" if total.size else "has no value"
        if bounds:
            low, high = bounds.values()
            share += f", {100 * self.bootstrap.confidence:g}% interval {low:.2%} to {high:.2%}"
        return (
            f"{self.name} {share}: {total.errors} errors in {total.size} {self.of}"
            f" ({total.substitutions} substitutions, {total.deletions} deletions,"
            f" {total.insertions} insertions)\n"
            f"{len(self.wrong)} of {len(self.edits)} utterances hold errors\n"
        )

    def _bounds(self) -> dict[str, float]:
        bounds = interval(
            [edits.errors for edits in self.edits],
            [edits.size for edits in self.edits],
            resamples=self.bootstrap.resamples,
            confidence=self.bootstrap.confidence,
            seed=self.bootstrap.seed,
        )
        return {f"{self.name}_low": bounds[0], f"{self.name}_high": bounds[1]} if bounds else {}

    def _by_speaker(self) -> dict[str, float]:
        return {
            f"{speaker}{SPEAKER}{self.name}": total.errors / total.size
            for speaker, total in self._several_speakers().items()
            if total.size
        }

    def _several_speakers(self) -> dict[str, Edits]:
        """Return the edits of each speaker, sorted by name; none where they are not to be told apart."""
        if not self.per_speaker or len(self.speakers) < 2:
            return {}
        return {speaker: sum(each, Edits()) for speaker, each in sorted(self.speakers.items())}

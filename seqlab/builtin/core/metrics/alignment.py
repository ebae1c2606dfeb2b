"""Reference and answer side by side, by jiwer: edits, confusions, worst utterances, aligned texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from seqlab.api import Example, Place, SeqlabError

__all__ = [
    "Alignment",
    "AnsweredText",
    "Confusion",
    "Edits",
    "Of",
    "align",
    "alignments",
    "confusions",
    "import_jiwer",
    "worst",
]

Of = Literal["words", "characters"]

WIDTH = 100
"""Columns of aligned texts."""


@dataclass(frozen=True, slots=True)
class Edits:
    """What turns references into answers; `size` is the number of words or characters of the references."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    size: int = 0

    @property
    def errors(self) -> int:
        """All edits."""
        return self.substitutions + self.deletions + self.insertions

    def __add__(self, other: Edits) -> Edits:
        return Edits(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.size + other.size,
        )


@dataclass(frozen=True, slots=True)
class AnsweredText:
    """One example and its answer; `id` and `speaker` are None where the reader tells none."""

    place: Place
    reference: str
    answer: str
    id: str | None = None
    speaker: str | None = None

    @classmethod
    def of(cls, example: Example, gold: str, predicted: str) -> AnsweredText:
        """Take what a metric's `update` takes."""
        told = {name: getattr(example.origin, name, None) for name in ("id", "speaker")}
        names = {name: str(value) for name, value in told.items() if value is not None}
        return cls(example.place, gold, predicted, **names)


@dataclass(frozen=True, slots=True)
class Confusion:
    """What stood in the reference (nothing: inserted) and in the answer instead (nothing: deleted)."""

    reference: str
    answer: str
    count: int


@dataclass(frozen=True)
class Alignment:
    """A reference and an answer, aligned with the least number of edits; `output` is jiwer's."""

    output: Any  # jiwer's WordOutput or CharacterOutput

    @property
    def edits(self) -> Edits:
        """How many edits there are of each kind."""
        output = self.output
        size = sum(map(len, output.references))
        return Edits(output.substitutions, output.deletions, output.insertions, size)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield reference and answer, one by one; an empty string where one of them has nothing."""
        (reference,), (answer,) = self.output.references, self.output.hypotheses
        for chunk in self.output.alignments[0]:
            left = reference[chunk.ref_start_idx : chunk.ref_end_idx]
            right = answer[chunk.hyp_start_idx : chunk.hyp_end_idx]
            size = max(len(left), len(right))
            yield from zip(_filled(left, size), _filled(right, size), strict=True)

    def lines(self, width: int) -> str:
        """Return reference, answer and the kind of each edit below each other, `width` columns at most."""
        drawn = import_jiwer().visualize_alignment(
            self.output, show_measures=False, skip_correct=False, line_width=width
        )
        lines = str(drawn).splitlines()[2:]  # without the heading "SENTENCE 1"
        return "\n".join(line.rstrip() for line in lines).strip("\n")


def import_jiwer() -> ModuleType:
    """Return jiwer; SeqlabError with what to install where it is missing or broken."""
    try:
        import jiwer
    except (ImportError, OSError) as error:
        hint = 'pip install "seqlab[speech]"'
        raise SeqlabError(f"metrics wer and cer need jiwer ({error}): {hint}") from error
    return jiwer


def align(reference: str, answer: str, of: Of = "words") -> Alignment:
    """Align two texts; whitespace counts as one space between words and none at the ends."""
    jiwer = import_jiwer()
    process = jiwer.process_words if of == "words" else jiwer.process_characters
    return Alignment(process(" ".join(reference.split()), " ".join(answer.split())))


def confusions(utterances: Iterable[AnsweredText], of: Of = "words") -> list[Confusion]:
    """Return every edit with its count, the most frequent first, equal counts by name."""
    counts = Counter(
        pair
        for utterance in utterances
        for pair in align(utterance.reference, utterance.answer, of).pairs()
        if pair[0] != pair[1]
    )
    return [
        Confusion(*pair, count)
        for pair, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    ]


def worst(utterances: Iterable[AnsweredText], of: Of = "words") -> list[tuple[AnsweredText, Edits]]:
    """Return the utterances that hold errors: most errors first, equal numbers by their rate."""
    judged = [(each, align(each.reference, each.answer, of).edits) for each in utterances]
    wrong = [(each, edits) for each, edits in judged if edits.errors]
    return sorted(wrong, key=lambda pair: (-pair[1].errors, pair[1].size, pair[0].place))


def alignments(utterances: Iterable[AnsweredText], of: Of = "words", *, width: int = WIDTH) -> Iterator[str]:
    """Yield a text block per utterance, `width` columns wide: place, id, speaker, errors, alignment."""
    for each in utterances:
        alignment = align(each.reference, each.answer, of)
        edits = alignment.edits
        names = [str(each.place), each.id, each.speaker and f"speaker {each.speaker}"]
        heading = "  ".join([*filter(None, names), f"errors {edits.errors}, {of} {edits.size}"])
        yield f"{heading}\n{alignment.lines(width)}\n"


def _filled(units: Sequence[str], size: int) -> list[str]:
    return [*units, *[""] * (size - len(units))]

"""The errors of texts as a text to read: speakers, frequent edits, worst utterances, alignments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from seqlab.builtin.core.metrics.alignment import (
    AnsweredText,
    Confusion,
    Edits,
    Of,
    alignments,
    confusions,
    worst,
)

__all__ = ["MOST", "error_report"]

MOST = 20
"""Edits of each kind, and worst utterances, that a report lists."""


def error_report(wrong: Sequence[AnsweredText], speakers: Mapping[str, Edits], of: Of) -> Iterator[str]:
    """Yield the blocks of a report on the utterances with errors and the edits of each speaker.

    Speakers with the highest rate first; then the most frequent substitutions, deletions and insertions; the
    worst utterances; and all of `wrong` in their order, aligned.
    """
    if speakers:
        yield _speaker_table(speakers, of)
    yield from _frequent(confusions(wrong, of))
    if wrong:
        yield _worst_table(wrong, of)
        yield "alignments\n"
    yield from alignments(wrong, of)


def _speaker_table(speakers: Mapping[str, Edits], of: Of) -> str:
    width = max(len("speaker"), *map(len, speakers))
    heading = f"{'speaker':{width}}    rate  errors {of:>10}  substitutions  deletions  insertions\n"
    return heading + "".join(
        f"{speaker:{width}} {_rate(edits):>7} {edits.errors:7} {edits.size:10} {edits.substitutions:14}"
        f" {edits.deletions:10} {edits.insertions:11}\n"
        for speaker, edits in sorted(speakers.items(), key=lambda pair: (-_share(pair[1]), pair[0]))
    )


def _frequent(found: Sequence[Confusion]) -> Iterator[str]:
    kinds = {
        "substitutions: times, reference, answer": [each for each in found if each.reference and each.answer],
        "deletions: times, reference": [each for each in found if not each.answer],
        "insertions: times, answer": [each for each in found if not each.reference],
    }
    for kind, edits in kinds.items():
        if edits:
            yield f"most frequent {kind}\n" + "".join(
                f"{each.count:6}  {_shown(each)}\n" for each in edits[:MOST]
            )


def _worst_table(wrong: Sequence[AnsweredText], of: Of) -> str:
    return f"worst utterances: errors, {of}, place, id\n" + "".join(
        f"{edits.errors:6} {edits.size:6}  {each.place}  {each.id or ''}".rstrip() + "\n"
        for each, edits in worst(wrong, of)[:MOST]
    )


def _share(edits: Edits) -> float:
    return edits.errors / edits.size if edits.size else 0.0


def _rate(edits: Edits) -> str:
    return f"{_share(edits):.2%}" if edits.size else "-"


def _shown(edit: Confusion) -> str:
    sides = (edit.reference, edit.answer)
    return "  ".join("<space>" if side == " " else side for side in sides if side)

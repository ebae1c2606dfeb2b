from __future__ import annotations

from seqlab.api import Place
from seqlab.builtin.core.metrics.alignment import AnsweredText, Edits
from seqlab.builtin.core.metrics.error_report import MOST, error_report

WRONG = [
    AnsweredText(Place("t", 1), "four five", "for five", id="a-1", speaker="ann"),
    AnsweredText(Place("t", 2), "four nine", "for"),
    AnsweredText(Place("t", 3), "seven", "seven eight eight"),
]


def test_edits_are_told_apart_by_kind_and_utterances_by_their_errors() -> None:
    blocks = list(error_report(WRONG, {}, "words"))
    assert blocks[:5] == [
        "most frequent substitutions: times, reference, answer\n     2  four  for\n",
        "most frequent deletions: times, reference\n     1  nine\n",
        "most frequent insertions: times, answer\n     2  eight\n",
        "worst utterances: errors, words, place, id\n"
        "     2      1  t:3\n"
        "     2      2  t:2\n"
        "     1      2  t:1  a-1\n",
        "alignments\n",
    ]
    assert [block.split()[0] for block in blocks[5:]] == ["t:1", "t:2", "t:3"]


def test_the_worst_speakers_come_first_and_one_without_words_has_no_rate() -> None:
    speakers = {"ann": Edits(1, 0, 0, 9), "mute": Edits(0, 0, 2, 0), "bo": Edits(1, 2, 0, 4)}
    heading, *rows = next(error_report([], speakers, "words")).splitlines()
    assert " ".join(heading.split()) == "speaker rate errors words substitutions deletions insertions"
    assert [row.split() for row in rows] == [
        ["bo", "75.00%", "3", "4", "1", "2", "0"],
        ["ann", "11.11%", "1", "9", "1", "0", "0"],
        ["mute", "-", "2", "0", "0", "0", "2"],
    ]
    assert len({len(line) for line in (heading, *rows)}) == 1


def test_a_space_is_named_among_characters() -> None:
    joined = AnsweredText(Place("t", 1), "one two", "onetwo")
    assert next(error_report([joined], {}, "characters")).endswith("\n     1  <space>\n")


def test_long_tables_are_cut_and_alignments_are_not() -> None:
    many = [AnsweredText(Place("t", line), f"right{line}", f"wrong{line}") for line in range(1, MOST + 6)]
    substitutions, worst, _, *aligned = error_report(many, {}, "words")
    assert [len(table.splitlines()) for table in (substitutions, worst)] == [1 + MOST] * 2
    assert len(aligned) == len(many)


def test_nothing_wrong_and_nobody_told_apart_is_nothing_to_report() -> None:
    assert list(error_report([], {}, "words")) == []

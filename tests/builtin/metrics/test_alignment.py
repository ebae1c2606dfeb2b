from __future__ import annotations

from seqlab.api import Example, Place
from seqlab.builtin.metrics.alignment import (
    Confusion,
    Edits,
    Utterance,
    align,
    alignments,
    confusions,
    error_report,
    worst,
)

UTTERANCES = [
    Utterance("t:1", "one two three", "one two three"),
    Utterance("t:2", "four five", "for five", speaker="ann"),
    Utterance("t:3", "four nine", "for", speaker="bob"),
    Utterance("t:4", "seven", "seven eight eight"),
]


def test_pairs_stand_one_by_one() -> None:
    assert list(align("a b c d", "a x y d e").pairs()) == [
        ("a", "a"),
        ("b", "x"),
        ("c", "y"),
        ("d", "d"),
        ("", "e"),
    ]
    assert list(align("ab", "b", "characters").pairs()) == [("a", ""), ("b", "b")]
    assert list(align("", "").pairs()) == []


def test_edits_add_up() -> None:
    assert align("four nine", "for").edits == Edits(1, 1, 0, 2)
    total = sum((align(each.reference, each.answer).edits for each in UTTERANCES), Edits())
    assert total == Edits(2, 1, 2, 8)
    assert total.errors == 5


def test_confusions_are_sorted_by_frequency() -> None:
    assert confusions(UTTERANCES) == [
        Confusion("", "eight", 2),
        Confusion("four", "for", 2),
        Confusion("nine", "", 1),
    ]
    assert Confusion("u", "", 2) in confusions(UTTERANCES, "characters")


def test_the_worst_come_first_and_right_ones_not_at_all() -> None:
    assert [(each.place, edits.errors) for each, edits in worst(UTTERANCES)] == [
        ("t:4", 2),
        ("t:3", 2),
        ("t:2", 1),
    ]


def test_alignments_show_every_utterance_with_its_place() -> None:
    blocks = list(alignments(UTTERANCES))
    assert len(blocks) == len(UTTERANCES)
    assert blocks[0] == "t:1  0 errors, 3 words\nREF: one two three\nHYP: one two three\n"
    heading, reference, answer, kinds = blocks[2].rstrip("\n").split("\n")
    assert heading == "t:3  2 errors, 2 words, speaker bob"
    assert reference.split() == ["REF:", "four", "nine"]
    assert answer.split() == ["HYP:", "for", "****"]
    assert kinds.split() == ["S", "D"]


def test_alignments_keep_their_width() -> None:
    long = Utterance("t:9", "word " * 50, "word " * 49 + "ward")
    (block,) = alignments([long], width=60)
    assert max(map(len, block.splitlines())) <= 60
    assert block.count("ward") == 1


def test_an_utterance_without_words_is_listed() -> None:
    (block,) = alignments([Utterance("t:1", "", "")])
    assert block.startswith("t:1  0 errors, 0 words\n")


def test_the_report_holds_confusions_and_the_worst_utterances() -> None:
    blocks = list(error_report(UTTERANCES, most=2))
    assert blocks[0] == "3 of 4 utterances hold errors\n"
    assert blocks[2] == "     2  -  eight\n     2  four  for\n"
    assert [block.split()[0] for block in blocks[3:]] == ["t:4", "t:3", "t:2"]


def test_the_report_of_perfect_answers_is_one_line() -> None:
    assert list(error_report(UTTERANCES[:1])) == ["0 of 1 utterances hold errors\n"]


def test_an_utterance_is_made_of_what_a_metric_is_told() -> None:
    class Origin:
        speaker = 7

    made = Utterance.of(Example({}, Place("t", 3), Origin()), "a", "b")
    assert made == Utterance("t:3", "a", "b", speaker="7")
    assert Utterance.of(Example({}, Place("t", 3)), "a", "b").speaker is None

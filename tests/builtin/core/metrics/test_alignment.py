from __future__ import annotations

from seqlab.api import Example, Place
from seqlab.builtin.core.metrics.alignment import (
    AnsweredText,
    Confusion,
    Edits,
    align,
    alignments,
    confusions,
    worst,
)


def utterance(line: int, reference: str, answer: str, **names: str) -> AnsweredText:
    return AnsweredText(Place("t", line), reference, answer, **names)


UTTERANCES = [
    utterance(1, "one two three", "one two three"),
    utterance(2, "four five", "for five", speaker="ann"),
    utterance(3, "four nine", "for", id="n", speaker="bob"),
    utterance(4, "seven", "seven eight eight"),
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
    assert [(each.place.line, edits.errors) for each, edits in worst(UTTERANCES)] == [(4, 2), (3, 2), (2, 1)]
    by_characters = [(each.place.line, edits.errors) for each, edits in worst(UTTERANCES, "characters")]
    assert by_characters == [(4, 12), (3, 6), (2, 1)]


def test_alignments_show_every_utterance_with_its_place() -> None:
    blocks = list(alignments(UTTERANCES))
    assert len(blocks) == len(UTTERANCES)
    assert blocks[0] == "t:1  errors 0, words 3\nREF: one two three\nHYP: one two three\n"
    heading, reference, answer, kinds = blocks[2].rstrip("\n").split("\n")
    assert heading == "t:3  n  speaker bob  errors 2, words 2"
    assert reference.split() == ["REF:", "four", "nine"]
    assert answer.split() == ["HYP:", "for", "****"]
    assert kinds.split() == ["S", "D"]


def test_characters_are_aligned_below_each_other() -> None:
    (block,) = alignments([utterance(1, "four", "for")], "characters")
    assert block == "t:1  errors 1, characters 4\nREF: four\nHYP: fo*r\n       D\n"


def test_alignments_keep_their_width() -> None:
    long = utterance(9, "word " * 50, "word " * 49 + "ward")
    (block,) = alignments([long], width=60)
    assert max(map(len, block.splitlines())) <= 60
    assert block.count("ward") == 1


def test_an_utterance_without_words_is_listed() -> None:
    (block,) = alignments([utterance(1, "", "")])
    assert block.startswith("t:1  errors 0, words 0\n")


def test_an_utterance_is_made_of_what_a_metric_is_told() -> None:
    class Origin:
        id = "a1"
        speaker = 7

    made = AnsweredText.of(Example({}, Place("t", 3), Origin()), "a", "b")
    assert made == utterance(3, "a", "b", id="a1", speaker="7")
    assert AnsweredText.of(Example({}, Place("t", 3)), "a", "b") == utterance(3, "a", "b")

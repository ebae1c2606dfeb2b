from __future__ import annotations

from seqlab.api import Example, Place
from seqlab.builtin.core.metrics.mistakes import MOST_FREQUENT, Mistakes


def example(text: str, line: int = 1) -> Example:
    return Example({"tokens": text.split()}, Place("t.conllu", line))


def test_the_report_tells_confusions_and_the_worst_sentences() -> None:
    mistakes = Mistakes("tokens")
    mistakes.add(example("The dog barks", 1), ["D", "N", "V"], ["D", "N", "N"])
    mistakes.add(example("Rain fell", 5), ["N", "V"], ["N", "V"])
    mistakes.add(example("Birds sing loudly", 8), ["N", "V", "A"], ["V", "N", "A"])
    mistakes.add(example("", 12), [], [])
    assert mistakes.report() == (
        "3 of 8 labels are wrong (37.50%), in 2 of 3 sentences\n"
        "\n"
        "most frequent confusions: times, gold -> predicted\n"
        "     2  V -> N\n"
        "     1  N -> V\n"
        "\n"
        "sentences with wrong labels, most first\n"
        "\n"
        "t.conllu:8  2 of 3 labels wrong\n"
        "Birds sing loudly\n"
        "     1  Birds  N -> V\n"
        "     2  sing   V -> N\n"
        "\n"
        "t.conllu:1  1 of 3 labels wrong\n"
        "The dog barks\n"
        "     3  barks  V -> N\n"
    )


def test_only_some_labels_may_count() -> None:
    mistakes = Mistakes("tokens")
    mistakes.add(example("a b c"), ["X", "X", "X"], ["Y", "Y", "X"], among=[1, 2])
    mistakes.add(example("a"), ["X"], ["Y"], among=[])
    assert (mistakes.labels, mistakes.wrong, mistakes.counted) == (2, 1, 1)
    (sentence,) = mistakes.sentences
    assert [(each.number, each.word) for each in sentence.mistakes] == [(2, "b")]


def test_equal_numbers_of_mistakes_stand_in_the_order_of_the_file() -> None:
    mistakes = Mistakes("tokens")
    for line in (10, 9, 2):
        mistakes.add(example("a", line), ["X"], ["Y"])
    headings = [line for line in mistakes.report().splitlines() if line.startswith("t.conllu")]
    assert [heading.split()[0] for heading in headings] == ["t.conllu:2", "t.conllu:9", "t.conllu:10"]


def test_labels_of_what_has_no_words_are_told_by_their_numbers() -> None:
    mistakes = Mistakes(None)
    mistakes.add(Example({"audio": None}, Place("t", 1)), ["X", "X"], ["X", "Y"])
    assert mistakes.report().endswith("t:1  1 of 2 labels wrong\n     2  X -> Y\n")


def test_the_table_of_confusions_is_cut_and_the_sentences_are_not() -> None:
    mistakes = Mistakes("tokens")
    count = MOST_FREQUENT + 3
    for line in range(count):
        mistakes.add(example("a", line + 1), ["X"], [f"Y{line}"])
    report = mistakes.report()
    assert report.count("labels wrong\n") == count
    assert report.count("\n     1  X ->") == MOST_FREQUENT


def test_without_labels_there_is_no_share() -> None:
    assert Mistakes("tokens").report() == "0 of 0 labels are wrong, in 0 of 0 sentences\n"

"""Tables and JSON Lines hold any answer of any kind, byte for byte as before there were other kinds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from written import context, written

from seqlab.api import Answer, DataError, Example, Place, Writer
from seqlab.builtin.core.writers import Data, JsonLines, Table
from seqlab.builtin.speech.heads.segments import Segment


def write(writer: Writer, tokens: Sequence[str], labels: Mapping[str, Sequence[str]]) -> str:
    """What is written of tokens with these labels, of which a head is as sure as it may be."""
    example = Example({"tokens": tokens}, Place("in.txt", 3))
    answers = {name: Answer(tuple(each), (0.5,) * len(each)) for name, each in labels.items()}
    known = context({"tokens": "tokens"}, dict.fromkeys(labels, "labels"))
    return written(writer, example, answers, known)


# --- labels of tokens ----------------------------------------------------------------------------------


def test_tsv_has_one_column_per_label_field() -> None:
    labels = {"upos": ["DET", "NOUN"], "feats.Number": ["_", "Sing"]}
    assert write(Table(), ["The", "dog"], labels) == "The\tDET\t_\ndog\tNOUN\tSing\n\n"


def test_of_an_empty_sentence_every_format_has_one_empty_answer() -> None:
    assert write(Table(), [], {"upos": []}) == "\n"
    assert write(JsonLines(), [], {"upos": []}) == '{"tokens": [], "upos": []}\n'


@pytest.mark.parametrize(("token", "label"), [("a\tb", "X"), ("a", "X\n"), ("a\r", "X")])
def test_tsv_refuses_what_would_break_its_lines(token: str, label: str) -> None:
    bad = next(value for value in (token, label) if not value.isalnum())
    with pytest.raises(DataError) as caught:
        write(Table(), [token], {"upos": [label]})
    assert str(caught.value) == (
        f"in.txt:3: {bad!r} holds a tab or a line end and cannot be written as TSV; choose jsonl"
    )


def test_tsv_refuses_another_number_of_labels() -> None:
    with pytest.raises(ValueError, match=r"^in.txt:3: 1 labels 'upos' for 2 tokens$"):
        write(Table(), ["a", "b"], {"upos": ["X"]})


def test_jsonl_is_readable_text() -> None:
    assert write(JsonLines(), ["Käse"], {"upos": ["NOUN"]}) == '{"tokens": ["Käse"], "upos": ["NOUN"]}\n'


@given(st.lists(st.tuples(st.text(), st.text()), max_size=4))
def test_jsonl_holds_any_token_on_one_line(pairs: list[tuple[str, str]]) -> None:
    tokens, labels = [token for token, _ in pairs], [label for _, label in pairs]
    found = write(JsonLines(), tokens, {"upos": labels})
    assert found.count("\n") == 1
    assert json.loads(found) == {"tokens": tokens, "upos": labels}


# --- other answers -------------------------------------------------------------------------------------


SAID = Example({"words": "so la la"}, Place("in.txt", 3))
GOOD = Answer("good", 0.87654321, details={"attention": [0.25, 1 / 3], "_own": object()})


def test_one_answer_to_a_whole_is_a_row_and_an_object_with_its_score_and_details() -> None:
    known = context({"words": "text"}, {"mood": "label"})
    assert written(Table(), SAID, {"mood": GOOD}, known) == "so la la\tgood\n"
    assert json.loads(written(JsonLines(), SAID, {"mood": GOOD}, known)) == {
        "words": "so la la",
        "mood": "good",
        "probability": 0.8765,
        "attention": [0.25, 0.3333],
    }


def test_several_answers_to_a_whole_are_by_their_targets() -> None:
    known = context({"words": "text"}, {"mood": "label", "topics": "label_set", "stars": "number"})
    answers = {"mood": GOOD, "topics": Answer({"b", "a"}, 0.5), "stars": Answer(4.5)}
    assert written(Table(), SAID, answers, known) == "so la la\tgood\ta b\t4.5\n"
    assert json.loads(written(JsonLines(), SAID, answers, known)) == {
        "words": "so la la",
        "mood": "good",
        "topics": ["a", "b"],
        "stars": 4.5,
        "probabilities": {"mood": 0.8765, "topics": 0.5},
        "details": {"mood": {"attention": [0.25, 0.3333]}, "topics": {}, "stars": {}},
    }


def test_an_answer_of_the_field_that_is_read_does_not_hide_the_input() -> None:
    found = written(
        JsonLines(), SAID, {"words": Answer("la la", 0.5)}, context({"words": "text"}, {"words": "text"})
    )
    assert json.loads(found) == {"words": "so la la", "words_answer": "la la", "probability": 0.5}


def test_alternatives_are_written_each_with_its_probability() -> None:
    known = context({"words": "text"}, {"mood": "label"})
    answer = Answer("good", 0.5, (Answer("bad", 0.25), Answer("odd", details={"why": "la"})))
    found = json.loads(written(JsonLines(), SAID, {"mood": answer}, known))
    assert found["alternatives"] == [
        {"mood": "bad", "probability": 0.25},
        {"mood": "odd", "details": {"why": "la"}},
    ]


def test_no_detail_hides_an_answer_or_the_input() -> None:
    known = context({"words": "text"}, {"mood": "label"})
    answer = Answer("good", details={"mood": "of the head's own", "words": 3})
    found = json.loads(written(JsonLines(), SAID, {"mood": answer}, known))
    assert found == {
        "words": "so la la",
        "mood": "good",
        "details": {"mood": "of the head's own", "words": 3},
    }


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        (
            Segment(0.123456, 1.0, "one", 0.98765),
            {"start": 0.1235, "end": 1.0, "text": "one", "probability": 0.9877},
        ),
        ((1, 2.0, None, True), [1, 2.0, None, True]),
        ({3: {"a"}}, {"3": ["a"]}),
        (float("-inf"), "-inf"),
        (1j, "1j"),
    ],
)
def test_any_detail_is_json(detail: Any, expected: Any) -> None:
    known = context({"words": "text"}, {"mood": "label"})
    found = json.loads(written(JsonLines(), SAID, {"mood": Answer("good", details={"more": detail})}, known))
    assert found == {"words": "so la la", "mood": "good", "more": expected}


class Shouting:
    """A reader whose format is a line in capitals."""

    def write(self, example: Example, answers: Mapping[str, Any]) -> str:
        """The origin, then the answers."""
        return f"{example.origin} {' '.join(answers.values())}\n".upper()


def test_data_is_what_the_reader_writes() -> None:
    known = context({"words": "text"}, {"mood": "label"}, Shouting())
    assert not Data().fault(known)
    example = Example({"words": "so la la"}, Place("in.txt", 3), "so la la")
    assert written(Data(), example, {"mood": GOOD}, known) == "SO LA LA GOOD\n"
    with pytest.raises(
        DataError,
        match=r"^in.txt:3: this was given by itself, not as data to be written back",
    ):
        written(Data(), SAID, {"mood": GOOD}, known)
    assert (
        Data().fault(context({"words": "text"}, {"mood": "label"}))
        == "the recipe's reader has no method write"
    )

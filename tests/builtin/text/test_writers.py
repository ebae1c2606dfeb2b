"""CoNLL-U of any text is read back; what came from CoNLL-U keeps all that it had besides the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written import context, written

from seqlab.api import Answer, DataError, Example, Place
from seqlab.builtin.text.readers.conllu import ConlluReader
from seqlab.builtin.text.writers import ConlluWriter


def write(
    tokens: Sequence[str], labels: Mapping[str, Sequence[str]], origin: Any = None, reader: Any = None
) -> str:
    """What is written of tokens with these labels, by default of plain text."""
    example = Example({"tokens": tokens}, Place("in.txt", 3), origin)
    answers = {name: Answer(tuple(each)) for name, each in labels.items()}
    known = context({"tokens": "tokens"}, dict.fromkeys(labels, "labels"), reader or ConlluReader())
    return written(ConlluWriter(), example, answers, known)


def test_labels_stand_in_their_columns_and_keys() -> None:
    labels = {"upos": ["DET", "NOUN"], "feats.Number": ["_", "Sing"], "feats.Case": ["_", "Nom"]}
    assert write(["The", "dog"], labels) == (
        "# text = The dog\n"
        "1\tThe\t_\tDET\t_\t_\t_\t_\t_\t_\n"
        "2\tdog\t_\tNOUN\t_\tCase=Nom|Number=Sing\t_\t_\t_\t_\n"
        "\n"
    )


words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)
labels_drawn = st.sampled_from(["DET", "NOUN", "X"])
LINES = st.lists(st.lists(words, min_size=1, max_size=5).map(" ".join), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(lines=LINES, data=st.data())
def test_conllu_of_any_text_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "back.conllu"
    read = [tokens for tokens in map(str.split, lines) if tokens]
    labels = [[data.draw(labels_drawn) for _ in tokens] for tokens in read]
    if not read:
        return
    pairs = list(zip(read, labels, strict=True))
    path.write_bytes("".join(write(tokens, {"upos": tags}) for tokens, tags in pairs).encode())
    assert [each.fields for each in ConlluReader().read(path)] == [
        {"tokens": tokens, "upos": tags} for tokens, tags in pairs
    ]


def test_an_empty_sentence_is_an_empty_line() -> None:
    assert write([], {"upos": []}) == "\n"


def test_fields_and_values_that_there_is_no_room_for_are_refused() -> None:
    with pytest.raises(
        DataError, match=r"^in.txt:3: unknown column 'ner' \(one of: .*; choose tsv or jsonl$"
    ):
        write(["a"], {"ner": ["O"]})
    with pytest.raises(DataError) as caught:
        write(["a\nb"], {"upos": ["X"]})
    assert str(caught.value) == (
        "in.txt:3: 'a\\nb' cannot stand in column 'form' of CoNLL-U; choose tsv or jsonl"
    )


def test_another_number_of_labels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^in.txt:3: 1 labels 'upos' for 2 tokens$"):
        write(["a", "b"], {"upos": ["X"]})


def test_what_came_from_conllu_keeps_comments_and_columns(tmp_path: Path) -> None:
    row = "1\tluma\tlum\t{}\t_\t_\t0\troot\t_\tSpaceAfter=No\n\n"
    (tmp_path / "a.conllu").write_text("# glad = yes\n" + row.format("X"))
    reader = ConlluReader()
    (example,) = reader.read(tmp_path / "a.conllu")
    assert write(["luma"], {"upos": ["NOUN"]}, example.origin, reader) == "# glad = yes\n" + row.format(
        "NOUN"
    )


class Bracketed:
    """A reader of labelled tokens in another format."""

    suffixes = (".brackets",)

    def write(self, example: Example, answers: Mapping[str, Any]) -> str:
        """Something that is no CoNLL-U."""
        return f"({example.fields}, {answers})"


def test_data_of_another_format_becomes_conllu() -> None:
    assert write(["luma"], {"upos": ["NOUN"]}, "(luma X)", Bracketed()) == write(["luma"], {"upos": ["NOUN"]})


@pytest.mark.parametrize(
    ("reads", "answers"),
    [
        ({"words": "text"}, {"mood": "label"}),
        ({"tokens": "tokens"}, {"mood": "label", "upos": "labels"}),
        ({"sound": "audio"}, {"text": "text"}),
    ],
)
def test_models_that_label_no_tokens_are_refused(reads: dict[str, str], answers: dict[str, str]) -> None:
    reason = ConlluWriter().fault(context(reads, answers))
    assert reason == f"CoNLL-U has labels of tokens; the model answers {', '.join(answers.values())}"
    assert not ConlluWriter().fault(context({"words": "tokens"}, {"upos": "labels"}))

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.api import DataError, Example, Place
from seqlab.builtin.text.readers.conllu import ConlluReader
from seqlab.predict.formats import WRITERS, read_text, write_conllu, write_jsonl, write_tsv


def example(*tokens: str) -> Example:
    return Example({"tokens": list(tokens)}, Place("in.txt", 3))


def texts(content: bytes) -> list[Example]:
    return list(read_text(io.BytesIO(content), "in.txt"))


# --- reading -------------------------------------------------------------------------------------------


def test_each_line_is_a_sentence_and_empty_lines_keep_their_place() -> None:
    read = texts(b"The dog  barks\n\n\t No\xc2\xa0way \n \nlast")
    assert [e.fields["tokens"] for e in read] == [["The", "dog", "barks"], [], ["No", "way"], [], ["last"]]
    assert [e.place for e in read] == [Place("in.txt", line) for line in range(1, 6)]


@pytest.mark.parametrize(
    "content", [b"a b\nc\n", b"a b\nc", b"\xef\xbb\xbfa b\nc\n", b"a b\r\nc\r\n", b"\xef\xbb\xbfa b\r\nc"]
)
def test_byte_order_mark_line_ends_and_a_missing_last_one_change_nothing(content: bytes) -> None:
    assert [e.fields["tokens"] for e in texts(content)] == [["a", "b"], ["c"]]


def test_no_input_at_all_is_an_error_and_an_empty_line_is_none() -> None:
    with pytest.raises(DataError, match=r"^in.txt: empty: one sentence a line is expected$"):
        texts(b"")
    assert [each.fields["tokens"] for each in texts(b"\n")] == [[]]


def test_bad_utf8_names_line_and_byte() -> None:
    with pytest.raises(DataError) as caught:
        texts(b"fine\nthe caf\xe9 here\n")
    assert str(caught.value) == (
        "in.txt:2: not UTF-8: byte 0xe9 at byte 8 of the line; convert the file to UTF-8"
    )


def test_reading_is_lazy() -> None:
    read = read_text(iter([b"a\n", b"\xff\n"]), "in.txt")
    assert next(read).fields["tokens"] == ["a"]
    with pytest.raises(DataError):
        next(read)


# --- writing -------------------------------------------------------------------------------------------


def test_tsv_has_one_column_per_label_field() -> None:
    labels = {"upos": ["DET", "NOUN"], "feats.Number": ["_", "Sing"]}
    assert write_tsv(example("The", "dog"), labels) == "The\tDET\t_\ndog\tNOUN\tSing\n\n"


def test_tsv_of_an_empty_sentence_is_an_empty_line() -> None:
    assert write_tsv(example(), {"upos": []}) == "\n"


@pytest.mark.parametrize(("token", "label"), [("a\tb", "X"), ("a", "X\n"), ("a\r", "X")])
def test_tsv_refuses_what_would_break_its_lines(token: str, label: str) -> None:
    bad = next(value for value in (token, label) if not value.isalnum())
    with pytest.raises(DataError) as caught:
        write_tsv(example(token), {"upos": [label]})
    assert str(caught.value) == (
        f"in.txt:3: {bad!r} holds a tab or a line end and cannot be written as TSV; choose jsonl"
    )


def test_jsonl_is_readable_text() -> None:
    assert write_jsonl(example("Käse"), {"upos": ["NOUN"]}) == '{"tokens": ["Käse"], "upos": ["NOUN"]}\n'
    assert write_jsonl(example(), {"upos": []}) == '{"tokens": [], "upos": []}\n'


@given(st.lists(st.tuples(st.text(), st.text()), max_size=4))
def test_jsonl_holds_any_token_on_one_line(pairs: list[tuple[str, str]]) -> None:
    tokens, labels = [token for token, _ in pairs], [label for _, label in pairs]
    written = write_jsonl(example(*tokens), {"upos": tuple(labels)})
    assert written.count("\n") == 1
    assert json.loads(written) == {"tokens": tokens, "upos": labels}


def test_conllu_puts_labels_into_their_columns_and_keys() -> None:
    labels = {"upos": ["DET", "NOUN"], "feats.Number": ["_", "Sing"], "feats.Case": ["_", "Nom"]}
    assert write_conllu(example("The", "dog"), labels) == (
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
    read = [e for e in texts("\n".join(lines).encode()) if e.fields["tokens"]]
    labels = [[data.draw(labels_drawn) for _ in e.fields["tokens"]] for e in read]
    if not read:
        return
    written = "".join(write_conllu(e, {"upos": tags}) for e, tags in zip(read, labels, strict=True))
    path.write_bytes(written.encode())
    assert [e.fields for e in ConlluReader().read(path)] == [
        {"tokens": e.fields["tokens"], "upos": tags} for e, tags in zip(read, labels, strict=True)
    ]


def test_of_an_empty_sentence_every_format_has_one_empty_answer() -> None:
    assert write_conllu(example(), {"upos": []}) == write_tsv(example(), {"upos": []}) == "\n"
    assert write_jsonl(example(), {"upos": []}) == '{"tokens": [], "upos": []}\n'


def test_conllu_refuses_fields_and_values_that_it_has_no_room_for() -> None:
    with pytest.raises(
        DataError, match=r"^in.txt:3: unknown column 'ner' \(one of: .*; choose tsv or jsonl$"
    ):
        write_conllu(example("a"), {"ner": ["O"]})
    with pytest.raises(DataError) as caught:
        write_conllu(example("a\nb"), {"upos": ["X"]})
    assert str(caught.value) == (
        "in.txt:3: 'a\\nb' cannot stand in column 'form' of CoNLL-U; choose tsv or jsonl"
    )


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_refuses_another_number_of_labels(name: str) -> None:
    with pytest.raises(ValueError, match=r"^in.txt:3: 1 labels 'upos' for 2 tokens$"):
        WRITERS[name](example("a", "b"), {"upos": ["X"]})


def test_the_table_names_the_formats() -> None:
    assert dict(WRITERS) == {"conllu": write_conllu, "jsonl": write_jsonl, "tsv": write_tsv}


def test_formats_need_no_torch_and_no_numpy(tmp_path: Path) -> None:
    script = "import sys, seqlab.predict.formats; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)

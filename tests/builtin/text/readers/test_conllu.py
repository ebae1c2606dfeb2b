from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.api import DataError, Example, Place
from seqlab.builtin.core.unicode import UnicodeForm
from seqlab.builtin.text.readers.conllu import ConlluReader

SENTENCE = """\
# sent_id = 1
# text = Cats don't sleep.
1\tCats\tcat\tNOUN\tNNS\tNumber=Plur\t4\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\tMood=Ind|Number=Plur\t4\taux\t_\t_
3\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t_\tGloss=not
3.1\tever\tever\tADV\tRB\t_\t_\t_\t4:advmod\t_
4\tsleep\tsleep\tVERB\tVB\tVerbForm=Inf\t0\troot\t_\tSpaceAfter=No
5\t.\t.\tPUNCT\t.\t_\t4\tpunct\t_\t_

"""


def word(index: object, form: str = "dog", upos: str = "NOUN", feats: str = "_") -> str:
    return f"{index}\t{form}\t_\t{upos}\t_\t{feats}\t_\t_\t_\t_\n"


def sentence(*ids: object) -> str:
    return "".join(map(word, ids)) + "\n"


def saved(folder: Path, content: str | bytes, name: str = "t.conllu") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def labels_of(example: Example) -> dict[str, list[str]]:
    return {field: values for field, values in example.fields.items() if field != "tokens"}


# --- reading -------------------------------------------------------------------------------------------


def test_words_become_tokens_and_labels_and_other_lines_do_not(tmp_path: Path) -> None:
    path = saved(tmp_path, "\n" + SENTENCE + SENTENCE)
    first, second = ConlluReader(labels=("upos", "feats.Number")).read(path)
    assert first.fields == {
        "tokens": ["Cats", "do", "n't", "sleep", "."],
        "upos": ["NOUN", "AUX", "PART", "VERB", "PUNCT"],
        "feats.Number": ["Plur", "Plur", "_", "_", "_"],
    }
    assert (first.place, second.place) == (Place(str(path), 2), Place(str(path), 12))


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("form", ["Cats", "do", "n't", "sleep", "."]),
        ("lemma", ["cat", "do", "not", "sleep", "."]),
        ("xpos", ["NNS", "VBP", "RB", "VB", "."]),
        ("feats", ["Number=Plur", "Mood=Ind|Number=Plur", "_", "VerbForm=Inf", "_"]),
        ("head", ["4", "4", "4", "0", "4"]),
        ("deprel", ["nsubj", "aux", "advmod", "root", "punct"]),
        ("feats.Mood", ["_", "Ind", "_", "_", "_"]),
        ("misc.SpaceAfter", ["_", "_", "_", "No", "_"]),
    ],
)
def test_any_column_or_key_is_text_or_label(tmp_path: Path, column: str, values: list[str]) -> None:
    path = saved(tmp_path, SENTENCE)
    (labelled,) = ConlluReader(labels=(column,)).read(path)
    assert labelled.fields[column] == values
    if "_" in values and "." in column:
        (read,) = ConlluReader(text=column).read(path)
        assert read.fields["tokens"] == values


def test_a_key_is_not_found_inside_a_longer_one(tmp_path: Path) -> None:
    path = saved(tmp_path, word(1, feats="Number[psor]=Sing|XNumber=Plur") + "\n")
    (example,) = ConlluReader(labels=("feats.Number",)).read(path)
    assert example.fields["feats.Number"] == ["_"]


def test_unlabelled_reading_has_no_label_fields_and_needs_no_labels(tmp_path: Path) -> None:
    path = saved(tmp_path, word(1, upos="_") + "\n")
    (example,) = ConlluReader().read(path, labelled=False)
    assert example.fields == {"tokens": ["dog"]}


def test_underscore_is_a_word_and_its_lemma(tmp_path: Path) -> None:
    path = saved(tmp_path, word(1, form="_") + "\n")
    (example,) = ConlluReader(labels=("lemma",)).read(path)
    assert example.fields == {"tokens": ["_"], "lemma": ["_"]}


def test_forms_may_hold_spaces(tmp_path: Path) -> None:
    (example,) = ConlluReader().read(saved(tmp_path, word(1, form="10 000") + "\n"))
    assert example.fields["tokens"] == ["10 000"]


@pytest.mark.parametrize("name", ["t.conllu", "t.conllu.gz", "gzipped-under-another-name"])
def test_gzip_is_told_by_content(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path, gzip.compress(SENTENCE.encode()), name)
    plain = saved(tmp_path, SENTENCE, "plain")
    assert [e.fields for e in ConlluReader().read(path)] == [e.fields for e in ConlluReader().read(plain)]


def test_standard_input_is_read_and_named(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path\n"
        "from seqlab.builtin.text.readers.conllu import ConlluReader\n"
        "for example in ConlluReader().read(Path('-')): print(example.place, example.fields['tokens'])\n"
    )
    done = subprocess.run(  # as a shell would: bytes through a pipe
        [sys.executable, "-c", script], input=(SENTENCE + word(1)).encode(), capture_output=True, check=False
    )
    assert done.stdout.decode().split("\n")[0] == "<stdin>:1 ['Cats', 'do', \"n't\", 'sleep', '.']"
    assert b"DataError: <stdin>:11: the last sentence" in done.stderr


def test_reading_is_lazy(tmp_path: Path) -> None:
    path = saved(tmp_path, SENTENCE + word(1) + word(7) + "\n")
    examples = ConlluReader().read(path)
    assert next(examples).fields["tokens"][0] == "Cats"
    with pytest.raises(DataError):
        next(examples)


# --- writing -------------------------------------------------------------------------------------------

cell = st.text(st.characters(codec="utf-8", exclude_characters="\t\n\r "), min_size=1, max_size=4)
spaced = st.text(st.characters(codec="utf-8", exclude_characters="\t\n\r"), min_size=1, max_size=4)
label = cell.filter(lambda text: text != "_")
feats = st.lists(st.sampled_from(["A=1", "b=x", "Number=Sing", "Case=Nom"]), unique=True).map(
    lambda items: "|".join(items) or "_"
)


@st.composite
def sentence_texts(draw: st.DrawFn) -> str:
    """One valid sentence: comments, words, ranges and empty nodes, keys of FEATS in any order."""
    lines = [f"#{text}" for text in draw(st.lists(spaced, max_size=2))]
    count = draw(st.integers(1, 12))
    covered = 0
    empty = "\t_" * 9
    lines += [f"0.{index}{empty}" for index in range(1, draw(st.integers(0, 2)) + 1)]
    for index in range(1, count + 1):
        if index > covered and draw(st.booleans()):
            covered = draw(st.integers(index, count))
            lines.append(f"{index}-{covered}{empty}")
        row = [draw(spaced), draw(spaced), draw(label), draw(cell), draw(feats), draw(cell), draw(cell)]
        lines.append("\t".join([str(index), *row, draw(cell), draw(spaced)]))
        lines += [f"{index}.{after}{empty}" for after in range(1, draw(st.integers(0, 2)) + 1)]
    return "\n".join(lines) + "\n\n"


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(sentence_texts(), min_size=1, max_size=3),
    bom=st.booleans(),
    crlf=st.booleans(),
    zipped=st.booleans(),
)
def test_reading_and_writing_gives_back_every_byte_but_the_byte_order_mark(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], bom: bool, crlf: bool, zipped: bool
) -> None:
    text = "".join(texts)
    content = b"\xef\xbb\xbf" * bom + (text.replace("\n", "\r\n") if crlf else text).encode()
    path = saved(tmp_path_factory.getbasetemp(), gzip.compress(content) if zipped else content, "any")
    reader = ConlluReader(labels=("upos", "feats.Number"))
    examples = list(reader.read(path))
    written = "".join(reader.write(example, labels_of(example)) for example in examples)
    assert written.encode() == content.removeprefix(b"\xef\xbb\xbf")
    line = 1
    for example, sentence in zip(examples, texts, strict=True):
        assert example.place.line == line
        line += sentence.count("\n")


def test_write_fills_columns_and_keys_and_keeps_the_rest(tmp_path: Path) -> None:
    reader = ConlluReader(labels=("upos", "feats.Number", "misc.Gloss"))
    (example,) = reader.read(saved(tmp_path, SENTENCE))
    written = reader.write(
        example,
        {
            "upos": ["PROPN", "AUX", "PART", "VERB", "PUNCT"],
            "feats.Number": ["_", "Sing", "_", "Plur", "_"],
            "misc.Gloss": ["_", "_", "_", "x=y", "_"],
        },
    )
    assert written == (
        SENTENCE.replace("NOUN\tNNS\tNumber=Plur", "PROPN\tNNS\t_")
        .replace("Mood=Ind|Number=Plur", "Mood=Ind|Number=Sing")
        .replace("VerbForm=Inf", "Number=Plur|VerbForm=Inf")
        .replace("SpaceAfter=No", "SpaceAfter=No|Gloss=x=y")
        .replace("Gloss=not", "_")
    )


def test_write_sorts_the_keys_of_changed_feats_without_regard_to_case(tmp_path: Path) -> None:
    reader = ConlluReader(labels=("feats.b",))
    (example,) = reader.read(saved(tmp_path, word(1, feats="C=1|A=1") + "\n"))
    assert "\tA=1|b=2|C=1\t" in reader.write(example, {"feats.b": ["2"]})


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("upos", "NO UN", "'NO UN' cannot stand in column 'upos' of CoNLL-U"),
        ("lemma", "a\tb", "'a\\tb' cannot stand in column 'lemma' of CoNLL-U"),
        ("upos", "", "'' cannot stand in column 'upos' of CoNLL-U"),
        ("feats.Number", "a|b", "'a|b' cannot be the value of key 'feats.Number'"),
    ],
)
def test_write_refuses_labels_that_break_the_format(
    tmp_path: Path, column: str, value: str, message: str
) -> None:
    path = saved(tmp_path, "# c\n" + word(1) + "\n")
    (example,) = ConlluReader().read(path)
    with pytest.raises(DataError) as caught:
        ConlluReader().write(example, {column: [value]})
    assert str(caught.value) == f"{path}:2: {message}"


def test_write_refuses_another_number_of_labels(tmp_path: Path) -> None:
    (example,) = ConlluReader().read(saved(tmp_path, SENTENCE))
    with pytest.raises(ValueError, match=r"^4 labels 'upos' for 5 words$"):
        ConlluReader().write(example, {"upos": ["X"] * 4})


# --- errors --------------------------------------------------------------------------------------------

FINE = word(1, form="A") + "\n"
"""A whole sentence of two lines before the bad one, which so starts at line 3."""

COLUMNS = "expected 10 columns separated by tabs, found "
BAD_ID = "; words count 1, 2, ..., ranges are written 1-2, empty nodes 1.1"
STEP = "; ids increase by one from word to word"
CUT = (
    "the last sentence, starting at line 3, is not closed by an empty line: "
    "the file may be cut off; add an empty line if it is whole"
)

ERRORS = {
    "columns": ("1\tdog\tNOUN\n\n", 3, COLUMNS + "3"),
    "more columns": (word(1).replace("\n", "\t_\n") + "\n", 3, COLUMNS + "11"),
    "spaces": (word(1).replace("\t", " ") + "\n", 3, COLUMNS + "1; the line seems to be separated by spaces"),
    "blanks": (
        word(1) + " \t\n" + sentence(1),
        4,
        "a line of blanks does not end a sentence; the line between two sentences must be empty",
    ),
    "utf-8": (
        b"# c\n1\tcaf\xe9" + word("").encode() + b"\n",
        4,
        "not UTF-8: byte 0xe9 at byte 6 of the line; convert the file to UTF-8",
    ),
    "empty form": (word(1, form="") + "\n", 3, "empty form; a word without characters cannot be read"),
    "empty column": (word(1, upos="") + "\n", 3, "empty column 'upos'; write _ where there is no value"),
    "space": (
        word(1, upos="NO UN") + "\n",
        3,
        "space in column 'upos': 'NO UN'; only form, lemma and misc may hold one",
    ),
    "gap": (sentence(1, 3), 4, "id 3 where 2 is expected" + STEP),
    "repeated id": (sentence(1, 1), 4, "id 1 where 2 is expected" + STEP),
    "no empty line between": (sentence(1, 2, 1), 5, "id 1 where 3 is expected" + STEP),
    "endless id": (sentence("1" * 5000), 3, f"bad id '{'1' * 12}...{'1' * 13}'" + BAD_ID),
    "bad id": (sentence("one"), 3, "bad id 'one'" + BAD_ID),
    "id with zero": (sentence("01"), 3, "bad id '01'" + BAD_ID),
    "id in other digits": (sentence("\u0661"), 3, "bad id '\u0661'" + BAD_ID),
    "bad range": (sentence("1-"), 3, "bad id '1-'" + BAD_ID),
    "range too early": (sentence("2-3", 1, 2, 3), 3, "multiword range 2-3 does not fit: the next word is 1"),
    "range from nothing": (sentence("0-1", 1), 3, "multiword range 0-1 does not fit: the next word is 1"),
    "range reversed": (sentence("1-0", 1), 3, "multiword range 1-0 ends before it starts"),
    "range overlaps": (sentence("1-2", 1, "2-3", 2, 3), 5, "multiword range 2-3 overlaps the range 1-2"),
    "range too long": (sentence(1, "2-4", 2, 3), 4, "multiword range 2-4 reaches beyond the last word, 3"),
    "empty node": (sentence(1, "2.1"), 4, "empty node 2.1 does not fit: 1.1 is expected"),
    "next empty node": (sentence(1, "1.1", "1.3"), 5, "empty node 1.3 does not fit: 1.2 is expected"),
    "comment": (
        word(1) + "# late\n" + sentence(2),
        4,
        "comment in the middle of a sentence; comments stand before its first word",
    ),
    "no word": ("# nothing\n\n", 3, "sentence without a word"),
    "no word but a node": (sentence("0.1"), 3, "sentence without a word"),
    "no empty line": (word(1) + word(2), 4, CUT),
    "no line end": (word(1) + word(2).rstrip("\n"), 4, CUT),
    "cut inside a character": (word(1).encode() + "2\té".encode()[:-1], 4, CUT),
}


@pytest.mark.parametrize(("content", "line", "message"), ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_damaged_files(tmp_path: Path, content: str | bytes, line: int, message: str, end: bytes) -> None:
    raw = FINE.encode() + (content.encode() if isinstance(content, str) else content)
    path = saved(tmp_path, raw.replace(b"\n", end))
    with pytest.raises(DataError) as caught:
        list(ConlluReader().read(path))
    assert str(caught.value) == f"{path}:{line}: {message}"
    assert caught.value.place == Place(str(path), line)
    with pytest.raises(DataError) as unlabelled:
        list(ConlluReader().read(path, labelled=False))
    assert str(unlabelled.value) == str(caught.value)
    refused: list[DataError] = []
    kept = list(ConlluReader(refuse=refused.append).read(path))
    assert [str(error) for error in refused][:1] == [str(caught.value)]
    assert kept[0].fields["tokens"] == ["A"], "the sentences around it are read"


@pytest.mark.parametrize(
    ("feats_column", "message"),
    [
        ("Number:Sing", "feats 'Number:Sing' are not pairs Key=Value separated by |"),
        ("Case=Nom|Number", "feats 'Case=Nom|Number' are not pairs Key=Value separated by |"),
        ("Number=Plur|Number=Sing", "key 'Number' stands twice in 'Number=Plur|Number=Sing'"),
    ],
)
def test_damaged_feats(tmp_path: Path, feats_column: str, message: str) -> None:
    path = saved(tmp_path, word(1, feats=feats_column) + "\n")
    with pytest.raises(DataError) as caught:
        list(ConlluReader(labels=("feats.Number",)).read(path))
    assert str(caught.value) == f"{path}:1: {message}"


# --- what a word lacks ---------------------------------------------------------------------------------

GOESWITH = """\
1\twith\twithout\tADP\tIN\t_\t3\tcase\t_\t_
2\tout\t_\tX\t_\tTypo=\t1\tgoeswith\t_\tGloss=|Seg=o|Seg=ut
3\tthem\tthey\tPRON\tPRP\tCase=Acc|Number=Plur\t0\troot\t_\t_

"""


def test_a_missing_label_is_none_and_written_back_as_it_was(tmp_path: Path) -> None:
    reader = ConlluReader(labels=("lemma", "xpos", "upos"))
    (example,) = reader.read(saved(tmp_path, GOESWITH))
    assert example.fields["lemma"] == ["without", None, "they"]
    assert example.fields["xpos"] == ["IN", None, "PRP"]
    assert example.fields["upos"] == ["ADP", "X", "PRON"]
    assert reader.write(example, labels_of(example)) == GOESWITH
    assert "\tout\tout\tX" in reader.write(example, {"lemma": ["without", "out", "they"]})


def test_an_empty_value_of_a_key_is_a_value_and_several_of_misc_are_one(tmp_path: Path) -> None:
    reader = ConlluReader(labels=("feats.Typo", "misc.Gloss", "misc.Seg"))
    (example,) = reader.read(saved(tmp_path, GOESWITH))
    assert labels_of(example) == {
        "feats.Typo": ["_", "", "_"],
        "misc.Gloss": ["_", "", "_"],
        "misc.Seg": ["_", "o|ut", "_"],
    }
    assert reader.write(example, labels_of(example)) == GOESWITH
    moved = reader.write(example, {"feats.Typo": ["", "_", "Yes"], "misc.Seg": ["a|b", "_", "_"]})
    assert moved == (
        GOESWITH.replace("IN\t_\t3\tcase\t_\t_", "IN\tTypo=\t3\tcase\t_\tSeg=a|Seg=b")
        .replace("\tTypo=\t1", "\t_\t1")
        .replace("Number=Plur\t0", "Number=Plur|Typo=Yes\t0")
        .replace("Gloss=|Seg=o|Seg=ut", "Gloss=")
    )


def test_what_stands_in_misc_without_a_value_is_kept(tmp_path: Path) -> None:
    content = word(1).removesuffix("_\n") + "SpaceAfter=No|foo\n\n"
    (example,) = (reader := ConlluReader(labels=("misc.foo",))).read(saved(tmp_path, content))
    assert example.fields["misc.foo"] == ["_"], "a value is what follows ="
    for value, misc in {"_": "SpaceAfter=No|foo", "x": "SpaceAfter=No|foo|foo=x"}.items():
        written = reader.write(example, {"misc.foo": [value]})
        assert written.rstrip().endswith(f"\t{misc}")
        (again,) = reader.read(saved(tmp_path, written))
        assert reader.write(again, {"misc.foo": ["_"]}) == content


def test_missing_fail_makes_it_an_error_of_its_line(tmp_path: Path) -> None:
    path = saved(tmp_path, GOESWITH)
    refused = "the column holds _, which missing: fail of the reader refuses; missing: ignore reads it"
    for reader, name, labelled in (
        (ConlluReader(labels=("lemma",), missing="fail"), "lemma", True),
        (ConlluReader(text="xpos", missing="fail"), "xpos", False),
    ):
        with pytest.raises(DataError) as caught:
            list(reader.read(path, labelled=labelled))
        assert str(caught.value) == f"{path}:2: no {name} for 'out': {refused}"


def test_a_missing_text_is_an_underscore_but_not_of_every_word(tmp_path: Path) -> None:
    reader = ConlluReader(text="xpos")
    (example,) = reader.read(saved(tmp_path, GOESWITH), labelled=False)
    assert example.fields["tokens"] == ["IN", "_", "PRP"]
    path = saved(tmp_path, word(1) + "\n" + word(1) + "\n")
    with pytest.raises(DataError) as caught:
        list(reader.read(path, labelled=False))
    assert str(caught.value) == (
        f"{path}: no word has a value in the column 'xpos', which is to hold the text"
    )


# --- the normal form of Unicode ------------------------------------------------------------------------

NFD, NFC = "cafe\u0301", "caf\u00e9"


@pytest.mark.parametrize(("unicode", "seen"), [("NFC", NFC), ("NFD", NFD), (None, NFD), ("NFKC", NFC)])
def test_models_see_the_normal_form_and_files_keep_their_own(
    tmp_path: Path, unicode: UnicodeForm | None, seen: str
) -> None:
    content = word(1, form=NFD).replace("\t_\t_\n", f"\t_\tGloss={NFD}\n") + "\n"
    reader = ConlluReader(labels=("misc.Gloss", "xpos"), unicode=unicode)
    (example,) = reader.read(saved(tmp_path, content))
    assert example.fields["tokens"] == [NFD]
    assert reader.normalize(example).fields == {"tokens": [seen], "misc.Gloss": [seen], "xpos": [None]}
    assert reader.write(reader.normalize(example), {"misc.Gloss": [NFD]}) == content


@given(tokens=st.lists(st.text(min_size=1, max_size=5), max_size=4))
def test_no_token_is_lost_or_joined_by_normalisation(tokens: list[str]) -> None:
    for unicode in ("NFC", "NFD", "NFKC", "NFKD", None):
        seen = ConlluReader(unicode=unicode).normalize(Example({"tokens": tokens}, Place("t")))  # type: ignore[arg-type]
        assert len(seen.fields["tokens"]) == len(tokens)
        assert all(seen.fields["tokens"])


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\n", gzip.compress(b"", mtime=0)])
def test_a_file_without_sentences(tmp_path: Path, content: bytes) -> None:
    path = saved(tmp_path, content)
    with pytest.raises(DataError) as caught:
        list(ConlluReader().read(path))
    assert str(caught.value) == f"{path}: no sentences"


def test_another_encoding_is_named_before_the_missing_empty_line(tmp_path: Path) -> None:
    path = saved(tmp_path, SENTENCE.encode("utf-16"))
    with pytest.raises(DataError, match=r"^.*:1: not UTF-8: byte 0xff at byte 1 of the line; convert"):
        list(ConlluReader().read(path))


def test_line_ends_that_are_cr_alone_are_named(tmp_path: Path) -> None:
    for content in (SENTENCE.replace("\n", "\r"), gzip.compress(SENTENCE.replace("\n", "\r").encode())):
        path = saved(tmp_path, content)
        with pytest.raises(DataError) as caught:
            list(ConlluReader().read(path))
        assert str(caught.value) == (
            f"{path}: no line ends in LF: the line ends are CR alone, as in files of old Macintosh computers;"
            " convert them, say with: tr '\\r' '\\n' < OLD > NEW"
        )


def test_gzip_cut_off(tmp_path: Path) -> None:
    path = saved(tmp_path, gzip.compress(SENTENCE.encode() * 3)[:-12])
    with pytest.raises(DataError) as caught:
        list(ConlluReader().read(path))
    assert str(caught.value) == (
        f"{path}: the gzip data is damaged or cut off: "
        "Compressed file ended before the end-of-stream marker was reached"
    )


@pytest.mark.parametrize("position", [-8, 12])
def test_gzip_damaged(tmp_path: Path, position: int) -> None:
    packed = bytearray(gzip.compress(SENTENCE.encode()))
    packed[position] ^= 0xFF
    with pytest.raises(DataError, match="the gzip data is damaged or cut off: "):
        list(ConlluReader().read(saved(tmp_path, bytes(packed))))


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(DataError) as missing:
        list(ConlluReader().read(tmp_path / "nowhere"))
    assert str(missing.value) == f"{tmp_path / 'nowhere'}: cannot read: No such file or directory"
    with pytest.raises(DataError) as folder:
        list(ConlluReader().read(tmp_path))
    assert str(folder.value) == f"{tmp_path}: this is a folder; name the files in it, {tmp_path}/* say"


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "split", "sentences", "words"),
    [("pos_ewt", "train", 12_544, 204_577), ("pos_ewt", "dev", 2_001, 25_147)],
)
def test_english_ewt(name: str, split: str, sentences: int, words: int) -> None:
    examples = list(ConlluReader().read(treebank(name, split)))
    assert (len(examples), sum(len(example.fields["tokens"]) for example in examples)) == (sentences, words)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "dev", "test"])
@pytest.mark.parametrize(
    "name", ["pos_ewt", "pos_hungarian", "pos_vietnamese", "pos_tamil", "pos_french_spoken"]
)
def test_treebanks_are_read_and_written_back_byte_by_byte(name: str, split: str) -> None:
    path = treebank(name, split)
    content = path.read_bytes()
    keys = {
        f"feats.{item.partition('=')[0]}"
        for line in content.decode().splitlines()
        if line[:1].isdigit() and (feats := line.split("\t")[5]) != "_"
        for item in feats.split("|")
    }
    reader = ConlluReader(labels=("upos", "xpos", "lemma", "feats", *sorted(keys)))
    written = [reader.write(example, labels_of(example)) for example in reader.read(path)]
    assert "".join(written).encode() == content


def treebank(name: str, split: str) -> Path:
    if "SEQLAB_DATA" not in os.environ:
        pytest.skip("SEQLAB_DATA is not set")
    return Path(os.environ["SEQLAB_DATA"]) / name / f"{split}.conllu"

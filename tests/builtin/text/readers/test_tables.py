from __future__ import annotations

import gzip
import json
import math
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from seqlab import Lab
from seqlab.api import DataError, Example, ReaderContext, SeqlabError
from seqlab.builtin.text.plugin import seqlab_register_readers
from seqlab.builtin.text.readers.tables import TableReader, words

COMPONENTS = {component.name: component for component in seqlab_register_readers()}
KINDS = Lab(entry_points=False).registry.field_kinds()


def reader(form: str, *, refused: list[DataError] | None = None, **config: Any) -> TableReader:
    context = ReaderContext(kinds=KINDS) if refused is None else ReaderContext(refused.append, KINDS)
    component = COMPONENTS[form]
    made: TableReader = component.build(component.config.model_validate(config), context)
    return made


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, name: str, text: str, *, labelled: bool = True, **config: Any) -> list[Example]:
    made = reader(name.split(".")[1], **config)
    return list(made.read(written(folder, name, text), labelled=labelled))


def fields(examples: list[Example]) -> list[dict[str, Any]]:
    return [dict(example.fields) for example in examples]


# --- what is read ----------------------------------------------------------------------------------------


def test_all_forms_hold_the_same(tmp_path: Path) -> None:
    tsv = read(tmp_path, "a.tsv", "label\ttext\ngood\ta fine phone\nbad\tno good\n")
    csv = read(tmp_path, "a.csv", 'text,label\n"a fine phone",good\nno good,bad\n')
    jsonl = read(
        tmp_path,
        "a.jsonl",
        '{"text": "a fine phone", "label": "good"}\n{"text": ["no", "good"], "label": "bad", "more": 1}\n',
    )
    wanted = [
        {"tokens": ["a", "fine", "phone"], "label": "good"},
        {"tokens": ["no", "good"], "label": "bad"},
    ]
    assert fields(tsv) == fields(csv) == fields(jsonl) == wanted
    assert [str(each.place) for each in tsv] == [f"{tmp_path}/a.tsv:2", f"{tmp_path}/a.tsv:3"]


def test_columns_without_a_header_are_named_in_the_settings(tmp_path: Path) -> None:
    found = read(tmp_path, "a.tsv", "good\ta b\n", names=["label", "text"])
    assert fields(found) == [{"tokens": ["a", "b"], "label": "good"}]


def test_every_kind_of_field_comes_from_a_column_or_a_key(tmp_path: Path) -> None:
    settings = {
        "words": {"kind": "tokens", "column": "sentence"},
        "raw": {"kind": "text", "column": "sentence"},
        "tags": "labels",
        "topics": {"kind": "label_set", "separator": ";"},
        "stars": "number",
        "series": "series",
        "size": "vector",
    }
    row = "It is\tPRON AUX\tnews; sport\t4.5\t1 2 3\t0.5,1\n"
    table = "sentence\ttags\ttopics\tstars\tseries\tsize\n" + row
    json_row = {
        "sentence": "It is",
        "tags": ["PRON", "AUX"],
        "topics": ["news", "sport"],
        "stars": 4.5,
        "series": [1, 2, 3],
        "size": [0.5, 1],
    }
    (one,) = read(tmp_path, "a.tsv", table, fields=settings)
    (other,) = read(tmp_path, "a.jsonl", json.dumps(json_row) + "\n", fields=settings)
    assert (
        dict(one.fields)
        == dict(other.fields)
        == {
            "words": ["It", "is"],
            "raw": "It is",
            "tags": ["PRON", "AUX"],
            "topics": ["news", "sport"],
            "stars": 4.5,
            "series": [1, 2, 3],
            "size": [0.5, 1],
        }
    )


def test_missing_values_are_none_where_their_kind_knows_them(tmp_path: Path) -> None:
    settings = {"text": "text", "label": "label", "topics": "label_set", "stars": "number"}
    nothing = {"text": "", "label": None, "topics": None, "stars": None}
    one, _ = read(tmp_path, "a.csv", "text,label,topics,stars\n,,,\n\nx,a,b,1\n", fields=settings)
    assert dict(one.fields) == nothing
    (other,) = read(tmp_path, "a.jsonl", json.dumps(nothing) + "\n", fields=settings)
    assert dict(other.fields) == nothing


def test_an_empty_set_is_no_missing_one(tmp_path: Path) -> None:
    settings = {"text": "text", "topics": "label_set"}
    found = read(tmp_path, "a.jsonl", '{"text": "x", "topics": []}\n', fields=settings)
    assert fields(found) == [{"text": "x", "topics": []}]


def test_words_are_told_from_punctuation() -> None:
    assert words("Isn't it 3.5 %? Ünï_x, na-ïve…") == [
        "Isn't", "it", "3", ".", "5", "%", "?", "Ünï_x", ",", "na", "-", "ïve", "…",
    ]  # fmt: skip
    assert words(" \t ") == []


def test_a_row_of_csv_may_go_over_lines_and_errors_name_its_first(tmp_path: Path) -> None:
    text = 'label,text\ngood,"a\nb"\nbad\n'
    path = written(tmp_path, "a.csv", text)
    refused: list[DataError] = []
    (example,) = reader("csv", refused=refused).read(path)
    assert example.fields["tokens"] == ["a", "b"]
    assert [str(each) for each in refused] == [
        f"{path}:4: expected 2 columns as the first line names them, found 1"
    ]


def test_gzip_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(gzip.compress("\ufefflabel\ttext\r\ngood\ta b\r\n".encode()))
    assert fields(list(reader("tsv").read(path))) == [{"tokens": ["a", "b"], "label": "good"}]


# --- the form that models see ----------------------------------------------------------------------------


def test_strings_have_a_normal_form_and_lower_case_where_that_is_set(tmp_path: Path) -> None:
    settings = {"tokens": {"kind": "tokens", "column": "text", "lowercase": True}, "label": "label"}
    made = reader("tsv", fields=settings)
    decomposed = "label\ttext\nCafe\u0301\tDas Cafe\u0301\n"
    (example,) = made.read(written(tmp_path, "a.tsv", decomposed))
    assert dict(made.normalize(example).fields) == {"tokens": ["das", "café"], "label": "Café"}
    as_it_is = reader("tsv", unicode=None)
    assert as_it_is.normalize(example).fields == example.fields


def test_a_user_gives_a_text_a_line_or_tokens() -> None:
    settings = {"tokens": {"kind": "tokens", "column": "text", "split": "words"}, "label": "label"}
    made = reader("tsv", fields=settings)
    for given in ("no good.", ["no", "good", "."], {"tokens": "no good."}):
        assert list(made.take(given).fields["tokens"]) == ["no", "good", "."]
    assert made.parse("no good.") == ["no", "good", "."]
    with pytest.raises(TypeError):
        made.take(3)


# --- writing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "config"),
    [
        ("a.tsv", "id\tlabel\ttext\n1\tgood\t a  b\n2\t\tc\n", {}),
        ("a.csv", 'id,label,text\n1,good,"a, ""b"""\n2,bad,c\n', {}),
        ("a.jsonl", '{"id": 1, "text": "a b", "label": "gööd"}\n', {}),
        ("a.tsv", "good\ta b\n", {"names": ["label", "text"]}),
    ],
)
def test_rows_are_written_as_they_were_read(
    name: str, text: str, config: dict[str, Any], tmp_path: Path
) -> None:
    made = reader(name.split(".")[1], **config)
    examples = list(made.read(written(tmp_path, name, text)))
    assert made.header(examples[0], {}) + "".join(made.write(each, {}) for each in examples) == text


def test_answers_stand_in_their_columns_new_ones_behind(tmp_path: Path) -> None:
    made = reader("tsv")
    path = written(tmp_path, "a.tsv", "text\tid\na b\t1\nc\t2\n")
    examples = list(made.read(path, labelled=False))
    told = [made.write(example, {"label": label}) for example, label in zip(examples, "xy", strict=True)]
    assert "".join(told) == "a b\t1\tx\nc\t2\ty\n"
    assert made.header(examples[0], {"label": "x"}) == "text\tid\tlabel\n"


def test_a_table_without_a_header_may_lack_its_labels_in_prediction(tmp_path: Path) -> None:
    made = reader("tsv", names=["label", "text"])
    path = written(tmp_path, "a.tsv", "a b\n")
    (example,) = made.read(path, labelled=False)
    assert made.write(example, {"label": "good"}) == "good\ta b\n"
    with pytest.raises(DataError, match=r"a.tsv:1: expected 2 columns \(label, text\), found 1"):
        list(made.read(path))


def test_sets_are_written_with_their_separator(tmp_path: Path) -> None:
    made = reader("csv", fields={"text": "text", "topics": {"kind": "label_set", "separator": ";"}})
    path = written(tmp_path, "a.csv", "text,topics\nx,b;a\n")
    (example,) = made.read(path)
    assert made.write(example, {"topics": ("z", "y")}) == "x,y;z\n"


@pytest.mark.parametrize(("separator", "label"), [(";", "a;b"), (";", " a"), (None, "a b"), (None, "")])
def test_a_set_is_not_written_as_another(separator: str | None, label: str, tmp_path: Path) -> None:
    made = reader("csv", fields={"text": "text", "topics": {"kind": "label_set", "separator": separator}})
    (example,) = made.read(written(tmp_path, "a.csv", "text,topics\nx,\n"))
    with pytest.raises(DataError, match=r"column 'topics': .* cannot stand in a list apart by"):
        made.write(example, {"topics": (label, "z")})


@pytest.mark.parametrize("cell", ["", "  ", ";", " ; "])
def test_a_blank_cell_is_a_missing_label(cell: str, tmp_path: Path) -> None:
    names = {"text": "text", "label": "label", "topics": {"kind": "label_set", "separator": ";"}}
    label = cell.replace(";", "")
    (example,) = read(tmp_path, "a.csv", f"text,label,topics\nx,{label},{cell}\n", fields=names)
    assert (example.fields["label"], example.fields["topics"]) == (None, None)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_no_word_ends_at_a_mark_or_a_joiner(form: Any, tmp_path: Path) -> None:
    text = unicodedata.normalize(form, "Café déjà, हिन्दी में 👩\u200d💻 naïve!")
    made = reader("tsv", fields={"tokens": {"kind": "tokens", "split": "words"}})
    (example,) = made.read(written(tmp_path, "a.tsv", f"tokens\n{text}\n"))
    tokens = made.normalize(example).fields["tokens"]
    assert tokens == ["Café", "déjà", ",", "हिन्दी", "में", "👩\u200d💻", "naïve", "!"]


def test_a_label_may_be_an_integer_in_json(tmp_path: Path) -> None:
    (example,) = read(tmp_path, "a.jsonl", '{"text": "a", "label": 3}\n')
    assert example.fields["label"] == "3"


def test_a_file_without_any_column_that_is_read_is_told_in_prediction(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"a.tsv:2: no column 'text', which holds 'tokens'; did you mean 'Text'"
    ):
        read(tmp_path, "a.tsv", "Label\tText\ngood\tx\n", labelled=False)


@pytest.mark.parametrize(("empty", "value"), [("missing", None), ("none", [])])
def test_an_empty_cell_is_what_the_recipe_says(empty: str, value: Any, tmp_path: Path) -> None:
    topics = {"kind": "label_set", "separator": ";", "empty": empty}
    (example,) = read(tmp_path, "a.csv", "text,topics\nx,\n", fields={"text": "text", "topics": topics})
    assert example.fields["topics"] == value


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "text", "split": "words"},
        {"kind": "label", "empty": "none"},
        {"kind": "tokens", "split": "words", "separator": ";"},
    ],
)
def test_settings_that_do_not_fit_together_are_refused(settings: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=r"field 'more': (split|empty): "):
        reader("csv", fields={"text": "text", "more": settings})


# --- faults ----------------------------------------------------------------------------------------------

FAULTS = [
    ("a.tsv", "label\ttext\ngood\n", "a.tsv:2: expected 2 columns as the first line names them, found 1"),
    ("a.tsv", "lable\ttext\ngood\tx\n", "a.tsv:2: no column 'label', .*did you mean 'lable'"),
    ("a.tsv", "label\tlabel\ngood\tx\n", "a.tsv:1: the first line must name each column once"),
    ("a.tsv", "label\ttext\n", "a.tsv: no rows"),
    ("a.tsv", "", "a.tsv: no rows"),
    ("a.csv", 'label,text\ngood,"x\n', "a.csv:2: bad CSV"),
    ("a.csv", f"label,text\ngood,{'x' * 140_000}\n", "a.csv:2: a cell of over 131,072 characters"),
    ("a.jsonl", '{"label": "good"}\n', "a.jsonl:1: no column 'text'"),
    ("a.jsonl", "[1]\n", "a.jsonl:1: expected a JSON object"),
    ("a.jsonl", '{"text": ["a", 1], "label": "good"}\n', "a.jsonl:1: column 'text': a list that holds 1"),
    ("a.jsonl", '{"text": "a", "label": 3.5}\n', "a.jsonl:1: column 'label': 3.5"),
    ("a.jsonl", '{"text": null, "label": "good"}\n', "a.jsonl:1: column 'text'"),
]


@pytest.mark.parametrize(("name", "text", "message"), FAULTS)
def test_a_fault_is_told_with_file_and_line(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, name, text)


@pytest.mark.parametrize("cell", ["four", "nan", "1 2"])
def test_a_number_that_is_none_is_refused(cell: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.tsv:2: column 'stars'"):
        read(tmp_path, "a.tsv", f"text\tstars\nx\t{cell}\n", fields={"text": "text", "stars": "number"})


def test_labels_stand_along_their_tokens(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.tsv:2: column 'tags': 1 tags for 2 tokens"):
        read(tmp_path, "a.tsv", "tokens\ttags\na b\tX\n", fields={"tokens": "tokens", "tags": "labels"})


def test_a_bad_row_is_left_out_where_the_recipe_says_so(tmp_path: Path) -> None:
    refused: list[DataError] = []
    path = written(tmp_path, "a.tsv", "label\ttext\ngood\nbad\tx\n")
    made = reader("tsv", refused=refused)
    examples = list(made.read(path))
    assert (len(examples), len(refused)) == (1, 1)
    assert made.header(examples[0], {}) + made.write(examples[0], {}) == "label\ttext\nbad\tx\n"


def test_settings_name_columns_and_kinds_that_there_are() -> None:
    with pytest.raises(ValidationError, match="did you mean 'text'"):
        reader(
            "tsv", names=["label", "txt", "text"], fields={"tokens": {"kind": "tokens", "column": "texxt"}}
        )
    with pytest.raises(SeqlabError, match="unknown kind 'lable'; did you mean 'label'"):
        reader("tsv", fields={"label": "lable"})


def test_not_a_number_is_no_json_number(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column 'stars'"):
        read(tmp_path, "a.jsonl", json.dumps({"stars": math.nan}) + "\n", fields={"stars": "number"})

"""Plain text as tokens, and back."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.api import DataError
from seqlab.builtin.text.readers.plain import LINE_END, PlainTextReader


def reader(**settings: Any) -> PlainTextReader:
    defaults: dict[str, Any] = {"unit": "characters", "by": "line", "start": None, "unicode": "NFC"}
    return PlainTextReader(**(defaults | settings))


def tokens(path: Path, **settings: Any) -> list[list[str]]:
    return [example.fields["tokens"] for example in reader(**settings).read(path)]


def written(folder: Path, text: str) -> Path:
    path = folder / "text.txt"
    path.write_bytes(text.encode())
    return path


def test_lines_are_examples_blank_ones_aside(tmp_path: Path) -> None:
    path = written(tmp_path, "to be\r\n\n  \nor not")
    assert tokens(path) == [list("to be"), list("or not")]
    assert tokens(path, unit="words") == [["to", "be"], ["or", "not"]]
    assert [example.place.line for example in reader().read(path)] == [1, 4]


def test_a_file_is_a_stream_in_which_line_ends_are_tokens(tmp_path: Path) -> None:
    path = written(tmp_path, "to be\n\nor")
    assert tokens(path, by="file") == [[*"to be", LINE_END, LINE_END, *"or", LINE_END]]
    assert tokens(path, by="file", unit="words") == [["to", "be", LINE_END, LINE_END, "or", LINE_END]]


def test_a_start_stands_in_front(tmp_path: Path) -> None:
    path = written(tmp_path, "be\n")
    assert tokens(path, start="<s>") == [["<s>", "b", "e"]]
    made = reader(start="<s>")
    assert made.take("be").fields["tokens"] == ["<s>", "b", "e"]
    assert reader(start="b").take("be").fields["tokens"] == ["b", "b", "e"]
    assert made.take(["<s>", "b"]).fields["tokens"] == ["<s>", "b"]
    assert made.take({"tokens": ["b"]}).fields["tokens"] == ["<s>", "b"]
    assert made.joined(["<s>", "b", "e"]) == "be"


def test_the_normal_form_is_that_of_the_settings(tmp_path: Path) -> None:
    path = written(tmp_path, "e\u0301\n")
    assert tokens(path) == [["\u00e9"]]
    assert tokens(path, unicode=None) == [["e", "\u0301"]]
    assert reader().take(["e\u0301"]).fields["tokens"] == ["\u00e9"]


def test_gzip_is_read(tmp_path: Path) -> None:
    path = tmp_path / "text.txt.gz"
    path.write_bytes(gzip.compress(b"hello\n"))
    assert tokens(path) == [list("hello")]


@pytest.mark.parametrize("by", ["line", "file"])
@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_text_is_refused(tmp_path: Path, text: str, by: str) -> None:
    with pytest.raises(DataError, match="there is no text"):
        tokens(written(tmp_path, text), by=by)


@pytest.mark.parametrize("given_value", [3, [1, 2], {"words": ["a"]}])
def test_what_is_no_text_is_refused(given_value: Any) -> None:
    with pytest.raises(TypeError, match="give a text, or a list of tokens"):
        reader().take(given_value)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1), min_size=1))
def test_characters_put_together_are_the_text(lines: list[str]) -> None:
    text = LINE_END.join(lines)
    made = reader(unicode=None)
    assert made.joined(made.tokens(text)) == text


@pytest.mark.parametrize("text", ["to be or not", "to be\nor not\n", "a\n\nb c\n"])
def test_words_put_together_are_the_text(text: str) -> None:
    made = reader(unit="words")
    assert made.joined(made.tokens(text)) == text

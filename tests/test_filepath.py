from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from seqlab.cli.components import keys_of
from seqlab.errors import SeqlabError
from seqlab.filepath import FilePath, as_written, data_as_written
from seqlab.settings import Config


class Settings(Config):
    file: FilePath
    """A file."""
    others: tuple[FilePath, ...] = ()
    """More of them."""


def test_a_setting_becomes_a_path_and_is_written_as_a_plain_string() -> None:
    settings = Settings(file="a/b.txt", others=("c",))  # type: ignore[arg-type]
    assert isinstance(settings.file, FilePath)
    assert isinstance(settings.others[0], FilePath)
    written = settings.model_dump(mode="json")
    assert written == {"file": "a/b.txt", "others": ["c"]}
    assert [type(written["file"]), type(written["others"][0])] == [str, str]


def test_it_is_documented_as_a_string() -> None:
    assert [key["type"] for key in keys_of(Settings)] == [
        "string of length >= 1",
        "list of string of length >= 1",
    ]


@pytest.mark.parametrize("value", ["", 3, None, Path("a")])
def test_what_is_no_string_or_empty_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"file": value})


def test_variables_are_replaced_where_the_path_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOUNDS", "/srv/sounds")
    assert FilePath("${SOUNDS}/rain.wav").local == Path("/srv/sounds/rain.wav")
    assert FilePath("rain.wav").local == Path("rain.wav")
    monkeypatch.delenv("SOUNDS")
    with pytest.raises(
        SeqlabError, match=r"^'\$\{SOUNDS\}/rain.wav': environment variable SOUNDS is not set"
    ):
        _ = FilePath("${SOUNDS}/rain.wav").local


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/secret/a.txt:3: bad", "${PLACE}/a.txt:3: bad"),
        ("'/secret'", "'${PLACE}'"),
        ("no such file: /secret/x, /secret/y", "no such file: ${PLACE}/x, ${PLACE}/y"),
        ("/secrets/a /x/secret/a /secret.txt", "/secrets/a /x/secret/a /secret.txt"),
        ("/home/corpus/a x/corpus/b", "/home/corpus/a x/corpus/b"),
        ("corpus/a", "${PART}/a"),
        ("the corpus is bad: corpus.txt", "the corpus is bad: corpus.txt"),
        ("/secret/inner/a", "${INNER}/a"),
    ],
)
def test_values_of_variables_are_shown_by_their_names(
    text: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PLACE": "/secret/", "PART": "corpus", "INNER": "/secret/inner", "EMPTY": ""}.items():
        monkeypatch.setenv(name, value)
    names = ["PLACE", "PART", "INNER", "EMPTY", "UNSET"]
    assert as_written(text, names) == shown
    assert data_as_written({text: [text, 1, None]}, names) == {shown: [shown, 1, None]}
    assert as_written(text, []) == text

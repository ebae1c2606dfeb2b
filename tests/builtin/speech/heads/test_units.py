from __future__ import annotations

import base64
import json
import re
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlab.api import DataError, FilePath, SeqlabError
from seqlab.builtin.speech.heads.units import (
    UNSEEN,
    BytePairs,
    Characters,
    Phones,
    Units,
    import_sentencepiece,
    read_lexicon,
)

TEXTS = ["one two", "two", "three one one"]
LEXICON = """\
;;; a comment
ONE  W AH N
ONE(2)  HH W AH N
TWO\tT UW
to T UW # as in CMUdict
three TH R IY

four F AO R
"""


@pytest.fixture
def lexicon(tmp_path: Path) -> Path:
    path = tmp_path / "words.dict"
    path.write_text(LEXICON)
    return path


def fitted(units: Units, texts: list[str] = TEXTS) -> Any:
    units.fit(texts)
    return units


def restored(units: Units, blank: Units) -> Any:
    blank.restore(json.loads(json.dumps(units.state())))
    if isinstance(units, BytePairs) and isinstance(blank, BytePairs):
        with tempfile.TemporaryDirectory() as folder:
            units.save(Path(folder))
            blank.load(Path(folder))
    return blank


def test_characters_are_those_of_the_training_split_with_the_space() -> None:
    units = fitted(Characters(), ["ba b", "ä"])
    assert units.names == [" ", "a", "b", "ä"]
    assert units.encode("b ä?") == [3, 1, 4, UNSEEN]
    assert units.decode([3, 1, 4]) == "b ä"
    assert restored(units, Characters()).encode("ba b") == units.encode("ba b")


@given(st.text(alphabet="ab cä☃", max_size=8))
def test_characters_come_back(text: str) -> None:
    units = fitted(Characters(), ["ab cä☃"])
    assert units.decode(units.encode(text)) == text


@pytest.mark.parametrize("units", [Characters(), BytePairs(20)])
def test_texts_without_a_character_are_refused(units: Units) -> None:
    with pytest.raises(SeqlabError, match=r"^head ctc: the texts of the training split hold no character$"):
        units.fit(["", ""])


# --- byte pairs ------------------------------------------------------------------------------------------

LETTERS = sorted(set("".join(TEXTS)) - {" "})


def test_byte_pairs_hold_all_characters_and_as_many_pieces_as_told() -> None:
    units = fitted(BytePairs(12))
    assert len(units.names) == len(set(units.names)) == 12
    assert set(LETTERS) <= set(units.names)
    assert any(len(piece) > 1 for piece in units.names)
    for text in TEXTS:
        ids = units.encode(text)
        assert set(ids) <= set(range(1, 13))
        assert len(ids) < len(text) + 1
        assert units.decode(ids) == text


def test_byte_pairs_are_the_same_for_the_same_texts() -> None:
    assert fitted(BytePairs(12)).state() == fitted(BytePairs(12)).state()


def test_byte_pairs_survive_json_and_decode_without_sentencepiece(monkeypatch: pytest.MonkeyPatch) -> None:
    units = fitted(BytePairs(12))
    ids = units.encode("three two one")
    again = restored(units, BytePairs(12))
    assert again.encode("three two one") == ids
    without = restored(units, BytePairs(12))
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    assert without.decode(ids) == "three two one"
    with pytest.raises(SeqlabError, match=r'pip install "seqlab\[speech\]"$'):
        without.encode("one")


@cache
def learned() -> BytePairs:
    units: BytePairs = fitted(BytePairs(12))
    return units


@given(st.lists(st.integers(1, 12), max_size=10))
def test_any_pieces_decode_as_sentencepiece_would(ids: list[int]) -> None:
    units = restored(learned(), BytePairs(12))
    processor = import_sentencepiece().SentencePieceProcessor(model_proto=units.model)
    assert units.decode(ids) == " ".join(processor.decode(ids).split())


def test_pieces_of_a_package_of_before_they_had_a_file_are_read() -> None:
    units = BytePairs(12)
    units.restore({"pieces": learned().names, "model": base64.b64encode(learned().model).decode()})
    assert units.encode("three two one") == learned().encode("three two one")


def test_a_character_never_seen_is_unseen_and_its_neighbours_are_not() -> None:
    ids = fitted(BytePairs(12)).encode("one ☃ two")
    assert UNSEEN in ids
    assert any(number > 0 for number in ids)
    assert 0 not in ids


def test_a_long_text_is_not_left_out() -> None:
    """By its defaults sentencepiece drops texts of more than 4,192 bytes."""
    units = fitted(BytePairs(12), [*TEXTS, "x" * 5000])
    assert UNSEEN not in units.encode("x")


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (5, "head ctc: units.vocab_size 5 is less than the 8 characters of the training split, each of"),
        (5000, "head ctc: units.vocab_size 5000 cannot be learned from the training split; its texts may "),
    ],
)
def test_a_vocabulary_that_cannot_be_is_refused(size: int, message: str) -> None:
    with pytest.raises(SeqlabError, match=f"^{re.escape(message)}"):
        BytePairs(size).fit(TEXTS)


# --- phones ----------------------------------------------------------------------------------------------


def test_a_lexicon_gives_each_words_first_pronunciation(lexicon: Path) -> None:
    assert read_lexicon(lexicon) == {
        "one": "W AH N",
        "two": "T UW",
        "to": "T UW",
        "three": "TH R IY",
        "four": "F AO R",
    }


def test_phones_are_those_of_the_training_split_and_a_boundary(lexicon: Path) -> None:
    units = fitted(Phones(FilePath(lexicon)))
    assert units.names == [" ", "AH", "IY", "N", "R", "T", "TH", "UW", "W"]
    spelt = [units.names[number - 1] for number in units.encode("One two")]
    assert spelt == ["W", "AH", "N", " ", "T", "UW"]


def test_texts_of_one_word_need_no_boundary(lexicon: Path) -> None:
    units = fitted(Phones(FilePath(lexicon)), ["one", "two"])
    assert " " not in units.names
    assert units.encode("one two").count(UNSEEN) == 1


def test_phones_become_words_again(lexicon: Path) -> None:
    units = fitted(Phones(FilePath(lexicon)))
    for text in TEXTS:
        assert units.decode(units.encode(text)) == text


@pytest.mark.parametrize("frequent", ["two", "to"])
def test_a_pronunciation_is_the_most_frequent_word_of_the_training_split(
    lexicon: Path, frequent: str
) -> None:
    units = fitted(Phones(FilePath(lexicon)), [f"two to {frequent}", "one"])
    assert units.decode(units.encode("two to")) == f"{frequent} {frequent}"


def test_what_is_no_word_is_one_wrong_word(lexicon: Path) -> None:
    units = fitted(Phones(FilePath(lexicon)))
    ids = [units.ids[name] for name in ("T", "W", " ", " ", "T", "UW", " ")]
    assert units.decode(ids) == "T-W two"
    assert units.decode([]) == ""


def test_words_that_the_lexicon_lacks_are_named(lexicon: Path) -> None:
    message = f"head ctc: lexicon {lexicon} lacks 2 of the 3 words of the training split: 'eleven', 'twelve'"
    with pytest.raises(SeqlabError, match=f"^{re.escape(message)}$"):
        Phones(FilePath(lexicon)).fit(["one twelve", "eleven"])
    with pytest.raises(SeqlabError, match=r"lacks 20 of the 20 words .* and 12 more$"):
        Phones(FilePath(lexicon)).fit([" ".join(f"x{number}" for number in range(20))])


def test_a_word_or_a_phone_never_seen_is_unseen(lexicon: Path) -> None:
    units = fitted(Phones(FilePath(lexicon)))
    assert units.encode("eleven") == [UNSEEN]
    assert UNSEEN in units.encode("four")


def test_phones_are_restored_without_the_lexicons_file(lexicon: Path) -> None:
    units = fitted(Phones(FilePath(lexicon)))
    lexicon.unlink()
    again = restored(units, Phones(FilePath(lexicon)))
    assert again.encode("three one") == units.encode("three one")
    assert again.decode(again.encode("three to")) == "three two"


def test_the_lexicons_path_may_hold_a_variable(lexicon: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORDS", str(lexicon.parent))
    assert fitted(Phones(FilePath("${WORDS}/words.dict"))).names
    monkeypatch.delenv("WORDS")
    with pytest.raises(SeqlabError, match=r"^'\$\{WORDS\}/words.dict': .*variable WORDS is not set"):
        Phones(FilePath("${WORDS}/words.dict")).fit(TEXTS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"one W AH N\ntwo\n", ":2: word 'two' has no phones"),
        (b"one # W\n", ":1: word 'one' has no phones"),
        (b"\xe4h EH\n", ":1: a lexicon is UTF-8 text, got the bytes b'\\xe4h EH'"),
    ],
)
def test_a_broken_lexicon_is_named_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "broken.dict"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"^{re.escape(str(path) + message)}$"):
        read_lexicon(path)


def test_a_missing_lexicon_is_named(tmp_path: Path) -> None:
    with pytest.raises(SeqlabError, match=r"^head ctc: cannot read lexicon .*/none: no such file"):
        read_lexicon(tmp_path / "none")


def test_texts_without_words_are_refused(lexicon: Path) -> None:
    with pytest.raises(SeqlabError, match=r"hold no word$"):
        Phones(FilePath(lexicon)).fit([" "])

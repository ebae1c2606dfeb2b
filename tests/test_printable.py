"""What a stranger wrote cannot steer the terminal that shows it."""

from __future__ import annotations

import json
import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from seqlab.printable import printable

BIDI = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}


def test_nothing_that_steers_is_left_and_nothing_else_is_touched() -> None:
    for number in range(sys.maxunicode + 1):
        character = chr(number)
        steers = (
            unicodedata.category(character) in ("Cc", "Cs") or unicodedata.bidirectional(character) in BIDI
        )
        if character in "\t\n":
            assert printable(character) == character
        elif steers:
            assert printable(character) == f"\\u{number:04x}"
        elif character not in "\u061c\u200e\u200f\u2028\u2029":
            assert printable(character) == character


@given(st.text(st.characters()))
def test_json_stays_the_same_data(text: str) -> None:
    for value in (text, {text: [text]}):
        assert json.loads(printable(json.dumps(value, ensure_ascii=False))) == value
    printable(text).encode()  # it can

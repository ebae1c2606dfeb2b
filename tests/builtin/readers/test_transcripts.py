from __future__ import annotations

import pytest

from seqlab.builtin.readers.transcripts import SHOWN, Normalizer


def refused(normalizer: Normalizer, text: str) -> str:
    with pytest.raises(ValueError, match=r"text|character") as caught:
        normalizer(text)
    return str(caught.value)


def test_by_default_only_white_space_and_the_unicode_form_change() -> None:
    assert Normalizer()("  Cafe\u0301,\t\u00a0Über\n") == "Café, Über"


@pytest.mark.parametrize(
    ("normalizer", "text", "result"),
    [
        (Normalizer(unicode=None), "e\u0301", "e\u0301"),
        (Normalizer(unicode="NFKC"), "ﬁve ²", "five 2"),
        (Normalizer(case="lower"), "ÀB c", "àb c"),
        (Normalizer(case="upper"), "ß a", "SS A"),
        (Normalizer(remove=".,!"), "Wait, wait!.", "Wait wait"),
        (Normalizer(remove="."), "a . b", "a b"),
        (Normalizer(replace={"&": " and "}), "a&b", "a and b"),
        (Normalizer(replace={"a": "b", "b": "a"}), "abba", "baab"),
        (Normalizer(replace={"1": "one", "10": "ten"}), "10 1", "ten one"),
        (Normalizer(replace={".": "!"}), "a.b", "a!b"),
        (Normalizer(collapse_spaces=False), " a  b ", " a  b "),
    ],
)
def test_each_step(normalizer: Normalizer, text: str, result: str) -> None:
    assert normalizer(text) == result


def test_the_steps_come_in_their_order() -> None:
    normalizer = Normalizer(unicode="NFKC", case="lower", replace={"mr.": "mister", "₂": "x"}, remove=".m")
    assert normalizer("MR. A.M. ₂") == "ister a 2"


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_nothing_is_no_text(text: str) -> None:
    assert refused(Normalizer(), text) == "the text is empty"


def test_a_text_of_which_nothing_is_left_is_shown() -> None:
    assert refused(Normalizer(remove="?!"), "?! !") == "the text is empty once '?! !' is normalised"


def test_a_character_outside_the_alphabet_is_named_with_its_place() -> None:
    normalizer = Normalizer(case="lower", alphabet="abcdef ")
    assert normalizer("A Bad Cafe") == "a bad cafe"
    assert refused(normalizer, "  a café") == (
        "character 'é' (U+00E9, latin small letter e with acute) at position 6 of 'a café'"
        " is not in the alphabet 'abcdef '"
    )


def test_the_space_belongs_to_the_alphabet_only_where_it_is_listed() -> None:
    assert refused(Normalizer(alphabet="ab"), "a b").startswith(
        "character ' ' (U+0020, space) at position 2 of"
    )


def test_a_control_character_is_refused_without_an_alphabet_and_a_long_text_is_cut() -> None:
    text = "a" * 100 + "\x07" + "b" * 100
    shown = "a" * (SHOWN - 1)
    reason = refused(Normalizer(), text)
    assert reason.startswith("character '\\x07' (U+0007) at position 101 of '..." + shown)
    assert reason.endswith(repr("\x07" + "b" * SHOWN + "...")[1:] + " is a control character")


def test_half_a_character_is_refused() -> None:
    reason = refused(Normalizer(), "ab\ud800")
    assert reason.startswith("character '\\ud800' (U+D800) at position 3 of")
    assert reason.endswith("is half of a character (a lone surrogate)")


def test_normalised_text_is_in_its_normal_form_already() -> None:
    normalizer = Normalizer(unicode="NFKC", case="lower", remove=".,")
    for text in ["A, B. C", "ﬁ  Ü", "x\u0301 Y"]:
        assert normalizer(normalizer(text)) == normalizer(text)

from __future__ import annotations

import pytest

from seqlab.builtin.core.unicode import UnicodeForm
from seqlab.builtin.speech.readers.transcripts import SHOWN, Case, Normalizer


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


def test_letters_may_have_another_case_than_that_of_unicode() -> None:
    turkish = Normalizer(case="lower", case_of={"I": "\u0131", "\u0130": "i"})
    assert turkish("ISPARTA \u0130zmir") == "\u0131sparta izmir"
    assert turkish("I\u0307zmir") == "izmir"  # NFC makes one letter of the two
    assert Normalizer(case="upper", case_of={"i": "\u0130"})("izmir \u0131") == "\u0130ZM\u0130R I"
    assert Normalizer(case="upper", case_of={"\u00df": "\u1e9e"})("gro\u00df") == "GRO\u1e9e"


def test_no_lower_case_makes_a_character_that_was_not_there() -> None:
    assert Normalizer(case="lower")("\u0130zmir") == "izmir"
    assert Normalizer(case="lower", unicode=None)("\u0130") == "i"


def test_the_result_is_in_the_form_whatever_made_it() -> None:
    assert Normalizer(replace={"a": "e\u0301"})("a") == "\u00e9"
    assert Normalizer(remove="-")("e-\u0301") == "\u00e9"


@pytest.mark.parametrize(
    "text",
    ["\u200b", "\ufeff \u2060", "\u00ad", "\u0301", "\u20dd\u200d", "\u3164", "\U000e0041", "\u034f\ufe0f"],
)
def test_a_text_of_what_nobody_sees_is_empty(text: str) -> None:
    assert refused(Normalizer(), text).startswith("the text is empty")
    assert Normalizer()(f"a{text}b")


@pytest.mark.parametrize(
    ("normalizer", "setting", "reason"),
    [
        (
            Normalizer(case="lower", replace={"I": "\u0131"}),
            "replace",
            "holds what `case: lower` changes before; write 'i', or, as letters of Turkish have another case,"
            " case_of: {I: \u0131}",
        ),
        (Normalizer(case="lower", replace={"Mr.": "mister"}), "replace", "write 'mr.'"),
        (Normalizer(case="upper", replace={"\u00df": "SS"}), "replace", "write 'SS'"),
        (
            Normalizer(replace={"e\u0301": "e"}),
            "replace",
            "is not in the form NFC, which comes before; write",
        ),
        (Normalizer(unicode="NFD", replace={"\u00e9": "e"}), "replace", "is not in the form NFD"),
        (Normalizer(unicode="NFKC", replace={"\ufb01": "fi"}), "replace", "is not in the form NFKC"),
        (Normalizer(case="lower", remove="A"), "remove", "write 'a'"),
        (
            Normalizer(case="lower", case_of={"\u212a": "q"}),
            "case_of",
            "(U+212A, kelvin sign), which the form NFC makes 'K' (U+004B, latin capital letter k)",
        ),
        (Normalizer(unicode="NFKD", case="lower", case_of={"\uff29": "\u0131"}), "case_of", "NFKD makes 'I'"),
        (Normalizer(unicode="NFD", case="upper", case_of={"\u0958": "Q"}), "case_of", "makes '\u0915'"),
    ],
)
def test_what_no_text_can_hold_is_found(normalizer: Normalizer, setting: str, reason: str) -> None:
    ((where, _, why),) = normalizer.impossible()
    assert where == setting
    assert reason in why


def test_keys_that_can_match_are_left_alone() -> None:
    signs = {"mr.": "mister", "&": " and ", "\u0301": "", "10": "ten", "\u00e9": "e"}
    assert not list(Normalizer(case="lower", replace=signs, remove=".m").impossible())
    assert not list(Normalizer(unicode=None, replace={"e\u0301": "e"}).impossible())
    assert not list(Normalizer(case="lower", case_of={"I": "\u0131"}, replace={"\u0131": "i"}).impossible())


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD", None])
def test_letters_with_a_case_of_their_own_match_in_every_form(form: UnicodeForm | None) -> None:
    turkish = Normalizer(unicode=form, case="lower", case_of={"I": "\u0131", "\u0130": "i", "\u00c9": "e"})
    assert not list(turkish.impossible())
    assert not list(turkish.undone())
    assert turkish("I\u0130\u00c9") == "\u0131ie"


@pytest.mark.parametrize(
    ("case", "pairs", "undone"),
    [
        ("lower", {"I": "I"}, ("I", "I", "i")),
        ("upper", {"I": "\u0131"}, ("I", "\u0131", "I")),
        ("lower", {"i": "\u0130"}, ("i", "\u0130", "i\u0307")),
    ],
)
def test_what_case_changes_again_is_found(
    case: Case, pairs: dict[str, str], undone: tuple[str, str, str]
) -> None:
    normalizer = Normalizer(case=case, case_of=pairs)
    assert list(normalizer.undone()) == [undone]
    assert normalizer(undone[0]) == undone[2]


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


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD", None])
@pytest.mark.parametrize("text", ["\u0130I", "I\u0307I"])
def test_case_is_that_of_whole_letters_in_every_form(form: UnicodeForm | None, text: str) -> None:
    assert Normalizer(unicode=form, case="lower")(text) == "ii"
    turkish = Normalizer(unicode=form, case="lower", case_of={"I": "\u0131", "\u0130": "i"})
    assert turkish(text) == "i\u0131"

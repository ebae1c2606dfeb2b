"""The text of an utterance: normalised once, when it is read, so that training and scoring see the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

from seqlab.builtin.core.unicode import UnicodeForm

__all__ = ["Case", "Normalizer"]

Case: TypeAlias = Literal["lower", "upper"]

SHOWN = 40
"""Characters of a text that a message shows on either side of the point in question."""

NO_TEXT = {"Cc": "is a control character", "Cs": "is half of a character (a lone surrogate)"}
"""Categories of Unicode that no text may hold."""


DOTTED_I = "\u0130"
"""I with a dot above; its lower case would be i and U+0307, a character that no alphabet has."""

INVISIBLE = ("Cc", "Cf", "Cn", "Cs", "Mc", "Me", "Mn", "Zl", "Zp", "Zs")
"""Categories of what nobody sees alone: formats, what is unassigned, marks without a letter, space."""

FILLERS = "\u115f\u1160\u3164\uffa0"
"""Letters of Hangul that stand for none: the only ones that Unicode lets be ignored."""


@dataclass(frozen=True, kw_only=True)
class Normalizer:
    """Brings texts into one form, in this order, and checks what comes out.

    1. `unicode`: normal form of Unicode (UAX 15), None leaves the text as it is;
    2. `case`: all to lower or to upper case, None keeps it; `case_of` has letters of which the other case is
       not the one of Unicode, as in Turkish;
    3. `replace`: each key by its value, in one pass; where several fit, the longest;
    4. `remove`: each of these characters is taken out;
    5. `collapse_spaces`: any run of white space becomes one space, none at either end.

    The result is in the Unicode form, too. It must hold something that can be seen, no control character and,
    where there is an `alphabet`, no other character than its own.
    """

    unicode: UnicodeForm | None = "NFC"
    case: Case | None = None
    case_of: Mapping[str, str] = field(default_factory=dict)
    replace: Mapping[str, str] = field(default_factory=dict)
    remove: str = ""
    collapse_spaces: bool = True
    alphabet: str | None = None

    def __call__(self, text: str) -> str:
        """Return the text in its normal form; ValueError says what in it is not allowed."""
        done = self._cased(self._formed(text))
        if self.replace:
            done = self._pattern.sub(lambda match: self.replace[match[0]], done)
        done = self._formed(done.translate(self._removed))
        if self.collapse_spaces:
            done = " ".join(done.split())
        if not any(map(is_visible, done)):
            raise ValueError("the text is empty" + (f" once {text!r} is normalised" if text.strip() else ""))
        self._check(done)
        return done

    def impossible(self) -> Iterator[tuple[str, str, str]]:
        """Yield setting, text and reason where a setting names what no text holds by then."""
        for letter in self.case_of:
            whole = self._whole(self._formed(letter))
            if whole != letter:
                made = " and ".join(map(named, whole))
                yield "case_of", letter, f"is {named(letter)}, which the form {self.unicode} makes {made}"
        for setting, texts in (("replace", self.replace), ("remove", self.remove)):
            for text in texts:
                if self._formed(text) != text:
                    written = self._formed(text)
                    why = f"is not in the form {self.unicode}, which comes before; write {written!r}"
                    yield setting, text, why
                elif self._cased(text) != text:
                    yield setting, text, self._cased_away(text)

    def undone(self) -> Iterator[tuple[str, str, str]]:
        """Yield letters, what `case_of` makes of them, and what `case` makes of that."""
        for letter, other in self.case_of.items():
            if self._recased(other) != other:
                yield letter, other, self._recased(other)

    def _cased_away(self, text: str) -> str:
        other = self._cased(text)
        meant = self.replace.get(text, other)
        why = f"holds what `case: {self.case}` changes before; write {other!r}"
        pairs = len(text) == 1 and text.isalpha() and meant != other
        return (
            f"{why}, or, as letters of Turkish have another case, case_of: {{{text}: {meant}}}"
            if pairs
            else why
        )

    def _formed(self, text: str) -> str:
        return unicodedata.normalize(self.unicode, text) if self.unicode else text

    def _cased(self, text: str) -> str:
        return self._formed(self._recased(self._whole(text).translate(self._case_of))) if self.case else text

    def _recased(self, text: str) -> str:
        return text.lower() if self.case == "lower" else text.upper() if self.case == "upper" else text

    def _whole(self, text: str) -> str:
        """Return a text in which letters with a case are one character each.

        A letter and its mark apart have the case of neither: I and U+0307 are one letter. A text that is to
        keep its form keeps it but for letters with a case of their own.
        """
        if self.unicode:
            return unicodedata.normalize("NFC", text)
        for letter in map(chr, self._case_of):
            text = text.replace(unicodedata.normalize("NFD", letter), letter)
        return text

    def _check(self, text: str) -> None:
        for position, sign in enumerate(text, 1):
            if sign in self._allowed:
                continue
            if self.alphabet is not None:
                why = f"is not in the alphabet {self.alphabet!r}"
            elif unicodedata.category(sign) in NO_TEXT:
                why = NO_TEXT[unicodedata.category(sign)]
            else:
                continue
            raise ValueError(
                f"character {named(sign)} at position {position} of {around(text, position)} {why}"
            )

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(map(re.escape, sorted(self.replace, key=len, reverse=True))))

    @cached_property
    def _case_of(self) -> dict[int, str]:
        """The letters with a case of their own, and the one whose lower case Unicode makes two characters."""
        dotted = {DOTTED_I: "i"} if self.case == "lower" else {}
        return {ord(letter): other for letter, other in (dotted | dict(self.case_of)).items()}

    @cached_property
    def _removed(self) -> dict[int, None]:
        return dict.fromkeys(map(ord, self.remove))

    @cached_property
    def _allowed(self) -> frozenset[str]:
        return frozenset(self.alphabet or "")


def is_visible(sign: str) -> bool:
    """Return whether a character is seen where it stands alone."""
    return unicodedata.category(sign) not in INVISIBLE and sign not in FILLERS


def named(sign: str) -> str:
    """Return a character as messages show it: `'é' (U+00E9, latin small letter e with acute)`."""
    name = unicodedata.name(sign, "").lower()
    return f"{sign!r} (U+{ord(sign):04X}{', ' if name else ''}{name})"


def around(text: str, position: int) -> str:
    """Return the text around a position, counted from 1, with `...` where it is cut."""
    start, stop = max(0, position - SHOWN), position + SHOWN
    cut = ("..." if start else "") + text[start:stop] + ("..." if stop < len(text) else "")
    return repr(cut)

"""The kinds of fields that any task may have: text, labels, numbers. Sound has its own in `speech`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from seqlab.api import FieldKind
from seqlab.builtin.core.numbers import Frames, Image, Number, Series, Vector, line_to_try
from seqlab.suggest import shown

__all__ = [
    "KINDS",
    "Frames",
    "Image",
    "Label",
    "LabelSet",
    "Labels",
    "Number",
    "Series",
    "Text",
    "Tokens",
    "Vector",
]


class Text(FieldKind[str]):
    """A string."""

    name = "text"
    parts = "units"
    steps = "characters"
    summary = "a string"
    samples = ("one two", "two", "three one one")
    wrong = ("one", "two", "three one one two")
    unseen = ("☃ ☃", "☃ ☃", "☃ ☃")

    def fault(self, value: Any) -> str:
        """Refuse what is no string."""
        return "" if isinstance(value, str) else f"{shown(value)} where a string is expected"

    def parse(self, line: str) -> str:
        """Return the line."""
        return line

    def trial(self, value: str) -> Mapping[str, Any] | None:
        """Return the text, where it is a line."""
        return line_to_try(value)


class Tokens(FieldKind[Sequence[str]]):
    """A list of strings: words, characters or other symbols, one for each step of the sequence."""

    name = "tokens"
    steps = "tokens"
    of_strings = True
    summary = "a list of strings, one for each step"
    samples = (("the", "dog", "barks"), ("yes",), ("no", ",", "the", "phone", "works"))
    wrong = (("the", "dog", "works"), ("yes",), ("the", ",", "no", "phone", "barks"))
    unseen: Sequence[Any] = (("A", "Ünknöwn", "dogs"), ("☃",), ("Stop", "!", "YES", "too", "."))

    def fault(self, value: Any) -> str:
        """Refuse what is no list of strings."""
        return _strings_fault(value)

    def take(self, given: Any) -> Sequence[str]:
        """Return a list of tokens; a string is refused, since its letters are no tokens."""
        if isinstance(given, str):
            raise TypeError(f"the string {given!r}; give a list of tokens")
        if reason := self.fault(given):
            raise TypeError(reason)
        return tuple(given)

    def outline(self, value: Sequence[str]) -> Any:
        """Return a tuple: lists and tuples of the same tokens are equal."""
        return tuple(value)

    fingerprint = outline

    def to_json(self, value: Sequence[str]) -> list[str]:
        """Return a list."""
        return list(value)

    def to_text(self, value: Sequence[str]) -> str:
        """Return the tokens, apart by one space; nothing stands for one that is missing."""
        return " ".join(token or "" for token in value)

    def parse(self, line: str) -> list[str]:
        """Split at whitespace, which is what Unicode calls so, no-break spaces included."""
        return line.split()

    def trial(self, value: Sequence[str]) -> Mapping[str, Any] | None:
        """Return the tokens, apart by one space, where that is a line that gives them back."""
        line = self.to_text(value)
        return line_to_try(line) if line.split() == list(value) else None


class Labels(Tokens):
    """One label for each token; None where the data has none."""

    name = "labels"
    parts = "labels"
    summary = "one label for each token"
    attribute = "tags"
    annotation = True
    along = "tokens"
    samples = (("DET", "NOUN", "VERB"), ("NOUN",), ("VERB", "DET", "ADJ", "NOUN", "PUNCT"))
    wrong = (("DET", "NOUN", "NOUN"), ("NOUN",), ("VERB", "DET", "NOUN", "NOUN", "VERB"))
    unseen = tuple(("never seen",) * len(labels) for labels in samples)
    lacking = tuple((None,) * len(labels) for labels in samples)

    def fault(self, value: Any) -> str:
        """Refuse what is no list of strings and Nones."""
        return _strings_fault(value, also=type(None))

    def answer_fault(self, value: Any) -> str:
        """Refuse an answer with None in it, too: heads know no missing label."""
        return _strings_fault(value)

    def missing(self, value: Sequence[str | None]) -> int:
        """Count the tokens without a label."""
        return value.count(None)

    def filled(self, value: Sequence[str | None], gold: Sequence[Any]) -> list[str]:
        """Put any label in the place of those that are missing."""
        known = next((label for labels in (value, *gold) for label in labels if label is not None), "_")
        return [known if label is None else label for label in value]


class Label(FieldKind[str | None]):
    """One label for the whole sequence; None where the data has none."""

    name = "label"
    parts = "labels"
    summary = "one label for the whole sequence"
    annotation = True
    samples = ("bad", "good", "bad")
    wrong = ("bad", "bad", "good")
    unseen = ("never seen",) * 3
    lacking = (None,) * 3

    def fault(self, value: Any) -> str:
        """Refuse what is neither a string nor None."""
        fits = value is None or isinstance(value, str)
        return "" if fits else f"{shown(value)} where a label, a string, is expected"

    def answer_fault(self, value: Any) -> str:
        """Refuse None, too."""
        return "" if isinstance(value, str) else f"{shown(value)} where a label, a string, is expected"

    def size(self, value: str | None) -> float:
        """Return 1."""
        return 1.0

    def missing(self, value: str | None) -> int:
        """Count the missing label."""
        return int(value is None)

    def filled(self, value: str | None, gold: Sequence[Any]) -> str:
        """Put any label in the place of one that is missing."""
        return value if value is not None else next((each for each in gold if each is not None), "_")

    def from_json(self, data: Any) -> str | None:
        """Return the label; one that is an integer as its digits."""
        digits = isinstance(data, int) and not isinstance(data, bool)
        return super().from_json(str(data) if digits else data)

    def to_text(self, value: str | None) -> str:
        """Return the label."""
        return "" if value is None else value

    def parse(self, line: str) -> str:
        """Return the line without whitespace around it."""
        return line.strip()


class LabelSet(FieldKind[Collection[str] | None]):
    """Any number of different labels for the whole sequence; None where the data does not say."""

    name = "label_set"
    parts = "sets"
    summary = "any number of labels for the whole sequence"
    attribute = "labels"
    of_strings = True
    annotation = True
    samples = (("news", "sport"), (), ("sport",))
    wrong = (("news",), (), ("news", "sport"))
    unseen = (("never seen",),) * 3
    lacking = (None,) * 3

    def fault(self, value: Any) -> str:
        """Refuse what is neither None nor a collection of different strings."""
        return "" if value is None else self.answer_fault(value)

    def answer_fault(self, value: Any) -> str:
        """Refuse None, too."""
        if isinstance(value, str | Mapping) or not isinstance(value, Collection):
            return f"{shown(value)} where a set of labels is expected"
        others = [each for each in value if not isinstance(each, str)]
        if others:
            return f"a set that holds {shown(others[0])} where labels, strings, are expected"
        twice = len(set(value)) < len(value)
        return f"{shown(value)}, which holds a label twice" if twice else ""

    def size(self, value: Collection[str] | None) -> float:
        """Return 1."""
        return 1.0

    def missing(self, value: Collection[str] | None) -> int:
        """Count a set that the data does not say."""
        return int(value is None)

    def filled(self, value: Collection[str] | None, gold: Sequence[Any]) -> Collection[str]:
        """Put the empty set in the place of one that is missing."""
        return () if value is None else value

    def outline(self, value: Collection[str] | None) -> Any:
        """Return the labels in order."""
        return None if value is None else sorted(value)

    fingerprint = outline

    def to_json(self, value: Collection[str] | None) -> list[str] | None:
        """Return the labels in order."""
        return None if value is None else sorted(value)

    def to_text(self, value: Collection[str] | None) -> str:
        """Return the labels in order, apart by one space."""
        return " ".join(sorted(value or ()))

    def parse(self, line: str) -> list[str]:
        """Split at whitespace."""
        return sorted(set(line.split()))


KINDS: tuple[FieldKind[Any], ...] = (
    Tokens(),
    Labels(),
    Label(),
    LabelSet(),
    Text(),
    Number(),
    Series(),
    Vector(),
    Frames(),
    Image(),
)
"""All of these kinds."""


def _strings_fault(value: Any, *, also: type = str) -> str:
    plain = type(value) in (tuple, list)  # asking an abstract class takes longer than all the rest
    if not plain and (isinstance(value, str) or not isinstance(value, Sequence)):
        return f"{shown(value)} where a list of strings is expected"
    if set(map(type, value)) <= {str}:
        return ""
    other = [each for each in value if not isinstance(each, (str, also))]
    return f"a list that holds {shown(other[0])} where strings are expected" if other else ""

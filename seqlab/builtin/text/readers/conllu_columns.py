"""The ten columns of CoNLL-U, and where in them a word's text and labels stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seqlab.api import did_you_mean, one_of

__all__ = ["COLUMNS", "FORM", "ID", "NO_VALUE", "SPACELESS", "ColumnKey"]

COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
ID, FORM, LEMMA, FEATS, MISC = (COLUMNS.index(name) for name in ("id", "form", "lemma", "feats", "misc"))

NO_VALUE = "_"
"""Stands in a column that holds nothing; of a FEATS or MISC key that is absent, it is the value."""

SPACELESS = tuple(index for index in range(len(COLUMNS)) if index not in (FORM, LEMMA, MISC))
"""Columns in which UD allows no space."""


@dataclass(frozen=True, slots=True)
class ColumnKey:
    """Where a word's value stands: a column, or one key of FEATS or MISC."""

    name: str
    index: int
    key: str = ""

    @classmethod
    def named(cls, name: str) -> ColumnKey:
        """Find `upos`, `feats.Number` or `misc.Gloss`; for a wrong name, a ValueError lists the right ones.

        The column `id` is left out: it numbers the words and carries neither text nor labels.
        """
        column, dot, key = name.partition(".")
        if column not in COLUMNS[1:]:
            hint = did_you_mean(column.lower(), ("feats", "misc") if dot else COLUMNS[1:])
            allowed = f"{one_of(COLUMNS[1:])}, feats.KEY, misc.KEY"
            raise ValueError(f"unknown column {name!r}{hint} ({allowed})")
        index = COLUMNS.index(column)
        if dot and index not in (FEATS, MISC):
            raise ValueError(f"{name!r}: column {column!r} has no keys; only feats and misc have")
        if dot and (not key or any(sign in key for sign in "=| \t")):
            raise ValueError(f"{name!r}: {key!r} is no key; write for instance feats.Number")
        return cls(name, index, key)

    def get(self, row: Sequence[str]) -> str:
        """Return the value in a row of ten columns, that of `Key=` being empty.

        A key of MISC may stand several times, then its values are joined by `|`. Ill-formed FEATS and doubled
        keys in them are a ValueError.
        """
        column = row[self.index]
        if not self.key or column == NO_VALUE:
            return column
        if self.index == FEATS and column.count("=") != column.count("|") + 1:
            raise ValueError(f"feats {column!r} are not pairs Key=Value separated by |")
        prefix = self.key + "="
        if prefix not in column:
            return NO_VALUE
        found = [item[len(prefix) :] for item in column.split("|") if item.startswith(prefix)]
        if len(found) > 1 and self.index == FEATS:
            raise ValueError(f"key {self.key!r} stands twice in {column!r}")
        return "|".join(found) if found else NO_VALUE

    def put(self, row: list[str], value: str | None) -> None:
        """Write `value` into a row of ten columns; `_` takes a key away, FEATS stay sorted as UD wants it.

        None leaves the row as it is.
        """
        if value is None:
            return
        spaceless = self.index in SPACELESS
        empty = not value and not self.key
        if empty or any(sign in value for sign in ("\t\n\r " if spaceless else "\t\n\r")):
            raise ValueError(f"{value!r} cannot stand in column {self.name!r} of CoNLL-U")
        if not self.key:
            row[self.index] = value
        elif value != self.get(row):  # an unchanged column keeps its order, sorted or not
            row[self.index] = self._with_key(row[self.index], value)

    def _with_key(self, column: str, value: str) -> str:
        if self.index == FEATS and any(sign in value for sign in "=|"):
            raise ValueError(f"{value!r} cannot be the value of key {self.name!r}")
        items = [] if column == NO_VALUE else column.split("|")
        kept = [item for item in items if not item.startswith(f"{self.key}=")]  # a bare `Key` is no pair
        if value != NO_VALUE:
            kept += [f"{self.key}={each}" for each in value.split("|")]
        if self.index == FEATS:
            kept.sort(key=lambda item: item.partition("=")[0].lower())
        return "|".join(kept) or NO_VALUE

    def is_missing(self, value: str, form: str) -> bool:
        """Tell whether `_` means that an annotation is lacking.

        In FEATS and MISC it means that there is nothing to say, in FORM and LEMMA of the word `_` itself.
        """
        if value != NO_VALUE or self.index in (FEATS, MISC):
            return False
        return not (self.index in (FORM, LEMMA) and form == NO_VALUE)

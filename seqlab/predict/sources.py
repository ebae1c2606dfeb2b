"""What names input at the command: data of the recipe's reader, or values of the kind that is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

from seqlab.api import DataError, Example, Place, Reader, ReaderContext, Refuse, SeqlabError
from seqlab.building import build_component
from seqlab.plugin import at_example
from seqlab.predict.predictor import Predictor
from seqlab.textfile import BOM, byte_lines, decode, file_name, is_standard_input

__all__ = ["Form", "Sources"]

Form: TypeAlias = Literal["auto", "text", "data"]
"""What files hold: data of the recipe's reader, lines of text, or whichever of both their names tell."""


class Sources:
    """Finds the examples behind the paths that a user gives; what cannot be used goes to `refuse`.

    `data`: all is read by the recipe's reader. `auto`: what is named like the reader's data is read by it;
    the rest is what the kind of the model's input takes it for: a file of one value a line, or files with
    values of their own, such as sound. `text`: every file has one value a line.
    """

    def __init__(self, predictor: Predictor, refuse: Refuse, *, form: Form = "auto") -> None:
        assembly = predictor.assembly
        self.predictor = predictor
        self.refuse = refuse
        self.form = form
        self.kind = next(iter(predictor.inputs.values()))
        self.others = {
            name: kind
            for name, kind in assembly.registry.field_kinds().items()
            if kind.suffixes and kind not in predictor.inputs.values()
        }
        # One of its own: that of the assembly raises what it refuses.
        self.reader: Reader = build_component(
            assembly.registry,
            assembly.recipe.reader,
            ReaderContext(refuse, assembly.registry.field_kinds()),
        )

    def __call__(self, path: Path) -> Iterator[Example]:
        """Yield the examples that a path names."""
        try:
            yield from self._found(path)
        except DataError as error:
            self.refuse(error)

    def _found(self, path: Path) -> Iterator[Example]:
        """Yield the examples; DataError where there is none, or the rest of a file cannot be read."""
        if self.form == "data" or (self.form == "auto" and self._is_data(path)):
            yield from self.reader.read(path, labelled=False)
        elif self.kind.in_files:
            yield from self.kind.examples(path, self.predictor.take, self.refuse)
        else:
            yield from self._lines(path)

    def fault(self, path: Path) -> str:
        """Return why a path cannot hold what the model reads, by its name alone; empty where it may."""
        name = path.name.lower()
        if self._is_named_like_data(path):
            return ""
        for other, kind in self.others.items():
            if name.endswith(kind.suffixes) and self.form == "auto":
                return f"this is named like {other}, but the model reads {self.kind.name}"
        if self.form == "data" and name.endswith(self.kind.suffixes or ("\0",)):
            return f"this is named like {self.kind.name}, not like data; leave out --from data"
        return ""

    def _is_data(self, path: Path) -> bool:
        """Tell whether the reader is to read a path; lists of values are lists, whatever the reader."""
        return self._is_named_like_data(path) and not path.name.endswith(self.kind.list_suffixes or ("\0",))

    def _is_named_like_data(self, path: Path) -> bool:
        return not is_standard_input(path) and path.name.endswith(tuple(self.reader.suffixes))

    def _lines(self, path: Path) -> Iterator[Example]:
        """Yield one example per line; a byte order mark and CRLF line ends are taken off."""
        if len(self.predictor.inputs) > 1:
            fields = ", ".join(self.predictor.inputs)
            raise SeqlabError(
                f"the model reads several fields ({fields}), which lines of text do not tell apart"
            )
        name, number = file_name(path), 0
        for number, line in enumerate(byte_lines(path), 1):
            place = Place(name, number)
            raw = line.removeprefix(BOM) if number == 1 else line
            try:
                example = self._parsed(decode(raw, place), place)
            except DataError as error:
                self.refuse(error)
            else:
                yield example
        if not number:
            raise DataError("empty: one value a line is expected", place=Place(name))

    def _parsed(self, line: str, place: Place) -> Example:
        try:
            parse = getattr(self.reader, "parse", self.kind.parse)
            with at_example(place):
                return replace(self.predictor.take(parse(line)), place=place)
        except (TypeError, ValueError) as error:  # a kind may refuse what it has parsed
            raise DataError(str(error), place=place) from error

"""Kinds of fields: what a field of an example holds, and all that the host has to know of its values.

A kind checks a value, measures it, brings it to and from JSON, and takes it in from a user: a value in
Python, a path at the command. Engine, prediction and command know kinds by this class alone; a plugin adds
one by the hook `seqlab_register_field_kinds`. Kinds import numpy or torch inside their methods, if at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from seqlab.errors import ContractError, DataError, Place

__all__ = ["Calling", "Example", "FieldKind", "Guarded", "Hold", "Piece", "Refuse", "Take"]

V = TypeVar("V")

Refuse = Callable[[DataError], None]
"""What is done with an example that cannot be used: it raises the error, or takes note of it."""


@dataclass(frozen=True, slots=True)
class Example:
    """One sequence as a reader delivers it.

    `fields` maps field names to values, each of its field's kind; `place` is where it starts; `origin` is
    whatever the reader needs to write the example back.
    """

    fields: Mapping[str, Any]
    place: Place
    origin: Any = None


Calling = Callable[[str], AbstractContextManager[None]]
"""Makes the block in which a method of a value is called."""

Hold = Callable[[Callable[[], Any]], Any]
"""Returns what a function returns: from memory, if it has been called before and there was room."""

Take = Callable[[Any], Example]
"""Makes an example of a value that a user hands over, as the model's reader would have read it."""


@dataclass(frozen=True, slots=True)
class Piece(Generic[V]):
    """A stretch of a long value that is answered by itself, positions in the kind's unit.

    It reaches from `start` to `end` of the whole; `value` holds `before` of the piece before it and `after`
    of the next one besides. `last`: the whole ends with it. `blank`: there is nothing in it to answer, so the
    model is not asked.
    """

    value: V
    start: float
    end: float
    last: bool = True
    before: float = 0.0
    after: float = 0.0
    blank: bool = False


class Guarded:
    """A base of what stands for a value whose use runs code of a plugin; `bare` is that value."""

    bare: Any


class FieldKind(Generic[V]):
    """A kind of field; the host uses one instance of each.

    What a subclass must give: `name`, `summary`, `fault`. The rest has defaults that suit values which are
    JSON data themselves.
    """

    name: str
    """What readers, messages and documentation call it: lower-case, like `tokens`."""
    summary: str
    """What a value is, in a few words."""
    attribute: str = ""
    """The name under which a prediction offers an answer of this kind, `tags` say; `name` if empty."""
    annotation: bool = False
    """Whether people add it to data: data without labels lacks such fields, and no featurizer reads them."""
    of_strings: bool = False
    """Whether a value is a list or set of strings, so that a text holds it with something between them."""
    along: str | None = None
    """The kind whose value it annotates part by part: of labels, tokens. Both have equally many parts."""
    steps: str = "steps"
    """What the steps of such a sequence are called, in the plural: `tokens`."""
    parts: str = "parts"
    """What an answer of this kind is made of, in the plural: `labels`."""
    unit: str = "items"
    """What `size` counts."""
    window: float = 65_536
    """The sum of sizes that prediction collects before it answers them: several full batches."""
    window_items: int = 65_536
    """The number of values that prediction collects at most, however small."""
    least_piece: float | None = None
    """The least size that pieces of a long value must be allowed to have; None: values are never cut."""
    suffixes: tuple[str, ...] = ()
    """File-name endings, with the dot, of files that hold one value each."""
    list_suffixes: tuple[str, ...] = ()
    """Those of files that list values; `examples` reads them even where the recipe's reader could."""
    in_files: bool = False
    """Whether values come from files in a way of their own, by `examples`; else from lines, by `parse`."""

    samples: Sequence[Any] = ()
    """Some values, of unequal sizes, for the checks of `seqlab.testing`.

    Those of a kind that annotates another, by `along`, have as many parts as that one's, in the same order.
    """
    wrong: Sequence[Any] = ()
    """As many answers, some of which are wrong; empty where one sample can be the wrong answer to another."""
    unseen: Sequence[Any] = ()
    """As many of which no part occurs in `samples`; empty where that means nothing."""
    lacking: Sequence[Any] = ()
    """As many, as large as those of `samples`, of which every part is missing; empty where none can be."""

    def samples_for(self, config: Any) -> Sequence[V]:
        """Return `samples` as a component with these settings reads them: sound at its sample rate, say."""
        return self.samples

    # --- values ------------------------------------------------------------------------------------------

    def fault(self, value: Any) -> str:
        """Return what is wrong with a value, as `3 (int) where a string is expected`; empty if nothing is."""
        raise NotImplementedError

    def guarded(self, value: V, calling: Calling) -> V:
        """Return a value of a plugin's reader as the host is to use it.

        Where code of the plugin runs when the value is used, it is called in `with calling("method"):`, so
        that what fails there is told with plugin, component and example. Such a stand-in is `Guarded`.
        """
        return value

    def answer_fault(self, value: Any) -> str:
        """Return what is wrong with a value as an answer: gold values may lack what no answer lacks."""
        return self.fault(value)

    def filled(self, value: V, gold: Sequence[Any]) -> V:
        """Return a gold value with something in the place of what is missing, which `gold` ones may show."""
        return value

    def size(self, value: V) -> float:
        """Return how large a value is, in `unit`; by this windows of prediction are bounded."""
        return float(len(value)) if hasattr(value, "__len__") else 1.0

    def missing(self, value: V) -> int:
        """Return how many parts of a gold value the data lacks: no loss and no figure counts them."""
        return 0

    def outline(self, value: V) -> Any:
        """Return what can be said of a value without reading it; equal values have equal outlines."""
        return value

    def fingerprint(self, value: V) -> Any:
        """Return what names a value's content; None where it is drawn anew each time."""
        return value

    def content(self, value: V) -> Any:
        """Return all that a value holds, as JSON data or as an array: of equal values it is equal."""
        return self.to_json(value)

    # --- to and from users -------------------------------------------------------------------------------

    def to_json(self, value: V) -> Any:
        """Return a value as JSON data."""
        return value

    def from_json(self, data: Any) -> V:
        """Return the value that `to_json` returned; ValueError where it is none."""
        if reason := self.fault(data):
            raise ValueError(reason)
        value: V = data
        return value

    def to_text(self, value: V) -> str:
        """Return a value as one piece of text, for a column of a table."""
        return str(self.to_json(value))

    def cell(self, value: V, example: Example) -> str:
        """Return what stands for the value of an example in a column of a table: its text, or its name."""
        return self.to_text(value)

    def record(
        self, field: str, example: Example, answers: Mapping[str, Any], folder: Path
    ) -> dict[str, Any]:
        """Return the keys of a JSON object that say which example was answered.

        `field` is the example's that has this kind, `answers` are keys that are written besides, and paths
        start from `folder`.
        """
        return {field: self.to_json(example.fields[field])}

    def moved(self, example: Example, folder: Path) -> Example:
        """Return the example as data in `folder` holds it, where its values come from files: paths change."""
        return example

    def take(self, given: Any) -> V:
        """Return the value that a user hands over in Python; TypeError or ValueError where it is none."""
        if reason := self.fault(given):
            raise TypeError(reason)
        value: V = given
        return value

    def trial(self, value: V) -> Mapping[str, Any] | None:
        """Return how a user may try a model on this value: `{"line": text}` or `{"arguments": [path]}`.

        None where the command takes in no such value.
        """
        return None

    def is_one(self, given: Any) -> bool:
        """Return whether what a user hands over as many values is clearly a single one."""
        return False

    def parse(self, line: str) -> V:
        """Return the value that a line of text stands for; ValueError where it stands for none."""
        raise ValueError(f"fields of kind {self.name} cannot be given as lines of text")

    def examples(self, path: Path, take: Take, refuse: Refuse) -> Iterator[Example]:
        """Yield the examples that a path names at the command; asked only where `in_files` is true.

        `take` makes the example of a value. What cannot be used goes to `refuse`; `-` is standard input.
        """
        raise NotImplementedError

    # --- augmentation ------------------------------------------------------------------------------------

    def held(self, value: V, hold: Hold) -> V:
        """Return a value whose content, once read, is held in memory where there is room.

        `hold(read)` returns the array that `read()` returns, which is called once as long as it is held.
        """
        return value

    def changed(self, before: V, after: Any, *, keeps_length: bool) -> V:
        """Return what an augmenter made of a value; ContractError where it is none or has another length."""
        if reason := self.fault(after):
            raise ContractError(f"returned {reason}")
        if keeps_length and self.size(after) != self.size(before):
            sizes = f"{self.size(after):g} {self.unit} where {self.size(before):g} are expected"
            raise ContractError(f"returned {sizes}: it says that it keeps lengths")
        value: V = after
        return value

    # --- long values -------------------------------------------------------------------------------------

    def longest(self, seen: float | None) -> float | None:
        """Return how large a value may be that is answered as a whole, None for any size.

        `seen` is the largest of the training, None where nobody knows. Asked where `least_piece` is given.
        """
        return seen

    def pieces(self, value: V, longest: float | None, *, overlap: bool, name: str) -> Iterable[Piece[V]]:
        """Cut a value into pieces of at most `longest`, in `unit`, which may overlap; None does not cut.

        `name` is what messages call a value that has no name of its own. By default a value is one piece.
        """
        return (Piece(value, 0.0, self.size(value)),)

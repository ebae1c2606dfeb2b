"""A trained model in use: values in, predictions out, in the order of the input and in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from numbers import Real
from typing import Any, TypeAlias, TypeVar

from seqlab.api import Answer, DataError, Example, FieldKind, Piece, Place, Prediction, Refuse, SeqlabError
from seqlab.assembly import Assembly
from seqlab.engine import SequenceModel, answer
from seqlab.engine.answering import BATCH
from seqlab.engine.precision import resolve
from seqlab.predict.lengths import longest_seen
from seqlab.settings import Precision

__all__ = ["Predictor", "windows"]

Item = TypeVar("Item")

Part: TypeAlias = tuple[Example, Piece[Any] | DataError]
"""A piece of an example, or why there is none (any more)."""

Answered: TypeAlias = tuple[Example, Piece[Any] | DataError, dict[str, Answer] | None]
"""The same with what the heads answer to the piece; None where they were not asked."""


def _raised(error: DataError) -> None:
    raise error


class Predictor:
    """A model package ready for use; threads may share it.

    An answer depends on the example alone, never on what else is predicted with it, up to rounding. Values
    are taken in as the recipe's reader does for training. `info` is the package's manifest: recipe, metrics,
    versions. `precision` is that of all matrix products, fp32 or bf16; it stays, since the model keeps what
    it has computed from one call to the next.

    Where the kind of what the model reads can be cut and its heads can join pieces, as with sound and text, a
    value longer than `max_segment`, in the kind's unit, is cut; by default at the longest of the training.
    """

    def __init__(
        self,
        assembly: Assembly,
        model: SequenceModel,
        info: Mapping[str, Any],
        *,
        precision: Precision = "fp32",
    ) -> None:
        self.assembly = assembly
        self.model = model.eval()
        self.info = info
        self.precision = resolve(precision, next(self.model.parameters()).device)
        self.inputs: dict[str, FieldKind[Any]] = assembly.inputs
        self.answered: dict[str, FieldKind[Any]] = {
            target: assembly.kinds[target] for target in assembly.heads
        }

    # --- values ------------------------------------------------------------------------------------------

    def __call__(self, *given: Any, max_segment: float | None = None) -> Prediction:
        """Answer one value; several arguments stand for one that is a tuple, as samples and their rate.

        TypeError for what is no value of the kind that the model reads. DataError where it cannot be used.
        """
        example = self.take(given[0] if len(given) == 1 else given)
        (found,) = self.answer([example], max_segment=max_segment)
        return found

    def predict(self, values: Sequence[Any], *, max_segment: float | None = None) -> list[Prediction]:
        """Answer many values; with several input fields, each is a mapping of fields to values."""
        return list(self.stream(values, max_segment=max_segment))

    def stream(
        self, values: Iterable[Any], *, max_segment: float | None = None, window: float | None = None
    ) -> Iterator[Prediction]:
        """Answer a stream of any length in bounded memory, one prediction per value, in order.

        `window`, more than 0, in the unit of the kind that the model reads, is collected before it is
        answered, in batches by length; the kind knows a good one.
        """
        kind = next(iter(self.inputs.values()))
        if (
            isinstance(values, str | bytes | Mapping)
            or not isinstance(values, Iterable)
            or kind.is_one(values)
        ):
            raise TypeError(
                f"expected many values, got one ({type(values).__name__}); call the model with it"
            )
        examples = (self._numbered(given, number) for number, given in enumerate(values))
        return self.answer(examples, max_segment=max_segment, window=window)

    def take(self, given: Any) -> Example:
        """Return the example of a value that a user hands over, as the recipe's reader would have read it.

        With several input fields it is a mapping of fields to values.
        """
        if isinstance(given, Example):
            return self._complete(given)
        take: Callable[[Any], Example] | None = getattr(self.assembly.reader, "take", None)
        (_, kind), *others = self.inputs.items()
        named = isinstance(given, Mapping) and given.keys() >= self.inputs.keys()
        if not (others or named or kind.in_files):
            given = dict.fromkeys(self.inputs, given)
        if take is not None:
            return self._complete(take(given))
        if kind.in_files and not (others or named):
            given = dict.fromkeys(self.inputs, given)
        if not isinstance(given, Mapping):
            raise TypeError(f"the model reads several fields; give a mapping of {', '.join(self.inputs)}")
        if missing := [field for field in self.inputs if field not in given]:
            raise TypeError(f"there is no {missing[0]!r}, which the model reads; got {', '.join(given)}")
        return Example(
            {field: kind.take(given[field]) for field, kind in self.inputs.items()}, Place("value")
        )

    def _complete(self, example: Example) -> Example:
        if missing := [field for field in self.inputs if field not in example.fields]:
            there = ", ".join(example.fields)
            raise SeqlabError(f"the model reads {', '.join(missing)} besides {there}: give it data with all")
        return example

    def _numbered(self, given: Any, number: int) -> Example:
        """Return the example of one value of many, which has a number where it has no place of its own."""
        place = Place(f"sequence {number}")
        try:
            example = self.take(given)
        except DataError as error:
            raise DataError(str(error), place=place) from error
        except TypeError as error:
            raise TypeError(f"{place}: {error}") from error
        return example if example.origin is not None else Example(example.fields, place)

    # --- examples ----------------------------------------------------------------------------------------

    def answer(
        self,
        examples: Iterable[Example],
        *,
        max_segment: float | None = None,
        window: float | None = None,
        refuse: Refuse = _raised,
    ) -> Iterator[Prediction]:
        """Answer a reader's examples, in order; one that cannot be used goes to `refuse` and has no answer.

        TypeError or ValueError where `max_segment` or `window` is no such number.
        """
        kind = next(iter(self.inputs.values()))
        longest = self.max_segment if max_segment is None else self._checked_segment(max_segment)
        limit = kind.window if window is None else _number("window", window, kind.unit)
        most = math.ceil(kind.window_items * min(limit / kind.window, 1.0))
        return self._joined(windows(self._parts(examples, longest), self._size, limit, most), refuse)

    def _joined(self, groups: Iterable[list[Part]], refuse: Refuse) -> Iterator[Prediction]:
        """Yield a prediction as soon as all pieces of an example are answered."""
        kinds = self.inputs | self.answered
        waiting: list[tuple[Piece[Any], dict[str, Answer] | None]] = []
        for group in groups:
            for example, piece, answers in self._answered(group):
                if isinstance(piece, DataError):
                    waiting = []
                    refuse(piece)
                    continue
                if not piece.last:
                    piece = replace(piece, value=None)  # hours of it may be waiting
                waiting.append((piece, answers))
                if piece.last:
                    yield Prediction(example, self._whole(waiting), kinds)
                    waiting = []

    def _parts(self, examples: Iterable[Example], longest: float | None) -> Iterator[Part]:
        """Cut the examples into pieces, one after another."""
        for example in examples:
            if self._cut is None:
                yield example, Piece(None, 0.0, 0.0)
                continue
            try:
                value, name = example.fields[self._cut], str(example.place)
                kind = self.inputs[self._cut]
                for piece in kind.pieces(value, longest, overlap=self._overlap, name=name):
                    yield example, piece
            except DataError as error:
                yield example, _placed(error, example.place)

    def _answered(self, group: Sequence[Part]) -> Iterator[Answered]:
        """Answer the pieces of many examples; a blank one is not the model's business."""
        blank = [isinstance(piece, DataError) or self._passed_over(piece) for _, piece in group]
        asked = [self._read(*part) for part, passed in zip(group, blank, strict=True) if not passed]
        answers = self._answers(asked)
        for (example, piece), passed in zip(group, blank, strict=True):
            yield example, piece, None if passed else next(answers)

    def _read(self, example: Example, piece: Any) -> Example:
        """Return the example with what the model reads of it: a piece of its value, or all of it."""
        if self._cut is None or piece.value is example.fields[self._cut]:
            return example
        return replace(example, fields={**example.fields, self._cut: piece.value})

    def _answers(self, examples: Sequence[Example]) -> Iterator[dict[str, Answer]]:
        """Yield what the heads answer to each example, in batches by length; all are held in memory."""
        if not examples:
            return
        data = self.assembly.encode(self.assembly.normalized(examples), labelled=False)
        decoders = self.assembly.decoders(examples)
        found = answer(
            self.model,
            data,
            BATCH,
            decoders,
            precision=self.precision,
            given=self.assembly.given,
            losses=False,
        )
        for number in range(len(examples)):
            yield {target: each.values[number] for target, each in found.items()}

    def _whole(self, parts: Sequence[tuple[Piece[Any], dict[str, Answer] | None]]) -> dict[str, Answer]:
        """Return the answers to an example of those to its pieces."""
        if not self._joins:
            ((_, answers),) = parts
            assert answers is not None, "no piece is passed over"
            return answers
        pieces = [piece for piece, _ in parts]
        joined = {}
        for target, head in self.assembly.heads.items():
            own = [None if answers is None else answers[target] for _, answers in parts]
            joined[target] = head.join(own, pieces)  # type: ignore[attr-defined]
        return joined

    # --- long values -------------------------------------------------------------------------------------

    @cached_property
    def max_segment(self) -> float | None:
        """How long a value may be that is answered as a whole, in the kind's unit; None: any length.

        The longest of the training, exceptions aside, as far as the package knows and the kind allows.
        """
        return self.inputs[self._cut].longest(self._seen) if self._cut and self._joins else None

    @cached_property
    def _cut(self) -> str | None:
        """The input whose values can be cut into pieces, if it is the only one."""
        (field, kind), *others = self.inputs.items()
        return field if kind.least_piece is not None and not others else None

    @cached_property
    def _joins(self) -> bool:
        """Whether every head can join the answers to pieces."""
        return self._cut is not None and all(hasattr(head, "join") for head in self.assembly.heads.values())

    @cached_property
    def _seen(self) -> float | None:
        return longest_seen(self.info, self._cut, self.inputs[self._cut].unit) if self._cut else None

    @property
    def _overlap(self) -> bool:
        """Whether pieces overlap: where the package says how long the values of the training were."""
        return self._joins and self._seen is not None

    def _passed_over(self, piece: Piece[Any]) -> bool:
        return piece.blank and self._joins

    def _checked_segment(self, max_segment: object) -> float:
        if self._cut is None or not self._joins:
            raise ValueError("max_segment: this model answers every value as a whole")
        kind = self.inputs[self._cut]
        return _number("max_segment", max_segment, kind.unit, kind.least_piece or 0.0)

    def _size(self, part: Part) -> float:
        example, piece = part
        if isinstance(piece, DataError):
            return 0.0
        if self._cut:
            return self.inputs[self._cut].size(piece.value)
        field, kind = next(iter(self.inputs.items()))
        return kind.size(example.fields[field]) if field in example.fields else 0.0


def _number(name: str, value: Any, unit: str, least: float = 0.0) -> float:
    allowed = f"at least {least:g}" if least else "more than 0"
    message = f"{name} must be a number of {unit}, {allowed}, got {value!r}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(message)
    if not float(value) >= least or not value or math.isnan(value):
        raise ValueError(message)
    return float(value)


def _placed(error: DataError, place: Place) -> DataError:
    """Return the error with the place of the example where it names another: its line in a manifest, say."""
    if error.place and error.place.file in (place.file, str(place)):
        return error
    return DataError(str(error), place=place)


def windows(
    items: Iterable[Item], size: Callable[[Item], float], limit: float, most: int
) -> Iterator[list[Item]]:
    """Cut a stream into lists, each closed as soon as its sizes reach `limit` or it holds `most` items.

    Empty items cost memory, too: hence the second bound. Where the stream ends with an error, what came
    before it is yielded first.
    """
    window: list[Item] = []
    room = limit
    try:
        for item in items:
            window.append(item)
            room -= size(item)
            if room <= 0 or len(window) >= most:
                yield window
                window, room = [], limit
    except Exception:
        if window:
            yield window
        raise
    if window:
        yield window

"""What `seqlab predict` does with any model: examples of files or standard input in, written answers out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from seqlab.cli.arriving import answer_arriving
from seqlab.cli.options import tell
from seqlab.errors import DataError, Place
from seqlab.plugin import at_example
from seqlab.suggest import did_you_mean, one_of

if TYPE_CHECKING:
    from seqlab.api import Example, Writer, WriterContext
    from seqlab.lab import Lab
    from seqlab.predict.predictor import Predictor
    from seqlab.predict.sources import Form

__all__ = ["Answering", "check_fits", "writer_named"]

WINDOW_FILES = 256
"""Files of a list on standard input that are collected at most before they are answered."""


def writer_named(lab: Lab, name: str) -> Writer:
    """Return a writer; UsageError where there is none of this name."""
    writers = lab.registry.writers()
    if name not in writers:
        raise click.UsageError(
            f"--to: unknown format {name!r}{did_you_mean(name, writers)}; {one_of(writers)}"
        )
    return writers[name]


def check_fits(lab: Lab, name: str, context: WriterContext) -> None:
    """Refuse a writer that cannot write what the model answers, with those that can."""
    writers = lab.registry.writers()
    if reason := writers[name].fault(context):
        fit = [other for other, writer in writers.items() if not writer.fault(context)]
        raise click.UsageError(f"--to {name} does not fit the model: {reason}; {one_of(fit)}")


@dataclass(kw_only=True)
class Answering:
    """How input is answered: as the options of the command say; counts what is done and left out."""

    predictor: Predictor
    writer: Writer
    context: WriterContext
    form: Form
    max_segment: float | None
    skip: bool
    written: int = 0
    left_out: int = 0

    def __call__(self, paths: Sequence[Path], stream: BinaryIO) -> int:
        """Write the answers to all paths, to standard input as it arrives; return the exit code."""
        from seqlab.predict.sources import Sources
        from seqlab.textfile import is_standard_input

        find = Sources(self.predictor, self.refuse, form=self.form)
        for path in paths:
            if reason := find.fault(path):
                raise click.UsageError(f"{path}: {reason}")
        examples = (example for path in paths for example in find(path))

        def answer(examples: Iterable[Example]) -> None:
            for written in self._written(examples):
                stream.write(written)
                self.written += 1
            stream.flush()

        if any(map(is_standard_input, paths)):
            answer_arriving(examples, answer, size=self._size, limit=self._limit)
        else:
            answer(examples)
        if self.context.first:
            stream.write(self._encoded(self.writer.end(self.context)))
            stream.flush()
        if not self.left_out:
            return 0
        tell(f"{self.left_out} left out, {self.written} answered")
        return DataError.exit_code

    def _written(self, examples: Iterable[Example]) -> Iterable[bytes]:
        predictions = self.predictor.answer(examples, max_segment=self.max_segment, refuse=self.refuse)
        for prediction in predictions:
            try:
                with at_example(prediction.example.place):
                    written = self.writer.write(prediction, self.context)
                    if self.context.first is None:
                        written = self.writer.begin(prediction, self.context) + written
                yield self._encoded(written, prediction.example.place)
                self.context = replace(self.context, first=self.context.first or prediction)
            except DataError as error:
                self.refuse(error)

    def _encoded(self, text: str, place: Place | None = None) -> bytes:
        """Return text as UTF-8, foreign names of files as they are; DataError for what UTF-8 lacks."""
        try:
            return text.encode(errors="surrogateescape")
        except UnicodeEncodeError as error:
            found = f"{error.object[error.start]!r}, which UTF-8 cannot hold"
            raise DataError(f"the output holds {found}; choose jsonl", place=place) from None

    def refuse(self, error: DataError) -> None:
        """Raise the error, or tell of it and go on."""
        if not self.skip:
            raise error
        tell(f"left out: {error}")
        self.left_out += 1

    def _size(self, example: Example) -> int:
        field, kind = next(iter(self.predictor.inputs.items()))
        # To measure a value that is a file would be to read it.
        return 1 if kind.in_files else int(kind.size(example.fields[field]))

    @property
    def _limit(self) -> int:
        kind = next(iter(self.predictor.inputs.values()))
        return WINDOW_FILES if kind.in_files else int(kind.window)

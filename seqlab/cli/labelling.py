"""What `seqlab predict` does with a model that reads tokens: files or standard input in, labels out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from seqlab.cli.arriving import answer_arriving

if TYPE_CHECKING:
    from seqlab.api import Example, Reader
    from seqlab.predict.formats import Writer
    from seqlab.predict.predictor import Predictor

__all__ = ["check_files", "label"]


def check_files(reader: Reader, files: Sequence[Path], source: str) -> None:
    """Refuse sound, of which labels would be found as of any bytes."""
    from seqlab.predict.sounds import is_sound

    for file in files:
        if source == "auto" and is_sound(file) and not _belongs_to(reader, file):
            raise click.UsageError(f"{file}: this is named like sound, but the model reads text")


def label(predictor: Predictor, files: Sequence[Path], source: str, target: str, stream: BinaryIO) -> None:
    """Write the labels of all files to a stream, those of standard input as it arrives."""
    from seqlab.builtin.core.lines import is_standard_input
    from seqlab.predict.predictor import WINDOW_TOKENS, tokens_of

    reader = predictor.assembly.reader

    def answer(examples: Iterable[Example]) -> None:
        for example, labels, _ in predictor.label(examples):
            stream.write(writer_for(example, target, reader)(example, labels).encode())
        stream.flush()

    examples = (example for file in files for example in read(reader, file, source))
    if any(map(is_standard_input, files)):
        answer_arriving(examples, answer, size=tokens_of, limit=WINDOW_TOKENS)
    else:
        answer(examples)


def read(reader: Reader, file: Path, source: str) -> Iterator[Example]:
    """Yield the examples of one file in the format asked for."""
    from seqlab.builtin.core.lines import byte_lines, file_name
    from seqlab.predict.formats import read_text

    if source == "data" or (source == "auto" and _belongs_to(reader, file)):
        yield from reader.read(file, labelled=False)
    else:
        yield from read_text(byte_lines(file), file_name(file))


def writer_for(example: Example, target: str, reader: Reader) -> Writer:
    """Return the function that writes the example; what came from the reader goes back through it."""
    from seqlab.predict.formats import WRITERS

    if target == "conllu" and example.origin is not None:
        return reader.write
    return WRITERS[target]


def _belongs_to(reader: Reader, file: Path) -> bool:
    from seqlab.builtin.core.lines import is_standard_input

    return not is_standard_input(file) and file.name.endswith(tuple(reader.suffixes))

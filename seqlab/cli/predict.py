"""`seqlab predict`: labels for files or standard input, in bounded memory, in the order of the input."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from seqlab.cli.options import device_option, pass_lab, plugin_option, precision_option, threads_option
from seqlab.errors import SeqlabError

if TYPE_CHECKING:
    from seqlab.api import Example, Reader
    from seqlab.lab import Lab
    from seqlab.predict.formats import Writer
    from seqlab.settings import Precision

__all__ = ["predict"]

STANDARD_INPUT = Path("-")


@click.command
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILES|-")
@click.option(
    "--from",
    "source",
    type=click.Choice(["auto", "text", "data"]),
    default="auto",
    show_default=True,
    help="text: one sentence a line, tokens between white space; data: the format that the model was trained"
    " on; auto: data for files with that format's ending (.conllu and .conllu.gz for CoNLL-U), text for all"
    " others and for standard input.",
)
@click.option(
    "--to",
    "target",
    type=click.Choice(["tsv", "jsonl", "conllu"]),
    default="tsv",
    show_default=True,
    help="tsv: a line per token, the token and then one column per head in the recipe's order, an empty line"
    " after each sentence; jsonl: an object per sentence, its key tokens and one key per head, named by its"
    " target, each with a list; conllu: CoNLL-U, each head's labels in the column of its target.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write to this new file, not standard output.")
@device_option
@precision_option
@threads_option
@plugin_option
@pass_lab
def predict(
    lab: Lab,
    model: Path,
    files: tuple[Path, ...],
    *,
    source: str,
    target: str,
    out: Path | None,
    device: str,
    precision: Precision,
    threads: int | None,
) -> None:
    """Label FILES (or `-`, standard input) with MODEL."""
    from seqlab.engine.device import threads as limited

    predictor = lab.open(model, device=device, precision=precision)
    reader = predictor.assembly.reader
    examples = (example for file in files for example in read(reader, file, source))
    with limited(threads), opened(out) as stream:
        for example, labels, _ in predictor.label(examples):
            stream.write(writer_for(example, target, reader)(example, labels).encode())


def read(reader: Reader, file: Path, source: str) -> Iterator[Example]:
    """Yield the examples of one file in the format asked for."""
    from seqlab.predict.formats import read_text

    known = file != STANDARD_INPUT and file.name.endswith(tuple(reader.suffixes))
    if source == "data" or (source == "auto" and known):
        yield from reader.read(file, labelled=False)
    else:
        yield from read_text(lines_of(file), "<stdin>" if file == STANDARD_INPUT else str(file))


def lines_of(file: Path) -> Iterable[bytes]:
    """Yield the lines of a file, or of standard input; DataError where it cannot be read."""
    from seqlab.api import DataError, Place
    from seqlab.builtin.readers.conllu import opened as opened_input

    try:
        with opened_input(file) as stream:
            yield from stream
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", place=Place(str(file))) from error


def writer_for(example: Example, target: str, reader: Reader) -> Writer:
    """Return the function that writes the example; what came from the reader goes back through it."""
    from seqlab.predict.formats import WRITERS

    if target == "conllu" and example.origin is not None:
        return reader.write
    return WRITERS[target]


@contextmanager
def opened(out: Path | None) -> Iterator[BinaryIO]:
    """Open a new file, or standard output; the file is new, and has its name when it is whole.

    SeqlabError where not all of it can be written, on a full disk say; of standard output, `main` says so.
    """
    if out is None:
        if sys.stdout is None:
            raise SeqlabError("standard output: cannot be written: it is closed")
        yield sys.stdout.buffer
        return
    if out.exists():
        raise click.UsageError(f"--out {out}: exists already; choose another name or remove it")
    partial = out.with_name(out.name + ".partial")
    try:
        stream = partial.open("wb")
    except OSError as error:
        raise click.UsageError(f"--out {out}: cannot be written: {error.strerror}") from error
    try:
        with stream:
            yield stream
            stream.flush()
        partial.rename(out)
    except OSError as error:  # of the output only: readers turn theirs into DataError
        partial.unlink(missing_ok=True)
        raise SeqlabError(f"{out}: cannot be written: {error.strerror}") from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise

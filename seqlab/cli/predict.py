"""`seqlab predict`: answers to data and values of any kind, in bounded memory, in the order of the input."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from seqlab.cli.garbage import uncollected
from seqlab.cli.newfile import STANDARD_OUTPUT, new_file, output_path
from seqlab.cli.options import device_option, pass_lab, plugin_option, precision_option, threads_option
from seqlab.errors import SeqlabError

if TYPE_CHECKING:
    from seqlab.lab import Lab
    from seqlab.predict.sources import Form
    from seqlab.settings import Precision

__all__ = ["predict"]


@click.command
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILES|-")
@click.option(
    "--from",
    "source",
    type=click.Choice(["auto", "text", "data"]),
    default="auto",
    show_default=True,
    help="text: one value a line; data: the format that the model was trained on; auto: data for files with"
    " that format's ending, values for all others and for standard input: lines of text, or where the model"
    " reads what comes in files, such files, folders and lists of them.",
)
@click.option(
    "--to",
    "target",
    default="tsv",
    show_default=True,
    metavar="FORMAT",
    help="The format of the answers: tsv, what names a value and then one column per head; jsonl, an object"
    " per value, with what the model reads and one key per head; data, the format that the model was trained"
    " on; or another that a plugin registers. `seqlab components writer` says more.",
)
@click.option(
    "--out",
    callback=output_path,
    metavar="FILE|-",
    help="Write to this new file, not standard output. It has its name when it is whole; what was written"
    " before a failure is kept as FILE.partial.",
)
@click.option(
    "--max-segment",
    type=click.FloatRange(min=0, min_open=True),
    callback=lambda _context, _option, size: a_number(size),
    metavar="SIZE",
    help="A value that is longer is cut into pieces of at most this size, in the unit of what the model reads"
    " (seconds, say), where it can join its answers to them; by default the longest of the training.",
)
@click.option(
    "--on-error",
    type=click.Choice(["fail", "skip"]),
    help="What to do with a value, a list or a folder that cannot be used: stop there (default), or name it"
    " and go on with the next; then the exit code is 4.",
)
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
    source: Form,
    target: str,
    out: Path | None,
    max_segment: float | None,
    on_error: str | None,
    device: str,
    precision: Precision,
    threads: int | None,
) -> int:
    """Answer the values in FILES with MODEL, in their order.

    FILES are data of the format that the model was trained on, text with one value a line, or files, folders
    and lists of what it reads; `-` is standard input.
    """
    with uncollected():
        from seqlab.api import WriterContext
        from seqlab.cli.answering import Answering, check_fits, writer_named
        from seqlab.engine.device import threads as limited

    writer = writer_named(lab, target)  # a misspelt name need not wait for the model
    predictor = lab.open(model, device=device, precision=precision)
    kind = next(iter(predictor.inputs.values()))
    if source == "text" and kind.in_files:
        raise click.UsageError(f"--from text makes no sense here: the model reads {kind.name}")
    if max_segment is not None and predictor.max_segment is None:
        raise click.UsageError("--max-segment makes no sense here: the model answers every value as a whole")
    if max_segment is not None and max_segment < (least := kind.least_piece or 0.0):
        raise click.UsageError(f"--max-segment must be at least {least:g} {kind.unit}, got {max_segment:g}")
    folder = out.parent if out else Path()
    context = WriterContext(predictor.inputs, predictor.answered, predictor.assembly.reader, folder)
    check_fits(lab, target, context)
    answering = Answering(
        predictor=predictor,
        writer=writer,
        context=context,
        form=source,
        max_segment=max_segment,
        skip=on_error == "skip",
    )
    with limited(threads), opened(out) as stream:
        return answering(files, stream)


def a_number(size: float | None) -> float | None:
    """Refuse nan, which is neither below a bound nor above it."""
    if size is not None and math.isnan(size):
        raise click.BadParameter("nan is no number")
    return size


@contextmanager
def opened(out: Path | None) -> Iterator[BinaryIO]:
    """Open a new file, or standard output; SeqlabError where not all of it can be written.

    Of standard output, `main` says so.
    """
    if out not in (None, STANDARD_OUTPUT):
        with new_file(out, "--out") as stream:
            yield stream
    elif sys.stdout is None:
        raise SeqlabError("standard output: cannot be written: it is closed")
    else:
        yield sys.stdout.buffer

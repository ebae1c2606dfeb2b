"""`seqlab predict`: labels of text or text of sound, in bounded memory, in the order of the input."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
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
    help="text: one sentence a line, tokens between white space; data: the format that the model was trained"
    " on; auto: data for files with that format's ending (.conllu and .conllu.gz for CoNLL-U); all others and"
    " standard input are text, or sound and lists of it where the model reads sound.",
)
@click.option(
    "--to",
    "target",
    type=click.Choice(["tsv", "jsonl", "conllu"]),
    default="tsv",
    show_default=True,
    help="tsv: a line per token, the token and then one column per head in the recipe's order, an empty line"
    " after each sentence; jsonl: an object per sentence, its key tokens and one key per head, named by its"
    " target, each with a list; conllu: CoNLL-U, each head's labels in the column of its target. Of sound,"
    " tsv: a line per sound, its path and then one column per head; jsonl: a manifest, an object per sound,"
    " what its own manifest says of it and then audio (its path, relative to the output), text, probability,"
    " duration and segments.",
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
    type=click.FloatRange(min=1.0),
    callback=lambda _context, _option, seconds: a_number(seconds),
    metavar="SECONDS",
    help="Sound that is longer is cut, where it is quiet, into pieces of at most so many seconds; by default"
    " as long as the longest of the training, 20 where the package does not hold that.",
)
@click.option(
    "--on-error",
    type=click.Choice(["fail", "skip"]),
    help="What to do with a sound, a list or a folder that cannot be used: stop there (default), or name it"
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
    source: str,
    target: str,
    out: Path | None,
    max_segment: float | None,
    on_error: str | None,
    device: str,
    precision: Precision,
    threads: int | None,
) -> int:
    """Label the text, or transcribe the sound, of FILES with MODEL.

    Text: files, or `-`, standard input. Sound: files, folders, or lists of paths, which are JSON Lines with
    the key audio (a.jsonl, paths relative to it; `-`, relative to the current folder), or manifests of the
    kind that the model was trained on.
    """
    with uncollected():
        from seqlab.cli.labelling import check_files, label
        from seqlab.cli.transcribing import Transcribing
        from seqlab.engine.device import threads as limited
        from seqlab.predict.predictor import Predictor

    trained = lab.open(model, device=device, precision=precision)
    if isinstance(trained, Predictor):
        unfit({"--max-segment": max_segment is not None, "--on-error": on_error is not None}, "reads text")
        check_files(trained.assembly.reader, files, source)
        with limited(threads), opened(out) as stream:
            label(trained, files, source, target, stream)
        return 0
    unfit({"--from text": source == "text", "--to conllu": target == "conllu"}, "reads sound")
    transcribe = Transcribing(
        data=source == "data",
        target=target,
        folder=out.parent if out else Path(),
        max_segment=max_segment,
        skip=on_error == "skip",
    )
    with limited(threads), opened(out) as stream:
        return transcribe(trained, files, stream)


def a_number(seconds: float | None) -> float | None:
    """Refuse nan, which is neither below a bound nor above it."""
    if seconds is not None and math.isnan(seconds):
        raise click.BadParameter("nan is no number of seconds")
    return seconds


def unfit(options: Mapping[str, bool], why: str) -> None:
    """Refuse an option that was given and has no meaning for the model."""
    for option, given in options.items():
        if given:
            raise click.UsageError(f"{option} makes no sense here: the model {why}")


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

"""`seqlab evaluate`: figures of a saved model on labelled data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seqlab.cli.garbage import uncollected
from seqlab.cli.newfile import STANDARD_OUTPUT, new_file, output_path
from seqlab.cli.options import device_option, pass_lab, plugin_option, precision_option, threads_option
from seqlab.cli.output import say

if TYPE_CHECKING:
    from seqlab.figures import Figures
    from seqlab.lab import Lab
    from seqlab.settings import Precision

__all__ = ["evaluate"]

PARTS = 5
"""Parts of a group, speakers say, that are shown: those with the highest figures."""


@click.command
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--split",
    type=click.Choice(["train", "dev", "test"]),
    default="test",
    show_default=True,
    help="Split of the model's own recipe to use where no DATA is given.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, with every figure, those of parts included."
)
@click.option(
    "--errors",
    callback=output_path,
    metavar="FILE|-",
    help="Write the errors to this new text file, or with - to standard output, behind the figures: totals,"
    " frequent confusions, and every example that holds errors.",
)
@device_option
@precision_option
@threads_option
@plugin_option
@pass_lab
def evaluate(
    lab: Lab,
    model: Path,
    data: tuple[Path, ...],
    *,
    split: str,
    as_json: bool,
    errors: Path | None,
    device: str,
    precision: Precision,
    threads: int | None,
) -> None:
    """Measure MODEL on labelled DATA files, or on a split of the recipe that it was trained with."""
    if as_json and errors == STANDARD_OUTPUT:
        raise click.UsageError("--json and --errors - would both be on standard output; give --errors a file")
    with uncollected():
        from seqlab.engine.device import threads as limited

    measure = partial(lab.evaluate, model, data, split=split, device=device, precision=precision)
    list_errors = partial(lab.list_errors, model, data, split=split, device=device, precision=precision)
    listed = ""
    with limited(threads):
        if errors is None:
            figures = measure()
        elif errors == STANDARD_OUTPUT:
            figures, listed = list_errors()
        else:
            with new_file(errors, "--errors") as stream:
                figures, text = list_errors()
                stream.write(as_bytes(text))
    say(json.dumps(figures, indent=2) if as_json else "\n".join(lines(figures)))
    if listed:
        click.echo(as_bytes(f"\n{listed}"), nl=False)


def lines(figures: Figures) -> Iterator[str]:
    """Yield a line for each figure; for parts of a group, one with the worst of them for each figure."""
    from seqlab.figures import by_group, in_groups

    alone = in_groups(figures, figures.heads)
    shown = {name: value for name, value in figures.items() if name not in alone}
    width = max(map(len, shown), default=0)
    if not shown:
        yield "no figures: no target of the data counts"
    for name, value in shown.items():
        yield f"{name:{width}}  {value:.4f}"
    for (rate, group), parts in by_group(figures, figures.heads).items():
        highest = ", ".join(f"{part} {value:.4f}" for part, value in list(parts.items())[:PARTS])
        more = ", ..." if len(parts) > PARTS else ""
        yield f"{rate} by {group}, {len(parts)} in all, highest first: {highest}{more}"


def as_bytes(text: str) -> bytes:
    """Return a text encoded, with names of files that are not UTF-8 as they are, other surrogates escaped."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace")

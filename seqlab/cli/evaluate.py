"""`seqlab evaluate`: figures of a saved model on labelled data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seqlab.cli.newfile import new_file
from seqlab.cli.options import device_option, pass_lab, plugin_option, precision_option, threads_option

if TYPE_CHECKING:
    from seqlab.lab import Lab
    from seqlab.settings import Precision

__all__ = ["evaluate"]


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
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--errors",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the errors to this new text file: totals, frequent confusions, and every sentence or"
    " utterance that holds errors.",
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
    from seqlab.engine.device import threads as limited

    with limited(threads):
        if errors is None:
            figures = lab.evaluate(model, data, split=split, device=device, precision=precision)
        else:
            with new_file(errors, "--errors") as stream:
                figures, text = lab.list_errors(model, data, split=split, device=device, precision=precision)
                stream.write(text.encode(errors="surrogateescape"))  # of paths that are not UTF-8
    if as_json:
        click.echo(json.dumps(figures, indent=2))
        return
    width = max(map(len, figures))
    for name, value in figures.items():
        click.echo(f"{name:{width}}  {value:.4f}")

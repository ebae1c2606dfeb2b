"""`seqlab generate` and `seqlab dynamic-evaluation`: what language models are for besides answers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from seqlab.api import Example, Place
from seqlab.builtin.core.records import text_lines
from seqlab.printable import printable
from seqlab.textfile import file_name

__all__ = ["dynamic_evaluation", "generate"]


on_device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to compute; auto takes CUDA where there is one.",
)


@click.command
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    help="Text to go on from; several are written side by side. Without one, each line of standard input is.",
)
@click.option(
    "--length", default=200, show_default=True, help="Tokens to write, unless the model ends before."
)
@click.option(
    "--temperature",
    default=1.0,
    show_default=True,
    help="Below 1, likely tokens become likelier; 0 always takes the likeliest.",
)
@click.option("--top-k", type=int, help="Draw from so many of the likeliest tokens only.")
@click.option(
    "--top-p",
    default=1.0,
    show_default=True,
    help="Draw from the fewest likeliest tokens whose probabilities add up to this.",
)
@click.option("--seed", default=0, show_default=True, help="The same seed writes the same text.")
@click.option("--only-new", is_flag=True, help="Leave the prompts out of what is printed.")
@on_device
@click.pass_context
def generate(
    context: click.Context,
    /,
    model: Path,
    prompts: tuple[str, ...],
    *,
    only_new: bool,
    device: str,
    **numbers: Any,
) -> None:
    """Write text with MODEL, a package with the head language_model, from the prompts on.

    A single prompt is written as it comes; of several, each is printed when all are written.
    """
    from seqlab.builtin.text.generation import Sampling, TextGenerator

    try:
        sampling = Sampling(**numbers)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    predictor = context.find_root().obj.lab().open(model, device=device)
    generator = TextGenerator(predictor)
    given = list(_prompts(prompts))
    examples = [Example(predictor.take(text).fields, place) for place, text in given]
    texts = [text for _, text in given]
    if len(texts) == 1:
        click.echo("" if only_new else printable(texts[0]), nl=False)
        for piece in generator.stream(examples[0], sampling):
            click.echo(printable(piece), nl=False)
        click.echo()
        return
    for text, new in zip(texts, generator.write(examples, sampling), strict=True):
        click.echo(printable(new if only_new else text + new))


def _prompts(prompts: tuple[str, ...]) -> Iterator[tuple[Place, str]]:
    """Yield the prompts of the command line, or the lines of standard input, each with its place."""
    if not prompts:
        yield from text_lines(Path("-"), file_name(Path("-")))
    for number, text in enumerate(prompts, 1):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise click.UsageError(f"--prompt {printable(text)!r} is not UTF-8") from None
        yield Place("--prompt", number), text


def finite(rate: float) -> float:
    """Refuse infinity and nan, which no bound keeps out."""
    if not math.isfinite(rate):
        raise click.BadParameter(f"{rate} is no finite number")
    return rate


@click.command("dynamic-evaluation")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--learning-rate",
    default=0.1,
    show_default=True,
    type=click.FloatRange(min=0),
    callback=lambda _context, _option, rate: finite(rate),
    help="Of the gradient step after each stretch; 0 does not learn. Choose it on the dev split.",
)
@click.option(
    "--steps", default=50, show_default=True, type=click.IntRange(min=1), help="Tokens of a stretch."
)
@on_device
@click.pass_context
def dynamic_evaluation(
    context: click.Context, /, model: Path, files: tuple[Path, ...], *, device: str, **numbers: Any
) -> None:
    """Foretell the texts in FILES with MODEL, which learns from each stretch after it has been measured.

    That is dynamic evaluation; the package stays as it is. `seqlab evaluate` measures without learning.
    """
    from seqlab.builtin.text.dynamic_evaluation import dynamic_evaluation as evaluate

    predictor = context.find_root().obj.lab().open(model, device=device)
    reader = predictor.assembly.reader
    examples = [example for path in files for example in reader.read(path)]
    found = evaluate(predictor, examples, **numbers)
    click.echo(f"perplexity          {found.perplexity:.4f}")
    click.echo(f"bits_per_token      {found.bits / found.tokens:.4f}")
    click.echo(f"bits_per_character  {found.bits_per_character:.4f}")

"""`seqlab generate` and `seqlab dynamic-evaluation`: what language models are for besides answers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from seqlab.printable import printable

__all__ = ["dynamic_evaluation", "generate"]


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
@click.option("--device", default="auto", show_default=True, help="Where to compute: auto, cpu or cuda.")
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
    texts = list(prompts) or [line.rstrip("\r\n") for line in sys.stdin]
    generator = TextGenerator(context.find_root().obj.lab().open(model, device=device))
    if len(texts) == 1:
        click.echo("" if only_new else printable(texts[0]), nl=False)
        for piece in generator.stream(texts[0], sampling):
            click.echo(printable(piece), nl=False)
        click.echo()
        return
    for text, new in zip(texts, generator.write(texts, sampling), strict=True):
        click.echo(printable(new if only_new else text + new))


@click.command("dynamic-evaluation")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--learning-rate",
    default=0.1,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Of the gradient step after each stretch; 0 does not learn. Choose it on the dev split.",
)
@click.option(
    "--steps", default=50, show_default=True, type=click.IntRange(min=1), help="Tokens of a stretch."
)
@click.option("--device", default="auto", show_default=True, help="Where to compute: auto, cpu or cuda.")
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

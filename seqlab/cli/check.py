"""`seqlab check`: every problem of a recipe at once, without torch and before any data is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seqlab.cli.options import pass_lab, plugin_option
from seqlab.cli.output import say

if TYPE_CHECKING:
    from seqlab.lab import Lab

__all__ = ["check"]


@click.command
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--resolved", is_flag=True, help="Print the recipe with every default filled in.")
@plugin_option
@pass_lab
def check(lab: Lab, recipe: Path, overrides: tuple[str, ...], *, resolved: bool) -> None:
    """Report every problem of RECIPE (with overrides) as file:line:column, without reading data."""
    checked = lab.check(recipe, overrides)
    if resolved:
        from seqlab.recipe import dump_recipe

        click.echo(dump_recipe(checked.resolved()).encode(), nl=False)
    else:
        say(f"{recipe}: no problems")

"""`seqlab schema`: the JSON Schema of recipes, the installed plugins' components included."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from seqlab.cli.options import pass_lab, plugin_option
from seqlab.cli.output import say

if TYPE_CHECKING:
    from seqlab.lab import Lab

__all__ = ["schema"]


@click.command
@plugin_option
@pass_lab
def schema(lab: Lab) -> None:
    """Print the JSON Schema of recipes, for completion and checks in an editor.

    Components of installed plugins are included.
    """
    from seqlab.recipe import recipe_json_schema

    found = recipe_json_schema(lab.registry.described(), lab.registry.datasets())
    say(json.dumps(found, indent=2, ensure_ascii=False))

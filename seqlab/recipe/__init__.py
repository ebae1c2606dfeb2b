"""Recipes: YAML with positions, typed settings, all problems at once; neither torch nor numpy is loaded."""

from __future__ import annotations

from seqlab.recipe.dumping import dump_recipe
from seqlab.recipe.earlier import load_resolved
from seqlab.recipe.jsonschema import recipe_json_schema
from seqlab.recipe.loading import load_recipe
from seqlab.recipe.reader import load_plain
from seqlab.recipe.schema import Catalogue, ComponentRef, Recipe, Surroundings
from seqlab.recipe.variables import paths_as_written

__all__ = [
    "Catalogue",
    "ComponentRef",
    "Recipe",
    "Surroundings",
    "dump_recipe",
    "load_plain",
    "load_recipe",
    "load_resolved",
    "paths_as_written",
    "recipe_json_schema",
]

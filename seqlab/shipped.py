"""The recipes that come with seqlab, by name, wherever it is installed.

A recipe is one file, NAME.yaml. What it trains on, where that is no sample and no data set, lies beside it in
the folder NAME; the recipe that it extends lies beside it, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from seqlab.errors import SeqlabError
from seqlab.suggest import unknown

__all__ = ["recipe_files", "recipe_named", "recipe_names", "recipe_summary", "recipes_folder"]

PACKAGE = Path(__file__).parent

IN_A_WHEEL = PACKAGE / "builtin" / "recipes"
"""Where the build puts them (`tool.hatch.build.targets.wheel.sources` in pyproject.toml)."""

IN_A_CHECKOUT = PACKAGE.parent / "recipes"


def recipes_folder() -> Path:
    """Return the folder of the recipes; SeqlabError where this installation lacks them."""
    # Beside an installed package lie strangers' files: only beside pyproject.toml are these ours.
    places = [IN_A_WHEEL, *([IN_A_CHECKOUT] if (PACKAGE.parent / "pyproject.toml").is_file() else [])]
    for place in places:
        if place.is_dir():
            return place
    raise SeqlabError(f"{IN_A_WHEEL}: no such folder: this installation lacks its recipes; install it again")


def recipe_names() -> tuple[str, ...]:
    """Return the names of all recipes, sorted."""
    return tuple(sorted(file.stem for file in recipes_folder().glob("*.yaml")))


def recipe_named(name: str) -> Path:
    """Return the file of a recipe; SeqlabError with the nearest name where there is none of this name."""
    names = recipe_names()
    if name not in names:
        raise SeqlabError(unknown("recipe", name, names))
    return recipes_folder() / f"{name}.yaml"


def recipe_summary(name: str) -> str:
    """Return the first line of a recipe's comment, without its full stop."""
    first = recipe_named(name).read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip().removesuffix(".")


def recipe_files(name: str) -> Iterator[Path]:
    """Yield the files that a recipe needs, relative to the folder of recipes: it, its base, their data."""
    from seqlab.recipe import load_plain

    file = recipe_named(name)
    yield Path(file.name)
    data = file.with_suffix("")
    yield from (path.relative_to(data.parent) for path in sorted(data.rglob("*")) if path.is_file())
    base = load_plain(file).get("extends")
    if base is not None:
        yield from recipe_files(Path(base).stem)

"""`seqlab recipes`: list, show and copy the recipes that come with seqlab."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click

from seqlab.errors import SeqlabError
from seqlab.shipped import recipe_files, recipe_named, recipe_names, recipe_summary, recipes_folder
from seqlab.suggest import unknown

__all__ = ["recipes"]


@click.group
def recipes() -> None:
    """List, show and copy the recipes that come with seqlab."""


@recipes.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(*, as_json: bool) -> None:
    """List the recipes, each with its summary."""
    found = {name: recipe_summary(name) for name in recipe_names()}
    if as_json:
        rows = [{"name": name, "summary": summary} for name, summary in found.items()]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    width = max(map(len, found))
    for name, summary in found.items():
        click.echo(f"{name:<{width}}  {summary}")


@recipes.command
@click.argument("name")
def show(name: str) -> None:
    """Print recipe NAME."""
    click.echo(wanted(name).read_text(encoding="utf-8"), nl=False)


@recipes.command
@click.argument("name")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    metavar="FOLDER",
    help="Copy into this folder, made where there is none; the current one by default.",
)
def copy(name: str, folder: Path) -> None:
    """Copy recipe NAME and what it needs into a folder, to run and to change there.

    With it come the recipe that it extends and the data that lie beside it. A file that is there already
    stays as it is: where it differs, nothing is copied.
    """
    wanted(name)
    contents = {folder / file: (recipes_folder() / file).read_bytes() for file in recipe_files(name)}
    try:
        refuse_others(contents, folder)
        write_new(contents)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SeqlabError(f"{error.filename or folder}: cannot be written: {reason}") from error
    click.echo(f"run it: {shlex.join(['seqlab', 'run', str(folder / f'{name}.yaml')])}")


def wanted(name: str) -> Path:
    """Return the file of a recipe; an unknown name is a mistake in the command line."""
    names = recipe_names()
    if name not in names:
        raise click.UsageError(unknown("recipe", name, names))
    return recipe_named(name)


def refuse_others(contents: dict[Path, bytes], folder: Path) -> None:
    """Raise SeqlabError where a file of another content is in the way, before anything is written."""
    others = [path for path, content in contents.items() if taken(path) and not same(path, content)]
    if others:
        names = ", ".join(map(str, others))
        raise SeqlabError(
            f"{names}: exists and differs from what comes with seqlab; nothing is copied."
            " Rename it, or name another folder with --to"
        )


def taken(path: Path) -> bool:
    """Return whether a name is in use, if only by a link to nothing."""
    return path.exists() or path.is_symlink()


def same(path: Path, content: bytes) -> bool:
    """Return whether a path is a file of this content."""
    return path.is_file() and path.read_bytes() == content


def write_new(contents: dict[Path, bytes]) -> None:
    """Write each file that is not there yet, and name it."""
    for path, content in contents.items():
        if taken(path):
            click.echo(f"{path} is there already")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
        click.echo(path)

"""`seqlab data`: the catalogue of data sets, and the cache of features."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from seqlab.cli.options import pass_lab, plugin_option
from seqlab.cli.output import headed, say
from seqlab.datasets import DatasetEntry, data_folders, find_dataset, need_dataset
from seqlab.datasets.getting import whole_dataset
from seqlab.errors import SeqlabError
from seqlab.printable import printable

if TYPE_CHECKING:
    from seqlab.datasets.fetching import DownloadProgress
    from seqlab.lab import Lab

__all__ = ["data"]


@click.group
def data() -> None:
    """List, describe and fetch data sets.

    A set is looked for in $SEQLAB_DATA/NAME, then in the cache: $SEQLAB_CACHE/data/NAME, or the platform's
    folder for caches. A recipe names one with data.dataset.
    """


@data.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plugin_option
@pass_lab
def list_(lab: Lab, *, as_json: bool) -> None:
    """List the data sets of the catalogue, and which of them are on this machine."""
    found = [facts(lab, name) for name in lab.registry.datasets()]
    if as_json:
        say(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for line in table(found):
        say(line)


@data.command
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plugin_option
@pass_lab
def show(lab: Lab, name: str, *, as_json: bool) -> None:
    """Say everything about data set NAME: licence, citation, reader, splits, files."""
    about = facts(lab, entry_of(lab, name).name)
    if as_json:
        say(json.dumps(about, indent=2, ensure_ascii=False))
        return
    for line in about_lines(about):
        say(line)


@data.command
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@plugin_option
@pass_lab
def get(lab: Lab, names: tuple[str, ...]) -> None:
    """Fetch data sets into the cache, check and prepare them; those that are here are only checked.

    What was cut off goes on where it stopped. A set appears under its name when it is complete. Checked are
    its checksums, and that everything is there that its manifests name.
    """
    for entry in [entry_of(lab, name) for name in names]:
        if here := whole_dataset(entry):
            say(f"{entry.name}: is here, and checked: {here}")
            continue
        for line in terms(entry):
            say(line)
        with bars() as progress:
            folder = lab.get_dataset(entry.name, progress)
        say(f"{entry.name}: fetched and checked: {folder}")


@data.command
@click.argument("name")
@plugin_option
@pass_lab
def path(lab: Lab, name: str) -> None:
    """Print the folder of data set NAME."""
    click.echo(os.fsencode(need_dataset(entry_of(lab, name))))


def entry_of(lab: Lab, name: str) -> DatasetEntry:
    """Return an entry of the catalogue; an unknown name is a mistake in the command line."""
    try:
        return lab.registry.dataset(name)
    except SeqlabError as error:
        raise click.UsageError(str(error)) from None


def facts(lab: Lab, name: str) -> dict[str, Any]:
    """Return all that is known of a data set as plain JSON data."""
    entry = lab.registry.dataset(name)
    found = find_dataset(name)
    return {
        **entry.model_dump(mode="json", exclude={"prepare"}),
        "prepared": entry.prepare is not None,
        "plugin": lab.registry.dataset_owner(name),
        "folders": [str(folder) for folder in data_folders(name)],
        "path": None if found is None else str(found),
    }


def table(found: list[dict[str, Any]]) -> Iterator[str]:
    """Yield one aligned line per data set: name, state, summary."""
    width = max((len(one["name"]) for one in found), default=0)
    for one in found:
        state = "here" if one["path"] else "to get" if one["downloads"] else "by hand"
        yield f"{one['name']:<{width}}  {state:<7}  {one['summary']}"


def terms(entry: DatasetEntry) -> Iterator[str]:
    """Yield what a user should know before anything is fetched."""
    yield headed(entry.name, f": {entry.summary}")
    yield f"licence: {entry.licence}"
    yield f"citation: {entry.citation}"
    yield f"origin: {entry.origin}"


def about_lines(about: Mapping[str, Any]) -> Iterator[str]:
    """Yield the description of one data set for people."""
    yield headed(about["name"], f": {about['summary']}")
    for key in ("licence", "citation", "origin", "notes", "plugin"):
        if about[key]:
            yield f"{key}: {about[key]}"
    yield (f"here: {about['path']}" if about["path"] else f"not here: {', '.join(about['folders'])}")
    if about["by_hand"]:
        yield f"by hand: {about['by_hand']}"
    reader = about["reader"]
    yield f"reader: {json.dumps(reader, ensure_ascii=False)}" if reader else "reader: the recipe says which"
    for split, paths in about["splits"].items():
        yield f"{split}: {paths if isinstance(paths, str) else ', '.join(paths)}"
    for download in about["downloads"]:
        checked = f"sha256 {download['sha256']}" if download["sha256"] else "checked when it is prepared"
        yield f"download {download['name']}: {', '.join(download['urls'])} ({checked})"
    for path, sha256 in {**about["files"], **about["extras"], **about["trees"]}.items():
        yield f"file {path}: sha256 {sha256}"


@contextmanager
def bars() -> Iterator[DownloadProgress]:
    """Show the progress of downloads on stderr, one bar per file, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Display

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Display(*columns, console=console, disable=not console.is_terminal) as display:
        tasks: dict[str, TaskID] = {}

        def watch(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = display.add_task(printable(name), total=total)
            display.update(tasks[name], completed=done, total=total)

        yield watch

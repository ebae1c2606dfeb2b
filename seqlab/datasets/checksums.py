"""Whether a data set is what the catalogue says: sha256 of files and folders, and nothing missing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqlab.datasets.entry import DatasetEntry
from seqlab.errors import DataError, Place
from seqlab.openfile import open_regular

__all__ = [
    "Faults",
    "check_dataset",
    "file_sha256",
    "find_faults",
    "has_checksum",
    "tree_sha256",
    "unchecked",
]

MAX_PATH = 4096
"""Longest string of a manifest that may be a path, in characters: PATH_MAX of Linux."""


def file_sha256(path: Path) -> str:
    """Return the sha256 of a regular file's content in hexadecimal; OSError as `open_regular` raises it."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_sha256(folder: Path) -> str:
    """Return one sha256 for all files of a folder and of those below it.

    It is that of the lines `<sha256>  <folder name>/<path>`, as `sha256sum` writes them, sorted as bytes by
    path.
    """
    paths = sorted(
        (path.relative_to(folder.parent).as_posix() for path in folder.rglob("*") if path.is_file()),
        key=str.encode,
    )
    lines = [f"{file_sha256(folder.parent / path)}  {path}\n" for path in paths]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Faults:
    """What in the folder of a data set is not as the catalogue says, and what is missing there, in words."""

    name: str
    folder: Path
    changed: tuple[str, ...]
    missing: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.changed or self.missing)

    def __str__(self) -> str:
        faults = self.changed + self.missing
        more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
        return f"{self.folder}: not the data set {self.name!r}: {'; '.join(faults[:3])}{more}"


def check_dataset(entry: DatasetEntry, folder: Path) -> None:
    """Compare a data set's folder with the catalogue; DataError names everything that differs.

    Compared are the checksums that the catalogue has; what the set's manifests name has to be there.
    """
    if faults := find_faults(entry, folder):
        raise DataError(str(faults))


def find_faults(entry: DatasetEntry, folder: Path) -> Faults:
    """Return how a data set's folder differs from the catalogue.

    Whole folders are compared where no file is known to be missing: what one lacks changes its checksum.
    DataError where a manifest is none.
    """
    changed, missing = [], []
    for path, expected in entry.checksums.items():
        if not (folder / path).is_file():
            missing.append(f"{path} is missing")
        elif (found := file_sha256(folder / path)) != expected:
            changed.append(f"sha256 of {path} is {found}, expected {expected}")
    if entry.manifest_key and not (changed or missing):
        absent = (_absent(folder / path, entry.manifest_key) for path in entry.split_files)
        missing += [words for words in absent if words]
    for path, expected in entry.trees.items():
        if not (folder / path).is_dir():
            missing.append(f"the folder {path} is missing")
        elif not missing and (found := tree_sha256(folder / path)) != expected:
            changed.append(f"sha256 of the folder {path} is {found}, expected {expected}")
    return Faults(entry.name, folder, tuple(changed), tuple(missing))


def unchecked(entry: DatasetEntry, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the files in a folder for which no checksum of the catalogue vouches, and why.

    What splits and manifests name belongs to the set: where it has no checksum, preparing has checked it.
    """
    belonging = _belonging(entry, folder)
    for path in sorted(path for path in folder.rglob("*") if not path.is_dir()):
        name = path.relative_to(folder).as_posix()
        if has_checksum(entry, name) or path.resolve() in belonging:
            continue
        if name not in entry.extras:
            yield name, "the catalogue has no checksum of it"
        elif (found := file_sha256(path)) != entry.extras[name]:
            yield name, f"its sha256 is {found}, expected {entry.extras[name]}"


def has_checksum(entry: DatasetEntry, path: str) -> bool:
    """Return whether a checksum of the catalogue holds for a file, its own or that of a folder it lies in."""
    return path in entry.checksums or any(path.startswith(f"{tree}/") for tree in entry.trees)


def _belonging(entry: DatasetEntry, folder: Path) -> set[Path]:
    """Return what splits name, and every string of a manifest that may be the path of a file, without links.

    DataError for a manifest that names a file elsewhere: it would not be found under the set's final name.
    """
    belonging = {(folder / path).resolve() for path in entry.split_files}
    manifests = [folder / path for path in entry.split_files if entry.manifest_key]
    for manifest in [path for path in manifests if path.is_file()]:
        for number, line in _lines(manifest):
            name = _named(manifest, number, line, entry.manifest_key)
            path = (manifest.parent / name).resolve()
            if Path(name).is_absolute() or not path.is_relative_to(folder.resolve()):
                message = f"names {name!r}, which does not lead from here into the folder of the data set"
                raise DataError(message, place=Place(str(manifest), number))
            belonging.add(path)
            belonging |= {(manifest.parent / text).resolve() for text in _file_names(json.loads(line))}
    return belonging


def _file_names(value: Any) -> Iterator[str]:
    """Yield the strings in a line of a manifest that can be paths: an alignment, a second channel."""
    if isinstance(value, str) and value and len(value) < MAX_PATH and "\0" not in value:
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _file_names(inner)


def _absent(manifest: Path, key: str) -> str:
    """Say how many of the files that a manifest names are not there, and which is the first of them."""
    names = [_named(manifest, number, line, key) for number, line in _lines(manifest)]
    absent = [name for name in names if not (manifest.parent / name).is_file()]
    if not absent:
        return ""
    missing = f"{len(absent):,} of {len(names):,} files that {manifest.name} names are missing"
    return f"{missing}, {absent[0]} is the first"


def _lines(manifest: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a manifest that are not empty, with their numbers."""
    with manifest.open(encoding="utf-8") as lines:
        yield from ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def _named(manifest: Path, number: int, line: str, key: str) -> str:
    """Return the file that a line names; DataError where it names none."""
    try:
        name = json.loads(line)[key]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"names no file under {key!r}", place=Place(str(manifest), number)) from error
    if not isinstance(name, str) or not name or "\0" in name:
        raise DataError(f"names no file under {key!r}", place=Place(str(manifest), number))
    return name

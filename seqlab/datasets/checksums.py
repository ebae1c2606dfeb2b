"""Whether files are what the catalogue says: sha256 of a file, and one sha256 for a whole folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from seqlab.datasets.entry import DatasetEntry
from seqlab.errors import DataError

__all__ = ["check_dataset", "file_sha256", "tree_sha256"]


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's content in hexadecimal."""
    with path.open("rb") as file:
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


def check_dataset(entry: DatasetEntry, folder: Path) -> None:
    """Compare a data set's folder with the catalogue; DataError names everything that differs."""
    faults = list(_faults(entry, folder))
    if faults:
        more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
        raise DataError(f"{folder}: not the data set {entry.name!r}: {'; '.join(faults[:3])}{more}")


def _faults(entry: DatasetEntry, folder: Path) -> Iterator[str]:
    for path, expected in entry.checksums.items():
        if not (folder / path).is_file():
            yield f"{path} is missing"
        elif (found := file_sha256(folder / path)) != expected:
            yield f"sha256 of {path} is {found}, expected {expected}"
    for path, expected in entry.trees.items():
        if not (folder / path).is_dir():
            yield f"the folder {path} is missing"
        elif (found := tree_sha256(folder / path)) != expected:
            yield f"sha256 of the folder {path} is {found}, expected {expected}"

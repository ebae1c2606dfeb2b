"""Whether a data set is what the catalogue says: sha256 of files and folders, and nothing missing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seqlab.datasets.entry import DatasetEntry
from seqlab.errors import DataError, Place

__all__ = ["Faults", "check_dataset", "file_sha256", "find_faults", "tree_sha256", "unchecked"]


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

    What a manifest names belongs to it: where its bytes have no checksum, preparing has checked its sound.
    """
    named = {
        str((folder / path).parent.joinpath(name).relative_to(folder))
        for path in entry.split_files
        if entry.manifest_key and (folder / path).is_file()
        for name in _named(folder / path, entry.manifest_key)
    }
    for path in sorted(path for path in folder.rglob("*") if not path.is_dir()):
        name = path.relative_to(folder).as_posix()
        if (
            name in entry.checksums
            or name in named
            or any(name.startswith(f"{tree}/") for tree in entry.trees)
        ):
            continue
        if name not in entry.extras:
            yield name, "the catalogue has no checksum of it"
        elif (found := file_sha256(path)) != entry.extras[name]:
            yield name, f"its sha256 is {found}, expected {entry.extras[name]}"


def _absent(manifest: Path, key: str) -> str:
    """Say how many of the files that a manifest names are not there, and which is the first of them."""
    names = list(_named(manifest, key))
    absent = [name for name in names if not (manifest.parent / name).is_file()]
    if not absent:
        return ""
    missing = f"{len(absent):,} of {len(names):,} files that {manifest.name} names are missing"
    return f"{missing}, {absent[0]} is the first"


def _named(manifest: Path, key: str) -> Iterator[str]:
    """Yield the file that each line names; DataError where one names none."""
    with manifest.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield json.loads(line)[key]
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"names no file under {key!r}", place=Place(str(manifest), number)) from error

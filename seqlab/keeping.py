"""The files that components keep in a package beside the manifest: a lexicon, a language model.

Each component has a folder of its own below `components`; the manifest holds the checksum of every file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seqlab.api import PackageError
from seqlab.assembly import Assembly
from seqlab.datasets.checksums import file_sha256
from seqlab.openfile import open_regular

__all__ = ["COMPONENTS", "load_files", "save_files"]

COMPONENTS = "components"
"""The folder of a package that holds the components' own."""


def save_files(package: Path, assembly: Assembly) -> dict[str, dict[str, Any]]:
    """Have components write their files into a package; return what the manifest says of each."""
    for name, part in assembly.keepers():
        folder = package / COMPONENTS / name
        folder.mkdir(parents=True)
        part.save(folder)
        if not any(folder.iterdir()):
            folder.rmdir()
    found = {}
    for name, path in _files(package):
        with open_regular(path) as file:
            found[name] = {"sha256": file_sha256(path), "bytes": path.stat().st_size}
            os.fsync(file.fileno())
    return found


def load_files(package: Path, assembly: Assembly, files: Mapping[str, Any]) -> None:
    """Have components read their files, checked against the manifest; PackageError where one is amiss."""
    kept = {name: entry for name, entry in files.items() if name.startswith(f"{COMPONENTS}/")}
    there = dict(_files(package))
    for name in sorted({*kept, *there}):
        if name not in there:
            raise PackageError(f"{package / name}: is missing")
        if name not in kept:
            raise PackageError(f"{package / name}: the manifest does not know this file")
        expected = kept[name].get("sha256") if isinstance(kept[name], dict) else None
        if (digest := file_sha256(there[name])) != expected:
            raise PackageError(f"{package / name}: damaged: sha256 is {digest}, the manifest says {expected}")
    for name, part in assembly.keepers():
        folder = package / COMPONENTS / name
        if folder.is_dir():
            try:
                part.load(folder)
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise PackageError(f"{folder}: a file of this component cannot be read: {reason}") from error


def _files(package: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of components with their names in the manifest.

    PackageError for what is neither a regular file nor a folder: a component would follow a link, and wait at
    a FIFO.
    """
    root = package / COMPONENTS
    inside = [Path(folder, name) for folder, folders, files in os.walk(root) for name in (*folders, *files)]
    for path in [root, *sorted(inside)]:
        if path.is_symlink() or (path.exists() and not (path.is_dir() or path.is_file())):
            raise PackageError(f"{path}: is no regular file")
        if path.is_file():
            yield path.relative_to(package).as_posix(), path

"""The files that a glob names, found within bounds: a stranger may ask for those of the whole disk."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["MAGIC", "Search"]

MAX_ENTRIES = 1_000_000
"""Most files and folders that the globs of one recipe look at."""

MAX_PARTS = 200
"""Most folders that a glob names one below the other."""

MAGIC = re.compile(r"[*?\[]")
"""The characters that make a path a glob."""

ESCAPED = re.compile(r"\[([*?\[])\]")
"""One of them as `glob.escape` writes it: it stands for itself."""


Identity = tuple[int, int]
"""Device and inode of a folder."""


@dataclass
class Search:
    """Looks for the files of globs, and counts what it has looked at for all of them."""

    entries: int = 0

    def files(self, pattern: Path) -> list[Path]:
        """Return the files that an absolute glob matches, sorted.

        As in a shell, `*`, `?` and `[a-z]` match within a name, `**` any folders, and none of them a name
        that begins with a dot. ValueError where too much would be looked at, OSError for a folder that
        cannot be.
        """
        if len(pattern.parts) > MAX_PARTS:
            raise ValueError(f"the path has {len(pattern.parts):,} parts, at most {MAX_PARTS}")
        found = self._below(Path(pattern.anchor), pattern.parts[1:])
        return sorted({path for path in found if not path.is_dir()})

    def _below(self, folder: Path, parts: Sequence[str]) -> Iterator[Path]:
        if not parts:
            yield folder
            return
        part, rest = parts[0], parts[1:]
        if part == "**":
            for inner in self._folders(folder):
                yield from self._below(inner, rest or ("*",))
        elif MAGIC.search(ESCAPED.sub("", part)):
            for path in self._matching(folder, part):
                if not rest or path.is_dir():
                    yield from self._below(path, rest)
        else:
            self._count(folder)
            plain = folder / ESCAPED.sub(r"\1", part)
            if plain.is_dir() if rest else plain.exists():
                yield from self._below(plain, rest)

    def _folders(self, folder: Path) -> Iterator[Path]:
        """Yield a folder and all below it, through links but not into a loop of them."""
        waiting = [(folder, frozenset[Identity]())]
        while waiting:
            folder, above = waiting.pop()
            status = folder.stat()
            identity = status.st_dev, status.st_ino
            if identity not in above:
                yield folder
                inner = self._matching(folder, "*")
                waiting += [(path, above | {identity}) for path in inner if path.is_dir()]

    def _matching(self, folder: Path, part: str) -> list[Path]:
        """Return what a folder holds that one part of a glob matches; nothing where there is none."""
        try:
            matches = re.compile(fnmatch.translate(part)).match
        except re.error as error:
            raise ValueError(f"not a glob: {error}") from error
        hidden = part.startswith(".")
        kept = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._count(folder)
                    if matches(entry.name) and (hidden or not entry.name.startswith(".")):
                        kept.append(folder / entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return kept

    def _count(self, folder: Path) -> None:
        self.entries += 1
        if self.entries > MAX_ENTRIES:
            message = f"more than {MAX_ENTRIES:,} files and folders would be looked at, {folder} was the last"
            raise ValueError(f"{message}; begin the path in a folder nearer to the files")

"""The files that a glob names, found within bounds: a stranger may ask for those of the whole disk."""

from __future__ import annotations

import fnmatch
import logging
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["MAGIC", "Search"]

MAX_ENTRIES = 1_000_000
"""Most files and folders that the globs of one recipe look at."""

TOLD_AT = 100_000
"""After so many of them a line tells what is looked at: the search may take a while."""

MAX_PARTS = 200
"""Most folders that a glob names one below the other."""

MAGIC = re.compile(r"[*?\[]")
"""The characters that make a path a glob."""

ESCAPED = re.compile(r"\[([*?\[])\]")
"""One of them as `glob.escape` writes it: it stands for itself."""


Identity = tuple[int, int]
"""Device and inode of a folder."""

Listing = list[os.DirEntry[str]]
"""What a folder holds."""


@dataclass
class Search:
    """Looks for the files of globs, and counts what it has looked at for all of them."""

    entries: int = 0
    pattern: str = ""
    """The last glob."""
    closed: dict[str, OSError] = field(default_factory=dict)
    """What the last glob could not look at, with the reason."""

    def files(self, pattern: Path) -> list[Path]:
        """Return the files that an absolute glob matches, sorted.

        As in a shell, `*`, `?` and `[a-z]` match within a name, `**` any folders, and none of them a name
        that begins with a dot. A folder that cannot be looked at is passed over and stands in `closed`;
        OSError for it where no file was found. ValueError where too much would be looked at.
        """
        if len(pattern.parts) > MAX_PARTS:
            raise ValueError(f"the path has {len(pattern.parts):,} parts, at most {MAX_PARTS}")
        self.closed, self.pattern = {}, str(pattern)
        found = sorted({Path(path) for path in self._below(pattern.anchor, pattern.parts[1:])})
        for error in self.closed.values() if not found else ():
            raise error
        return found

    def _below(self, folder: str, parts: Sequence[str], listing: Listing | None = None) -> Iterator[str]:
        """Yield the files that the parts of a glob match in a folder, whose listing may be known."""
        if not parts:
            return
        part, rest = parts[0], parts[1:]
        if part == "**":
            for inner, entries in self._folders(folder, listing):
                yield from self._below(inner, rest or ("*",), entries)
        elif MAGIC.search(ESCAPED.sub("", part)):
            for entry in _matching(self._listing(folder) if listing is None else listing, part):
                if rest and _is_folder(entry):
                    yield from self._below(entry.path, rest)
                elif not rest and not _is_folder(entry):
                    yield entry.path
        else:
            yield from self._plain(os.path.join(folder, ESCAPED.sub(r"\1", part)), rest)  # noqa: PTH118 - many

    def _plain(self, path: str, rest: Sequence[str]) -> Iterator[str]:
        """Go on with a name that is no glob."""
        self._count(path)
        try:
            folder = stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116 - many
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            # Permission is that of the folder around it.
            around = os.path.dirname(path) if isinstance(error, PermissionError) else path  # noqa: PTH120
            self.closed.setdefault(around, error)
            return
        if rest and folder:
            yield from self._below(path, rest)
        elif not rest and not folder:
            yield path

    def _folders(self, folder: str, listing: Listing | None) -> Iterator[tuple[str, Listing]]:
        """Yield a folder and all below it with what they hold, through links but not into a loop of them."""
        waiting = [(folder, listing, frozenset[Identity]())]
        while waiting:
            folder, listing, above = waiting.pop()
            try:
                status = os.stat(folder)  # noqa: PTH116 - many
            except OSError as error:
                self.closed[folder] = error
                continue
            identity = status.st_dev, status.st_ino
            if identity in above:
                continue
            listing = self._listing(folder) if listing is None else listing
            yield folder, listing
            inner = [entry.path for entry in _matching(listing, "*") if _is_folder(entry)]
            waiting += [(path, None, above | {identity}) for path in inner]

    def _listing(self, folder: str) -> Listing:
        """Return what a folder holds; nothing where there is none, or where it cannot be looked at."""
        kept: Listing = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._count(folder)
                    kept.append(entry)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            self.closed[folder] = error
        return kept

    def _count(self, folder: str) -> None:
        self.entries += 1
        if self.entries % TOLD_AT == 0:
            logging.getLogger(__name__).warning(
                "%d files and folders have been looked at for %r, %s was the last; at most %d are looked at",
                self.entries,
                self.pattern,
                folder,
                MAX_ENTRIES,
            )
        if self.entries > MAX_ENTRIES:
            message = f"more than {MAX_ENTRIES:,} files and folders would be looked at, {folder} was the last"
            raise ValueError(f"{message}; begin the path in a folder nearer to the files")


def _matching(listing: Listing, part: str) -> Listing:
    """Return what one part of a glob matches."""
    try:
        matches = re.compile(fnmatch.translate(part)).match
    except re.error as error:
        raise ValueError(f"not a glob: {error}") from error
    hidden = part.startswith(".")
    return [entry for entry in listing if matches(entry.name) and (hidden or entry.name[0] != ".")]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder, or a link to one; what cannot be said of it is no."""
    try:
        return entry.is_dir()
    except OSError:
        return False

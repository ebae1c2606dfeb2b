"""What the catalogue says of a data set: where it comes from, what may be done with it, how it is read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from seqlab.settings import Config

__all__ = ["DatasetEntry", "Download"]

PART = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*")
"""One part of a path inside a data set's folder: no `..`, no hidden file, nothing a shell would mind."""

MAX_UNCHECKED = 2 << 30
"""Most bytes of a download whose checksum nobody knows, where its entry says nothing."""

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Url = Annotated[str, Field(pattern="^https?://[^/ ]+/[^ ]*$")]
Paths = Annotated[str | tuple[str, ...], Field(min_length=1)]


class Download(Config):
    """One file that is fetched: from the first of its URLs that delivers it."""

    name: str
    """File name under which it is kept; without a preparation also its name in the set's folder."""
    urls: tuple[Url, ...] = Field(min_length=1)
    """Where it can be had, http or https; mirrors in the order in which they are tried."""
    sha256: Sha256 | None = None
    """Checksum of the file, or None where only what is made of it can be checked."""
    max_bytes: int | None = Field(default=None, ge=1)
    """Most bytes that are fetched: a server that sends more is cut off. None sets no bound where the file has
    a checksum, and one of 2 GiB where it has none."""

    @property
    def most_bytes(self) -> float:
        """The bound on what is fetched, infinite where there is none."""
        return self.max_bytes or (math.inf if self.sha256 else MAX_UNCHECKED)

    @field_validator("name")
    @classmethod
    def _stays_inside(cls, name: str) -> str:
        return inside(name)


class DatasetEntry(Config):
    """One data set of the catalogue.

    It can be downloaded, or says in `by_hand` why not and how to come by it. What is made of a download
    without a checksum of its own is checked by `files` and `trees`. What `manifest_key` leads to has to be
    there, but needs no checksum: not every encoder makes the same bytes of the same sound.
    """

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    """Its name in recipes, and that of its folder."""
    summary: str = Field(min_length=1)
    """What it is, in one line: task, language or domain, size."""
    licence: str = Field(min_length=1)
    """Under which terms it may be used, or that none are stated."""
    citation: str = Field(min_length=1)
    """What to cite: authors, title, year."""
    origin: str = Field(min_length=1)
    """Where it comes from, with the version."""
    reader: Mapping[str, Any] | None = None
    """Reader and its settings as in a recipe (`{"name": "conllu"}`); None leaves it to the recipe."""
    splits: Mapping[Literal["train", "dev", "test"], Paths] = Field(default_factory=dict)
    """Files of each split, relative to the set's folder."""
    manifest_key: str = ""
    """Where the splits are JSON Lines that name a file each, sound say: the key under which they do."""
    downloads: tuple[Download, ...] = ()
    """What is fetched; without `prepare` these files are the set."""
    files: Mapping[str, Sha256] = Field(default_factory=dict)
    """Checksums of files in the set's folder."""
    extras: Mapping[str, Sha256] = Field(default_factory=dict)
    """Checksums of further files: those that are others are left out, with a warning."""
    trees: Mapping[str, Sha256] = Field(default_factory=dict)
    """Checksums of whole folders below it, as `seqlab.datasets.checksums.tree_sha256` makes them."""
    prepare: Callable[[Path, Path], None] | None = None
    """Makes the set out of its downloads: `prepare(folder of the downloads, new empty folder)`."""
    by_hand: str = ""
    """Why `seqlab data get` cannot fetch it, and where it can be had."""
    notes: str = ""
    """What a user should know besides: counts, further files, peculiarities."""

    @field_validator("reader")
    @classmethod
    def _reader_has_a_name(cls, reader: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        if reader is not None and not isinstance(reader.get("name"), str):
            raise ValueError(f"reader needs a 'name', got {dict(reader)}")
        return reader

    @field_validator("splits", "files", "extras", "trees")
    @classmethod
    def _paths_stay_inside(cls, paths: Mapping[str, Any], info: Any) -> Mapping[str, Any]:
        named = paths.values() if info.field_name == "splits" else paths
        for each in named:
            for path in (each,) if isinstance(each, str) else each:
                inside(path)
        return paths

    @model_validator(mode="after")
    def _can_be_had_and_checked(self) -> DatasetEntry:
        if bool(self.downloads) == bool(self.by_hand):
            raise ValueError("needs either downloads or by_hand")
        names = [download.name for download in self.downloads]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two downloads have the name {', '.join(twice)}")
        if self.prepare and not self.downloads:
            raise ValueError("has nothing to prepare: there are no downloads")
        unchecked = [download.name for download in self.downloads if download.sha256 is None]
        checked_later = self.prepare and (self.files or self.trees)
        if unchecked and not checked_later:
            raise ValueError(f"nothing checks {', '.join(unchecked)}: give its sha256, or prepare and files")
        if doubtful := sorted((set(self.split_files) & set(self.extras)) - set(self.checksums)):
            raise ValueError(
                f"{', '.join(doubtful)}: a split cannot be left out; its sha256 belongs in files"
            )
        if self.manifest_key and (unknown := sorted(set(self.split_files) - set(self.checksums))):
            raise ValueError(f"nothing checks {', '.join(unknown)}: a manifest needs its sha256 in files")
        return self

    @property
    def split_files(self) -> tuple[str, ...]:
        """The files of all splits."""
        each = ((paths,) if isinstance(paths, str) else paths for paths in self.splits.values())
        return tuple(path for paths in each for path in paths)

    @property
    def checksums(self) -> dict[str, str]:
        """The sha256 of every file in the set's folder of which it is known, by path."""
        own = {} if self.prepare else {each.name: each.sha256 for each in self.downloads if each.sha256}
        return own | dict(self.files)


def inside(path: str) -> str:
    """Return a path that leads into a folder and nowhere else; ValueError for any other."""
    if not all(PART.fullmatch(part) for part in path.split("/")):
        raise ValueError(f"path {path!r} is not allowed; it must be relative, of letters, digits and '_.+-'")
    return path

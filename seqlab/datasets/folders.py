"""Where data sets lie: below `$SEQLAB_DATA`, otherwise in the cache."""

from __future__ import annotations

import os
from pathlib import Path

from seqlab.datasets.entry import DatasetEntry
from seqlab.errors import DataError

__all__ = ["cache_root", "data_cache", "data_folders", "find_dataset", "need_dataset", "not_here"]

DATA = "SEQLAB_DATA"
CACHE = "SEQLAB_CACHE"


def cache_root() -> Path:
    """Return the folder of everything that can be fetched or computed again; it need not exist.

    That is `$SEQLAB_CACHE`, or the platform's own (`~/.cache/seqlab` on Linux). A relative value starts from
    the current directory; an empty one is as good as none.
    """
    if value := os.environ.get(CACHE):
        return Path.cwd() / value
    from platformdirs import user_cache_path

    return user_cache_path("seqlab", appauthor=False)


def data_cache() -> Path:
    """Return the folder into which `seqlab data get` puts data sets; it need not exist."""
    return cache_root() / "data"


def data_folders(name: str) -> tuple[Path, ...]:
    """Return the folders in which a data set is looked for, in this order: `$SEQLAB_DATA`, the cache."""
    value = os.environ.get(DATA)
    return (*((Path.cwd() / value / name,) if value else ()), data_cache() / name)


def find_dataset(name: str) -> Path | None:
    """Return the folder of a data set, or None where it is not on this machine.

    DataError where a folder may not be looked at: it could be there.
    """
    for folder in data_folders(name):
        try:
            if folder.is_dir():
                return folder
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise DataError(f"{folder}: cannot be looked at: {reason}") from error
    return None


def need_dataset(entry: DatasetEntry) -> Path:
    """Return the folder of a data set; DataError with what to do where it is not on this machine."""
    folder = find_dataset(entry.name)
    if folder is None:
        raise DataError(not_here(entry))
    return folder


def not_here(entry: DatasetEntry) -> str:
    """Return the message that a data set is missing, where it was looked for and how to get it."""
    looked = " and ".join(map(str, data_folders(entry.name)))
    unset = "" if os.environ.get(DATA) else f" ({DATA} is not set)"
    missing = f"data set {entry.name!r} is not on this machine; looked for {looked}{unset}"
    if entry.downloads:
        return f"{missing}; get it with: seqlab data get {entry.name}"
    return f"{missing}; {by_hand(entry)}"


def by_hand(entry: DatasetEntry) -> str:
    """Return why a data set cannot be downloaded, and where to put it."""
    target = f"${DATA}/{entry.name}" if os.environ.get(DATA) else data_folders(entry.name)[-1]
    return f"it cannot be downloaded by seqlab: {entry.by_hand.rstrip('.')}. Place its files in {target}"

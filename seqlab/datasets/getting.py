"""A whole data set: fetched, prepared, checked, and then put under its name at once."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from seqlab.datasets.checksums import check_dataset, find_faults, has_checksum, unchecked
from seqlab.datasets.entry import DatasetEntry
from seqlab.datasets.folders import by_hand, data_cache, find_dataset, not_here
from seqlab.errors import DataError

if TYPE_CHECKING:
    from seqlab.datasets.fetching import DownloadProgress

__all__ = ["get_dataset", "whole_dataset"]

AGAIN = "remove or rename that folder and get it again"
"""What helps where a folder is not to be completed, or cannot be."""


def unwatched(name: str, done: int, total: int | None) -> None:
    """Be the progress that nobody looks at."""


def get_dataset(entry: DatasetEntry, progress: DownloadProgress = unwatched) -> Path:
    """Return the folder of a data set, checked; one that is not on this machine is fetched into the cache.

    Checked is what `seqlab.datasets.checksums.check_dataset` says. The folder appears under its name when
    everything in it is complete and right. One in the cache that lacks files is fetched again, and completed.
    DataError where that cannot be; what has arrived is kept for the next try.
    """
    found = whole_dataset(entry)
    if found is None:
        with _alone(entry.name):
            # Another process may have fetched it while this one looked.
            found = whole_dataset(entry) or _Getting(entry, progress).get()
    return found


def whole_dataset(entry: DatasetEntry) -> Path | None:
    """Return the folder of a data set, checked; None where it has to be fetched first.

    So it has where there is none, and where the one in the cache lacks files. DataError for a folder with
    other faults, for one below `$SEQLAB_DATA`, and for a set that cannot be fetched.
    """
    folder = find_dataset(entry.name)
    if folder is None:
        if not entry.downloads:
            raise DataError(not_here(entry))
        return None
    faults = find_faults(entry, folder)
    if not faults:
        return folder
    if faults.missing and not faults.changed and entry.downloads and folder == data_cache() / entry.name:
        return None
    raise DataError(f"{faults}; {AGAIN if entry.downloads else by_hand(entry)}")


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Hold the download of a data set alone; DataError where another process does."""
    with _disk_named():
        folder = data_cache() / ".downloads"
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        with _disk_named():
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DataError(f"data set {name!r}: another process is getting it; wait for that") from None
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _disk_named() -> Iterator[None]:
    """Say which file the disk refused, and what helps."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        where = error.filename or data_cache()
        message = f"{where}: cannot be written: {reason}; SEQLAB_CACHE names another folder for downloads"
        raise DataError(message) from error


class _Getting:
    """The way of one data set into the cache: downloads, then a new folder, then its name."""

    def __init__(self, entry: DatasetEntry, progress: DownloadProgress) -> None:
        self.entry = entry
        self.progress = progress
        self.downloads = data_cache() / ".downloads" / entry.name
        self.new = data_cache() / ".partial" / entry.name
        self.folder = data_cache() / entry.name

    def get(self) -> Path:
        """Fetch, prepare, check and name the set; return its folder."""
        with _disk_named():
            self._fetch()
            try:
                self._make()
                self._name()
            finally:
                shutil.rmtree(self.new, ignore_errors=True)
            shutil.rmtree(self.downloads, ignore_errors=True)
        return self.folder

    def _fetch(self) -> None:
        from seqlab.datasets.fetching import fetch

        self.downloads.mkdir(parents=True, exist_ok=True)
        for download in self.entry.downloads:
            fetch(download, self.downloads, self.progress)

    def _make(self) -> None:
        shutil.rmtree(self.new, ignore_errors=True)
        self.new.mkdir(parents=True)
        try:
            if self.entry.prepare:
                self.entry.prepare(self.downloads, self.new)
            else:
                self._copy()
            check_dataset(self.entry, self.new)
            self._leave_out_unchecked()
        except FileNotFoundError as error:
            self._forget_unchecked()
            message = f"{error.filename} is not among its downloads"
            raise DataError(f"data set {self.entry.name!r} cannot be prepared: {message}") from error
        except DataError as error:
            self._forget_unchecked()
            raise DataError(f"data set {self.entry.name!r} cannot be prepared: {error}") from error

    def _copy(self) -> None:
        for download in self.entry.downloads:
            target = self.new / download.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.downloads / download.name, target)

    def _leave_out_unchecked(self) -> None:
        """Remove files that no checksum vouches for, where the entry says which others belong to the set.

        Without a `manifest_key` only files of other bytes than its `extras` are known not to belong: anything
        else may be what a split names in a way that only its reader knows, and stays, with a warning.
        """
        if all(download.sha256 for download in self.entry.downloads):
            return
        log, kept = logging.getLogger(__name__), []
        for path, reason in list(unchecked(self.entry, self.new)):
            if not self.entry.manifest_key and path not in self.entry.extras:
                kept.append(path)
                continue
            (self.new / path).unlink()
            log.warning("data set %r: %s is left out: %s", self.entry.name, path, reason)
        kept += [path for path in self.entry.split_files if not has_checksum(self.entry, path)]
        if kept:
            more = f" and {len(kept) - 1:,} more files" if len(kept) > 1 else ""
            message = "data set %r: the catalogue has no checksum of %s%s; what was fetched is taken as it is"
            log.warning(message, self.entry.name, min(kept), more)
        check_dataset(self.entry, self.new)

    def _forget_unchecked(self) -> None:
        """Remove downloads that may be at fault: those without a checksum of their own."""
        for download in self.entry.downloads:
            if download.sha256 is None:
                (self.downloads / download.name).unlink(missing_ok=True)

    def _name(self) -> None:
        """Put the new folder under its name, once all of it is on the disk."""
        for path in [*self.new.rglob("*"), self.new]:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        if self.folder.is_dir():
            self._complete()
        else:
            self.new.rename(self.folder)

    def _complete(self) -> None:
        """Put the files of the new folder into the one that lacks some; what else it holds stays."""
        for path in [path for path in self.new.rglob("*") if path.is_file()]:
            target = self.folder / path.relative_to(self.new)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
        if faults := find_faults(self.entry, self.folder):
            raise DataError(f"{faults}; {AGAIN}")

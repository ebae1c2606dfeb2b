"""Frames of features kept on the disk: computed once, read back memory-mapped, never trusted unchecked.

    <cache>/features/<what the frames depend on>/<which sounds>.frames

One folder per settings, library versions included; one file for many sounds. A file is written under another
name and renamed, so processes may write and read side by side: they see a whole file or none. Files never
change; what two processes compute at once is stored twice at worst. Every file and every sound in it has a
checksum, so nothing need be forced to the disk: what a crash or a full disk leaves is found out and computed
again.

File format: magic, checksum and length of the header; the header, JSON; the frames of all sounds one after
another, little-endian float32. The header holds the settings and, per sound, fingerprint, frames, checksum.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import struct
import zlib
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seqlab.api import SeqlabError
from seqlab.builtin.speech.featurizers.frames import Frames
from seqlab.datasets.folders import cache_root
from seqlab.openfile import PARTIAL, create_new, open_regular, partial_name

__all__ = ["CacheInfo", "FeatureCache", "cache_folder", "cache_info", "clear_cache"]

ENDING = ".frames"

PREAMBLE = struct.Struct("<8sIQ")
"""Magic, checksum of the header, bytes of the header."""

MAGIC = b"SEQLABF1"

MAX_HEADER = 16 << 20
"""Bytes of the largest header that is read; one of `_write` has about 100 for each sound."""

FLOAT = np.dtype("<f4")


# --- the folder as a whole -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class CacheInfo:
    """What a cache holds: where it is, how many sounds' frames in how many files, and their bytes."""

    path: Path
    entries: int
    files: int
    size: int


def cache_folder() -> Path:
    """Return where frames are kept: `$SEQLAB_CACHE/features`, or below the platform's folder for caches."""
    return cache_root() / "features"


def cache_info() -> CacheInfo:
    """Look through the cache; broken files count with no entries."""
    folder = cache_folder()
    entries = files = size = 0
    for path in _files(folder):
        with suppress(OSError):  # another process may be clearing it
            size += path.stat().st_size
            files += 1
            with suppress(_BrokenError):
                entries += len(_read_header(path)["sounds"])
    return CacheInfo(path=folder, entries=entries, files=files, size=size)


def clear_cache() -> CacheInfo:
    """Remove all frames and return what was there; SeqlabError where a file cannot be removed.

    Runs that are reading them go on. Files that are not the cache's stay.
    """
    info = cache_info()
    try:
        for path in _files(info.path):
            path.unlink(missing_ok=True)
            with suppress(OSError):  # not empty yet, or gone
                path.parent.rmdir()
    except OSError as error:
        raise SeqlabError(
            f"cache {info.path}: {error.filename}: cannot be removed: {error.strerror}"
        ) from error
    return info


def _files(folder: Path) -> list[Path]:
    """Return the cache's files, those that a crash left half written included."""
    paths = folder.glob("*/*")
    ours = (path for path in paths if path.name.endswith((ENDING, PARTIAL)) and not path.parent.is_symlink())
    return sorted(ours)


# --- the frames of one choice of settings -------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """The frames of one sound in a file; `rows` is how many the file holds in all."""

    path: Path
    offset: int
    rows: int
    first: int
    count: int
    checksum: int


class FeatureCache:
    """The frames of many sounds for one choice of settings.

    `identity`, plain JSON data, holds all that frames depend on besides the sound, `size` is the number of
    their features. Where the folder cannot be written, one warning is logged and nothing is kept.
    """

    def __init__(self, identity: Mapping[str, Any], size: int) -> None:
        self.identity = {**identity, "features": size}
        self.size = size
        name = json.dumps(self.identity, sort_keys=True).encode()
        self.folder = cache_folder() / _digest(name)
        self._index: dict[str, _Entry] = {}
        self._known: set[str] = set()
        self._writable = True

    def find(self, fingerprints: Collection[str]) -> dict[str, Frames]:
        """Return the frames that are there and whole, (time, size) each, as views of mapped files."""
        self._look_for_files()
        wanted: dict[Path, dict[str, _Entry]] = {}
        for fingerprint in fingerprints:
            if entry := self._index.get(fingerprint):
                wanted.setdefault(entry.path, {})[fingerprint] = entry
        found: dict[str, Frames] = {}
        for path, entries in wanted.items():
            try:
                found |= self._mapped(entries)
            except ValueError:  # cut since its header was read
                self._forget(path)
            except OSError:  # cleared by another process
                self._drop(path)
        return found

    def add(self, frames: Mapping[str, Frames]) -> dict[str, Frames]:
        """Keep frames by fingerprint, in one file; return the same, where possible as views of that file."""
        if self._writable:
            try:
                self._write(frames)
            except OSError as error:
                self._writable = False
                logging.getLogger(__name__).warning(
                    "features are not kept: %s cannot be written: %s", self.folder, error.strerror or error
                )
            else:
                return {**frames, **self.find(frames.keys())}
        return dict(frames)

    def _mapped(self, entries: Mapping[str, _Entry]) -> dict[str, Frames]:
        """Return the frames of entries of one file; a sound whose checksum is wrong condemns the file."""
        any_entry = next(iter(entries.values()))
        shape = (any_entry.rows, self.size)
        mapped = np.memmap(any_entry.path, dtype=FLOAT, mode="r", offset=any_entry.offset, shape=shape)
        rows = np.asarray(mapped)
        found: dict[str, Frames] = {}
        for fingerprint, entry in entries.items():
            frames = rows[entry.first : entry.first + entry.count]
            if _checksum(fingerprint, frames) != entry.checksum:
                self._forget(entry.path)
                break
            found[fingerprint] = frames
        return found

    def _write(self, frames: Mapping[str, Frames]) -> None:
        sounds = [[name, len(each), _checksum(name, each)] for name, each in frames.items()]
        header = json.dumps({"settings": self.identity, "sounds": sounds}).encode()
        # Padded, so that the frames are aligned in memory.
        header += b" " * (-(PREAMBLE.size + len(header)) % FLOAT.itemsize)
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.folder.is_symlink():
            raise OSError(errno.ELOOP, "it is a link, and no link is written through", str(self.folder))
        # Named by the checksums in it: what two processes write under one name is the same.
        path = self.folder / (_digest(header) + ENDING)
        partial = partial_name(path)
        try:
            with create_new(partial) as file:
                file.write(PREAMBLE.pack(MAGIC, zlib.crc32(header), len(header)))
                file.write(header)
                for each in frames.values():
                    file.write(_bytes(each))
            partial.replace(path)
        except BaseException:
            with suppress(OSError):  # the error to tell is the first one
                partial.unlink(missing_ok=True)
            raise

    def _look_for_files(self) -> None:
        """Enter the files that other processes have added into the index."""
        for path in _listed(self.folder):
            if path.name not in self._known and path.name.endswith(ENDING):
                self._known.add(path.name)
                try:
                    self._enter(path)
                except _BrokenError:
                    self._forget(path)
                except OSError:  # cleared by another process, or not for us to read
                    continue

    def _enter(self, path: Path) -> None:
        header = _read_header(path)
        if header["settings"] != self.identity:
            raise _BrokenError(path)
        rows = sum(count for _, count, _ in header["sounds"])
        if path.stat().st_size != header["offset"] + rows * self.size * FLOAT.itemsize:
            raise _BrokenError(path)
        first = 0
        for fingerprint, count, checksum in header["sounds"]:
            self._index[fingerprint] = _Entry(
                path=path,
                offset=header["offset"],
                rows=rows,
                first=first,
                count=count,
                checksum=checksum,
            )
            first += count

    def _forget(self, path: Path) -> None:
        """Remove a file that is broken, so that its sounds are computed and written again."""
        with suppress(OSError):  # not ours to remove: its sounds are computed every time
            path.unlink(missing_ok=True)
        self._drop(path)

    def _drop(self, path: Path) -> None:
        self._known.discard(path.name)
        self._index = {name: entry for name, entry in self._index.items() if entry.path != path}


class _BrokenError(Exception):
    """A file of the cache is not what it should be."""


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # no folder yet, or not for us to read
        return []


def _read_header(path: Path) -> dict[str, Any]:
    """Return a file's header with the `offset` of its frames; _BrokenError where it is not whole."""
    with open_regular(path) as file:
        preamble = file.read(PREAMBLE.size)
        if len(preamble) < PREAMBLE.size:
            raise _BrokenError(path)
        magic, checksum, length = PREAMBLE.unpack(preamble)
        # Looked at before it is read: a broken length could ask for any amount of memory.
        if magic != MAGIC or length > min(MAX_HEADER, os.fstat(file.fileno()).st_size):
            raise _BrokenError(path)
        raw = file.read(length)
    if len(raw) != length or zlib.crc32(raw) != checksum:
        raise _BrokenError(path)
    try:
        header = json.loads(raw)
    except (RecursionError, ValueError) as error:
        raise _BrokenError(path) from error
    if not _well_formed(header):
        raise _BrokenError(path)
    return {**header, "offset": PREAMBLE.size + length}


def _well_formed(header: Any) -> bool:
    """Tell whether a header holds what `_write` writes: anybody can compute its checksum."""
    if not isinstance(header, dict) or header.keys() != {"settings", "sounds"}:
        return False
    sounds = header["sounds"]
    return isinstance(sounds, list) and all(
        isinstance(sound, list)
        and [type(part) for part in sound] == [str, int, int]
        and sound[1] >= 0
        and 0 <= sound[2] < 1 << 32
        for sound in sounds
    )


def _checksum(fingerprint: str, frames: Frames) -> int:
    return zlib.crc32(_bytes(frames), zlib.crc32(fingerprint.encode()))


def _bytes(frames: Frames) -> memoryview:
    return np.ascontiguousarray(frames, dtype=FLOAT).data.cast("B")


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()

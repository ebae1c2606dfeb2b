"""Archives from strangers, unpacked into one folder and nowhere else, and never more than was agreed.

Bombs are bounded: members and their bytes are counted while they are unpacked.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

from seqlab.datasets.bounded import BoundedStream
from seqlab.errors import DataError
from seqlab.openfile import open_regular

if TYPE_CHECKING:
    import tarfile
    import zipfile

__all__ = ["unpack", "unpack_beside"]

MAX_UNPACKED = 4 << 30
"""Most bytes that are unpacked of an archive, where nothing else is said and it is not large itself."""

MAX_RATIO = 20
"""How many times its own size a large archive may have once unpacked; text packs about 1 to 5."""

PASSED_OVER = 4
"""How many times the bytes that may be unpacked are read of a tar, where members are passed over."""

MAX_MEMBERS = 100_000
"""Most files and folders of an archive."""

PIECE = 1 << 16
"""Bytes copied at a time, and the longest header of a tar."""

MAX_DIRECTORY = 16 << 20
"""Longest list of members of a zip, which is read whole; most bytes."""

Wanted = Callable[[str], bool]


def everything(name: str) -> bool:
    """Want every member."""
    return True


@dataclass(frozen=True)
class Member:
    """One entry of an archive: its name, what it is, and how to read it."""

    name: str
    kind: str
    """`file`, `folder`, or what else it is, in words."""
    size: int
    """Its bytes once unpacked, as the archive says."""
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, folder: Path, wanted: Wanted = everything, *, max_bytes: int | None = None) -> None:
    """Unpack a tar (also compressed) or zip archive below a folder, which is made.

    Only members whose name is `wanted` are looked at. Of those only plain files and folders are accepted:
    DataError for a link or a device, for a name that leads out of the folder, for one that comes twice, for
    an archive that is damaged, and for one of which more than `max_bytes` would be unpacked or that has more
    than 100,000 members, wanted or not. Where `max_bytes` is not given, it is 4 GiB, or 20 times the size of
    the archive if that is more. Permissions, owners and times in the archive are ignored.
    """
    done: set[PurePosixPath] = set()
    most = max(MAX_UNPACKED, MAX_RATIO * archive.stat().st_size) if max_bytes is None else max_bytes
    left = most
    with _damage_named(archive):
        for number, member in enumerate(_members(archive, most)):
            if number == MAX_MEMBERS:
                raise DataError(f"{archive}: not unpacked: holds more than {MAX_MEMBERS:,} files and folders")
            if not wanted(member.name):
                continue
            left -= member.size
            if left < 0:
                raise DataError(f"{archive}: not unpacked: holds more than {most:,} bytes once unpacked")
            path = _safe(archive, member)
            if member.kind == "folder":
                (folder / path).mkdir(parents=True, exist_ok=True)
                continue
            if path in done:
                raise DataError(f"{archive}: not unpacked: it holds {member.name!r} twice")
            done.add(path)
            _write(member, folder / path)


def unpack_beside(archive: Path, wanted: Wanted = everything, *, max_bytes: int | None = None) -> Path:
    """Unpack an archive into a new folder beside it, as `unpack` does, and return that folder."""
    folder = archive.with_name(archive.name + ".unpacked")
    shutil.rmtree(folder, ignore_errors=True)
    unpack(archive, folder, wanted, max_bytes=max_bytes)
    return folder


def _write(member: Member, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    left = member.size
    with member.open() as source, target.open("xb") as file:
        while piece := source.read(PIECE):
            left -= len(piece)
            if left < 0:
                raise DataError(
                    f"{target.name} is longer than the {member.size:,} bytes that its archive says"
                )
            file.write(piece)


def _safe(archive: Path, member: Member) -> PurePosixPath:
    """Return the member's path below the target folder; DataError where it is not a plain one."""
    if member.kind not in ("file", "folder"):
        raise DataError(f"{archive}: not unpacked: {member.name!r} is {member.kind}; only files are accepted")
    path = PurePosixPath(member.name)
    odd = "\\" in member.name or "\0" in member.name
    if path.is_absolute() or ".." in path.parts or odd or (member.kind == "file" and not path.parts):
        raise DataError(f"{archive}: not unpacked: {member.name!r} leads out of the folder")
    return path


@contextmanager
def _damage_named(archive: Path) -> Iterator[None]:
    import gzip
    import lzma
    import tarfile
    import zipfile
    import zlib

    broken = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError)
    try:
        yield
    except broken as error:
        raise DataError(f"{archive}: damaged archive: {str(error).lower() or 'it ends too early'}") from error
    except MemoryError as error:
        raise DataError(f"{archive}: not unpacked: it needs more memory than there is") from error
    except UnicodeError as error:
        raise DataError(f"{archive}: not unpacked: a name in it is not text: {error}") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise DataError(f"{archive}: not unpacked: {error.filename} is a file and a folder in it") from error
    except (RuntimeError, NotImplementedError) as error:  # zipfile: encrypted, or compressed in a strange way
        raise DataError(f"{archive}: not unpacked: {str(error).lower()}") from error


def _members(archive: Path, max_bytes: int) -> Iterator[Member]:
    import zipfile

    with open_regular(archive) as file:
        if zipfile.is_zipfile(file):
            size = file.seek(0, os.SEEK_END)
            stream: Any = BoundedStream(file, str(archive), most=size, piece=MAX_DIRECTORY)
            with zipfile.ZipFile(stream) as packed:
                yield from (_zip_member(packed, info) for info in packed.infolist())
        else:
            file.seek(0)
            with _unpacked(file) as whole:
                most = PASSED_OVER * max_bytes + (MAX_MEMBERS << 10)  # headers and padding take their share
                yield from _tar_members(BoundedStream(whole, str(archive), most=most, piece=PIECE))


def _unpacked(file: BinaryIO) -> IO[bytes]:
    """Return what a compressed file holds, by its first bytes; itself where it is not compressed."""
    import bz2
    import gzip
    import lzma

    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=file))
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file)
    return lzma.LZMAFile(file) if start == b"\xfd7zXZ\x00" else file


def _tar_members(stream: BoundedStream) -> Iterator[Member]:
    import tarfile

    fileobj: Any = stream
    with tarfile.open(fileobj=fileobj, mode="r:") as tar:
        while found := tar.next():
            if sum(len(key) + len(value) for key, value in tar.pax_headers.items()) > PIECE:
                raise DataError(f"{stream.name}: not unpacked: its headers have more than {PIECE:,} bytes")
            yield _tar_member(tar, found)
            tar.members.clear()  # type: ignore[attr-defined] # it keeps all that it has seen


def _zip_member(packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    import zipfile

    kind = stat.S_IFMT(info.external_attr >> 16)
    plain = "folder" if info.is_dir() else "file"
    what = "a link" if kind == stat.S_IFLNK else plain
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # zipfile decompresses others without a bound.
        what = "compressed in a way that is not read (deflate is)"
    # orig_filename keeps what zipfile would quietly mend.
    return Member(info.orig_filename, what, info.file_size, lambda: packed.open(info))


def _tar_member(tar: tarfile.TarFile, found: tarfile.TarInfo) -> Member:
    def content() -> IO[bytes]:
        file = tar.extractfile(found)
        assert file, "a plain file has content"
        # tarfile's own buffer is as long as this Python's default, which may be more than a piece.
        raw: Any = cast("io.BufferedReader", file).detach()
        return io.BufferedReader(raw, PIECE)

    link = "a link" if found.issym() or found.islnk() else "a device or a pipe"
    kind = "file" if found.isreg() else "folder" if found.isdir() else link
    return Member(found.name, "a sparse file" if found.issparse() else kind, found.size, content)

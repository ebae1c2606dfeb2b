"""Archives from strangers, unpacked into one folder and nowhere else."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from seqlab.errors import DataError

if TYPE_CHECKING:
    import tarfile
    import zipfile

__all__ = ["unpack", "unpack_beside"]


@dataclass(frozen=True)
class Member:
    """One entry of an archive: its name, what it is, and how to read it."""

    name: str
    kind: str
    """`file`, `folder`, or what else it is, in words."""
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, folder: Path, wanted: Callable[[str], bool] = lambda name: True) -> None:
    """Unpack a tar (also compressed) or zip archive below a folder, which is made.

    Only members whose name is `wanted` are looked at. Of those only plain files and folders are accepted:
    DataError for a link or a device, for a name that leads out of the folder, for one that comes twice, and
    for an archive that is damaged. Permissions, owners and times in the archive are ignored.
    """
    done: set[PurePosixPath] = set()
    with _damage_named(archive):
        for member in _members(archive):
            if not wanted(member.name):
                continue
            path = _safe(archive, member)
            if member.kind == "folder":
                (folder / path).mkdir(parents=True, exist_ok=True)
                continue
            if path in done:
                raise DataError(f"{archive}: not unpacked: it holds {member.name!r} twice")
            done.add(path)
            _write(member, folder / path)


def unpack_beside(archive: Path, wanted: Callable[[str], bool] = lambda name: True) -> Path:
    """Unpack an archive into a new folder beside it, as `unpack` does, and return that folder."""
    folder = archive.with_name(archive.name + ".unpacked")
    shutil.rmtree(folder, ignore_errors=True)
    unpack(archive, folder, wanted)
    return folder


def _write(member: Member, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with member.open() as source, target.open("xb") as file:
        shutil.copyfileobj(source, file, 1 << 20)


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
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise DataError(f"{archive}: not unpacked: {error.filename} is a file and a folder in it") from error
    except (RuntimeError, NotImplementedError) as error:  # zipfile: encrypted, or compressed in a strange way
        raise DataError(f"{archive}: not unpacked: {str(error).lower()}") from error


def _members(archive: Path) -> Iterator[Member]:
    import tarfile
    import zipfile

    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                yield _zip_member(packed, info)
    else:
        with tarfile.open(archive) as tar:
            for found in tar:
                yield _tar_member(tar, found)


def _zip_member(packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    kind = stat.S_IFMT(info.external_attr >> 16)
    plain = "folder" if info.is_dir() else "file"
    what = "a link" if kind == stat.S_IFLNK else plain
    # orig_filename keeps what zipfile would quietly mend.
    return Member(info.orig_filename, what, lambda: packed.open(info))


def _tar_member(tar: tarfile.TarFile, found: tarfile.TarInfo) -> Member:
    def content() -> IO[bytes]:
        file = tar.extractfile(found)
        assert file, "a plain file has content"
        return file

    link = "a link" if found.issym() or found.islnk() else "a device or a pipe"
    kind = "file" if found.isreg() else "folder" if found.isdir() else link
    return Member(found.name, kind, content)

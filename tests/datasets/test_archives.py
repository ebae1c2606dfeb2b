from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from guarded import Guarded

from seqlab.datasets import archives, unpack
from seqlab.datasets.archives import unpack_beside
from seqlab.errors import DataError


def tar(path: Path, *members: tarfile.TarInfo | tuple[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for member in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member[0])
            content = b"" if isinstance(member, tarfile.TarInfo) else member[1]
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zipped(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_is_unpacked(tmp_path: Path, mode: str) -> None:
    packed = tar(
        tmp_path / "a", ("x/one.txt", b"1"), special("x/deep", tarfile.DIRTYPE), ("two", b"2"), mode=mode
    )
    unpack(packed, tmp_path / "out")
    assert everything(tmp_path / "out") == {"x/one.txt": b"1", "two": b"2"}
    assert (tmp_path / "out/x/deep").is_dir()


def test_a_zip_is_unpacked(tmp_path: Path) -> None:
    unpack(zipped(tmp_path / "a", ("x/", b""), ("x/one.txt", b"1"), ("two", b"2")), tmp_path / "out")
    assert everything(tmp_path / "out") == {"x/one.txt": b"1", "two": b"2"}


def test_only_what_is_wanted_is_unpacked_and_looked_at(tmp_path: Path) -> None:
    packed = tar(tmp_path / "a", ("wav/a", b"1"), ("../evil", b"2"), special("link", tarfile.SYMTYPE, "wav"))
    unpack(packed, tmp_path / "out", lambda name: name.startswith("wav/"))
    assert everything(tmp_path) == {"a": packed.read_bytes(), "out/wav/a": b"1"}


def test_permissions_of_the_archive_are_ignored(tmp_path: Path) -> None:
    info = special("tool", tarfile.REGTYPE)
    info.mode = 0o6777
    unpack(tar(tmp_path / "a", info), tmp_path / "out")
    assert not (tmp_path / "out/tool").stat().st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IXUSR)


def link_in_zip() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "up, tar": (lambda path: tar(path, ("../evil", b"x")), "'../evil' leads out of the folder"),
    "up, zip": (lambda path: zipped(path, ("../evil", b"x")), "'../evil' leads out of the folder"),
    "up inside": (lambda path: tar(path, ("a/../../evil", b"x")), "leads out of the folder"),
    "absolute, tar": (lambda path: tar(path, ("/tmp/evil", b"x")), "'/tmp/evil' leads out"),
    "absolute, zip": (lambda path: zipped(path, ("/tmp/evil", b"x")), "'/tmp/evil' leads out"),
    "backslash": (lambda path: zipped(path, ("..\\evil", b"x")), "leads out"),
    "symbolic link": (lambda path: tar(path, special("l", tarfile.SYMTYPE, "/etc")), "'l' is a link"),
    "hard link": (lambda path: tar(path, special("l", tarfile.LNKTYPE, "/etc/passwd")), "'l' is a link"),
    "link, zip": (lambda path: zipped(path, (link_in_zip(), b"/etc")), "'link' is a link"),
    "pipe": (lambda path: tar(path, special("p", tarfile.FIFOTYPE)), "'p' is a device or a pipe"),
    "device": (lambda path: tar(path, special("d", tarfile.CHRTYPE)), "'d' is a device or a pipe"),
    "twice": (lambda path: tar(path, ("a", b"1"), ("./a", b"2")), "holds './a' twice"),
    "file and folder": (lambda path: tar(path, ("a", b"1"), ("a/b", b"2")), "is a file and a folder in it"),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_what_could_do_harm_is_refused(make: Callable[[Path], Path], message: str, tmp_path: Path) -> None:
    packed = make(tmp_path / "packed")
    inside = tmp_path / "deep/out"
    with pytest.raises(DataError) as caught:
        unpack(packed, inside)
    assert str(packed) in str(caught.value)
    assert message in str(caught.value)
    outside = {path for path in tmp_path.rglob("*") if path.is_file() and inside not in path.parents}
    assert outside == {packed}


def damaged(path: Path, whole: bytes, kind: str) -> Path:
    half = len(whole) // 2
    broken = {
        "cut": whole[:half],
        "no archive": b"<html>not found</html>" * 50,
        "empty": b"",
        "changed": whole[:half] + bytes([whole[half] ^ 0xFF]) + whole[half + 1 :],
    }
    path.write_bytes(broken[kind])
    return path


@pytest.mark.parametrize("kind", ["cut", "no archive", "empty", "changed"])
@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "zip"])
def test_a_damaged_archive_is_named(kind: str, mode: str, tmp_path: Path) -> None:
    noise = bytes(range(256)) * 400
    whole = tmp_path / "whole"
    made = zipped(whole, ("a", noise)) if mode == "zip" else tar(whole, ("a", noise), mode=mode)
    packed = damaged(tmp_path / "packed", made.read_bytes(), kind)
    with pytest.raises(DataError, match="packed: damaged archive"):
        unpack(packed, tmp_path / "out")


def test_an_older_folder_beside_the_archive_is_replaced(tmp_path: Path) -> None:
    packed = tar(tmp_path / "a.tar.gz", ("one", b"1"))
    (tmp_path / "a.tar.gz.unpacked").mkdir()
    (tmp_path / "a.tar.gz.unpacked/old").touch()
    assert everything(unpack_beside(packed)) == {"one": b"1"}


LIMIT = 1 << 20
"""Bytes that the archives below may hold; each holds more, or says so."""

PEAK = 40
"""Most MiB that an archive may take; a gigabyte of zeros makes one of a megabyte."""

ZEROS = bytes(1 << 22)


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Return the header of a tar's member, which may say of its size what it likes."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def endless(start: bytes) -> Callable[[Path], Path]:
    """Make a tar of 64 MiB of zeros after some bytes, in a few kilobytes of gzip."""

    def make(path: Path) -> Path:
        with gzip.open(path, "wb") as file:
            file.write(start)
            for _ in range(16):
                file.write(ZEROS)
        return path

    return make


def members(path: Path) -> Path:
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(archives.MAX_MEMBERS // 1000 + 1):
            file.write(header("folder", 0, tarfile.DIRTYPE) * 1000)
    return path


def zip_of(method: int) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        with zipfile.ZipFile(path, "w", method) as packed, packed.open("a", "w") as file:
            for _ in range(16):
                file.write(ZEROS)
        return path

    return make


def lying_zip(path: Path) -> Path:
    """Say of a file of four megabytes that it has one byte."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a", ZEROS)
    size = len(ZEROS).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (1).to_bytes(4, "little")))
    return path


def written(data: bytes) -> Callable[[Path], Path]:
    return lambda path: [path.write_bytes(data), path][1]  # type: ignore[return-value]


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


HOLDS = f"holds more than {LIMIT:,} bytes once unpacked"

BOMBS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a long member": (endless(header("a", 1 << 28)), HOLDS),
    "a size of 2 ** 80": (endless(header("a", 1 << 80)), HOLDS),
    "a long name": (endless(header("a", 1 << 28, tarfile.GNUTYPE_LONGNAME)), "a part of 268,435"),
    "long attributes": (endless(header("a", 1 << 28, tarfile.XHDTYPE)), "a part of 268,435"),
    "many members": (members, "holds more than"),
    "zeros in bzip2": (written(bz2.compress(header("a", 1 << 26) + bytes(1 << 26))), HOLDS),
    "zeros in xz": (written(lzma.compress(header("a", 1 << 26) + bytes(1 << 26))), HOLDS),
    "zeros in a zip": (zip_of(zipfile.ZIP_DEFLATED), HOLDS),
    "zeros in a zip by bzip2": (zip_of(zipfile.ZIP_BZIP2), HOLDS),
    "a zip that says less than it holds": (lying_zip, "packed"),
    "a FIFO": (fifo, "it is a fifo, and only regular files are read"),
}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(*bomb, id=name, marks=[pytest.mark.slow] if name == "many members" else [])
        for name, bomb in BOMBS.items()
    ],
)
def test_a_bomb_is_refused_in_bounded_memory_and_space(
    make: Callable[[Path], Path],
    message: str,
    tmp_path: Path,
    guarded: Guarded,
    record_property: Callable[[str, object], None],
) -> None:
    packed = make(tmp_path / "packed")
    outcome = guarded("unpack", packed, tmp_path / "out", LIMIT)
    record_property("peak_mib", outcome.peak)
    assert outcome.error in ("DataError", "OSError"), outcome.message
    assert message in outcome.message.lower() if message.islower() else message in outcome.message
    assert outcome.peak < PEAK
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file()) <= LIMIT


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_is_only_read_where_its_compression_is_bounded(method: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as packed:
        packed.writestr("a", b"1")
    with pytest.raises(DataError, match=r"'a' is compressed in a way that is not read \(deflate is\)"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_a_long_member_is_read_whatever_the_default_buffer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Buffered(io.BufferedReader):
        """As `tarfile.ExFileObject` where the default buffer of Python has 128 KiB."""

        def __init__(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
            whole = tarfile.ExFileObject(archive, member)  # type: ignore[attr-defined]
            super().__init__(whole.detach(), 1 << 17)

    monkeypatch.setattr(tarfile.TarFile, "fileobject", Buffered)
    content = bytes(range(256)) * 2000
    unpack(tar(tmp_path / "a", ("long", content)), tmp_path / "out")
    assert everything(tmp_path / "out") == {"long": content}


def test_members_that_nobody_wants_do_not_count_but_are_bounded(tmp_path: Path) -> None:
    packed = tar(tmp_path / "a", ("large", bytes(LIMIT)), ("small", b"1"))
    unpack(packed, tmp_path / "out", lambda name: name == "small", max_bytes=10)
    assert everything(tmp_path / "out") == {"small": b"1"}
    bomb = endless(header("large", 1 << 28))(tmp_path / "bomb")
    with pytest.raises(DataError, match="bytes once unpacked"):
        unpack(bomb, tmp_path / "none", lambda name: name == "small", max_bytes=10)


def test_a_large_archive_may_hold_more_than_a_small_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_UNPACKED", 1000)
    unpack(tar(tmp_path / "a", ("large", os.urandom(LIMIT))), tmp_path / "out")
    with pytest.raises(DataError, match=r"holds more than .* bytes once unpacked"):
        unpack(tar(tmp_path / "b", ("large", bytes(LIMIT))), tmp_path / "none")

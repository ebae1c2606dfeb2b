from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from seqlab.datasets import unpack
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

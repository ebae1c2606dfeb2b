from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from seqlab.datasets import DatasetEntry
from seqlab.datasets.checksums import check_dataset, file_sha256, tree_sha256
from seqlab.errors import DataError

Entry = Callable[..., DatasetEntry]
URL = "http://127.0.0.1:1/"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder of files, sorted differently by letters and by bytes."""
    for name in ("wav/b.wav", "wav/B.wav", "wav/a/1.wav", "wav/a-1.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path / "wav"


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_the_checksum_of_a_folder_is_that_of_sorted_lines_of_sha256sum(tree: Path) -> None:
    shell = "find wav -type f | LC_ALL=C sort | xargs sha256sum | sha256sum"
    done = subprocess.run(["sh", "-c", shell], cwd=tree.parent, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == tree_sha256(tree)


def test_the_checksum_of_a_folder_sees_every_change(tree: Path) -> None:
    before = tree_sha256(tree)
    (tree / "b.wav").rename(tree / "c.wav")
    renamed = tree_sha256(tree)
    (tree / "c.wav").rename(tree / "b.wav")
    assert tree_sha256(tree) == before != renamed
    (tree / "a/1.wav").write_text("other")
    assert tree_sha256(tree) != before


def test_everything_that_differs_is_named(entry: Entry, tmp_path: Path) -> None:
    made = entry({name: (URL + name, b"x") for name in ("a", "b", "c", "d", "e")})
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"y")
    with pytest.raises(DataError) as caught:
        check_dataset(made, tmp_path)
    assert f"sha256 of b is {file_sha256(tmp_path / 'b')}, expected {made.checksums['b']}" in str(
        caught.value
    )
    assert "c is missing; d is missing (and 1 more)" in str(caught.value)


def test_a_folder_is_compared_as_a_whole(entry: Entry, tree: Path) -> None:
    def made(sha256: str) -> DatasetEntry:
        return entry({"a.zip": (URL, None)}, prepare=shutil.copytree, trees={"wav": sha256})

    check_dataset(made(tree_sha256(tree)), tree.parent)
    with pytest.raises(DataError, match="sha256 of the folder wav is"):
        check_dataset(made("0" * 64), tree.parent)
    with pytest.raises(DataError, match="the folder wav is missing"):
        check_dataset(made("0" * 64), tree)

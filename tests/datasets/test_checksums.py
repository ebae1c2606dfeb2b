from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from seqlab.builtin.speech.datasets.entries import SPEECH_SETS
from seqlab.datasets import DatasetEntry
from seqlab.datasets.checksums import check_dataset, file_sha256, find_faults, tree_sha256
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


MANIFEST = b'{"audio": "wav/b.wav", "text": "b"}\n\n{"audio": "wav/a-1.wav"}\n{"audio": "wav/a/1.wav"}\n'


@pytest.fixture
def spoken(entry: Entry, tree: Path) -> DatasetEntry:
    """A set of two equal manifests beside the folder of files that they name, which has no checksum."""
    for split in ("train", "test"):
        (tree.parent / f"{split}.jsonl").write_bytes(MANIFEST)
    sha256 = hashlib.sha256(MANIFEST).hexdigest()
    return entry(
        {"a.zip": (URL, None)},
        prepare=shutil.copytree,
        splits={"train": "train.jsonl", "test": "test.jsonl"},
        manifest_key="audio",
        files={"train.jsonl": sha256, "test.jsonl": sha256},
    )


def test_what_the_manifests_name_must_be_there(spoken: DatasetEntry, tree: Path) -> None:
    check_dataset(spoken, tree.parent)
    (tree / "a-1.wav").unlink()
    shutil.rmtree(tree / "a")
    with pytest.raises(DataError) as caught:
        check_dataset(spoken, tree.parent)
    assert str(caught.value) == (
        f"{tree.parent}: not the data set 'tiny':"
        " 2 of 3 files that train.jsonl names are missing, wav/a-1.wav is the first;"
        " 2 of 3 files that test.jsonl names are missing, wav/a-1.wav is the first"
    )


def test_a_manifest_that_was_changed_is_not_believed(spoken: DatasetEntry, tree: Path) -> None:
    (tree.parent / "test.jsonl").write_text("no JSON")
    shutil.rmtree(tree)
    faults = find_faults(spoken, tree.parent)
    assert not faults.missing
    assert [fault.split(" is ")[0] for fault in faults.changed] == ["sha256 of test.jsonl"]


@pytest.mark.parametrize(("key", "line"), [("sound", 1), ("text", 3)])
def test_a_line_that_names_nothing_is_told(spoken: DatasetEntry, tree: Path, key: str, line: int) -> None:
    made = spoken.model_copy(update={"manifest_key": key})
    with pytest.raises(DataError, match=rf"train\.jsonl:{line}: names no file under '{key}'"):
        check_dataset(made, tree.parent)


def test_a_folder_that_lacks_files_is_not_said_to_be_changed(spoken: DatasetEntry, tree: Path) -> None:
    made = spoken.model_copy(update={"trees": {"wav": tree_sha256(tree)}})
    check_dataset(made, tree.parent)
    (tree / "a-1.wav").unlink()
    faults = find_faults(made, tree.parent)
    assert (len(faults.missing), faults.changed) == (2, ())


@pytest.mark.data
@pytest.mark.parametrize("spoken", SPEECH_SETS, ids=lambda entry: entry.name)
def test_manifests_alone_are_no_speech(spoken: DatasetEntry, tmp_path: Path) -> None:
    if "SEQLAB_DATA" not in os.environ:
        pytest.skip("SEQLAB_DATA is not set")
    for path in spoken.checksums:
        shutil.copyfile(Path(os.environ["SEQLAB_DATA"]) / spoken.name / path, tmp_path / path)
    faults = find_faults(spoken, tmp_path)
    assert not faults.changed
    for split, fault in zip(spoken.split_files, faults.missing[: len(spoken.split_files)], strict=True):
        lines = len((tmp_path / split).read_text().splitlines())
        assert fault.startswith(f"{lines:,} of {lines:,} files that {split} names are missing, ")

"""The run folder: who may write in it, and what must agree on resume."""

from __future__ import annotations

import errno
import fcntl
import json
from pathlib import Path

import pytest

from seqlab import PackageError, SeqlabError
from seqlab.runfolder import RunFolder

RECIPE = {"name": "toy", "train": {"epochs": 3, "seed": 1}, "features": [{"name": "a"}]}
FACTS = {"seed": 1, "data": {"train": {"/a": "1"}}}


@pytest.fixture
def begun(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    with folder.locked(resume=False):
        assert folder.begin(RECIPE, FACTS) is False
    return folder


def test_only_one_may_hold_it(begun: RunFolder) -> None:
    with (
        begun.locked(resume=True),
        pytest.raises(SeqlabError, match="another process is running in it"),
        RunFolder(begun.path).locked(resume=True),
    ):
        pytest.fail("both hold it")
    with begun.locked(resume=True):
        pass


def test_an_error_inside_is_not_mistaken_for_a_lock(begun: RunFolder) -> None:
    with pytest.raises(BlockingIOError), begun.locked(resume=True):
        raise BlockingIOError


def test_begin_again_is_a_resume(begun: RunFolder) -> None:
    assert begun.begin(RECIPE, FACTS) is True
    assert begun.facts() == FACTS


@pytest.mark.parametrize(
    ("recipe", "facts", "named"),
    [
        (RECIPE | {"name": "other"}, FACTS, "in: name;"),
        (RECIPE | {"train": {"epochs": 4, "seed": 2}}, FACTS, "in: train.epochs, train.seed;"),
        (RECIPE | {"train": {"epochs": 3}}, FACTS, "in: train.seed;"),
        (RECIPE | {"new": 1}, FACTS, "in: new;"),
        (RECIPE | {"features": [{"name": "b"}]}, FACTS, "in: features.0.name;"),
        (RECIPE | {"features": []}, FACTS, "in: features;"),
        (RECIPE, FACTS | {"data": {"train": {"/a": "2"}}}, "since the run began: train./a"),
        (RECIPE, FACTS | {"data": {"train": {"/a": "1"}, "dev": {"/b": "1"}}}, "began: dev"),
    ],
)
def test_what_differs_is_named(
    recipe: dict[str, object], facts: dict[str, object], named: str, begun: RunFolder
) -> None:
    with pytest.raises(SeqlabError) as caught:
        begun.begin(recipe, facts)
    assert named in str(caught.value)


def test_other_versions_do_not_stop_a_resume_but_are_told_and_entered(tmp_path: Path) -> None:
    old = {"plugins": {"seqlab": "1.0", "gone": "2"}, "torch": "2.11"}
    new = {"plugins": {"seqlab": "1.1", "extra": "3"}, "torch": "2.12"}
    folder = RunFolder(tmp_path / "run")
    with folder.locked(resume=False):
        folder.begin(RECIPE, FACTS | old)
    assert folder.begin(RECIPE, FACTS | new) is True
    assert folder.enter_versions(old) == ""
    assert folder.facts() == FACTS | old
    for _ in range(2):
        assert folder.enter_versions(new) == (
            "resumed with torch 2.12 (the run began with 2.11), plugin seqlab 1.1 (the run began with 1.0):"
            " the result may differ from that of an uninterrupted run"
        )
    assert folder.facts() == FACTS | old | {"resumed_with": [new]}


def test_a_file_system_without_locks_is_an_error_with_advice(
    begun: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(SeqlabError) as caught, begun.locked(resume=True):
        pytest.fail("it is held")
    assert str(caught.value) == (
        f"run folder {begun.path}: cannot be locked: No locks available; choose one on a local disk with"
        " --out"
    )


def test_what_never_trained_is_taken_back_and_what_did_is_kept(begun: RunFolder) -> None:
    begun.metrics.touch()
    begun.clear_unstarted()
    assert begun.run.exists()
    begun.metrics.unlink()
    begun.clear_unstarted()
    assert list(begun.path.iterdir()) == []


def test_resumable_means_a_checkpoint_or_a_report(begun: RunFolder) -> None:
    assert not begun.resumable
    begun.checkpoints.mkdir()
    assert not begun.resumable
    (begun.checkpoints / "last.safetensors").touch()
    assert begun.resumable


def test_the_report_comes_back(begun: RunFolder) -> None:
    assert begun.report() is None
    begun.finish({"seed": 1, "notices": ["ĉu?"]})
    assert begun.report() == {"seed": 1, "notices": ["ĉu?"]}
    assert begun.resumable


@pytest.mark.parametrize("content", [b"", b"{", b"\xff"])
def test_a_damaged_file_is_named(content: bytes, begun: RunFolder) -> None:
    begun.run.write_bytes(content)
    with pytest.raises(PackageError, match=r"run.json: cannot be read: "):
        begun.begin(RECIPE, FACTS)


def test_fingerprints_are_of_the_content(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("same")
    two.write_text("same")
    found = RunFolder.fingerprints({"train": [one, two]})["train"]
    assert list(found) == [str(one), str(two)]
    assert len(set(found.values())) == 1
    two.write_text("other")
    assert RunFolder.fingerprints({"train": [two]})["train"][str(two)] != found[str(two)]
    with pytest.raises(SeqlabError, match=r"gone: cannot be read: No such file or directory"):
        RunFolder.fingerprints({"train": [tmp_path / "gone"]})


def test_the_facts_are_plain_json(begun: RunFolder) -> None:
    assert json.loads(begun.run.read_text()) == FACTS

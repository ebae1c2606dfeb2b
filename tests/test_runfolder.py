"""The run folder: who may write in it, and what must agree on resume."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from pathlib import Path

import pytest

from seqlab import Lab, PackageError, SeqlabError
from seqlab.run import RunOptions
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


def test_a_key_that_is_newer_than_the_run_is_told_with_what_continues_it(begun: RunFolder) -> None:
    later = RunFolder(begun.path, (), lambda saved: {**saved, "data": {"reader": {"unicode": None}}})
    now = RECIPE | {"data": {"reader": {"unicode": "NFC"}}}
    with pytest.raises(SeqlabError) as caught:
        later.begin(now, FACTS)
    assert str(caught.value) == (
        f"run folder {begun.path}: the run began with an earlier version, whose recipes had no"
        " data.reader.unicode; to go on as it began, resume with data.reader.unicode=null, or choose another"
        " --out"
    )
    with pytest.raises(SeqlabError, match=r"in: data.reader.unicode, name; resume with the same recipe"):
        later.begin(now | {"name": "other"}, FACTS)
    assert later.begin(RECIPE | {"data": {"reader": {"unicode": None}}}, FACTS) is True


def test_a_run_of_an_earlier_version_goes_on_as_it_began(lab: Lab, finished: Path, unfinished: Path) -> None:
    recipe = unfinished / "recipe.yaml"
    lines = recipe.read_text().splitlines(keepends=True)
    recipe.write_text("".join(line for line in lines if line.split(":")[0].strip() not in NEWER))
    with pytest.raises(SeqlabError, match=AS_BEGAN):
        resume(lab, finished, unfinished)
    options = RunOptions(out=unfinished, resume=True, device="cpu", threads=1)
    as_began = ["data.reader.missing=fail", "data.reader.unicode=null", "train.length_jitter=0.0"]
    lab.run(finished.parent / "toy.yaml", as_began, options)
    reader = json.loads((unfinished / "model/package.json").read_text())["recipe"]["data"]["reader"]
    assert (reader["missing"], reader["unicode"]) == ("fail", None)


NEWER = ("missing", "unicode", "length_jitter")
"""Keys of the reader and of the training that came later."""

AS_BEGAN = r"resume with data.reader.missing=fail data.reader.unicode=null train.length_jitter=0.0, "


@pytest.mark.parametrize("name", ["recipe.yaml.partial", "run.json.partial"])
def test_a_folder_in_which_an_earlier_version_was_killed_is_one_of_a_run(name: str, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    (folder.path / name).write_text("half")
    with pytest.raises(SeqlabError, match="continue it with --resume"), folder.locked(resume=False):
        pytest.fail("it is held")
    with folder.locked(resume=True):
        assert list(folder.path.iterdir()) == []


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


# --- folders that come from a stranger -------------------------------------------------------------------


@pytest.fixture
def unfinished(finished: Path, tmp_path: Path) -> Path:
    """A copy of a run that was killed before its report, to be resumed."""
    folder = shutil.copytree(finished, tmp_path / "run")
    (folder / "report.json").unlink()
    return folder


def resume(lab: Lab, finished: Path, folder: Path) -> None:
    options = RunOptions(out=folder, resume=True, device="cpu", threads=1)
    lab.run(finished.parent / "toy.yaml", options=options)


@pytest.mark.parametrize(
    "name",
    [
        "recipe.yaml",
        "recipe.yaml.partial",
        "run.json",
        "metrics.jsonl",
        "report.json",
        "gradient_flow.json",
        "checkpoints/last.safetensors",
        "checkpoints/last.safetensors.partial",
        "checkpoints/best-00000001.safetensors",
        "model/package.json",
        "anything",
    ],
)
@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_in_the_folder_is_refused_and_what_it_leads_to_untouched(
    name: str, dangling: bool, lab: Lab, finished: Path, unfinished: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    link = unfinished / name
    if not dangling:
        shutil.copyfile(link, mine) if link.exists() else mine.write_text("mine")
    before = mine.read_bytes() if mine.exists() else None
    link.unlink(missing_ok=True)
    link.symlink_to(mine)
    with pytest.raises(SeqlabError) as caught:
        resume(lab, finished, unfinished)
    assert str(caught.value) == (
        f"run folder {unfinished}: {link} is a link to {mine}; a run writes into files of its own only:"
        " remove it, or choose another with --out"
    ) or (dangling and name == "run.json" and "it holds no run of seqlab" in str(caught.value))
    assert (mine.read_bytes() if mine.exists() else None) == before


@pytest.mark.parametrize("name", ["checkpoints", "model", "model.partial", "model.old"])
def test_a_folder_that_is_a_link_is_refused_and_what_it_leads_to_untouched(
    name: str, lab: Lab, finished: Path, unfinished: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    if (unfinished / name).exists():
        (unfinished / name).rename(mine)
    else:
        mine.mkdir()
    (mine / "thesis.txt").write_text("mine")
    before = {path: path.read_bytes() for path in mine.iterdir()}
    (unfinished / name).symlink_to(mine)
    with pytest.raises(SeqlabError, match=f"/{name} is a link to {mine}; a run writes into files of"):
        resume(lab, finished, unfinished)
    assert {path: path.read_bytes() for path in mine.iterdir()} == before


def test_a_fifo_in_the_folder_hangs_nobody(lab: Lab, finished: Path, unfinished: Path) -> None:
    (unfinished / "metrics.jsonl").unlink()
    os.mkfifo(unfinished / "metrics.jsonl")
    with pytest.raises(SeqlabError, match=r"metrics.jsonl is no regular file; a run writes into files"):
        resume(lab, finished, unfinished)


def test_figures_with_a_second_name_are_not_changed_under_it(
    lab: Lab, finished: Path, unfinished: Path, tmp_path: Path
) -> None:
    metrics, mine = unfinished / "metrics.jsonl", tmp_path / "mine"
    metrics.rename(mine)
    mine.write_bytes(mine.read_bytes() + b"mine")
    before = mine.read_bytes()
    metrics.hardlink_to(mine)
    with pytest.raises(PackageError, match=r"metrics.jsonl: cannot be written: it has a second name"):
        resume(lab, finished, unfinished)
    assert mine.read_bytes() == before


def test_the_folder_itself_may_be_reached_through_a_link(
    lab: Lab, finished: Path, unfinished: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(unfinished)
    resume(lab, finished, tmp_path / "link")
    assert (unfinished / "report.json").exists()


def test_what_a_killed_run_left_half_written_is_removed_and_nothing_else(
    lab: Lab, finished: Path, unfinished: Path
) -> None:
    digits = "0123456789abcdef"
    left = [
        unfinished / f"run.json.{digits}.partial",
        unfinished / f"checkpoints/last.safetensors.{digits}.partial",
    ]
    for path in left:
        path.write_text("half")
    for name in (f"model.{digits}.partial", f"model.{digits}.old"):
        (unfinished / name).mkdir()
        (unfinished / name / "package.json").touch()
        left.append(unfinished / name)
    mine = unfinished / "predictions.tsv.partial"
    mine.write_text("mine")
    resume(lab, finished, unfinished)
    assert not any(path.exists() for path in left)
    assert mine.read_text() == "mine"


@pytest.mark.parametrize(
    "content", ["[]", "1", '{"data": 1}', '{"plugins": [], "resumed_with": 1, "data": {}}', "[" * 100_000]
)
def test_an_odd_run_json_is_an_error_that_names_it(
    content: str, lab: Lab, finished: Path, unfinished: Path
) -> None:
    (unfinished / "run.json").write_text(content)
    with pytest.raises(SeqlabError, match=f"{unfinished}"):
        resume(lab, finished, unfinished)

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seqlab.errors import Place, Problem
from seqlab.recipe import globbing
from seqlab.recipe.globbing import MAX_PARTS, Search
from seqlab.recipe.paths import DataString, find_files

Lines = Callable[..., list[str]]

NAMES = (
    "a.txt",
    "b.wav",
    ".hidden.txt",
    "in/a.txt",
    "in/deep/c.txt",
    "in/.no/d.txt",
    "[x]/e.txt",
    "in/z*.txt",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    "pattern",
    ["*", "*.txt", ".*", "?.*", "**/*.txt", "**", "in/**/*.txt", "*/a.txt", "[[]x]/*", "[a-b].*", "[!a]*",
     "**/**", "**/deep/*", "in/z[*].txt", "*/../a*", "none/*", "a.txt/*", "**/.no/*", "[z-a]*", "[", "[]",
     "*/"],
)  # fmt: skip
def test_a_glob_names_the_files_that_python_s_own_names(pattern: str, tree: Path) -> None:
    found = Search().files(tree / pattern)
    expected = {Path(path) for path in glob.glob(str(tree / pattern), recursive=True)}  # noqa: PTH207
    assert found == sorted(path for path in expected if not path.is_dir())


def test_links_are_followed_but_into_no_loop(tree: Path) -> None:
    (tree / "in/loop").symlink_to(tree)
    (tree / "self").symlink_to(tree / "self")
    (tree / "other").symlink_to(tree / "in/deep")
    found = Search().files(tree / "**/c.txt")
    assert found == [tree / "in/deep/c.txt", tree / "other/c.txt"]


def test_globs_of_one_recipe_look_at_no_more_than_a_bounded_number_of_files(
    lines: Lines, whole: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        (folder / f"recipes/{number}.txt").touch()
    monkeypatch.setattr(globbing, "MAX_ENTRIES", 100)
    globs = whole.replace("train.conllu", "['*.txt', '[0]*.txt', '**/*.txt']")
    (line,) = [line for line in lines(globs) if "looked at" in line]
    assert "data.train.2: more than 100 files and folders would be looked at" in line
    assert line.endswith("begin the path in a folder nearer to the files")


def test_a_search_that_takes_a_while_tells_what_it_looks_at(
    tree: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(globbing, "TOLD_AT", 50)
    Search().files(tree / "**/*.txt")
    assert not caplog.messages
    for number in range(120):
        (tree / f"in/deep/{number}.txt").touch()
    assert len(Search().files(tree / "**/*.txt")) == 125
    assert [line.partition(" ")[0] for line in caplog.messages] == ["50", "100"]
    assert f"looked at for '{tree}/**/*.txt', {tree}/in/deep was the last" in caplog.messages[-1]


def test_a_glob_over_the_whole_disk_ends(lines: Lines, whole: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(globbing, "MAX_ENTRIES", 20_000)
    (line,) = lines(whole.replace("train.conllu", "'/**/*/**/*/**/*'"))
    assert "files and folders would be looked at" in line or "cannot look at" in line


def test_a_glob_of_many_parts_is_refused(tree: Path) -> None:
    with pytest.raises(ValueError, match=rf"parts, at most {MAX_PARTS}"):
        Search().files(tree / "/".join(["*"] * 2000))


@pytest.fixture
def closed(tree: Path) -> Iterator[Path]:
    """A folder that may not be looked at, by the user that the test then runs as."""
    folder = tree / "closed"
    folder.mkdir(mode=0)
    above = [path for path in tree.parents if path.stat().st_uid == os.geteuid() and path != Path("/")]
    modes = {path: path.stat().st_mode for path in [tree, *above]}
    root = os.geteuid() == 0
    if root:  # nothing is closed to root
        for path, mode in modes.items():
            path.chmod(mode | 0o055)
        os.seteuid(65534)
    yield folder
    if root:
        os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(mode)
    folder.chmod(0o700)


@pytest.mark.parametrize("pattern", ["**/c.txt", "*/deep/c.txt", "**/deep/*"])
def test_a_folder_below_a_glob_that_may_not_be_looked_at_is_passed_over_and_named(
    pattern: str, tree: Path, closed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    string = DataString("train", str(tree / pattern), Place("recipe.yaml"), "data.train")
    problems: list[Problem] = []
    assert find_files([string], None, problems) == {"train": (tree / "in/deep/c.txt",)}
    assert not problems
    (message,) = caplog.messages
    assert str(closed) in message
    assert message.endswith(f"is passed over by {str(tree / pattern)!r}: permission denied")


@pytest.mark.parametrize("pattern", ["closed/*.txt", "**/none.txt", "closed/**"])
def test_where_nothing_is_found_a_folder_that_may_not_be_looked_at_is_the_reason(
    pattern: str, tree: Path, closed: Path
) -> None:
    string = DataString("train", str(tree / pattern), Place("recipe.yaml"), "data.train")
    problems: list[Problem] = []
    find_files([string], None, problems)
    assert [problem.message.partition(": ")[2] for problem in problems] == [f"permission denied, {closed}"]


def test_a_glob_looks_at_each_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        (tmp_path / f"in{number % 2}").mkdir(exist_ok=True)
        (tmp_path / f"in{number % 2}/{number}.txt").touch()
    prefix = len((tmp_path / "x").parts) - 2
    search = Search()
    assert len(search.files(tmp_path / "**/*.txt")) == 10
    assert search.entries == prefix + 12

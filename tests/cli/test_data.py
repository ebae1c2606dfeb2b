from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from data_server import DataServer, serving
from fake_distributions import write_module

from seqlab.builtin.speech.featurizers import feature_cache
from seqlab.cli.main import main

PLUGIN = """
    import hashlib
    from seqlab.api import DatasetEntry, Download, hookimpl

    def made(name, **more):
        facts = dict(summary="a set of the tests", licence="CC0 1.0", citation="Nobody: Nothing. 2020",
                     origin="the tests", notes="two files")
        return DatasetEntry(name=name, **facts, **more)

    @hookimpl
    def seqlab_register_datasets():
        file = Download(name="a.txt", urls=("{url}",), sha256="{sha256}")
        return [
            made("tiny", downloads=(file,), splits={{"train": "a.txt"}}, reader={{"name": "conllu"}}),
            made("asked", by_hand="ask the author"),
        ]
"""

Seqlab = Callable[..., int]


@pytest.fixture
def server() -> Iterator[DataServer]:
    with serving() as server:
        yield server


@pytest.fixture
def data(tmp_path: Path, server: DataServer, monkeypatch: pytest.MonkeyPatch) -> Seqlab:
    """Call `seqlab data` with a plugin of two sets, on a machine that has none."""
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SEQLAB_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("SEQLAB_DISABLE_PLUGINS", "all")
    url = server.serve("/a.txt", b"text")
    sha256 = hashlib.sha256(b"text").hexdigest()
    plugin = write_module(tmp_path / "fake_sets.py", PLUGIN.format(url=url, sha256=sha256))
    return lambda *args: main(["data", args[0], "--plugin", str(plugin), *args[1:]])


def written(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_listing_says_what_is_here(data: Seqlab, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data("list")
    rows = {line.split()[0]: line for line in written(capsys)}
    assert rows["tiny"].endswith("to get   a set of the tests")
    assert rows["asked"].endswith("by hand  a set of the tests")
    assert "pos_ewt" in rows
    (tmp_path / "cache/data/tiny").mkdir(parents=True)
    data("list")
    assert "tiny                 here     a set of the tests" in written(capsys)


def test_listing_as_json(data: Seqlab, capsys: pytest.CaptureFixture[str]) -> None:
    data("list", "--json")
    sets = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert sets["tiny"]["path"] is None
    assert sets["tiny"]["plugin"] == "fake_sets"
    assert sets["pos_ewt"]["licence"] == "CC BY-SA 4.0"


def test_show_says_everything(data: Seqlab, capsys: pytest.CaptureFixture[str], server: DataServer) -> None:
    assert data("show", "tiny") == 0
    text = "\n".join(written(capsys))
    for part in (
        "licence: CC0 1.0",
        "citation: Nobody: Nothing. 2020",
        "origin: the tests",
        "notes: two files",
        "plugin: fake_sets",
        "not here: ",
        'reader: {"name": "conllu"}',
        "train: a.txt",
        f"download a.txt: {server.url('/a.txt')} (sha256 {hashlib.sha256(b'text').hexdigest()})",
    ):
        assert part in text
    data("show", "tiny", "--json")
    about = json.loads(capsys.readouterr().out)
    assert (about["splits"], about["prepared"]) == ({"train": "a.txt"}, False)


def test_get_shows_the_terms_before_it_fetches(
    data: Seqlab, capsys: pytest.CaptureFixture[str], tmp_path: Path, server: DataServer
) -> None:
    assert data("get", "tiny") == 0
    folder = tmp_path / "cache/data/tiny"
    assert (folder / "a.txt").read_bytes() == b"text"
    out = written(capsys)
    assert out == [
        "tiny: a set of the tests",
        "licence: CC0 1.0",
        "citation: Nobody: Nothing. 2020",
        "origin: the tests",
        f"tiny: fetched and checked: {folder}",
    ]
    assert data("get", "tiny") == 0
    assert written(capsys) == [f"tiny: is here, and checked: {folder}"]
    assert len(server.asked) == 1
    assert data("path", "tiny") == 0
    assert written(capsys) == [str(folder)]


def test_a_set_in_the_cache_that_lacks_files_is_said_to_be_fetched(
    data: Seqlab, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "cache/data/tiny"
    folder.mkdir(parents=True)
    assert data("get", "tiny") == 0
    out = written(capsys)
    assert out[1] == "licence: CC0 1.0"
    assert out[-1] == f"tiny: fetched and checked: {folder}"


def test_the_terms_are_shown_even_where_nothing_arrives(
    data: Seqlab, capsys: pytest.CaptureFixture[str], server: DataServer
) -> None:
    server.files.clear()
    assert data("get", "tiny") == 4
    captured = capsys.readouterr()
    assert "licence: CC0 1.0" in captured.out
    assert captured.err.startswith("error: a.txt cannot be downloaded: ")
    assert "404" in captured.err


def test_what_is_changed_on_its_way_has_the_exit_code_of_data(
    data: Seqlab, capsys: pytest.CaptureFixture[str], server: DataServer, tmp_path: Path
) -> None:
    server.serve("/a.txt", b"other")
    assert data("get", "tiny") == 4
    assert "expected" in capsys.readouterr().err
    assert not (tmp_path / "cache/data/tiny").exists()


@pytest.mark.parametrize("command", ["get", "path"])
def test_a_set_that_is_got_by_hand_says_how(
    data: Seqlab, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert data(command, "asked") == 4
    assert "it cannot be downloaded by seqlab: ask the author. Place its files in" in capsys.readouterr().err


def test_the_path_of_a_set_that_is_not_here_is_an_error_with_the_remedy(
    data: Seqlab, capsys: pytest.CaptureFixture[str]
) -> None:
    assert data("path", "tiny") == 4
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("get it with: seqlab data get tiny\n")


@pytest.mark.parametrize("command", ["show", "get", "path"])
def test_an_unknown_name_is_told_the_nearest(
    data: Seqlab, capsys: pytest.CaptureFixture[str], command: str, server: DataServer
) -> None:
    assert data(command, *(["tiny"] if command == "get" else []), "tinny") == 2
    assert "unknown data set 'tinny'; did you mean 'tiny'?" in capsys.readouterr().err
    assert not server.asked


def test_progress_is_drawn_on_a_terminal_only(
    data: Seqlab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert data("get", "tiny") == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    from seqlab.cli.data import bars

    with bars() as progress:
        progress("b.txt", 0, None)
        progress("b.txt", 50, 100)
    assert "b.txt" in capsys.readouterr().err


def test_the_cache_of_features_is_looked_at_and_cleared(
    data: Seqlab, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["cache"]) == 0
    folder = tmp_path / "cache/features"
    assert written(capsys) == [f"{folder}: features of 0 sounds in 0 files, 0.0 MB"]
    cleared: list[str] = []
    info = feature_cache.CacheInfo(path=folder, entries=1234, files=2, size=5_600_000)

    def clear() -> Any:
        cleared.append("cleared")
        return info

    monkeypatch.setattr(feature_cache, "clear_cache", clear)
    assert main(["cache", "--clear"]) == 0
    assert written(capsys) == [f"{folder}: removed features of 1,234 sounds in 2 files, 5.6 MB"]
    assert cleared


RECIPE = """
data: {dataset: pos_ewt}
features: [{name: embedding, min_count: 2}]
encoder: bilstm
head: tagging
"""


def test_catalogue_and_recipes_are_read_without_what_computes_or_downloads(
    seqlab_process: Any, tmp_path: Path
) -> None:
    (tmp_path / "pos_ewt").mkdir()
    for split in ("train", "dev", "test"):
        (tmp_path / f"pos_ewt/{split}.conllu").touch()
    (tmp_path / "pos.yaml").write_text(RECIPE)
    code = (
        "import sys; from seqlab.cli.main import main; code = main(sys.argv[1:]);"
        "heavy = {'torch', 'numpy', 'requests', 'pooch', 'rich', 'soundfile'} & set(sys.modules);"
        "assert not heavy, heavy; sys.exit(code)"
    )
    for args in (["data", "list"], ["data", "show", "speech_an4"], ["check", "pos.yaml"]):
        done = seqlab_process(*args, code=code, SEQLAB_DATA=str(tmp_path))
        assert done.returncode == 0, done.stderr

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from seqlab.datasets import DatasetEntry, cache_root, data_folders, find_dataset, need_dataset
from seqlab.errors import DataError

Entry = Callable[..., DatasetEntry]
URL = "http://127.0.0.1:1/a"


@pytest.fixture
def data(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that SEQLAB_DATA names."""
    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_the_folder_of_the_environment_comes_before_the_cache(data: Path, cache: Path) -> None:
    assert data_folders("tiny") == (data / "tiny", cache / "data/tiny")
    (cache / "data/tiny").mkdir(parents=True)
    assert find_dataset("tiny") == cache / "data/tiny"
    (data / "tiny").mkdir(parents=True)
    assert find_dataset("tiny") == data / "tiny"


def test_a_file_of_that_name_is_no_data_set(data: Path) -> None:
    data.mkdir()
    (data / "tiny").touch()
    assert find_dataset("tiny") is None


@pytest.mark.parametrize("name", ["SEQLAB_DATA", "SEQLAB_CACHE"])
def test_an_empty_variable_is_as_good_as_none(name: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "")
    assert all(folder.is_absolute() for folder in data_folders("tiny"))
    assert len(data_folders("tiny")) == (1 if name == "SEQLAB_DATA" else 2)


def test_without_a_variable_the_platform_says_where_the_cache_is(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEQLAB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root() == tmp_path / "xdg/seqlab"


def test_relative_variables_start_from_the_current_folder(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEQLAB_DATA", "corpora")
    monkeypatch.setenv("SEQLAB_CACHE", "kept")
    assert data_folders("tiny") == (tmp_path / "corpora/tiny", tmp_path / "kept/data/tiny")


def test_a_missing_set_is_told_with_the_command_and_the_folders(
    entry: Entry, data: Path, cache: Path
) -> None:
    with pytest.raises(DataError) as caught:
        need_dataset(entry({"a": (URL, b"a")}))
    assert f"looked for {data / 'tiny'} and {cache / 'data/tiny'};" in str(caught.value)
    assert str(caught.value).endswith("get it with: seqlab data get tiny")


def test_it_is_told_that_the_variable_is_not_set(entry: Entry, cache: Path) -> None:
    with pytest.raises(DataError, match="SEQLAB_DATA is not set"):
        need_dataset(entry({"a": (URL, b"a")}))


def test_a_set_that_cannot_be_fetched_says_where_to_put_it(entry: Entry, data: Path) -> None:
    with pytest.raises(DataError) as caught:
        need_dataset(entry({}, by_hand="ask the author"))
    assert "cannot be downloaded by seqlab: ask the author. Place its files in $SEQLAB_DATA/tiny" in str(
        caught.value
    )

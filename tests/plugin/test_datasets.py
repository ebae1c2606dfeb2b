"""Data sets of plugins: whose they are, and what becomes of those that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toy_language import write_toy

from seqlab import Lab
from seqlab.api import DatasetEntry, Download, hookimpl
from seqlab.errors import PluginError, SeqlabError
from seqlab.run import RunOptions

FILE = Download(name="train.conllu", urls=("http://127.0.0.1:1/a",), sha256="0" * 64)


def named(name: str, **more: Any) -> DatasetEntry:
    facts = {"summary": "s", "licence": "l", "citation": "c", "origin": "o", "downloads": (FILE,)}
    return DatasetEntry(name=name, **facts | more)


class Own:
    """A plugin with the data sets that it is given."""

    def __init__(self, offered: Callable[[], Any]) -> None:
        self.offered = offered

    @hookimpl
    def seqlab_register_datasets(self) -> Any:
        return self.offered()


def lab_with(*offered: Callable[[], Any]) -> Lab:
    lab = Lab(entry_points=False)
    for number, one in enumerate(offered):
        lab.plugins.add(Own(one), f"own{number}")
    return lab


TOY = named(
    "toy",
    reader={"name": "conllu", "label": "upos"},
    splits={split: f"{split}.conllu" for split in ("train", "dev", "test")},
)
RECIPE = {
    "name": "toy",
    "data": {"dataset": "toy"},
    "features": [{"name": "embedding", "embedding_dim": 4, "min_count": 2}],
    "encoder": {"name": "lstm", "hidden_size": 4},
    "head": "tagging",
    "observers": [],
    "train": {"epochs": 1},
}


def test_hook_register_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe that names the set runs; its saved form runs again, and is judged, where the set has moved."""
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path / "here"))
    (tmp_path / "here").mkdir()
    (tmp_path / "here/toy").mkdir()
    write_toy(tmp_path / "here/toy")
    lab = lab_with(lambda: [TOY])
    options = {"device": "cpu", "threads": 1}
    report = lab.run(RECIPE, options=RunOptions(out=tmp_path / "a", **options))
    (tmp_path / "here").rename(tmp_path / "there")
    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path / "there"))
    saved = tmp_path / "a/recipe.yaml"
    assert "dataset:toy/train.conllu" in saved.read_text()
    assert str(tmp_path) not in saved.read_text()
    again = lab.run(saved, options=RunOptions(out=tmp_path / "b", **options))
    assert again["metrics"] == report["metrics"]
    assert (tmp_path / "b/recipe.yaml").read_text() == saved.read_text()
    judged = lab.evaluate(tmp_path / "a/model", device="cpu")
    assert judged == pytest.approx(report["metrics"]["test"])


def test_a_package_is_opened_where_its_data_set_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SEQLAB_DATA", str(tmp_path))
    (tmp_path / "toy").mkdir()
    write_toy(tmp_path / "toy")
    options = RunOptions(out=tmp_path / "run", device="cpu", threads=1)
    lab_with(lambda: [TOY]).run(RECIPE, options=options)
    stranger = Lab(entry_points=False)
    assert stranger.open(tmp_path / "run/model", device="cpu")
    with pytest.raises(SeqlabError, match="unknown data set 'toy'"):
        stranger.evaluate(tmp_path / "run/model", device="cpu")


def test_every_data_set_has_an_owner() -> None:
    lab = lab_with(lambda: (named(name) for name in ("b", "a")))
    assert {"a", "b", "pos_ewt"} <= set(lab.registry.datasets())
    assert list(lab.registry.datasets()) == sorted(lab.registry.datasets())
    assert lab.registry.dataset_owner("a") == "own0"
    assert lab.registry.dataset_owner("pos_ewt") == "seqlab"
    assert lab.plugins.infos[-1].datasets == ("b", "a")


def test_an_unknown_data_set_is_told_the_nearest() -> None:
    with pytest.raises(SeqlabError, match=r"unknown data set 'pos_etw'; did you mean 'pos_ewt'\?; one of: "):
        Lab(entry_points=False).get_dataset("pos_etw")


def test_a_name_that_is_taken_names_both_and_takes_the_plugin_back() -> None:
    lab = lab_with(lambda: [named("a")])
    second = Own(lambda: [named("b"), named("a")])
    with pytest.raises(PluginError) as caught:
        lab.plugins.add(second, "second")
    assert str(caught.value) == (
        "plugin 'second': seqlab_register_datasets: data set 'a' is already registered by plugin 'own0'"
    )
    assert "b" not in lab.registry.datasets()
    assert lab.registry.dataset_owner("a") == "own0"


@pytest.mark.parametrize(
    ("offered", "message"),
    [
        (lambda: ["pos_ewt"], "returned 'pos_ewt' .* where a DatasetEntry is expected"),
        (lambda: [DatasetEntry], "returned the class DatasetEntry where a DatasetEntry is expected"),
        (lambda: None, "where a list of data sets is expected"),
        (lambda: named("../up"), "ValidationError"),
    ],
)
def test_what_is_no_data_set_is_blamed_on_its_plugin(offered: Callable[[], Any], message: str) -> None:
    with pytest.raises(PluginError, match=f"^plugin 'own0': seqlab_register_datasets: .*{message}"):
        lab_with(offered)


def test_a_preparation_that_fails_is_blamed_on_its_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepare(downloads: Path, folder: Path) -> None:
        raise KeyError("label")

    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path))
    monkeypatch.delenv("SEQLAB_DATA", raising=False)
    monkeypatch.setattr("seqlab.datasets.fetching.fetch", lambda *args: None)
    lab = lab_with(lambda: [named("a", prepare=prepare, files={"a.txt": "0" * 64})])
    with pytest.raises(PluginError, match=r"plugin 'own0'.*getting data set 'a' raised KeyError: 'label'"):
        lab.get_dataset("a")
    assert not (tmp_path / "data/a").exists()

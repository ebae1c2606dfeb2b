from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seqlab.datasets import DatasetEntry, Download
from seqlab.errors import RecipeError
from seqlab.recipe import Recipe, Surroundings, dump_recipe, load_recipe

Load = Callable[..., Recipe]
Lines = Callable[..., list[str]]


def named(name: str, **more: Any) -> DatasetEntry:
    file = Download(name="a", urls=("https://example.org/a",), sha256="0" * 64)
    facts = {"summary": "s", "licence": "l", "citation": "c", "origin": "o", "downloads": (file,)}
    return DatasetEntry(name=name, **facts | more)


ENTRIES = {
    "tiny": named(
        "tiny",
        reader={"name": "conllu", "label": "xpos"},
        splits={"train": ("a.conllu", "deep/b.conllu"), "dev": "dev.conllu", "test": "test.conllu"},
    ),
    "raw": named("raw", splits={"train": "a.conllu"}),
    "alone": named("alone", downloads=(), by_hand="ask the author", reader={"name": "conllu"}),
}

MODEL = """\
features: [embedding]
encoder: bilstm
head: tagging
"""
BASE = "dataset:tiny/"


@pytest.fixture(autouse=True)
def data(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the sets `tiny` and `raw`; nothing is in the cache."""
    for name in ("a.conllu", "deep/b.conllu", "dev.conllu", "test.conllu"):
        for entry in ("tiny", "raw"):
            (folder / "data" / entry / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "data" / entry / name).touch()
    monkeypatch.setenv("SEQLAB_DATA", str(folder / "data"))
    monkeypatch.setenv("SEQLAB_CACHE", str(folder / "cache"))
    return folder / "data"


@pytest.fixture
def tiny(load: Load) -> Load:
    """Load a recipe with this `data`."""

    def run(data: str, *overrides: str, **more: Any) -> Recipe:
        return load(f"data: {data}\n{MODEL}", *overrides, datasets=ENTRIES, **more)

    return run


@pytest.fixture
def told(lines: Lines) -> Lines:
    """Return the problems of a recipe with this `data`."""
    return lambda data, *overrides: lines(f"data: {data}\n{MODEL}", *overrides, datasets=ENTRIES)


def test_a_data_set_fills_reader_and_splits(tiny: Load, data: Path) -> None:
    recipe = tiny("{dataset: tiny}")
    assert recipe.reader.plain() == {"name": "conllu", "text": "form", "label": "xpos"}
    assert recipe.paths == {
        "train": (data / "tiny/a.conllu", data / "tiny/deep/b.conllu"),
        "dev": (data / "tiny/dev.conllu",),
        "test": (data / "tiny/test.conllu",),
    }


def test_what_the_recipe_says_lies_above_it(tiny: Load, folder: Path, data: Path) -> None:
    recipe = tiny("{dataset: tiny, reader: {text: lemma}, train: train.conllu, dev: null}")
    assert recipe.reader.plain() == {"name": "conllu", "text": "lemma", "label": "xpos"}
    assert recipe.paths == {
        "train": (folder / "recipes/train.conllu",),
        "test": (data / "tiny/test.conllu",),
    }


def test_overrides_lie_above_it(tiny: Load, data: Path) -> None:
    recipe = tiny(
        "{dataset: tiny}", "data.reader.label=upos", f"data.train={BASE}dev.conllu", "data.dev=null"
    )
    assert recipe.reader.plain()["label"] == "upos"
    assert recipe.paths["train"] == (data / "tiny/dev.conllu",)
    assert "dev" not in recipe.paths


def test_the_data_set_itself_can_be_overridden(tiny: Load, data: Path) -> None:
    recipe = tiny("{dataset: tiny, reader: conllu}", "data.dataset=raw")
    assert recipe.paths == {"train": (data / "raw/a.conllu",)}


def test_the_data_set_of_a_base_is_filled_too(folder: Path, data: Path, load: Load) -> None:
    (folder / "recipes/base.yaml").write_text(f"data: {{dataset: tiny}}\n{MODEL}")
    recipe = load("extends: base.yaml\ndata: {reader: {text: lemma}, dev: null}", datasets=ENTRIES)
    assert recipe.reader.plain() == {"name": "conllu", "text": "lemma", "label": "xpos"}
    assert set(recipe.paths) == {"train", "test"}


@pytest.mark.parametrize(
    "base",
    ["{reader: conllu, train: train.conllu, dev: train.conllu}", "{dataset: alone, test: train.conllu}"],
)
def test_a_data_set_takes_the_place_of_the_data_of_a_base(
    folder: Path, data: Path, load: Load, base: str
) -> None:
    """Not one split of the base is left: half of this and half of that is nobody's wish."""
    (folder / "recipes/base.yaml").write_text(f"data: {base}\n{MODEL}")
    recipe = load("extends: base.yaml\ndata: {dataset: raw, reader: conllu}", datasets=ENTRIES)
    assert recipe.paths == {"train": (data / "raw/a.conllu",)}


def test_a_data_set_can_be_chosen_on_the_command_line(tiny: Load, data: Path) -> None:
    written = "{reader: {name: conllu, text: lemma}, train: train.conllu, dev: train.conllu}"
    recipe = tiny(written, f"data.test={BASE}dev.conllu", "data.dataset=tiny", "data.dev=null")
    assert recipe.reader.plain() == {"name": "conllu", "text": "lemma", "label": "xpos"}
    assert recipe.paths == {
        "train": (data / "tiny/a.conllu", data / "tiny/deep/b.conllu"),
        "test": (data / "tiny/dev.conllu",),
    }


def test_no_data_set_can_be_chosen_on_the_command_line(told: Lines, tiny: Load) -> None:
    missing = [f"command line: data: missing required key {key!r}" for key in ("reader", "train")]
    assert told("{dataset: tiny}", "data.dataset=null") == missing
    overrides = ("data.dataset=null", "data.reader=conllu", "data.train=recipes/train.conllu")
    assert set(tiny("{dataset: tiny}", *overrides).paths) == {"train"}


def test_the_data_set_of_a_base_is_replaced(folder: Path, data: Path, load: Load) -> None:
    (folder / "recipes/base.yaml").write_text(
        f"data: {{dataset: tiny, reader: {{name: conllu, text: lemma}}}}\n{MODEL}"
    )
    recipe = load("extends: base.yaml\ndata: {dataset: raw}", datasets=ENTRIES)
    assert recipe.paths == {"train": (data / "raw/a.conllu",)}
    assert recipe.reader.plain()["text"] == "lemma"


@pytest.mark.parametrize("dataset", ["null", "~"])
def test_null_names_none(tiny: Load, folder: Path, dataset: str) -> None:
    recipe = tiny(f"{{dataset: {dataset}, reader: conllu, train: train.conllu}}")
    assert recipe.paths == {"train": (folder / "recipes/train.conllu",)}


def test_the_resolved_recipe_runs_again_elsewhere(
    tiny: Load, folder: Path, data: Path, surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny("{dataset: tiny, test: null}")
    resolved = recipe.resolved()
    assert resolved["data"] == {
        "reader": {"name": "conllu", "text": "form", "label": "xpos"},
        "on_error": "fail",
        "train": [f"{BASE}a.conllu", f"{BASE}deep/b.conllu"],
        "dev": f"{BASE}dev.conllu",
    }
    assert str(folder) not in dump_recipe(resolved)
    moved = data.rename(folder / "elsewhere")
    monkeypatch.setenv("SEQLAB_DATA", str(moved))
    again = load_recipe(resolved, replace(surroundings, datasets=ENTRIES))
    assert again.resolved() == resolved
    assert again.paths["dev"] == (moved / "tiny/dev.conllu",)


def test_an_unknown_data_set_is_one_problem(told: Lines) -> None:
    assert told("{dataset: tinny}") == [
        "recipes/pos.yaml:1:17: data.dataset: unknown data set 'tinny'; did you mean 'tiny'?;"
        " one of: alone, raw, tiny"
    ]


def test_no_setting_that_needs_a_dev_split_is_blamed_on_an_unknown_data_set(told: Lines) -> None:
    assert len(told("{dataset: tinny}", "train.early_stopping={patience: 3}")) == 1


@pytest.mark.parametrize("written", ["3", "[tiny]", "{name: tiny}"])
def test_a_data_set_is_a_name(told: Lines, written: str) -> None:
    (line,) = told(f"{{dataset: {written}}}")
    assert "data.dataset: expected the name of a data set, got" in line


def test_a_misspelt_key_is_told_the_right_one(told: Lines) -> None:
    assert "unknown key 'datset'; did you mean 'dataset'?" in "\n".join(told("{datset: tiny}"))


def test_a_set_that_names_no_reader_needs_one(told: Lines, tiny: Load) -> None:
    assert told("{dataset: raw}") == ["recipes/pos.yaml:1:7: data: missing required key 'reader'"]
    assert tiny("{dataset: raw}", "data.reader=conllu").reader.name == "conllu"
    assert tiny("{dataset: raw, reader: conllu}").reader.name == "conllu"


def test_a_set_without_splits_needs_a_training_split(told: Lines, data: Path) -> None:
    (data / "alone").mkdir()
    assert told("{dataset: alone}") == ["recipes/pos.yaml:1:7: data: missing required key 'train'"]


def test_a_set_that_is_not_here_is_one_problem_with_the_command(
    told: Lines, data: Path, folder: Path
) -> None:
    (data / "tiny").rename(data / "other")
    assert told("{dataset: tiny}") == [
        "recipes/pos.yaml:1:17: data: data set 'tiny' is not on this machine; looked for"
        f" {data}/tiny and {folder}/cache/data/tiny; get it with: seqlab data get tiny"
    ]


def test_it_is_found_in_the_cache(tiny: Load, data: Path, folder: Path) -> None:
    (folder / "cache/data").mkdir(parents=True)
    (data / "tiny").rename(folder / "cache/data/tiny")
    assert tiny("{dataset: tiny}").paths["dev"] == (folder / "cache/data/tiny/dev.conllu",)


def test_a_file_that_a_set_lacks_is_named(told: Lines, data: Path) -> None:
    (data / "tiny/dev.conllu").unlink()
    assert told("{dataset: tiny}") == [
        f"recipes/pos.yaml:1:17: data.dev: no such file: {data}/tiny/dev.conllu"
    ]


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("dataset:tinny/a.conllu", "unknown data set 'tinny'; did you mean 'tiny'?"),
        ("dataset:tiny", "expected dataset:tiny/ and a file of that data set, got 'dataset:tiny'"),
        ("dataset:tiny/../raw/a.conllu", "expected dataset:tiny/ and a file of that data set"),
        ("dataset:tiny//etc/passwd", "expected dataset:tiny/ and a file of that data set"),
        ("dataset:tiny/deep", "is a directory"),
        ("strange:tiny/a.conllu", "nothing installed knows the scheme 'strange:'"),
    ],
)
def test_a_uri_that_leads_nowhere_is_named(told: Lines, uri: str, message: str) -> None:
    (line,) = told(f"{{dataset: tiny, train: '{uri}'}}")
    assert "data.train: " in line
    assert message in line


def test_other_schemes_are_left_to_others(tiny: Load, folder: Path) -> None:
    recipe = tiny("{dataset: tiny, train: 'own:x'}", locate=lambda uri, base: base / "train.conllu")
    assert recipe.paths["train"] == (folder / "recipes/train.conllu",)


def test_a_setting_that_the_reader_of_the_set_does_not_know_is_named(told: Lines) -> None:
    assert told("{dataset: tiny, reader: {colour: red}}") == [
        "recipes/pos.yaml:1:32: data.reader: unknown key 'colour'; allowed keys: label, text"
    ]


def test_data_that_is_not_looked_at_need_not_be_there(data: Path, surroundings: Surroundings) -> None:
    resolved = {
        "data": {"reader": "conllu", "train": f"{BASE}a.conllu"},
        "features": ["embedding"],
        "encoder": "bilstm",
        "head": "tagging",
    }
    (data / "tiny").rename(data / "other")
    assert load_recipe(resolved, surroundings, check_data=False).paths == {}
    with pytest.raises(RecipeError, match="seqlab data get tiny"):
        load_recipe(resolved, replace(surroundings, datasets=ENTRIES))

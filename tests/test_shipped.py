"""The recipes that come with seqlab are found, described and whole."""

from __future__ import annotations

from pathlib import Path

import pytest

import seqlab.shipped as shipped
from seqlab import SeqlabError

RECIPES = Path(__file__).parents[1] / "recipes"


def test_in_a_checkout_they_are_its_own() -> None:
    assert shipped.recipes_folder() == RECIPES
    assert set(shipped.recipe_names()) == {file.stem for file in RECIPES.glob("*.yaml")}


def test_in_a_wheel_they_are_those_inside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "recipes"
    monkeypatch.setattr(shipped, "IN_A_WHEEL", inside)
    monkeypatch.setattr(shipped, "PACKAGE", tmp_path / "site-packages/seqlab")
    with pytest.raises(SeqlabError, match="lacks its recipes; install it again"):
        shipped.recipes_folder()
    inside.mkdir()
    (inside / "own.yaml").write_text("# Ours.\n")
    assert shipped.recipe_names() == ("own",)
    assert shipped.recipe_summary("own") == "Ours"


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(SeqlabError, match="unknown recipe 'long_lag_grr'; did you mean 'long_lag_gru'\\?"):
        shipped.recipe_named("long_lag_grr")


@pytest.mark.parametrize("name", shipped.recipe_names())
def test_the_first_line_of_a_recipe_is_a_sentence_that_says_what_it_is(name: str) -> None:
    first, second = shipped.recipe_named(name).read_text().splitlines()[:2]
    assert first.startswith("# ")
    assert first.endswith(".")
    assert not second.startswith("# ") or second[2].isupper(), "the sentence ends with its line"
    assert shipped.recipe_summary(name) == first[2:-1]


def test_every_file_of_the_folder_belongs_to_a_recipe() -> None:
    owned = {file for name in shipped.recipe_names() for file in shipped.recipe_files(name)}
    assert owned == {file.relative_to(RECIPES) for file in RECIPES.rglob("*") if file.is_file()}


def test_with_a_recipe_go_its_data_its_base_and_the_data_of_that() -> None:
    assert [str(file) for file in shipped.recipe_files("long_lag_gru")] == [
        "long_lag_gru.yaml",
        "long_lag.yaml",
        "long_lag/dev.copy",
        "long_lag/train.copy",
    ]

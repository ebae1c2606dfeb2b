from __future__ import annotations

from collections.abc import Callable

import pytest

from seqlab.recipe import Recipe

Load = Callable[..., Recipe]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("data.train", "recipes/pos.yaml:3:10"),
        ("features.0", "recipes/pos.yaml:5:5"),
        ("features.0.embedding_dim", "recipes/pos.yaml:5:5"),
        ("features.7.embedding_dim", "recipes/pos.yaml:5:3"),
        ("encoder", "recipes/pos.yaml:6:10"),
        ("train.bptt", "recipes/pos.yaml:8:8"),
        ("train.seed", "recipes/pos.yaml:8:15"),
        ("train.epochs", "command line"),
        ("metrics.0", "command line"),
        ("observers", "recipes/pos.yaml:1:1"),
        ("zzz.features", "recipes/pos.yaml:1:1"),
    ],
)
def test_place_is_where_the_value_or_its_nearest_parent_stands(
    load: Load, whole: str, path: str, place: str
) -> None:
    recipe = load(whole + "train: {seed: 3}\n", "train.epochs=3", "metrics=[accuracy]")
    assert str(recipe.place(path)) == place


def test_problem_has_the_place_of_its_path(load: Load, whole: str) -> None:
    problem = load(whole).problem("encoder.hidden_size", "too large for this machine")
    assert str(problem) == "recipes/pos.yaml:6:10: encoder.hidden_size: too large for this machine"

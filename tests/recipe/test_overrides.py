from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqlab.recipe import Recipe
from seqlab.recipe.composing import MAX_SIZE
from seqlab.recipe.overrides import merge
from seqlab.recipe.reader import read_mapping
from seqlab.recipe.tree import plain
from seqlab.settings import SGD

Load = Callable[..., Recipe]
Lines = Callable[..., list[str]]


def merged(base: dict[str, Any], top: dict[str, Any]) -> Any:
    return plain(merge(read_mapping(base).root, read_mapping(top).root))


def test_mappings_merge_while_lists_and_scalars_replace() -> None:
    base = {"train": {"epochs": 3, "seed": 1}, "features": [1, 2], "name": "a"}
    top = {"train": {"seed": 2}, "features": [3], "name": "b"}
    assert merged(base, top) == {"train": {"epochs": 3, "seed": 2}, "features": [3], "name": "b"}


def test_a_component_with_another_name_replaces_the_base_wholly() -> None:
    base = {
        "encoder": {"name": "bilstm", "hidden_size": 3},
        "train": {"optimizer": {"name": "adam", "lr": 1}},
    }
    top = {"encoder": {"name": "gru"}, "train": {"optimizer": {"name": "sgd"}}}
    assert merged(base, top) == top
    same = {"encoder": {"name": "bilstm", "dropout": 0.5}}
    assert merged(base, same)["encoder"] == {"name": "bilstm", "hidden_size": 3, "dropout": 0.5}
    assert merged(base, {"encoder": {"dropout": 0.5}})["encoder"]["hidden_size"] == 3


def test_extends_lays_the_recipe_over_its_base(load: Load, whole: str) -> None:
    Path("base.yaml").write_text(
        whole.replace("train.conllu", "recipes/train.conllu").replace(
            "bilstm", "{name: bilstm, hidden_size: 5}"
        )
    )
    recipe = load("extends: ../base.yaml\nencoder: {dropout: 0.5}\ntrain: {epochs: 2}\n")
    assert recipe.encoders[0].config.model_dump() == {"hidden_size": 5, "dropout": 0.5}
    assert recipe.train.epochs == 2
    assert recipe.name == "pos"
    assert "extends" not in recipe.resolved()


def test_the_short_form_means_the_same_in_base_and_recipe(load: Load, whole: str) -> None:
    Path("recipes/base.yaml").write_text(whole)
    recipe = load("extends: base.yaml\nencoder: {hidden_size: 7}\n")
    assert (recipe.encoders[0].name, recipe.encoders[0].config.model_dump()["hidden_size"]) == ("bilstm", 7)
    Path("recipes/base.yaml").write_text(whole.replace("bilstm", "{name: bilstm, hidden_size: 5}"))
    recipe = load("extends: base.yaml\nencoder: bilstm\n")
    assert recipe.encoders[0].config.model_dump()["hidden_size"] == 5


def test_paths_of_a_base_start_from_the_base(load: Load, whole: str) -> None:
    Path("lib").mkdir()
    Path("lib/base.yaml").write_text(whole)
    Path("lib/train.conllu").touch()
    Path("recipes/dev.conllu").touch()
    recipe = load("extends: ../lib/base.yaml\ndata: {dev: dev.conllu}\n")
    assert recipe.paths == {
        "train": (Path("lib/train.conllu").resolve(),),
        "dev": (Path("recipes/dev.conllu").resolve(),),
    }


def test_problems_of_both_files_name_their_file(lines: Lines, whole: str) -> None:
    Path("recipes/base.yaml").write_text(whole.replace("bilstm", "{name: bilstm, hiden_size: 5}"))
    assert lines("extends: base.yaml\ntrain: {epochs: 0}\n") == [
        "recipes/base.yaml:6:25: encoder: unknown key 'hiden_size'; did you mean 'hidden_size'?",
        "recipes/pos.yaml:2:17: train.epochs: must be at least 1, got 0",
    ]


@pytest.mark.parametrize(
    ("override", "line"),
    [
        (".".join("a" * 101) + "=1", "the key has 101 parts, at most 100: 'a.a.a"),
        ("train.\udc80=1", "the string holds U+DC80, half of a character"),
        ("train.epochs=" + "9" * 5000, "train.epochs: the number is too large"),
        ("name=" + "x" * (MAX_SIZE + 1), "name: the value has more than"),
        (f"features.{'1' * 5000}=1", f"there is no item {'1' * 57}...; features has 1 item"),
        ("encoder.x.y.z=1", "encoder: unknown key 'x'"),
        ("train.epochs.x=1", "cannot be set: train.epochs is 3, not a mapping or a list"),
        ("name=[" + "[" * 200, "nested more than 100 deep"),
        ("name=*x", "has no anchor"),
    ],
)
def test_overrides_made_to_do_harm_are_refused_in_words(
    lines: Lines, whole: str, override: str, line: str
) -> None:
    (found,) = lines(whole + "train: {epochs: 3}\n", override)
    assert line in found
    assert len(found) < 300


def test_overrides_follow_the_rules_of_recipe_files(load: Load, whole: str) -> None:
    recipe = load(
        whole,
        "train.optimizer={name: sgd, lr: 0.1}",
        "train.optimizer.lr=1e-3",
        "train.seed=010",
        "train.monitor='1'",
        "data.dev=dev.conllu",
        "name=no",
    )
    assert recipe.train.optimizer == SGD(lr=0.001)
    assert (recipe.train.seed, recipe.train.monitor, recipe.name) == (10, "1", "no")


def test_overrides_reach_into_lists_short_forms_and_absent_mappings(load: Load, whole: str) -> None:
    recipe = load(
        whole + "train: {early_stopping: null}\n",
        "features.0.embedding_dim=50",
        "encoder.hidden_size=3",
        "train.early_stopping.patience=2",
        "data.dev=dev.conllu",
        "head=[tagging]",
        "head.0.name=tagging",
    )
    assert recipe.features[0].config.model_dump()["embedding_dim"] == 50
    assert recipe.encoders[0].config.model_dump()["hidden_size"] == 3
    assert recipe.train.early_stopping is not None
    assert recipe.train.early_stopping.patience == 2
    assert load(whole, "train.epochs=4").train.epochs == 4


def test_replacing_only_the_name_keeps_the_keys(load: Load, lines: Lines, whole: str) -> None:
    text = whole.replace("bilstm", "{name: bilstm, hidden_size: 9}")
    recipe = load(text, "encoder.name=gru")
    assert (recipe.encoders[0].name, recipe.encoders[0].config.model_dump()["hidden_size"]) == ("gru", 9)
    assert lines(text, "encoder.name=bounded", "encoder.units=1") == [
        "recipes/pos.yaml:6:25: encoder: unknown key 'hidden_size'; allowed keys: choice, code, many, part,"
        " rates, sizes, units, weights"
    ]
    assert load(text, "encoder=gru").encoders[0].config.model_dump()["hidden_size"] == 256


def test_an_empty_value_is_null(load: Load, whole: str) -> None:
    assert load(whole + "train: {monitor: f1}\n", "train.monitor=").train.monitor is None


def test_paths_given_on_the_command_line_start_from_the_current_folder(load: Load, whole: str) -> None:
    Path("mine.conllu").touch()
    assert load(whole, "data.train=mine.conllu").paths["train"] == (Path("mine.conllu").resolve(),)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("epochs", "expected KEY=VALUE, got 'epochs'"),
        ("=3", "expected KEY=VALUE with a dotted key, got '=3'"),
        ("train..epochs=3", "expected KEY=VALUE with a dotted key, got 'train..epochs=3'"),
        ("extends=a.yaml", "extends: cannot be set on the command line; write it into the recipe"),
        ("name.x.y=1", "name.x.y: cannot be set: name is 'tagger', not a mapping or a list"),
        ("features.1.x=1", "features.1.x: there is no item 1; features has 1 item, counted from 0"),
        ("features.-1=a", "features.-1: features is a list of 1 item, '-1' is not an index (0, 1, ...)"),
        ("features.x=a", "features.x: features is a list of 1 item, 'x' is not an index (0, 1, ...)"),
        (
            "train.epochs=[",
            "train.epochs: not valid YAML: expected the node content, but found '<stream end>'"
            " (while parsing a flow node)",
        ),
        ("train={a: {b: 1, b: 2}}", "train.a: duplicate key 'b'"),
        ("train.epochs=abc", "train.epochs: expected an integer, got 'abc'"),
        ("train.epoch=3", "train: unknown key 'epoch'; did you mean 'epochs'?"),
        (
            "encoder.name=grux",
            "encoder: unknown encoder 'grux'; did you mean 'gru'?; one of: bilstm, bounded, gru",
        ),
        ("encodr.x=1", "unknown key 'encodr'; did you mean 'encoder'?"),
        ("data.train=no.conllu", "data.train: no such file: {folder}/no.conllu"),
    ],
)
def test_overrides_that_are_refused(lines: Lines, whole: str, folder: Path, override: str, line: str) -> None:
    expected = f"command line: {line}".replace("{folder}", str(folder.resolve()))
    assert lines("name: tagger\n" + whole, override) == [expected]


def test_all_refused_overrides_are_reported_with_the_problems_of_the_file(lines: Lines, whole: str) -> None:
    found = lines(whole + "trian: {}\n", "a", "features.9=x")
    assert [line.split(": ")[0] for line in found] == ["command line", "command line", "recipes/pos.yaml:8:1"]


def test_a_key_keeps_its_place_when_its_value_is_overridden(lines: Lines, whole: str) -> None:
    assert lines(whole.replace("bilstm", "{name: bilstm, hiden_size: 3}"), "encoder.hiden_size=5") == [
        "recipes/pos.yaml:6:25: encoder: unknown key 'hiden_size'; did you mean 'hidden_size'?"
    ]

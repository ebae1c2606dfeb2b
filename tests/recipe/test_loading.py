from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqlab.errors import RecipeError
from seqlab.recipe import Recipe, Surroundings, dump_recipe, load_recipe
from seqlab.settings import TrainSettings

Load = Callable[..., Recipe]
Lines = Callable[..., list[str]]

SEVEN = """\
data:
  reader: {name: conllu, txt: form}
  train: ${SEQLAB_NONE}/train.conllu
features:
  - {name: embeding}
encoder:
  name: bilstm
  hiden_size: 300
head: tagging
train:
  epochs: 0
  precision: fp16
  deterministic: yes
"""


def test_seven_mistakes_give_seven_lines_in_the_order_of_the_file(lines: Lines) -> None:
    assert lines(SEVEN) == [
        "recipes/pos.yaml:2:26: data.reader: unknown key 'txt'; did you mean 'text'?",
        "recipes/pos.yaml:3:10: data.train: environment variable SEQLAB_NONE is not set;"
        " set it to the path meant, e.g. export SEQLAB_NONE=/path/to/folder",
        "recipes/pos.yaml:5:12: features.0: unknown featurizer 'embeding'; did you mean 'embedding'?;"
        " one of: embedding, one_hot",
        "recipes/pos.yaml:8:3: encoder: unknown key 'hiden_size'; did you mean 'hidden_size'?",
        "recipes/pos.yaml:11:11: train.epochs: must be at least 1, got 0",
        "recipes/pos.yaml:12:14: train.precision: must be one of: auto, fp32, bf16; got 'fp16'",
        "recipes/pos.yaml:13:18: train.deterministic: expected true or false, got 'yes'",
    ]


def test_the_shortest_recipe_has_every_default(load: Load, whole: str) -> None:
    recipe = load(whole)
    assert (recipe.name, recipe.source, recipe.requires) == ("pos", Path("recipes/pos.yaml"), ())
    assert recipe.train == TrainSettings()
    assert recipe.metrics is None
    assert [observer.name for observer in recipe.observers] == ["console", "jsonl", "checkpoints"]
    assert [(head.kind, head.name) for head in recipe.heads] == [("head", "tagging")]
    assert recipe.features[0].config.model_dump() == {"embedding_dim": 100, "lowercase": False}
    assert str(recipe.features[0].place) == "recipes/pos.yaml:5:5"


def test_null_means_absent_where_there_is_a_default(load: Load, whole: str) -> None:
    empty = "name:\nrequires:\nmetrics:\nobservers:\ntrain:\nextends:\n"
    assert load(whole.replace("features", "  dev:\nfeatures") + empty) == load(whole)


def test_empty_lists_are_taken_at_their_word(load: Load, whole: str) -> None:
    recipe = load(whole + "observers: []\nmetrics: []\n")
    assert (recipe.observers, recipe.metrics) == ((), ())
    assert recipe.resolved()["metrics"] == []


def test_encoders_may_be_one_or_several(load: Load, lines: Lines, whole: str) -> None:
    several = whole.replace("encoder: bilstm", "encoder: [bilstm, {name: gru, hidden_size: 3}]")
    assert [ref.name for ref in load(whole).encoders] == ["bilstm"]
    assert [ref.name for ref in load(several).encoders] == ["bilstm", "gru"]
    assert load(several, "encoder.0.hidden_size=5").encoders[0].config.model_dump()["hidden_size"] == 5
    assert [ref["name"] for ref in load(several).resolved()["encoder"]] == ["bilstm", "gru"]
    (problem,) = lines(whole.replace("encoder: bilstm", "encoder: []"))
    assert problem.endswith(": encoder: expected at least one encoder, got an empty list")


def test_what_a_bad_example_does_is_one_of_two_words(load: Load, lines: Lines, whole: str) -> None:
    def with_word(word: str) -> str:
        return whole.replace("train: train.conllu", f"on_error: {word}\n  train: train.conllu")

    assert load(whole).on_error == load(with_word("null")).on_error == "fail"
    assert load(with_word("skip")).on_error == "skip"
    for wrong in ("ignore", "[skip]", "1"):
        (problem,) = lines(with_word(wrong))
        assert ": data.on_error: got " in problem
        assert problem.endswith("; one of: fail, skip")


@pytest.fixture
def rich(whole: str, folder: Path) -> str:
    for name in ("dev-1", "dev-2"):
        (folder / f"{name}.conllu").touch()
    return (
        whole.replace("tagging", "[tagging, {name: tagging}]")
        .replace(
            "encoder: bilstm", "encoder: [{name: bounded, units: 3, sizes: [1, 2], weights: {no: 1}}, gru]"
        )
        .replace("train: train.conllu", "train: [train.conllu]\n  dev: ../dev-*.conllu\n  on_error: skip")
        + "name: 'no'\nmetrics: [accuracy]\nrequires: [Seqlab_CRF]\n"
        + "train: {optimizer: {name: adamw}, schedule: {name: linear}, early_stopping: {}}\n"
    )


def test_the_resolved_recipe_loads_as_an_equal_one(
    load: Load, rich: str, surroundings: Surroundings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load(rich, "train.epochs=3", installed=["seqlab-crf"])
    again = Surroundings(surroundings.catalogue, installed=["seqlab-crf"])
    saved = folder / "elsewhere/saved.yaml"
    saved.parent.mkdir()
    saved.write_text(dump_recipe(recipe.resolved()), encoding="utf-8")
    monkeypatch.chdir(saved.parent)
    for source in (recipe.resolved(), saved):
        loaded = load_recipe(source, again)
        assert loaded == recipe
        assert loaded.resolved() == recipe.resolved()
        assert loaded.paths == recipe.paths


def test_resolved_is_plain_and_complete(load: Load, whole: str, folder: Path) -> None:
    resolved = load(whole).resolved()
    assert list(resolved) == [
        "name",
        "requires",
        "data",
        "features",
        "encoder",
        "head",
        "observers",
        "train",
    ]
    assert resolved["data"] == {
        "reader": {"name": "conllu", "text": "form", "label": "upos"},
        "on_error": "fail",
        "train": str(folder.resolve() / "recipes/train.conllu"),
    }
    assert resolved["encoder"] == {"name": "bilstm", "hidden_size": 256, "dropout": 0.0}
    assert resolved["train"]["optimizer"]["betas"] == [0.9, 0.999]


def test_recipes_differ_when_any_setting_does(load: Load, whole: str) -> None:
    assert load(whole) != load(whole, "train.seed=2")
    assert load(whole) != load(whole, "encoder.dropout=0.5")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("head: tagging", "heads: tagging", ["7:1: unknown key 'heads'; did you mean 'head'?"]),
        (
            "head: tagging",
            "head: tagging\nzzz: 1",
            [
                "8:1: unknown key 'zzz'; allowed keys: augment, data, encoder, extends, features, head,"
                " metrics, name, observers, requires, train"
            ],
        ),
        ("encoder: bilstm\n", "", ["1:1: missing required key 'encoder'"]),
        ("encoder: bilstm", "encoder: {hidden_size: 3}", ["6:10: encoder: missing required key 'name'"
            "; one of: bilstm, bounded, gru"]),
        ("encoder: bilstm", "encoder: {name: 3}", ["6:17: encoder.name: expected a string, got 3; quote it"]),
        ("encoder: bilstm", "encoder: transformer", ["6:10: encoder: unknown encoder 'transformer'"
            "; one of: bilstm, bounded, gru"]),
        ("encoder: bilstm", "encoder: null", ["6:10: encoder: expected a component name or a mapping with a"
            " 'name', got null"]),
        ("encoder: bilstm", "encoder: [[bilstm]]", ["6:11: encoder.0: expected a component name or a mapping"
            " with a 'name', got a list"]),
        ("  - embedding", "  embedding", ["5:3: features: expected a list of featurizers, got 'embedding'"]),
        ("\n  - embedding", " []", ["4:11: features: expected at least one featurizer, got an empty list"]),
        ("  - embedding", "  - 3", ["5:5: features.0: expected a component name or a mapping with a 'name',"
            " got 3"]),
        ("head: tagging", "head: []", ["7:7: head: expected at least one head, got an empty list"]),
        ("head: tagging", "head: [tagging, taging]", ["7:17: head.1: unknown head 'taging'; did you mean"
            " 'tagging'?; one of: tagging"]),
        ("head: tagging", "head: tagging\nmetrics: accuracy", ["8:10: metrics: expected a list of metrics,"
            " got 'accuracy'"]),
        ("head: tagging", "head: tagging\ntrain: 3", ["8:8: train: expected a mapping, got 3"]),
        ("  train: train.conllu\n", "", ["2:3: data: missing required key 'train'"]),
        ("  reader: conllu\n", "", ["2:3: data: missing required key 'reader'"]),
        ("  train: train.conllu", "  trian: train.conllu", ["3:3: data: unknown key 'trian';"
            " did you mean 'train'?"]),
        ("train.conllu", "3", ["3:10: data.train: expected a path or a list of paths, got 3"]),
        ("train.conllu", "[]", ["3:10: data.train: expected a path or a list of paths, got an empty list"]),
        ("train.conllu", "null", ["3:10: data.train: expected a path or a list of paths, got null"]),
        ("train.conllu", "[train.conllu, 3]", ["3:25: data.train.1: expected a path, got 3"]),
        ("data:\n  reader: conllu\n  train: train.conllu", "data: x", ["1:7: data: expected a mapping,"
            " got 'x'"]),
        ("head: tagging", "head: tagging\nmetrics:\n- accuracy\n- {name: accuracy}", ["10:3: metrics: metric"
            " 'accuracy' is listed twice, first at recipes/pos.yaml:9:3"]),
        ("head: tagging", "head: tagging\nobservers: [jsonl, console, jsonl]", ["8:29: observers: observer"
            " 'jsonl' is listed twice, first at recipes/pos.yaml:8:13"]),
        ("head: tagging", "head: tagging\nname: 3", ["8:7: name: expected a string, got 3; quote it"]),
        ("head: tagging", "head: tagging\nname: ../x", ["8:7: name: must be usable as the name of a folder,"
            " without / and \\, got '../x'"]),
        ("head: tagging", "head: tagging\nname: ..", ["8:7: name: must be usable as the name of a folder,"
            " without / and \\, got '..'"]),
        ("head: tagging", "head: tagging\nrequires: seqlab-crf", ["8:11: requires: expected a list of"
            " distributions, got 'seqlab-crf'"]),
        ("head: tagging", "head: tagging\nrequires: [a b]", ["8:12: requires.0: expected the name of a"
            " distribution, no more, got 'a b'"]),
        ("head: tagging", "head: tagging\nrequires: [other, seqlab-crf]", ["8:19: requires.1: the recipe says"
            " that it needs a plugin of seqlab-crf, and none is loaded (see: seqlab plugins); check that you"
            " trust it before you install it: pip install seqlab-crf"]),
    ],
)  # fmt: skip
def test_mistakes(lines: Lines, whole: str, old: str, new: str, expected: list[str]) -> None:
    assert old in whole
    found = lines(whole.replace(old, new), installed=["Other"])
    assert found == [f"recipes/pos.yaml:{line}" for line in expected]


@pytest.mark.parametrize("absent", ["", "augment: null\n", "augment: []\n"])
def test_without_augmenters_there_are_none_and_a_saved_recipe_is_as_before(
    load: Load, whole: str, absent: str
) -> None:
    recipe = load(whole + absent)
    assert recipe.augmenters == ()
    assert "augment" not in recipe.resolved()


def test_augmenters_are_a_list_in_which_a_name_may_stand_twice(load: Load, whole: str) -> None:
    recipe = load(whole + "augment: [noise, {name: noise, snr: 3.0}]\n", "augment.0.snr=9.0")
    assert [(ref.kind, ref.config.snr) for ref in recipe.augmenters] == [  # type: ignore[attr-defined]
        ("augmenter", 9.0),
        ("augmenter", 3.0),
    ]
    assert recipe.resolved()["augment"][1] == {"name": "noise", "snr": 3.0, "files": [], "room": None}


@pytest.mark.parametrize(
    ("augment", "problem"),
    [
        ("noise", "8:10: augment: expected a list of augmenters, got 'noise'"),
        ("[nois]", "8:11: augment.0: unknown augmenter 'nois'; did you mean 'noise'?"),
        ("[{name: noise, snr: x}]", "8:30: augment.0.snr: expected a number, got 'x'"),
    ],
)
def test_mistakes_in_augmenters(lines: Lines, whole: str, augment: str, problem: str) -> None:
    (found,) = lines(f"{whole}augment: {augment}\n")
    assert found.startswith(f"recipes/pos.yaml:{problem}")


NEEDS_DEV = """\
train:
  evaluate_every: 2
  early_stopping: {}
  monitor: accuracy
  schedule: {name: plateau}
"""


def test_what_needs_a_dev_split_is_refused_without_one(
    load: Load, lines: Lines, whole: str, surroundings: Surroundings
) -> None:
    keys = ("9:19: train.evaluate_every", "10:19: train.early_stopping", "11:12: train.monitor")
    found = lines(whole + NEEDS_DEV)
    assert found == [
        f"recipes/pos.yaml:{key}: needs a dev split, but there is no data.dev"
        for key in (*keys, "12:13: train.schedule")
    ]
    assert lines(whole + NEEDS_DEV, "data.dev=null") == found
    load(whole + NEEDS_DEV, "data.dev=dev.conllu")
    load_recipe(Path("recipes/pos.yaml"), surroundings, check_data=False)


@pytest.mark.parametrize(
    ("optimizer", "problem"),
    [
        ("{name: sgd, nesterov: true}", "8:42: train.optimizer.nesterov: needs momentum above 0"),
        (
            "{name: sgd, nesterov: true, momentum: 0.0}",
            "8:42: train.optimizer.nesterov: needs momentum above 0",
        ),
        ("{name: adam, betas: [0.9, 1.0]}", "8:46: train.optimizer.betas.1: must be below 1, got 1.0"),
        ("{name: adamw, betas: [-0.1, 0.9]}", "8:42: train.optimizer.betas.0: must be at least 0, got -0.1"),
    ],
)
def test_what_the_optimizers_of_torch_refuse(lines: Lines, whole: str, optimizer: str, problem: str) -> None:
    assert lines(whole + f"train: {{optimizer: {optimizer}}}\n") == [f"recipes/pos.yaml:{problem}"]


def test_nesterov_with_momentum(load: Load, whole: str) -> None:
    load(whole + "train: {optimizer: {name: sgd, nesterov: true, momentum: 0.9}}\n")


def test_a_kind_without_components(whole: str, folder: Path) -> None:
    Path("pos.yaml").write_text(whole)
    with pytest.raises(RecipeError) as caught:
        load_recipe(Path("pos.yaml"), Surroundings({}), check_data=False)
    assert "pos.yaml:6:10: encoder: unknown encoder 'bilstm'; none is there" in str(caught.value)


def test_a_mapping_has_dotted_paths_for_places(folder: Path, surroundings: Surroundings) -> None:
    data: dict[str, Any] = {
        "data": {"reader": "conllu", "train": "recipes/train.conllu"},
        "features": ("embedding",),
        "encoder": {"name": "bilstm"},
        "head": "tagging",
    }
    recipe = load_recipe(data, surroundings)
    assert (recipe.name, recipe.source) == ("recipe", None)
    assert recipe.paths["train"] == (folder.resolve() / "recipes/train.conllu",)
    with pytest.raises(RecipeError) as caught:
        load_recipe(data | {"encoder": {"name": "bilstm", "dropout": 2}, "x": 1}, surroundings)
    assert str(caught.value).splitlines()[0].startswith("<recipe>: unknown key 'x'; allowed keys: augment,")
    assert str(caught.value).splitlines()[1] == "<recipe>: encoder.dropout: must be below 1, got 2"


def test_the_caller_gets_the_file_as_it_was_given(folder: Path, surroundings: Surroundings) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(Path("recipes/../none.yaml"), surroundings)
    assert str(caught.value) == "recipes/../none.yaml: no such file"


def test_reading_recipes_loads_neither_torch_nor_numpy() -> None:
    code = "import sys, seqlab.recipe; print(sorted({'torch', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_mistake_of_reading_hides_another(folder: Path, surroundings: Surroundings) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe({1: 2, 2: 3, "nmae": "x"}, surroundings)  # type: ignore[dict-item]
    messages = {problem.message for problem in caught.value.problems}
    assert {"keys are strings, got 1", "keys are strings, got 2", "missing required key 'data'"} <= messages
    assert "unknown key 'nmae'; did you mean 'name'?" in messages


def test_a_recipe_with_a_long_name_opens(load: Load, whole: str) -> None:
    assert load(whole + f"name: {'a' * 200}\n").name == "a" * 200

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from seqlab import Lab
from seqlab.recipe.problems import settings_problems, show
from seqlab.recipe.reader import read_mapping
from seqlab.recipe.tree import plain
from seqlab.settings import Config, built

Lines = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (1.5, "1.5"),
        (math.inf, ".inf"),
        (-math.inf, "-.inf"),
        (math.nan, ".nan"),
        ("a", "'a'"),
        ("a" * 70, "'" + "a" * 57 + "...'"),
        ([1], "a list"),
        ({}, "a mapping"),
    ],
)
def test_values_are_shown_as_a_recipe_writes_them(value: Any, shown: str) -> None:
    assert show(value) == shown


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("epochs: abc", "9:11: train.epochs: expected an integer, got 'abc'"),
        ("epochs: '3'", "9:11: train.epochs: expected an integer, got '3'; remove the quotes"),
        ("epochs: 1_000", "9:11: train.epochs: expected an integer, got '1_000'; write 1000"),
        ("epochs: 3.0", "9:11: train.epochs: expected an integer, got 3.0"),
        ("epochs: true", "9:11: train.epochs: expected an integer, got true"),
        ("epochs: [3]", "9:11: train.epochs: expected an integer, got a list"),
        ("epochs: null", "9:11: train.epochs: expected an integer, got null"),
        ("epochs: 0", "9:11: train.epochs: must be at least 1, got 0"),
        ("clip_norm: 0", "9:14: train.clip_norm: must be above 0, got 0"),
        ("clip_norm: .inf", "9:14: train.clip_norm: must be a finite number, got .inf"),
        ("clip_norm: x", "9:14: train.clip_norm: expected a number, got 'x'"),
        ("ema: 1.5", "9:8: train.ema: must be below 1, got 1.5"),
        ("deterministic: yes", "9:18: train.deterministic: expected true or false, got 'yes'"),
        (
            "deterministic: 'true'",
            "9:18: train.deterministic: expected true or false, got 'true'; remove the quotes",
        ),
        ("deterministic: 1", "9:18: train.deterministic: expected true or false, got 1"),
        ("monitor: 3", "9:12: train.monitor: expected a string, got 3; quote it"),
        ("precision: fp16", "9:14: train.precision: must be one of: auto, fp32, bf16; got 'fp16'"),
        ("early_stopping: 3", "9:19: train.early_stopping: expected a mapping, got 3"),
        ("early_stopping: {patience: 0}", "9:30: train.early_stopping.patience: must be at least 1, got 0"),
        (
            "early_stopping: {x: 0}",
            "9:20: train.early_stopping: unknown key 'x'; allowed keys: min_delta, patience",
        ),
        ("schedule: linear", "9:13: train.schedule: expected a mapping, got 'linear'"),
        ("schedule: {warmup_steps: 3}", "9:13: train.schedule: missing required key 'name'"),
        (
            "optimizer: {name: sdg}",
            "9:21: train.optimizer.name: must be one of: sgd, adam, adamw; got 'sdg'",
        ),
        ("optimizer: {name: sgd, lr: -1}", "9:30: train.optimizer.lr: must be above 0, got -1"),
        (
            "optimizer: {name: sgd, momentun: 1}",
            "9:26: train.optimizer: unknown key 'momentun'; did you mean 'momentum'?",
        ),
        (
            "optimizer: {name: sgd, betas: 1}",
            "9:26: train.optimizer: unknown key 'betas';"
            " allowed keys: lr, momentum, name, nesterov, weight_decay",
        ),
        (
            "optimizer: {name: adam, betas: [0.5]}",
            "9:34: train.optimizer.betas: must have exactly 2 items, got 1",
        ),
        (
            "optimizer: {name: adam, betas: []}",
            "9:34: train.optimizer.betas: must have exactly 2 items, got 0",
        ),
        (
            "optimizer: {name: adam, betas: [1, 2, 3]}",
            "9:34: train.optimizer.betas: must have exactly 2 items, got 3",
        ),
        (
            "optimizer: {name: adam, betas: [0, x]}",
            "9:38: train.optimizer.betas.1: expected a number, got 'x'",
        ),
        ("optimizer: {name: adam, betas: x}", "9:34: train.optimizer.betas: expected a list, got 'x'"),
    ],
)
def test_settings(lines: Lines, whole: str, setting: str, line: str) -> None:
    assert lines(f"{whole}train:\n  {setting}\n") == [f"recipes/pos.yaml:{line}"]


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("dropout: 0.5", "6:10: encoder: missing required key 'units'"),
        ("unit: 1", "6:26: encoder: unknown key 'unit'; did you mean 'units'?"),
        ("units: 13", "6:10: encoder: units must not be 13 where code is 'a'"),
        ("units: 1, sizes: [1, 2, 3]", "6:43: encoder.sizes: must have at most 2 items, got 3"),
        ("units: 1, sizes: [1, x]", "6:47: encoder.sizes.1: expected an integer, got 'x'"),
        ("units: 1, code: ''", "6:42: encoder.code: must have at least 1 character, got 0"),
        ("units: 1, code: A", "6:42: encoder.code: must match the regular expression ^[a-z]*$, got 'A'"),
        (
            "units: 1, choice: x",
            "6:44: encoder.choice: expected an integer or one of: auto; got 'x'",
        ),
        ("units: 1, many: x", "6:42: encoder.many: expected a number or a list, got 'x'"),
        ("units: 1, many: [1, x]", "6:46: encoder.many.1: expected a number, got 'x'"),
        ("units: 1, part: {}", "6:42: encoder.part: missing required key 'size'"),
        ("units: 1, weights: {NOUN: x}", "6:52: encoder.weights.NOUN: expected a number, got 'x'"),
    ],
)
def test_components(lines: Lines, whole: str, keys: str, line: str) -> None:
    found = lines(whole.replace("bilstm", f"{{name: bounded, {keys}}}"))
    assert f"recipes/pos.yaml:{line}" in found
    assert len(found) == (2 if "dropout" in keys else 1)


@pytest.mark.parametrize(
    ("rates", "problems"),
    [
        (
            "[0, 5]",
            [
                "6:44: encoder.rates.0: must be at least 0.5, got 0",
                "6:47: encoder.rates.1: must be at most 2, got 5",
            ],
        ),
        ("[0, 1]", ["6:44: encoder.rates.0: must be at least 0.5, got 0"]),
        ("[1]", ["6:43: encoder.rates: must have at least 2 items, got 1"]),
        ("[]", ["6:43: encoder.rates: must have at least 2 items, got 0"]),
        (
            "[0]",
            [
                "6:43: encoder.rates: must have at least 2 items, got 1",
                "6:44: encoder.rates.0: must be at least 0.5, got 0",
            ],
        ),
    ],
)
def test_a_list_is_only_too_short_where_it_is(
    lines: Lines, whole: str, rates: str, problems: list[str]
) -> None:
    found = lines(whole.replace("bilstm", f"{{name: bounded, units: 1, rates: {rates}}}"))
    assert found == [f"recipes/pos.yaml:{problem}" for problem in problems]


WRONG: list[Any] = [None, True, 0, -1, 1.5, 1e300, math.nan, "", "no such word", [], [1, "x", None], [[]], {}]
WRONG += [{"": 1}, {"name": "none"}, {"name": 1}, {"x": {"y": [1]}}, 10**60, ["a"] * 200]


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind, named in Lab(entry_points=False).registry.catalogue().items() for name in named],
)
def test_whatever_stands_where_a_setting_should_is_told_in_the_words_of_recipes(kind: str, name: str) -> None:
    config = Lab(entry_points=False).registry.get(kind, name).config
    for key in [*config.model_fields, "none"]:
        for value in WRONG:
            node = read_mapping({key: value}).root
            try:
                config.model_validate(plain(node))
            except ValidationError as error:
                problems = settings_problems(error, config, node, ("x",))
                assert problems
                for problem in problems:
                    assert not re.search(
                        r"\b[Ii]nput (should|must)|pydantic|unable to|instance of", problem.message
                    ), problem
                    assert len(problem.message) < 500


def test_many_wrong_values_are_counted(lines: Lines, whole: str) -> None:
    weights = ", ".join(f"w{number}: x" for number in range(300))
    found = lines(whole.replace("bilstm", f"{{name: bounded, units: 1, weights: {{{weights}}}}}"))
    assert len(found) == 101
    assert "recipes/pos.yaml:6:10: encoder: 200 more mistakes" in found


def test_a_component_without_settings_allows_no_keys(lines: Lines, whole: str) -> None:
    assert lines(whole.replace("tagging", "{name: tagging, x: 1}")) == [
        "recipes/pos.yaml:7:23: head: unknown key 'x'; no keys are allowed here"
    ]


class Sized(Config):
    boxes: dict[str, Annotated[tuple[int, int, int], Field(strict=False)]] = Field(default_factory=dict)
    pair: Annotated[
        tuple[
            Annotated[tuple[int, int], Field(strict=False)],
            Annotated[tuple[int, int, int], Field(strict=False)],
        ],
        Field(strict=False),
    ] = ((1, 1), (1, 1, 1))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"boxes": {"x": [1]}}, "x.boxes.x: must have exactly 3 items, got 1"),
        ({"boxes": {"x": [1, 2, 3, 4]}}, "x.boxes.x: must have exactly 3 items, got 4"),
        ({"pair": [[1], [1, 2, 3]]}, "x.pair.0: must have exactly 2 items, got 1"),
        ({"pair": [[1, 2], [1, 2]]}, "x.pair.1: must have exactly 3 items, got 2"),
        ({"pair": [[1, 2]]}, "x.pair: must have exactly 2 items, got 1"),
    ],
)
def test_a_list_of_fixed_size_says_it_wherever_it_stands(value: Any, problem: str) -> None:
    node = read_mapping(value).root
    with pytest.raises(ValidationError) as caught:
        built(Sized).model_validate(plain(node))
    assert [str(each) for each in settings_problems(caught.value, Sized, node, ("x",))] == [
        f"<recipe>: {problem}"
    ]

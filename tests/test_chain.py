"""What components declare is what they are; and each break of a recipe's chain is told with its place."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import torch
from contract import registered
from made_sounds import noise

from seqlab import Lab, PluginError, RecipeError
from seqlab.api import (
    Answer,
    AugmenterContext,
    Component,
    Config,
    Declaration,
    EncoderContext,
    Example,
    FeaturizerContext,
    HeadContext,
    MetricContext,
    Place,
    Sound,
    hookimpl,
)
from seqlab.testing.kinds import known_kinds

FIELDS = {name: name for name in ("audio", "text", "tokens", "labels", "label", "label_set")}
VALUES: dict[str, Any] = {
    "audio": Sound(noise(16_000), 16_000),
    "text": "one two",
    "tokens": ["one", "two"],
    "labels": ["A", "B"],
    "label": "A",
    "label_set": ("A",),
}
SETTINGS = {"recall_of": {"label": "A"}}
"""Settings of components that cannot do without."""

LENGTHS = torch.tensor([9, 1, 4])

RECOGNISER = """\
data: {reader: speech, train: train.jsonl}
features:
  - {name: log_mel, deltas: 1, stack: 3}
augment: []
encoder: bilstm
head: ctc
"""


@pytest.fixture
def recogniser(tmp_path: Path) -> Path:
    (tmp_path / "train.jsonl").touch()
    path = tmp_path / "asr.yaml"
    path.write_text(RECOGNISER)
    return path


def problems(lab: Lab, recipe: Path, *overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        lab.check(recipe, overrides)
    return [f"{problem.path}: {problem.message}" for problem in caught.value.problems]


# --- what is declared is what will be --------------------------------------------------------------------


@pytest.mark.parametrize("name", registered("head"))
def test_a_head_is_what_it_declares(name: str) -> None:
    component = registered("head")[name]
    declared = component.declares(component.config())
    assert declared.kinds is not None
    for kind in declared.kinds:
        built = component.build(component.config(), HeadContext({kind: kind}, known_kinds()))
        assert built.target == kind
        assert built.alignment == declared.alignment
        assert built.default_metrics == declared.default_metrics


@pytest.mark.parametrize("name", registered("featurizer"))
def test_a_featurizer_is_what_it_declares(name: str) -> None:
    component = registered("featurizer")[name]
    config = component.config()
    declared = component.declares(config)
    assert declared.kinds is not None
    built = component.build(config, FeaturizerContext(FIELDS))
    assert FIELDS[built.field] in declared.kinds
    built.fit([VALUES[built.field]])
    values = built.encode([VALUES[built.field]]).values
    assert declared.frames == (values.dtype == torch.float32 and values.dim() == 2)
    weights = sum(each.numel() for each in built.module().parameters())
    assert declared.weights <= weights


AUGMENTERS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in registered("augmenter")),
    ("speed", {"factors": [1]}),
    ("speed", {"factors": [1.0, 1.0]}),
]


@pytest.mark.parametrize(("name", "settings"), AUGMENTERS)
def test_an_augmenter_is_what_it_declares(name: str, settings: dict[str, Any]) -> None:
    component = registered("augmenter")[name]
    config = component.config(**settings)
    declared, built = component.declares(config), component.build(config, AugmenterContext(FIELDS))
    assert (declared.stage, declared.keeps_length) == (built.stage, built.keeps_length)


ENCODERS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in registered("encoder")),
    ("pyramid", {"factors": [1, 1]}),
    ("lstm", {"num_layers": 3, "hidden_size": 7}),
]


@pytest.mark.parametrize(("name", "settings"), ENCODERS)
def test_an_encoder_is_what_it_declares(name: str, settings: dict[str, Any]) -> None:
    component = registered("encoder")[name]
    config = component.config(**settings)
    declared, built = component.declares(config), component.build(config, EncoderContext(40))
    assert declared.carries_state == built.carries_state
    assert declared.keeps_length == torch.equal(built.output_lengths(LENGTHS), LENGTHS)
    assert declared.weights <= sum(each.numel() for each in built.parameters())


@pytest.mark.parametrize("name", registered("metric"))
def test_a_metric_reports_what_it_declares(name: str) -> None:
    component = registered("metric")[name]
    config = component.config(**SETTINGS.get(name, {}))
    declared = component.declares(config)
    assert declared.kinds is not None
    assert declared.figures is not None
    for kind in declared.kinds:
        example = Example({**VALUES, "tokens": ["one", "three"]}, Place("x", 1))
        metric = component.build(config, MetricContext(kind, FIELDS))
        metric.fit([Example(VALUES, Place("x", 1))])
        value = VALUES[kind]
        score = 0.5 if isinstance(value, str) else [0.5] * len(value)
        metric.update(example, value, Answer(value, score))
        by_kind = declared.figures if isinstance(declared.figures, Mapping) else {kind: declared.figures}
        for figure in metric.compute():
            assert any(fnmatchcase(figure, pattern) for pattern in by_kind[kind]), figure


# --- each break ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "found"),
    [
        (
            ["features=[log_mel]"],
            "features.0: featurizer log_mel reads audio, but the reader delivers none, only: tokens (tokens),"
            " upos (labels)",
        ),
        (
            ["features=[{name: embedding, field: upos}]"],
            "features.0: featurizer embedding reads tokens, but field 'upos' holds labels; one of: tokens",
        ),
        (
            ["features=[{name: embedding, field: tokns}]"],
            "features.0: featurizer embedding reads field 'tokns', which the reader does not deliver; did you"
            " mean 'tokens'?; one of: tokens, upos",
        ),
        (
            ["head=ctc"],
            "head: head ctc learns text, but the reader delivers none, only: tokens (tokens), upos (labels)",
        ),
        (
            ["head={name: tagging, target: xpos}"],
            "head: head tagging learns field 'xpos', which the reader does not deliver; did you mean 'upos'?;"
            " one of: tokens, upos",
        ),
        (
            ["head=[tagging, tagging]"],
            "head.1: head tagging learns 'upos', as head.0 does; each needs its own",
        ),
        (["metrics=[wer]"], "metrics.0: metric wer scores text, but head tagging answers labels"),
        (
            ["train.bptt=5", "encoder=bilstm"],
            "train.bptt: encoder bilstm carries no state from one chunk to the next",
        ),
        (
            ["encoder=[conv_subsample, lstm]"],
            "encoder.0: encoder conv_subsample changes the lengths, but head tagging needs one state for each"
            " part of its target",
        ),
        (
            ["metrics=[accuracy]", "train.monitor=acuracy"],
            "train.monitor: no figure 'acuracy'; did you mean 'accuracy'?; one of: accuracy, loss",
        ),
    ],
)
def test_a_break_is_told_with_its_place(lab: Lab, toy: Path, overrides: list[str], found: str) -> None:
    assert found in problems(lab, toy, *overrides)


def test_what_only_the_data_tells_is_no_problem(lab: Lab, toy: Path) -> None:
    lab.check(toy, ["train.monitor=NOUN.f1"])
    lab.check(toy, ["train.monitor=loss"])


def test_a_text_cannot_be_cut(lab: Lab, recogniser: Path) -> None:
    assert problems(lab, recogniser, "train.bptt=5", "encoder=lstm") == [
        "train.bptt: head ctc has targets that cannot be cut along with the states"
    ]


def test_what_is_not_declared_is_not_known(toy: Path) -> None:
    class Mine:
        @hookimpl
        def seqlab_register_heads(self) -> list[Component[Any]]:
            return [Component(name="mine", config=Config, build=lambda *_: None, summary="anything")]

    Lab([Mine()], entry_points=False).check(
        toy, ["head=mine", "encoder=lstm", "train.bptt=5", "train.monitor=any"]
    )


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        (7, "returned 7 (int) where a Declaration is expected"),
        (None, "returned None where a Declaration is expected"),
        (Declaration(kinds="label"), "returned kinds 'label' (str) where a tuple of strings is expected"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_declaration_is_blamed_on_its_plugin(toy: Path, declared: Any, reason: str) -> None:
    class Mine:
        @hookimpl
        def seqlab_register_heads(self) -> list[Component[Any]]:
            made = Component(
                name="mine", config=Config, build=lambda *_: None, summary="odd", declares=lambda _: declared
            )
            return [made]

    with pytest.raises(PluginError) as caught:
        Lab([Mine()], entry_points=False).check(toy, ["head=mine"])
    assert str(caught.value) == f"plugin 'Mine': head 'mine': declares {reason}"


def test_a_kind_that_nobody_registers_is_told_with_the_nearest(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("text\tlabel\na b\tx\n")
    recipe = tmp_path / "table.yaml"
    fields = "{tokens: {column: text, kind: tokens}, label: {column: label, kind: labelz}}"
    recipe.write_text(
        f"data: {{reader: {{name: tsv, fields: {fields}}}, train: a.tsv}}\n"
        "features: [embedding]\nencoder: lstm\nhead: classify\n"
    )
    found = problems(lab, recipe)
    assert (
        "data.reader: field 'label' has the unknown kind 'labelz'; did you mean 'label'?; one of: "
        in found[0]
    )


@pytest.mark.parametrize(
    ("overrides", "found"),
    [
        (
            ["train.monitor=f1_micro", "metrics=[f1]"],
            "train.monitor: no figure 'f1_micro'; did you mean 'f1_macro'?; one of: f1_macro, loss",
        ),
        (
            ["features=[{name: ngrams, weights: naive_bayes, target: lable}]"],
            "features.0: featurizer ngrams counts by field 'lable', which the reader does not deliver; did"
            " you mean 'label'?; one of: label, tokens",
        ),
        (
            ["data.reader={name: tsv, fields: {tokens: tokens, label: {kind: label, separator: ';'}}}"],
            "data.reader: field 'label' of kind label has no parts to separate; one of: ",
        ),
    ],
)
def test_a_break_of_a_classifier_is_told(lab: Lab, tmp_path: Path, overrides: list[str], found: str) -> None:
    for split in ("train", "dev"):
        (tmp_path / f"{split}.tsv").write_text("text\tlabel\na b\tx\n")
    recipe = tmp_path / "table.yaml"
    recipe.write_text(
        "data: {reader: tsv, train: train.tsv, dev: dev.tsv}\n"
        "features: [embedding]\nencoder: lstm\nhead: classify\n"
    )
    assert lab.check(recipe)
    assert found in problems(lab, recipe, *overrides)[0]


def test_sizes_that_no_machine_holds_are_told(lab: Lab, toy: Path) -> None:
    (found,) = problems(lab, toy, "encoder={name: bilstm, hidden_size: 9999999}")
    assert found.startswith("encoder: encoder bilstm would have at least ")
    assert "GiB of weights, this machine has " in found


def test_augmenters_of_sound_and_of_frames_have_no_place_among_words(lab: Lab, toy: Path) -> None:
    found = problems(lab, toy, "augment=[gain, speed, noise, reverb, spec_augment]")
    assert {
        *(
            f"augment.{number}: augmenter {name} changes audio, but no featurizer reads any"
            for number, name in enumerate(["gain", "speed", "noise", "reverb"])
        ),
        "augment.4: augmenter spec_augment changes frames of features, but no featurizer makes any",
    } <= {*found}


def test_a_change_of_speed_has_no_place_where_something_counts_on_lengths(lab: Lab, recogniser: Path) -> None:
    speed = "augment=[{name: speed, factors: [1]}, speed]"
    bptt = "augment.1: augmenter speed changes lengths, but train.bptt counts its chunks by them"
    assert bptt in problems(lab, recogniser, speed, "train.bptt=5", "encoder=lstm")
    aligned = "augment.1: augmenter speed changes lengths, but head tagging needs one state for each label"
    assert aligned in problems(lab, recogniser, speed, "head=[ctc, tagging]")

"""What `seqlab check` knows of augmenters and featurizers, held against the parts once they are built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from contract import registered
from made_sounds import noise

from seqlab import Lab, RecipeError
from seqlab.api import AugmenterContext, FeaturizerContext, HeadContext, Sound
from seqlab.builtin.speech.augmenters.checks import (
    ALIGNED_HEADS,
    Features,
    KnownChange,
    known_change,
    known_features,
)

FIELDS = {"audio": "audio", "text": "text", "tokens": "tokens", "labels": "token_labels"}

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


# --- what is known is what will be -----------------------------------------------------------------------

AUGMENTERS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in registered("augmenter")),
    ("speed", {"factors": [1]}),
    ("speed", {"factors": [1.0, 1.0]}),
]


@pytest.mark.parametrize("name", registered("head"))
def test_a_head_is_known_to_need_a_state_for_each_label(name: str) -> None:
    component = registered("head")[name]
    built = component.build(component.config(), HeadContext(FIELDS))
    assert (name in ALIGNED_HEADS) == getattr(built, "one_state_per_label", False)


@pytest.mark.parametrize(("name", "settings"), AUGMENTERS)
def test_an_augmenter_is_what_its_settings_tell(name: str, settings: dict[str, Any]) -> None:
    component = registered("augmenter")[name]
    config = component.config(**settings)
    built = component.build(config, AugmenterContext(FIELDS))
    told = known_change({"name": name, **config.model_dump(mode="json")})
    assert told == KnownChange(stage=built.stage, keeps_length=built.keeps_length)


FEATURIZERS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in registered("featurizer")),
    ("mfcc", {"n_mfcc": 20, "deltas": 2}),
    ("log_mel", {"n_mels": 24, "deltas": 1, "stack": 3}),
    ("spectrogram", {"n_fft": 600, "stack": 2}),
]


@pytest.mark.parametrize(("name", "settings"), FEATURIZERS)
def test_a_featurizer_makes_what_its_settings_tell(name: str, settings: dict[str, Any]) -> None:
    component = registered("featurizer")[name]
    config = component.config(**settings)
    built = component.build(config, FeaturizerContext(FIELDS))
    told = known_features({"name": name, **config.model_dump(mode="json")})
    assert told is not None
    assert told.reads == FIELDS[built.field]
    value = Sound(noise(16_000), 16_000) if told.reads == "audio" else ["a", "word"]
    built.fit([value])
    values = built.encode([value]).values
    frames = values.dtype == torch.float32 and values.dim() == 2
    assert frames == (told.size > 0)
    if frames:
        plain = config.model_copy(update={"deltas": 0, "stack": 1})
        bands = component.build(plain, FeaturizerContext(FIELDS)).module().output_size
        assert told == Features(reads="audio", bands=bands, size=values.shape[1])


def test_parts_of_plugins_are_not_known() -> None:
    assert known_change({"name": "mine"}) is None
    assert known_features({"name": "mine"}) is None


# --- what a check says -----------------------------------------------------------------------------------


def test_augmenters_of_sound_and_of_frames_have_no_place_among_words(lab: Lab, toy: Path) -> None:
    assert problems(lab, toy, "augment=[gain, speed, noise, reverb, spec_augment]") == [
        *(
            f"augment.{number}: augmenter {name} changes sound, but no featurizer reads any"
            for number, name in enumerate(["gain", "speed", "noise", "reverb"])
        ),
        "augment.4: augmenter spec_augment changes frames of features, but no featurizer makes any",
    ]


def test_a_change_of_speed_has_no_place_where_something_counts_on_lengths(lab: Lab, recogniser: Path) -> None:
    speed = "augment=[{name: speed, factors: [1]}, speed]"
    assert problems(lab, recogniser, speed, "train.bptt=5") == [
        "augment.1: augmenter speed changes lengths, but train.bptt counts its chunks by them"
    ]
    assert problems(lab, recogniser, speed, "head=[ctc, tagging]") == [
        "augment.1: augmenter speed changes lengths, but head tagging needs one state for each label"
    ]
    assert problems(lab, recogniser, speed, "features=[log_mel, embedding]") == [
        "augment.1: augmenter speed changes lengths, but not that of features.1"
    ]


@pytest.mark.parametrize(
    ("settings", "features", "found"),
    [
        (
            "bands: 36",
            "[{name: log_mel, deltas: 1, stack: 3}, mfcc]",
            [
                "augment.0.bands: the 13 features of features.1 are no multiple of 36;"
                " they are made of 13 bands",
                "augment.0.bands: the 240 features of features.0 are no multiple of 36;"
                " they are made of 40 bands",
            ],
        ),
        (
            "freq_mask: 20",
            "[log_mel, mfcc]",
            ["augment.0.freq_mask: must be at most 13, the features of features.1, got 20"],
        ),
    ],
)
def test_bands_and_masks_must_fit_the_features(
    lab: Lab, recogniser: Path, settings: str, features: str, found: list[str]
) -> None:
    augment = f"augment=[{{name: spec_augment, {settings}}}]"
    assert problems(lab, recogniser, augment, f"features={features}") == found


@pytest.mark.parametrize(
    ("settings", "zeros"),
    [
        ("time_mask: 0, freq_masks: 0, bands: 40", "time_mask and freq_masks"),
        ("time_masks: 0, time_share: 0, freq_share: 0", "time_masks and freq_share"),
    ],
)
def test_masks_of_nothing_are_told(lab: Lab, recogniser: Path, settings: str, zeros: str) -> None:
    found = problems(lab, recogniser, f"augment=[{{name: spec_augment, {settings}}}]")
    assert found == [f"augment.0: augmenter spec_augment masks nothing: {zeros} are 0"]


@pytest.mark.parametrize(
    "settings",
    [
        "",
        "bands: 40",
        "bands: 80",
        "bands: 40, freq_mask: 40",
        "freq_mask: 240",
        "time_masks: 0, bands: 40, freq_mask: 10",
        "freq_masks: 0, freq_mask: 6, time_mask: 20",
    ],
)
def test_what_fits_is_no_problem_and_neither_is_its_resolved_recipe(
    lab: Lab, recogniser: Path, settings: str
) -> None:
    recipe = lab.check(recogniser, [f"augment=[speed, {{name: spec_augment, {settings}}}, gain]"])
    assert lab.check(recipe.resolved()) == recipe

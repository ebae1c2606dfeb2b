"""What `seqlab check` knows of the masks of `spec_augment`, held against the frames that are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from contract import registered
from made_sounds import noise

from seqlab import Lab, RecipeError
from seqlab.api import FeaturizerContext, Sound
from seqlab.builtin.speech.augmenters.checks import Frame, known_frame

SOUND = Sound(noise(16_000), 16_000)

FIELDS = {"audio": "audio", "text": "text", "tokens": "tokens", "labels": "labels"}

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

FEATURIZERS: list[tuple[str, dict[str, Any]]] = [
    ("mfcc", {}),
    ("log_mel", {}),
    ("spectrogram", {}),
    ("mfcc", {"n_mfcc": 20, "deltas": 2}),
    ("log_mel", {"n_mels": 24, "deltas": 1, "stack": 3}),
    ("spectrogram", {"n_fft": 600, "stack": 2}),
]


@pytest.mark.parametrize(("name", "settings"), FEATURIZERS)
def test_a_featurizer_makes_what_its_settings_tell(name: str, settings: dict[str, Any]) -> None:
    component = registered("featurizer")[name]
    config = component.config(**settings)
    built = component.build(config, FeaturizerContext(FIELDS))
    told = known_frame({"name": name, **config.model_dump(mode="json")})
    built.fit([SOUND])
    plain = config.model_copy(update={"deltas": 0, "stack": 1})
    bands = component.build(plain, FeaturizerContext(FIELDS)).module().output_size
    assert told == Frame(bands=bands, size=built.encode([SOUND]).values.shape[1])


def test_other_parts_are_not_known() -> None:
    assert known_frame({"name": "mine"}) is None
    assert known_frame({"name": "embedding"}) is None


# --- what a check says -----------------------------------------------------------------------------------


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

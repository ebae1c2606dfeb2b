from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from made_sounds import Sound, noise
from pydantic import ValidationError, create_model

import seqlab
from seqlab import Lab
from seqlab.api import (
    Component,
    Config,
    FeaturizerContext,
    ReaderContext,
    RecipeError,
    SeqlabError,
    hookimpl,
)
from seqlab.builtin.speech.plugin import seqlab_register_featurizers

COMPONENTS = {component.name: component for component in seqlab_register_featurizers()}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path))


def build(name: str, fields: dict[str, str] | None = None, **config: Any) -> Any:
    component = COMPONENTS[name]
    return component.build(component.config(**config), FeaturizerContext(fields or {"audio": "audio"}))


@pytest.mark.parametrize(
    ("name", "config", "size"),
    [
        ("mfcc", {}, 13),
        ("mfcc", {"n_mfcc": 40, "deltas": 1}, 80),
        ("log_mel", {"n_mels": 23, "stack": 4}, 92),
        ("spectrogram", {}, 257),
        ("spectrogram", {"n_fft": 400}, 201),
        ("spectrogram", {"window": 20.0, "sample_rate": 8_000}, 129),
        ("spectrogram", {"window": 16.0, "sample_rate": 8_000}, 65),
    ],
)
def test_sizes_follow_from_the_settings(name: str, config: dict[str, Any], size: int) -> None:
    featurizer = build(name, normalize="none", **config)
    assert featurizer.module().output_size == size
    rate = config.get("sample_rate", 16_000)
    assert featurizer.encode([Sound(noise(rate), rate)]).values.shape[1] == size


def test_windows_are_counted_in_samples_of_the_rate() -> None:
    config = COMPONENTS["mfcc"].config(sample_rate=11_025)
    assert (config.window_samples, config.hop_samples, config.fft_points) == (276, 110, 512)


def test_the_logarithm_of_the_spectrogram_can_be_left_out() -> None:
    logs = build("spectrogram", normalize="none").encode([Sound(noise(800))])
    energies = build("spectrogram", normalize="none", log=False).encode([Sound(noise(800))])
    assert torch.allclose(energies.values.log(), logs.values, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("mfcc", {"n_mfcc": 41}, "n_mfcc: 41 coefficients cannot be had of 40 bands (n_mels)"),
        ("mfcc", {"f_max": 8_001.0}, "f_max: 8001 Hz is above half the sample rate, 8000 Hz"),
        ("log_mel", {"f_min": 900.0, "f_max": 900.0}, "f_min: 900 Hz is not below f_max, 900 Hz"),
        ("log_mel", {"n_fft": 398}, "n_fft: 398 is less than the window, which has 400 samples"),
        ("log_mel", {"n_fft": 513}, "n_fft: 513 is odd; choose an even number"),
        ("spectrogram", {"hop": 25.1}, "hop: 25.1 ms would leave out sound between windows of 25 ms"),
        (
            "spectrogram",
            {"hop": 0.01},
            "hop: 0.01 ms at 16000 Hz are 0 samples; at least 1 are needed",
        ),
        (
            "spectrogram",
            {"window": 0.06, "hop": 0.06},
            "window: 0.06 ms at 16000 Hz are 1 samples; at least 2 are needed",
        ),
        ("spectrogram", {"power": 3}, "Input should be 1 or 2"),
        (
            "spectrogram",
            {"log": False, "log_floor": 0.5},
            "log_floor: 0.5 does nothing where log is false; leave it out",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(name: str, config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        COMPONENTS[name].config(**config)


@pytest.mark.parametrize("settings", [{"log": False}, {"log_floor": 0.5}])
def test_a_spectrogram_takes_a_floor_or_no_logarithm_and_so_does_its_resolved_recipe(
    settings: dict[str, Any],
) -> None:
    config = COMPONENTS["spectrogram"].config(**settings)
    assert type(config).model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        (
            {"tokens": "tokens"},
            None,
            "featurizer mfcc reads audio, but the reader delivers none, only: tokens (tokens)",
        ),
        (
            {"near": "audio", "far": "audio"},
            None,
            "featurizer mfcc reads audio, of which the reader delivers 2 fields: name the one that is meant;"
            " one of: far, near",
        ),
        (
            {"audio": "audio", "text": "text"},
            "audoi",
            "featurizer mfcc reads field 'audoi', which the reader does not deliver; did you mean 'audio'?;"
            " one of: audio, text",
        ),
        (
            {"audio": "audio", "text": "text"},
            "text",
            "featurizer mfcc reads audio, but field 'text' holds text; one of: audio",
        ),
    ],
)
def test_a_field_that_is_no_sound_is_refused(fields: dict[str, str], field: str | None, message: str) -> None:
    with pytest.raises(SeqlabError, match=f"^{re.escape(message)}$"):
        build("mfcc", fields, field=field)


def test_the_only_sound_is_read_unless_another_is_named() -> None:
    assert build("mfcc", {"tokens": "tokens", "wave": "audio"}).field == "wave"
    assert build("mfcc", {"near": "audio", "far": "audio"}, field="far").field == "far"


# --- what a check says -----------------------------------------------------------------------------------

RECIPE = """\
data:
  reader: {name: READER, sample_rate: 8000}
  train: train.FILE
features:
  - {name: log_mel, sample_rate: 8000}
  - {name: FEATURIZER}
encoder: bilstm
head: ctc
"""


def written(folder: Path, reader: str, featurizer: str) -> Path:
    """Write a recipe whose reader brings sound to 8000 Hz, and nothing into its training data."""
    suffix = {"spoken_digits": "digits", "speech": "jsonl"}[reader]
    (folder / f"train.{suffix}").touch()
    recipe = folder / "r.yaml"
    text = RECIPE.replace("READER", reader).replace("FILE", suffix)
    recipe.write_text(text.replace("FEATURIZER", featurizer))
    return recipe


@pytest.mark.parametrize("name", COMPONENTS)
@pytest.mark.parametrize("reader", ["speech", "spoken_digits"])
def test_another_rate_than_the_readers_is_told_with_its_place_before_any_sound_is_read(
    lab: Lab, tmp_path: Path, reader: str, name: str
) -> None:
    told = f"featurizer {name} wants {{}} Hz, but the reader brings all sound to 8000 Hz; give both the same"
    with pytest.raises(RecipeError) as caught:
        lab.check(written(tmp_path, reader, name))
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"{tmp_path}/r.yaml:6:5: features.1.sample_rate: {told.format(16000)}")
    with pytest.raises(RecipeError) as caught:
        lab.check(written(tmp_path, reader, f"{name}, sample_rate: 11025"))
    (problem,) = caught.value.problems
    place = f"r.yaml:6:{len(name) + 27}: features.1.sample_rate"
    assert str(problem).startswith(f"{tmp_path}/{place}: {told.format(11025)}")


@pytest.mark.parametrize("reader", ["speech", "spoken_digits"])
def test_the_readers_own_rate_and_features_of_no_sound_are_no_problem(
    lab: Lab, tmp_path: Path, reader: str
) -> None:
    lab.check(written(tmp_path, reader, "mfcc, sample_rate: 8000"))
    with pytest.raises(RecipeError) as caught:
        lab.check(written(tmp_path, reader, "embedding"))
    (problem,) = caught.value.problems
    assert "reads field 'tokens', which the reader does not deliver" in problem.message


class OwnRate:
    """A plugin with a reader of sound that has a `sample_rate` of another meaning."""

    @hookimpl
    def seqlab_register_readers(self) -> list[Component[Any]]:
        def build(config: Config, context: ReaderContext) -> Any:
            raise AssertionError("a check builds nothing")

        config = create_model("Own", __base__=Config, sample_rate=(int, 8000))
        return [Component(name="own", config=config, build=build, summary="for the tests")]


def test_of_a_plugins_reader_nothing_is_guessed(tmp_path: Path) -> None:
    recipe = written(tmp_path, "speech", "mfcc")
    Lab([OwnRate()], entry_points=False).check(recipe, ["data.reader={name: own, sample_rate: 1}"])


def test_settings_are_read_without_torch_or_numpy() -> None:
    code = """
import sys
from seqlab.builtin.speech.plugin import seqlab_register_featurizers
for component in seqlab_register_featurizers():
    component.config()
assert not {"torch", "numpy", "librosa", "torchaudio"} & set(sys.modules)
"""
    source = str(Path(seqlab.__file__).parents[1])
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": source})

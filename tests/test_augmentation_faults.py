"""Augmenters that have no place in a recipe, and augmenters of plugins that break their contract."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sounds import write
from spoken_words import RATE, Stranger, component, frames, options, originals, same

from seqlab import Component, Lab, PluginError, RecipeError, SeqlabError, hookimpl
from seqlab.api import Column, Declaration, Sound
from seqlab.augmentation import Augmentation
from seqlab.builtin.speech.featurizers.audio import AudioFeaturizer

Vary = Callable[..., Augmentation]


# --- recipes in which an augmenter has no place ----------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["augment.1.files=[nois]"], "augment.1.files.0: no such file or folder: "),
        (["augment=[{name: noise, files: [train.jsonl]}]"], "train.jsonl: cannot be decoded"),
        (["augment=[{name: noise, files: [silence.wav]}]"], "silence.wav: silent: every sample is 0"),
        (["augment=[{name: reverb, files: [silence.wav]}]"], "silence.wav: silent: every sample is 0"),
    ],
)
def test_files_are_found_wanting_before_training(
    spoken: Path,
    lab: Lab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    overrides: list[str],
    problem: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "silence.wav", np.zeros(RATE, dtype=np.float32))
    with pytest.raises(SeqlabError, match=re.escape(problem)):
        lab.run(spoken, overrides, options(tmp_path / "run"))
    assert not (tmp_path / "run/run.json").exists(), "the mended run can begin in the same folder"


@pytest.mark.parametrize(
    ("stage", "problem"),
    [
        ("audio", "changes audio, but no featurizer reads any"),
        ("features", "changes frames of features, but no featurizer makes any"),
    ],
)
def test_an_augmenter_of_a_plugin_without_anything_to_change_is_refused(
    toy: Path, tmp_path: Path, stage: str, problem: str
) -> None:
    class Keeps(Fine):
        pass

    Keeps.stage = stage
    lab = Lab([Stranger(Keeps)], entry_points=False)
    assert lab.check(toy, ["augment=[mine]"]), "what a plugin brings is not known before it is built"
    with pytest.raises(RecipeError, match=rf": augment\.0: augmenter mine {problem}$"):
        lab.run(toy, ["augment=[mine]"], options(tmp_path / "run"))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("bands: 5", "12 features are no multiple of bands, 5"),
        ("freq_mask: 13", "freq_mask must be at most 12, got 13"),
    ],
)
def test_bands_are_held_against_features_of_a_plugin_before_training(
    spoken: Path, tmp_path: Path, settings: str, problem: str
) -> None:
    lab = Lab([Mixed()], entry_points=False)
    overrides = ["features=[{name: coarse, n_mels: 12}]", f"augment=[{{name: spec_augment, {settings}}}]"]
    with pytest.raises(RecipeError, match=rf"^command line: augmenter spec_augment: {problem}$"):
        lab.run(spoken, overrides, options(tmp_path / "run"))
    assert not (tmp_path / "run/run.json").exists(), "the mended run can begin in the same folder"


class Halves:
    """Leaves out every other frame."""

    stage = "features"
    keeps_length = False

    def __call__(self, value: Any, generator: np.random.Generator) -> Any:
        return value[::2].copy()


class Signs(AudioFeaturizer):
    """Whether a frame's first feature is above its mean, as a number."""

    def encode(self, values: Any) -> Column:
        column = super().encode(values)
        return Column((column.values[:, 0] > 0).long(), column.lengths)


class Tabled(AudioFeaturizer):
    """Points into a table of frames."""

    def encode(self, values: Any) -> Column:
        column = super().encode(values)
        table = Column(column.values, torch.ones(len(column.values), dtype=torch.int64))
        return Column(torch.arange(len(column.values)), column.lengths, table)


class Mixed:
    """A reader of sound and tokens, featurizers of sound that make no frames, an augmenter."""

    @hookimpl
    def seqlab_register_readers(self) -> list[Component[Any]]:
        part = Lab(entry_points=False).registry.get("reader", "speech")

        def build(config: Any, context: Any) -> Any:
            reader = part.build(config, context)
            reader.fields = {**reader.fields, "tokens": "tokens"}
            return reader

        fields = {"audio": "audio", "text": "text", "tokens": "tokens"}
        return [replace(part, name="mixed", build=build, declares=lambda _: Declaration(fields=fields))]

    @hookimpl
    def seqlab_register_featurizers(self) -> list[Component[Any]]:
        part = Lab(entry_points=False).registry.get("featurizer", "log_mel")

        def build(config: Any, context: Any, made: type[AudioFeaturizer]) -> Any:
            plain = part.build(config, context)
            return made(plain.field, plain.spectra, plain.settings, plain.cache)

        return [
            replace(part, name="signs", build=partial(build, made=Signs)),
            replace(part, name="tabled", build=partial(build, made=Tabled)),
            replace(part, name="coarse"),
        ]

    @hookimpl
    def seqlab_register_augmenters(self) -> list[Component[Any]]:
        return [component(Halves)]


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (
            ["augment=[speed]", "train.bptt=5"],
            "speed changes lengths, but train.bptt counts its chunks by them",
        ),
        (
            ["augment=[speed]", "data.reader.name=mixed", "features=[log_mel, one_hot]"],
            "speed changes lengths, but not that of features.1",
        ),
        (["augment=[speed]", "features=[tabled]"], "speed changes audio, but features.0 keeps a table of it"),
        (["augment=[mine]", "features=[signs, log_mel]"], "mine changes lengths, but not that of features.0"),
    ],
)
def test_an_augmenter_is_refused_where_something_counts_on_what_it_changes(
    spoken: Path, tmp_path: Path, overrides: list[str], problem: str
) -> None:
    lab = Lab([Mixed()], entry_points=False)
    with pytest.raises(RecipeError, match=rf"(?m): augment\.0: augmenter {re.escape(problem)}$"):
        lab.run(spoken, overrides, options(tmp_path / "run"))


def test_a_change_of_length_is_refused_where_each_label_has_a_state(toy: Path, tmp_path: Path) -> None:
    lab = Lab([Mixed()], entry_points=False)
    problem = "mine changes lengths, but head tagging of 'upos' needs one state for each label"
    with pytest.raises(RecipeError, match=rf": augment\.0: augmenter {problem}$"):
        lab.run(toy, ["augment=[mine]"], options(tmp_path / "run"))


def test_frames_may_become_fewer(augment: Vary) -> None:
    made = augment("augment=[mine]", plugins=[Mixed()])
    after = [len(each) for each in frames(made)]
    assert after == [(length + 1) // 2 for length in made.data.lengths.tolist()]


# --- augmenters of others --------------------------------------------------------------------------------


class Fine:
    stage = "audio"
    keeps_length = True

    def __call__(self, value: Any, generator: np.random.Generator) -> Any:
        return Sound(self.wave(value.samples(), generator), value.sample_rate)

    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return -wave


class Raises(Fine):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return wave / {}["level"]


class Writes(Fine):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        wave[0] = 0
        return wave


class Shortens(Fine):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return wave[1:]


class Doubles(Fine):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return wave.astype(float)


class Nans(Fine):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return wave * np.float32(np.nan)


class Samples(Fine):
    def __call__(self, value: Any, generator: np.random.Generator) -> Any:
        return value.samples()


class AnotherRate(Fine):
    def __call__(self, value: Any, generator: np.random.Generator) -> Any:
        return Sound(value.samples(), 8_000)


class FewerFeatures(Fine):
    stage = "features"

    def __call__(self, value: Any, generator: np.random.Generator) -> Any:
        return value[:, 1:]


class NoFrames(Fine):
    stage = "features"

    def __call__(self, value: Any, generator: np.random.Generator) -> Any:
        return value.tolist()


class WritesFrames(Fine):
    stage = "features"

    def __call__(self, value: Any, generator: np.random.Generator) -> Any:
        value[:] = 0
        return value


class AnotherStage(Fine):
    stage = "spectra"


class Backwards(Fine):
    stage = "features"

    def __call__(self, value: Any, generator: np.random.Generator) -> Any:
        return value[::-1]


def test_hook_register_augmenters(augment: Vary) -> None:
    made = augment("augment=[mine]", plugins=[Stranger(Backwards)])
    assert same(frames(made), [each.flip(0) for each in originals(made)])


@pytest.mark.parametrize(
    ("faulty", "reason"),
    [
        (Raises, r"raised KeyError: 'level' \(.*test_augmentation_faults\.py:\d+\)"),
        (Writes, r"raised ValueError: assignment destination is read-only \(.*\.py:\d+\)"),
        (
            Shortens,
            r"returned an array of float32 and shape \(5999\) where .* and shape \(6000\) is expected",
        ),
        (
            Doubles,
            r"returned an array of float64 and shape \(6000\) where an array of float32 .* is expected",
        ),
        (Nans, "returned numbers that are not finite"),
        (Samples, "returned an array of float32 and shape .* where an Audio of 16000 Hz is expected"),
        (AnotherRate, "returned Sound of 8000 Hz where an Audio of 16000 Hz is expected"),
        (FewerFeatures, r"returned an array of float32 and shape \(36, 11\) where .* \(36, 12\) is expected"),
        (NoFrames, "returned list of \\d+ where an array of float32 .* is expected"),
        (WritesFrames, r"raised ValueError: assignment destination is read-only \(.*\.py:\d+\)"),
    ],
)
def test_a_fault_is_told_with_plugin_and_example(augment: Vary, faulty: type[Any], reason: str) -> None:
    with pytest.raises(PluginError) as caught:
        augment("augment=[mine]", plugins=[Stranger(faulty)])(torch.tensor([0]), 0)
    assert re.match(
        rf"plugin 'Stranger': augmenter 'mine': __call__ {reason}; at .*train\.jsonl:1$", str(caught.value)
    )


def test_a_stage_that_there_is_not_is_told_before_anything_is_read(spoken: Path, tmp_path: Path) -> None:
    lab = Lab([Stranger(AnotherStage)], entry_points=False)
    (tmp_path / "train.jsonl").write_text("no data")
    with pytest.raises(PluginError, match=r"'mine' has stage 'spectra'; .*one of: audio, features, frames,"):
        lab.run(spoken, ["augment=[mine]"], options(tmp_path / "run"))

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from contract import Configs, registered, rows
from made_sounds import noise

from seqlab.api import AugmenterContext, Component, Config, FieldKind, Sound
from seqlab.testing import check_augmenter

TABLE: Configs = {
    "speed": [{}, {"factors": [0.5, 2]}, {"factors": [0.8, 1.2], "continuous": True}],
    "noise": [{}, {"exponent": 1.0}, {"snr": [-10, 0], "probability": 0.5}, {"files": ["rain.wav", "."]}],
    "gain": [{}, {"gain": [3, 3], "probability": 0.4}],
    "reverb": [{}, {"rt60": [1, 2], "direct": [-5, 0]}, {"files": ["rain.wav"], "probability": 0.5}],
    "spec_augment": [
        {},
        {"time_share": 1.0, "freq_share": 1.0, "value": "mean"},
        {"bands": 20, "probability": 0.5},
    ],
}


@pytest.fixture(autouse=True)
def recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "rain.wav", noise(4_000), 8_000)
    monkeypatch.chdir(tmp_path)


def test_every_built_in_augmenter_stands_in_the_table() -> None:
    assert registered("augmenter").keys() == TABLE.keys()


@pytest.mark.parametrize(("component", "config"), rows("augmenter", TABLE))
def test_built_in_augmenters_keep_the_contract(component: Component[Any], config: dict[str, Any]) -> None:
    check_augmenter(component, **config)


class Good:
    """Turns every other sound upside down."""

    stage = "audio"
    keeps_length = True

    def __call__(self, value: Any, generator: np.random.Generator) -> Any:
        return value if generator.random() < 0.5 else Sound(self.wave(value.samples(), generator), 16_000)

    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return -wave


class ChangesInPlace(Good):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        wave *= -1
        return wave.copy()


class Shortens(Good):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return -wave[:-1]


class Nothing(Good):
    keeps_length = False

    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return wave[:0]


class Doubles(Good):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return wave.astype(float)


class Infinite(Good):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        with np.errstate(divide="ignore"):
            return np.log(np.zeros_like(wave))


class Remembers(Good):
    count = 0

    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        self.count += 1
        return wave * np.float32(self.count)


class DrawsElsewhere(Good):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return wave * np.float32(np.random.random())


class Idle(Good):
    def __call__(self, value: Any, generator: np.random.Generator) -> Any:
        return value


class AnotherRate(Good):
    def __call__(self, value: Any, generator: np.random.Generator) -> Any:
        return Sound(value.samples(), 8_000)


class AnotherStage(Good):
    stage = "spectra"


class MasksFrames(Good):
    """Puts zeros in the place of every other matrix of frames."""

    stage = "features"

    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return 0 * wave

    def __call__(self, value: Any, generator: np.random.Generator) -> Any:
        return value if generator.random() < 0.5 else self.wave(value, generator)


class FewerFeatures(MasksFrames):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return wave[:, 1:]


class FewerFrames(MasksFrames):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return wave[1:].copy() if len(wave) > 1 else wave


class NoFrames(MasksFrames):
    keeps_length = False

    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return wave[:0]


class DoubleFrames(MasksFrames):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return wave.astype(float)


class InfiniteFrames(MasksFrames):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return np.full_like(wave, np.inf)


class ListsFrames(MasksFrames):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return wave.tolist()


class ZerosFramesInPlace(MasksFrames):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        wave[:] = 0
        return wave.copy()


WANTED = " where an array of float32 and shape (11200) is expected"


def component(made: type[Any]) -> Component[Any]:
    def build(config: Config, context: AugmenterContext) -> Any:
        return made()

    return Component(name="mine", config=Config, build=build, summary="for the tests")


class SwapsWords(Good):
    """Repeats a word in every other sentence, of whatever length."""

    stage = "tokens"

    def __call__(self, value: Any, generator: np.random.Generator) -> Any:
        return value if generator.random() < 0.5 else self.wave(value, generator)

    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return [wave[-1], *wave[1:]]


class DropsWords(SwapsWords):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return wave[1:]


class NumbersWords(SwapsWords):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return [1, *wave[1:]]


class DrawsWordsElsewhere(SwapsWords):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return [str(np.random.random()), *wave[1:]]


class LeavesWords(SwapsWords):
    def wave(self, wave: Any, generator: np.random.Generator) -> Any:
        return list(wave)


@dataclass
class Path2D:
    """A value that may be written to."""

    points: list[float]


class Paths(FieldKind[Path2D]):
    """A stranger's kind of field."""

    name = "path"
    summary = "points one after another"
    samples = (Path2D([1.0, 2.0]), Path2D([3.0]), Path2D([0.5, 0.5, 2.0]))

    def fault(self, value: Any) -> str:
        return "" if isinstance(value, Path2D) else f"{value!r} where a Path2D is expected"

    def to_json(self, value: Path2D) -> list[float]:
        return value.points


class Mirrors(Good):
    stage = "path"

    def __call__(self, value: Any, generator: np.random.Generator) -> Any:
        return Path2D([-each for each in value.points])


class MirrorsInPlace(Mirrors):
    def __call__(self, value: Any, generator: np.random.Generator) -> Any:
        value.points.reverse()
        value.points[0] *= -1
        return Path2D([0.0, *value.points])


def test_augmenters_of_a_stranger_s_kind_are_checked() -> None:
    check_augmenter(component(Mirrors), [Paths()])
    with pytest.raises(AssertionError, match="it changes what it is given"):
        check_augmenter(component(MirrorsInPlace), [Paths()])
    assert Paths.samples[0].points == [1.0, 2.0], "the kind's own samples are left alone"


@pytest.mark.parametrize("kept", [Good, MasksFrames, SwapsWords])
def test_an_augmenter_that_keeps_the_contract_passes(kept: type[Good]) -> None:
    check_augmenter(component(kept))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (ChangesInPlace, "it changes what it is given"),
        (Shortens, f"it returned an array of float32 and shape (11199){WANTED}"),
        (
            Nothing,
            f"it returned an array of float32 and shape (0){WANTED.replace('11200', 'time')}",
        ),
        (Doubles, f"it returned an array of float64 and shape (11200){WANTED}"),
        (Infinite, "it returned numbers that are not finite"),
        (Remembers, "asked twice with equal generators, the answers differ"),
        (DrawsElsewhere, "it draws from a generator that is not its own"),
        (Idle, "in 20 draws it has changed nothing"),
        (AnotherRate, "it returned Sound of 8000 Hz where an Audio of 16000 Hz is expected"),
        (AnotherStage, "stage is 'spectra'; one of: audio, features, frames, image, label"),
        (FewerFeatures, "shape (70, 40) becomes (70, 39)"),
        (FewerFrames, "it says keeps_length, but 70 became 69"),
        (NoFrames, "nothing comes back"),
        (DoubleFrames, "what comes back is float64, not float32"),
        (InfiniteFrames, "what comes back is not finite"),
        (DropsWords, "it returned 2 items where 3 are expected: it says that it keeps lengths"),
        (NumbersWords, "it returned a list that holds 1 (int) where strings are expected"),
        (DrawsWordsElsewhere, "it draws from a generator that is not its own"),
        (LeavesWords, "in 20 draws it has changed nothing"),
        (ListsFrames, "what comes back is list, not an array"),
        (ZerosFramesInPlace, "it changes what it is given"),
    ],
)
def test_a_broken_augmenter_is_told_what_is_broken(broken: type[Good], message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        check_augmenter(component(broken))

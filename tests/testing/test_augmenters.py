from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from contract import Configs, registered, rows
from made_sounds import noise

from seqlab.api import AugmenterContext, Component, Config, Sound
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


class FewerFeatures(Good):
    stage = "features"

    def __call__(self, value: Any, generator: np.random.Generator) -> Any:
        return value[:, 1:]


def component(made: type[Any]) -> Component[Any]:
    def build(config: Config, context: AugmenterContext) -> Any:
        return made()

    return Component(name="mine", config=Config, build=build, summary="for the tests")


def test_an_augmenter_that_keeps_the_contract_passes() -> None:
    check_augmenter(component(Good))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (ChangesInPlace, "it changes what it is given"),
        (Shortens, "it says keeps_length, but 11200 became 11199"),
        (Nothing, "nothing comes back"),
        (Doubles, "what comes back is float64, not float32"),
        (Infinite, "what comes back is not finite"),
        (Remembers, "asked twice with equal generators, the answers differ"),
        (DrawsElsewhere, "it draws from a generator that is not its own"),
        (Idle, "in 20 draws it has changed nothing"),
        (AnotherRate, "sound of 16000 Hz comes back at 8000 Hz"),
        (AnotherStage, "stage is 'spectra', not 'audio' or 'features'"),
        (FewerFeatures, "shape (70, 40) becomes (70, 39)"),
    ],
)
def test_a_broken_augmenter_is_told_what_is_broken(broken: type[Good], message: str) -> None:
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        check_augmenter(component(broken))

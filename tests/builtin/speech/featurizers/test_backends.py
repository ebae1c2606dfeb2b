from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_sounds import Sound, noise, speechlike

import seqlab
from seqlab.builtin.speech.featurizers.backends import AGREEMENT, Backend, BackendName, load_backend
from seqlab.builtin.speech.featurizers.spectral import Spectra, SpectralSettings

Needs = Callable[[str], None]

PLAIN = SpectralSettings(
    sample_rate=16_000,
    window=400,
    hop=160,
    n_fft=512,
    power=2,
    log_floor=1e-10,
    pre_emphasis=0.97,
    dither=0.0,
)
LOG_MEL = replace(PLAIN, n_mels=40, f_min=20.0, f_max=8000.0)
MFCC = replace(LOG_MEL, n_mfcc=13)
WINDOW_ENDS_BEFORE_N_FFT = replace(LOG_MEL, n_fft=1024, n_mels=80)


def at_rate(settings: SpectralSettings, rate: int) -> SpectralSettings:
    window = round(0.025 * rate)
    return replace(
        settings,
        sample_rate=rate,
        window=window,
        hop=round(0.01 * rate),
        n_fft=1 << (window - 1).bit_length(),
        f_max=rate / 2,
    )


def frames(settings: SpectralSettings, backend: BackendName, sounds: Sequence[Sound]) -> Any:
    spectra = Spectra(settings, load_backend(backend))
    return np.concatenate(spectra.frames([spectra.load(sound) for sound in sounds]))


LIBRARIES = [("torchaudio", AGREEMENT), ("librosa", 1e-6)]
"""The libraries whose features torch alone computes, too, and how closely."""


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100])
@pytest.mark.parametrize("settings", [LOG_MEL, MFCC, replace(LOG_MEL, pre_emphasis=0.0, power=1), PLAIN])
@pytest.mark.parametrize(("library", "within"), LIBRARIES)
def test_torch_alone_gives_the_features_of_each_library(
    settings: SpectralSettings, rate: int, library: BackendName, within: float, needs: Needs
) -> None:
    needs(library)
    settings = at_rate(settings, rate)
    sounds = [Sound(speechlike(rate, seed, rate), rate) for seed in range(2)] + [Sound(noise(999), rate)]
    difference = frames(settings, "auto", sounds) - frames(settings, library, sounds)
    assert np.abs(difference).max() < within


@pytest.mark.parametrize("settings", [WINDOW_ENDS_BEFORE_N_FFT, replace(MFCC, window=399, n_fft=500)])
@pytest.mark.parametrize(("library", "within"), LIBRARIES)
def test_they_agree_where_the_transform_is_longer_than_the_window(
    settings: SpectralSettings, library: BackendName, within: float, needs: Needs
) -> None:
    needs(library)
    sounds = [Sound(speechlike(8_000))]
    difference = frames(settings, "auto", sounds) - frames(settings, library, sounds)
    assert np.abs(difference).max() < within


@pytest.mark.parametrize("backend", ["auto", "torchaudio", "librosa"])
@pytest.mark.parametrize("margin", [0, 1, 111])
def test_spectra_are_those_of_the_textbook(backend: BackendName, margin: int, needs: Needs) -> None:
    needs(backend)
    settings = replace(PLAIN, n_fft=400 + margin + margin % 2, log_floor=None, pre_emphasis=0.0)
    wave = noise(1_000).astype(np.float64)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    times = [wave[start : start + 400] * window for start in range(0, 601, 160)]
    found = load_backend(backend).spectrum(torch.from_numpy(wave), settings.frame).numpy()
    expected = np.abs(np.fft.rfft(times, settings.n_fft))
    assert np.allclose(np.abs(found), expected, rtol=1e-9, atol=1e-12)


class Breaks:
    """An import hook under which the named packages fail as if installed beside the wrong torch."""

    def __init__(self, names: Sequence[str], error: type[Exception]) -> None:
        self.names = names
        self.error = error

    def find_spec(self, name: str, *_: object) -> None:
        if name.split(".")[0] in self.names:
            raise self.error(f"no {name} here")


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Any:
    def break_imports(*names: str, error: type[Exception] = ImportError) -> None:
        for module in list(sys.modules):
            if module.split(".")[0] in names:
                monkeypatch.delitem(sys.modules, module)
        monkeypatch.setattr(sys, "meta_path", [Breaks(names, error), *sys.meta_path])

    return break_imports


@pytest.mark.parametrize("error", [ImportError, OSError, RuntimeError])
@pytest.mark.parametrize("library", ["torchaudio", "librosa"])
def test_torch_stands_in_for_a_library_that_does_not_import_and_says_so_in_one_line(
    library: BackendName, error: type[Exception], without: Any, caplog: pytest.LogCaptureFixture
) -> None:
    without(library, error=error)
    backend = load_backend(library)
    assert (backend.name, works(backend)) == ("torch", True)
    (record,) = caplog.records
    assert record.getMessage() == (
        f"backend: {library} cannot be imported ({error.__name__}: no {library} here);"
        " torch computes the same features, to within 0.0001"
    )


def test_torch_alone_asks_for_no_library_and_says_nothing(
    without: Any, caplog: pytest.LogCaptureFixture
) -> None:
    without("librosa", "numba", "scipy", "torchaudio")
    assert works(load_backend("auto"))
    assert not caplog.records


def works(backend: Backend) -> bool:
    spectra = Spectra(MFCC, backend)
    (found,) = spectra.frames([spectra.load(Sound(noise(4_000)))])
    return found.shape == (23, 13) and bool(np.isfinite(found).all())


def test_no_library_is_imported_where_none_is_named() -> None:
    code = """
import sys
from seqlab.builtin.speech.featurizers.backends import load_backend
load_backend("auto")
assert not {"librosa", "numba", "scipy", "torchaudio"} & set(sys.modules)
"""
    source = str(Path(seqlab.__file__).parents[1])
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": source})

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_sounds import Sound, Wave, noise, sine, speechlike

from seqlab.api import DataError, SeqlabError
from seqlab.builtin.speech.featurizers import spectral
from seqlab.builtin.speech.featurizers.backends import BackendName, Frame, load_backend
from seqlab.builtin.speech.featurizers.frames import Frames
from seqlab.builtin.speech.featurizers.spectral import Spectra, SpectralSettings, frame_count

Needs = Callable[[str], None]

TORCH = load_backend("auto")

SPECTRUM = SpectralSettings(
    sample_rate=16_000,
    window=400,
    hop=160,
    n_fft=512,
    power=2,
    log_floor=1e-10,
    pre_emphasis=0.0,
    dither=0.0,
)
LOG_MEL = replace(SPECTRUM, n_mels=40, f_min=20.0, f_max=8000.0)
MFCC = replace(LOG_MEL, n_mfcc=13, pre_emphasis=0.97)

VARIED: Sequence[Wave] = [
    speechlike(9_000),
    noise(3_000, level=1e-4),
    sine(440.0, 5_000),
    np.zeros(2_000, dtype=np.float32),
    noise(7),
    noise(400, seed=1),
    speechlike(2_222, seed=2),
    sine(7_900.0, 1_600, level=0.01),
]


def compute(settings: SpectralSettings, waves: Sequence[Wave]) -> list[Frames]:
    spectra = Spectra(settings, TORCH)
    return spectra.frames([spectra.load(Sound(wave, settings.sample_rate)) for wave in waves])


@given(samples=st.integers(1, 3_000), window=st.integers(2, 500), hop=st.integers(1, 500))
@settings(deadline=None)
def test_there_is_a_frame_for_every_window_that_fits_in(samples: int, window: int, hop: int) -> None:
    frame = Frame(window=window, hop=min(hop, window), n_fft=512)
    fitting = len(range(0, samples - window + 1, frame.hop))
    assert frame_count(samples, frame) == max(1, fitting)
    (found,) = compute(replace(SPECTRUM, window=window, hop=frame.hop), [noise(samples)])
    assert found.shape == (max(1, fitting), 257)
    assert found.dtype == np.float32


@given(st.lists(st.integers(0, len(VARIED) - 1), min_size=1, max_size=12))
@settings(deadline=None, max_examples=40)
@pytest.mark.parametrize("kind", [SPECTRUM, LOG_MEL, MFCC])
def test_frames_do_not_depend_on_what_is_computed_with_them(kind: SpectralSettings, group: list[int]) -> None:
    together = compute(kind, [VARIED[number] for number in group])
    for number, found in zip(group, together, strict=True):
        (alone,) = compute(kind, [VARIED[number]])
        assert np.allclose(found, alone, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", [SPECTRUM, LOG_MEL, MFCC])
def test_what_follows_never_changes_a_frame(kind: SpectralSettings) -> None:
    wave = speechlike(5_000)
    (alone,) = compute(kind, [wave])
    for behind in (np.zeros(9_000, dtype=np.float32), noise(700, level=1.0), sine(50, 5_000)):
        (longer,) = compute(kind, [np.concatenate([wave, behind])])
        assert np.allclose(longer[: len(alone)], alone, rtol=1e-6, atol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", [SPECTRUM, LOG_MEL, MFCC])
def test_a_gpu_computes_the_same_frames(kind: SpectralSettings) -> None:
    spectra = Spectra(kind, TORCH, "cuda")
    found = spectra.frames([spectra.load(Sound(wave, kind.sample_rate)) for wave in VARIED])
    for one, expected in zip(found, compute(kind, VARIED), strict=True):
        assert np.allclose(one, expected, rtol=1e-6, atol=1e-6)


def test_frames_are_computed_on_the_device_asked_for() -> None:
    with pytest.raises(NotImplementedError, match="meta"):  # a device without data: nothing comes back
        Spectra(LOG_MEL, TORCH, "meta").frames([np.zeros(400)])


def test_long_sounds_are_computed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compute(MFCC, VARIED)
    for block in (1, 3, 50):
        monkeypatch.setattr(spectral, "BLOCK_FRAMES", block)
        for found, expected in zip(compute(MFCC, VARIED), whole, strict=True):
            assert np.allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_a_sound_shorter_than_a_window_is_filled_up_with_zeros() -> None:
    for samples in (1, 150, 399):
        short = noise(samples)
        (found,) = compute(MFCC, [short])
        (filled,) = compute(MFCC, [np.concatenate([short, np.zeros(400 - samples, dtype=np.float32)])])
        assert found.shape == (1, 13)
        assert np.array_equal(found, filled)


@pytest.mark.parametrize("hertz", [500.0, 1_000.0, 3_000.0, 7_500.0])
def test_a_sine_has_its_peak_in_its_own_bin(hertz: float) -> None:
    (spectrum,) = compute(SPECTRUM, [sine(hertz, 4_000)])
    assert set(spectrum.argmax(axis=1)) == {round(hertz * 512 / 16_000)}
    (bands,) = compute(LOG_MEL, [sine(hertz, 4_000)])
    edges = np.linspace(*(2595 * np.log10(1 + np.array([20.0, 8_000.0]) / 700)), 42)
    centres = 700 * (10 ** (edges[1:-1] / 2595) - 1)
    assert set(bands.argmax(axis=1)) <= set(np.abs(centres - hertz).argsort()[:2])


def test_energies_are_the_squared_magnitudes_of_the_windowed_transform() -> None:
    wave = speechlike(1_000)
    (found,) = compute(replace(SPECTRUM, log_floor=None), [wave])
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    for number, row in enumerate(found):
        frame = wave[160 * number : 160 * number + 400] * window
        assert np.allclose(row, np.abs(np.fft.rfft(frame, 512)) ** 2, rtol=1e-6, atol=1e-12)


def test_cepstra_are_the_orthonormal_cosine_transform_of_the_log_energies() -> None:
    (bands,) = compute(replace(LOG_MEL, pre_emphasis=0.97), [speechlike(3_000)])
    (found,) = compute(MFCC, [speechlike(3_000)])
    for k in range(13):
        basis = np.cos(np.pi / 40 * (np.arange(40) + 0.5) * k) * np.sqrt((1 if k == 0 else 2) / 40)
        assert np.allclose(found[:, k], bands @ basis, atol=1e-4)


def test_a_loud_end_does_not_lift_a_quiet_beginning() -> None:
    """Decibels relative to a maximum, clipped at top_db, would."""
    quiet = noise(4_000, level=1e-4)
    (alone,) = compute(LOG_MEL, [quiet])
    (found,) = compute(LOG_MEL, [np.concatenate([quiet, sine(440, 4_000)])])
    assert np.allclose(found[: len(alone)], alone, atol=1e-6)


def test_twice_the_level_adds_the_logarithm_of_four() -> None:
    wave = noise(2_000)
    (once,), (twice,) = compute(LOG_MEL, [wave]), compute(LOG_MEL, [2 * wave])
    assert np.allclose(twice - once, np.log(4), atol=1e-5)


def test_magnitudes_have_half_the_logarithm_of_energies() -> None:
    (energies,) = compute(SPECTRUM, [noise(2_000)])
    (magnitudes,) = compute(replace(SPECTRUM, power=1), [noise(2_000)])
    assert np.allclose(2 * magnitudes, energies, atol=1e-5)


@pytest.mark.parametrize("floor", [1e-10, 1e-3])
def test_silence_stands_on_the_floor(floor: float) -> None:
    (found,) = compute(replace(LOG_MEL, log_floor=floor), [np.zeros(900, dtype=np.float32)])
    assert found == pytest.approx(np.log(floor))


def test_pre_emphasis_takes_away_a_share_of_the_sample_before() -> None:
    wave = noise(1_000)
    emphasised = Spectra(replace(SPECTRUM, pre_emphasis=0.9), TORCH).load(Sound(wave))
    exact = wave.astype(np.float64)
    assert emphasised[0] == pytest.approx(0.1 * exact[0])
    assert np.allclose(emphasised[1:], exact[1:] - 0.9 * exact[:-1])


def test_dither_is_the_same_in_every_run_and_another_for_every_sound() -> None:
    dithered = Spectra(replace(SPECTRUM, dither=1e-3), TORCH)
    one, other = Sound(np.zeros(5_000, dtype=np.float32)), Sound(np.zeros(5_001, dtype=np.float32))
    assert np.array_equal(dithered.load(one), dithered.load(one))
    assert not np.allclose(dithered.load(other)[:5_000], dithered.load(one), atol=1e-4)
    assert dithered.load(one).std() == pytest.approx(1e-3, rel=0.05)


def test_a_sound_at_another_rate_is_refused_by_name() -> None:
    message = (
        r"name='b\.wav'.* has 8000 Hz, but the featurizer's sample_rate is 16000 Hz; let the reader resample"
        r" it, or change sample_rate"
    )
    with pytest.raises(DataError, match=message):
        Spectra(SPECTRUM, TORCH).load(Sound(noise(800), 8_000, name="b.wav"))


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        (np.zeros((2, 800), dtype=np.float32), r"has samples of shape \(2, 800\); wanted is \(time,\)"),
        (np.zeros(0, dtype=np.float32), r"has samples of shape \(0,\); wanted is \(time,\), time > 0"),
        (np.array([0, np.nan, 1], dtype=np.float32), "holds samples that are not finite numbers"),
        (np.array([0, np.inf, 1], dtype=np.float32), "holds samples that are not finite numbers"),
    ],
)
def test_what_is_no_sound_is_refused(wave: Wave, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Spectra(SPECTRUM, TORCH).load(Sound(wave))


@pytest.mark.parametrize("backend", ["auto", "torchaudio", "librosa"])
def test_bands_without_a_bin_are_refused(backend: BackendName, needs: Needs) -> None:
    needs(backend)
    message = (
        "n_mels: 128 bands are too many for n_fft 512: no bin of the spectrum falls into band 4;"
        " lower n_mels, or raise n_fft"
    )
    with pytest.raises(SeqlabError, match=message):
        Spectra(replace(LOG_MEL, n_mels=128), load_backend(backend))


def test_the_identity_names_all_that_frames_depend_on() -> None:
    identity = Spectra(MFCC, TORCH).identity()
    for change in ({"hop": 161}, {"log_floor": 1e-9}, {"n_mfcc": 12}, {"dither": 1e-6}, {"f_max": 7000.0}):
        assert Spectra(replace(MFCC, **change), TORCH).identity() != identity  # type: ignore[arg-type]
    assert Spectra(MFCC, TORCH).identity() == identity

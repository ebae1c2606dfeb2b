from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from sounds import DAMAGED, ODD, RATE, damaged_folder, stereo, tone, write

from seqlab.api import Audio, DataError
from seqlab.audio import UNLIMITED, AudioFile, AudioSettings, Channel, Declared, Limits, Source, decoding


def settings(rate: int | None = None, channel: Channel = "mix", limits: Limits = UNLIMITED) -> AudioSettings:
    return AudioSettings(sample_rate=rate, channel=channel, limits=limits)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "a.wav", tone(2.0))


def test_it_is_an_audio_of_the_file(path: Path) -> None:
    audio: Audio = AudioFile(path)
    assert audio.sample_rate == RATE
    assert audio.duration == 2.0
    samples = audio.samples()
    assert samples.dtype == np.float32
    assert np.abs(samples - tone(2.0)).max() < 1e-4


@pytest.mark.parametrize(("rate", "length"), [(8000, 16_000), (48_000, 96_000), (16_000, 32_000)])
def test_samples_come_at_the_rate_asked_for(path: Path, rate: int, length: int) -> None:
    audio = AudioFile(path, settings=settings(rate))
    assert (audio.sample_rate, audio.duration, len(audio.samples())) == (rate, 2.0, length)


@pytest.mark.parametrize("form", ["path", "bytes", "object"])
def test_files_bytes_and_file_objects_are_the_same(path: Path, form: str) -> None:
    data = path.read_bytes()
    source = {"path": str(path), "bytes": data, "object": io.BytesIO(data)}[form]
    audio = AudioFile(source)
    assert np.array_equal(audio.samples(), AudioFile(path).samples())
    assert np.array_equal(audio.samples(), audio.samples())
    assert audio.fingerprint == AudioFile(path).fingerprint


def test_a_stretch(path: Path) -> None:
    audio = AudioFile(path, 0.5, 1.25)
    assert audio.duration == 0.75
    assert np.array_equal(audio.samples(), AudioFile(path).samples()[8000:20_000])
    assert np.array_equal(AudioFile(path, 0.5).samples(), AudioFile(path).samples()[8000:])


def test_an_end_that_is_rounded_up_is_the_files_end(path: Path) -> None:
    assert AudioFile(path, 1.0, 2.04).duration == 1.0


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (2.0, None, "start at 2 s; it must lie between 0 and the file's end at 2 s"),
        (-0.5, None, "start at -0.5 s; it must lie between 0 and the file's end at 2 s"),
        (float("nan"), None, "start at nan s; it must lie between 0 and the file's end at 2 s"),
        (0.5, 0.5, "end at 0.5 s; it must lie after the start at 0.5 s, up to 2 s"),
        (0.5, 2.2, "end at 2.2 s; it must lie after the start at 0.5 s, up to 2 s"),
        (0.5, float("nan"), "end at nan s; it must lie after the start at 0.5 s, up to 2 s"),
        (0.5, 0.50001, "empty: no sample lies between 0.5 s and the end of the stretch"),
    ],
)
def test_stretches_that_are_not_there(path: Path, start: float, end: float | None, message: str) -> None:
    with pytest.raises(DataError) as caught:
        AudioFile(path, start, end, settings()).samples()
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize("rate", [8000, 44_100])
def test_a_single_sample_is_too_short(tmp_path: Path, rate: int) -> None:
    path = write(tmp_path / "a.wav", np.array([0.5]), rate)
    with pytest.raises(DataError) as caught:
        AudioFile(path, settings=settings(16_000, limits=Limits())).samples()
    message = "too short: less than a millisecond, at least 0.05 s are needed"
    assert str(caught.value) == f"{path}: {message}"


def test_what_makes_no_sample_at_the_wanted_rate_is_too_short(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.array([0.5, 0.5]), 44_100)
    with pytest.raises(DataError) as caught:
        AudioFile(path, settings=settings(16_000)).samples()
    message = "too short: 2 samples at 44100 Hz are less than one at 16000 Hz"
    assert str(caught.value) == f"{path}: {message}"


def test_channels(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", stereo(1.0))
    left, right, mix = (
        AudioFile(path, settings=settings(channel=which)).samples() for which in (0, 1, "mix")
    )
    assert np.abs(left - tone(1.0, pitch=440.0)).max() < 1e-4
    assert np.abs(right - tone(1.0, pitch=880.0)).max() < 1e-4
    assert np.abs(mix - (left + right) / 2).max() < 1e-6
    with pytest.raises(DataError, match="channel 2 is wanted, but the file has channels 0 to 1"):
        AudioFile(path, settings=settings(channel=2)).samples()


def test_the_limits(path: Path) -> None:
    for limits, message in [
        (Limits(max_duration=1.5), "too long: 2 s, at most 1.5 s are allowed"),
        (Limits(min_duration=3.0), "too short: 2 s, at least 3 s are needed"),
        (Limits(max_sample_rate=8000), "sample rate of 16000 Hz; allowed are 4000 to 8000 Hz"),
        (Limits(min_level=-3.0), "silent: its level is -6.0 dB of full scale, at least -3 dB are needed"),
    ]:
        for ask in (AudioFile.check, AudioFile.samples):
            with pytest.raises(DataError) as caught:
                ask(AudioFile(path, settings=settings(limits=limits)))
            assert str(caught.value) == f"{path}: {message}"


def test_what_is_stated_elsewhere_is_checked_without_decoding(path: Path) -> None:
    audio = AudioFile(path)
    audio.check_header(Declared(sample_rate=RATE, duration=2.0))
    with pytest.raises(DataError, match="sample_rate is stated as 8000"):
        audio.check_header(Declared(sample_rate=8000))


@pytest.mark.parametrize("name", ODD)
def test_odd_sound_simply_works(tmp_path: Path, name: str) -> None:
    damaged_folder(tmp_path)
    samples = AudioFile(tmp_path / f"{name}.wav", settings=settings(16_000, limits=Limits())).samples()
    wanted = stereo(1.0).mean(axis=1) if name == "stereo" else tone(1.0)
    assert np.abs(samples - wanted)[500:-500].max() < 2**-7


@pytest.mark.parametrize("name", [name for name in DAMAGED if name != "unknown"])
def test_damaged_sound_is_refused_by_check_and_by_samples(tmp_path: Path, name: str) -> None:
    damaged_folder(tmp_path)
    path = tmp_path / f"{name}.wav"
    for ask in (AudioFile.check, AudioFile.samples):
        with pytest.raises(DataError) as caught:
            ask(AudioFile(path))
        assert str(caught.value) == f"{path}: {DAMAGED[name]}"


# --- in pieces ---------------------------------------------------------------------------------------------


def test_blocks_join_to_the_whole_and_stay_small(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = AudioFile(path, 0.25).samples()
    monkeypatch.setattr(decoding, "BLOCK", 1000)
    blocks = list(AudioFile(path, 0.25).blocks())
    assert {len(block) for block in blocks} == {1000}
    assert np.array_equal(np.concatenate(blocks), whole)
    assert np.array_equal(AudioFile(path, 0.25).samples(), whole)


# --- fingerprints ------------------------------------------------------------------------------------------


def test_equal_content_has_equal_fingerprints_wherever_it_lies(path: Path, tmp_path: Path) -> None:
    (tmp_path / "b.ogg").write_bytes(path.read_bytes())
    assert AudioFile(path).fingerprint == AudioFile(tmp_path / "b.ogg").fingerprint
    assert AudioFile(path).fingerprint == AudioFile(path, 0.0, 2.0).fingerprint
    assert AudioFile(path).fingerprint == AudioFile(path, settings=settings(RATE)).fingerprint


def test_other_content_stretch_channel_or_rate_has_another_fingerprint(path: Path) -> None:
    source = Source(path)
    audios = [
        AudioFile(source),
        AudioFile(source, 0.5),
        AudioFile(source, 0.0, 1.5),
        AudioFile(source, settings=settings(channel=0)),
        AudioFile(source, settings=settings(8000)),
        AudioFile(write(path.with_name("b.wav"), tone(2.0, pitch=441.0))),
    ]
    assert len({audio.fingerprint for audio in audios}) == len(audios)


def test_one_changed_bit_in_the_middle_changes_the_fingerprint(path: Path) -> None:
    before = AudioFile(path).fingerprint
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert AudioFile(path).fingerprint != before


def test_it_can_be_sent_to_another_process(path: Path) -> None:
    audio = AudioFile(path, 0.5)
    assert np.array_equal(pickle.loads(pickle.dumps(audio)).samples(), audio.samples())

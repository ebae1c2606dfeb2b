from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import tone

from seqlab.api import DataError
from seqlab.audio import Source
from seqlab.audio.links import SoundError
from seqlab.audio.mp3 import mp3_links

FRAMES = {44_100: 1152, 22_050: 576, 16_000: 576, 8_000: 576}
"""Samples in one frame by the rate."""

ID3_V2 = b"ID3\x04\0\0\0\0\x01\x48" + bytes(200)
ID3_V1 = b"TAG" + b"a title".ljust(125)
APE = b"APETAGEX" + (2000).to_bytes(4, "little") + (32).to_bytes(4, "little") + bytes(16)
"""Tags before, behind and between recordings."""


CROWDED = "more values than a granule holds"


def encoded(rate: int, mode: str, seconds: float = 3.0, seed: int = 1, channels: int = 1) -> bytes:
    """An MP3 file whose sound grows, so that a variable bit rate varies."""
    noise = np.random.default_rng(seed).normal(size=(round(seconds * rate), channels)) * 0.05
    samples = (tone(seconds, rate)[:, None] + noise) * np.linspace(0, 1, len(noise))[:, None]
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format="MP3", bitrate_mode=mode, compression_level=0.5)
    return stream.getvalue()


def untold(data: bytes) -> bytes:
    """The file without the first frame, which tells how many follow."""
    mark = max(data.find(b"Xing"), data.find(b"Info"))
    assert mark > 0
    return data[data.index(data[:2], mark) :]


def decoded(data: bytes) -> np.ndarray:
    source = Source(data)
    return np.concatenate(list(source.blocks(0, source.header.frames)))


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("rate", FRAMES)
def test_a_file_that_tells_its_length_is_read_to_the_last_sample(rate: int, mode: str) -> None:
    data = encoded(rate, mode)
    assert len(decoded(data)) == 3 * rate
    for tagged in (ID3_V2 + data, data + ID3_V1, ID3_V2 + ID3_V2 + data + APE + ID3_V1, data + bytes(999)):
        assert np.array_equal(decoded(tagged), decoded(data))


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("rate", FRAMES)
def test_without_a_length_every_frame_is_read(rate: int, mode: str) -> None:
    samples = decoded(untold(encoded(rate, mode)))
    assert len(samples) % FRAMES[rate] == 0
    delay_and_padding = 4 * FRAMES[rate]
    assert 3 * rate <= len(samples) <= 3 * rate + delay_and_padding
    whole = decoded(encoded(rate, mode))
    shifts = [
        np.abs(samples[shift : shift + len(whole)] - whole).max() for shift in range(len(samples) - 3 * rate)
    ]
    assert min(shifts) < 1e-3


@pytest.mark.parametrize("between", [b"", ID3_V1 + ID3_V2, APE + ID3_V1])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_joined_recordings_are_read_one_after_the_other(mode: str, between: bytes) -> None:
    first, second = encoded(16_000, mode, 1.0), encoded(16_000, mode, 0.5, seed=2)
    both = decoded(first + between + second)
    assert np.array_equal(both, np.concatenate([decoded(first), decoded(second)]))
    last = decoded(first + between + untold(second))
    assert len(last) >= len(both)
    assert len(decoded(untold(first) + between + untold(second))) >= len(both)


def test_recordings_that_differ_are_not_joined() -> None:
    with pytest.raises(DataError, match="joined in it that differ: 16000 Hz, channels: 1 and 8000 Hz, chan"):
        decoded(encoded(16_000, "CONSTANT") + encoded(8_000, "CONSTANT"))
    with pytest.raises(DataError, match="differ: 8000 Hz, channels: 1 and 8000 Hz, channels: 2; split it"):
        decoded(encoded(8_000, "CONSTANT") + encoded(8_000, "CONSTANT", channels=2))


def test_mp3_in_wav_is_read_as_mp3_is() -> None:
    data = encoded(16_000, "VARIABLE", 1.0)
    facts = b"\x55\0\1\0" + (16_000).to_bytes(4, "little") + bytes(4) + b"\1\0\0\0" + b"\x0c\0" + bytes(12)
    chunks = b"fmt " + len(facts).to_bytes(4, "little") + facts + b"data" + len(data).to_bytes(4, "little")
    wav = b"RIFF" + (len(chunks) + len(data) + 4).to_bytes(4, "little") + b"WAVE" + chunks + data
    assert np.array_equal(decoded(wav), decoded(data))
    with pytest.raises(DataError, match="truncated: "):
        decoded(wav[:-200])
    with pytest.raises(DataError, match="its header states too little: "):
        decoded(wav + data)


def test_a_stretch_over_the_joint() -> None:
    first, second = encoded(16_000, "VARIABLE", 1.0), encoded(16_000, "VARIABLE", 1.0, seed=2)
    source = Source(first + second)
    part = np.concatenate(list(source.blocks(8_000, 24_000)))
    whole = np.concatenate([decoded(first), decoded(second)])
    assert np.abs(part - whole[8_000:24_000])[1200:].max() < 1e-3


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_a_cut_within_a_frame_is_seen(mode: str) -> None:
    data = untold(encoded(16_000, mode))
    with pytest.raises(DataError, match="truncated: its last frame lacks 7 bytes"):
        decoded(data[:-7])


def test_a_cut_between_frames_is_seen_where_their_number_is_told() -> None:
    data = encoded(16_000, "CONSTANT")
    (link,) = mp3_links(io.BytesIO(data), len(data))
    frame = (link.spans[-1][1] - link.spans[0][0]) // (len(data) // 144 - 1)
    for lost in range(1, 4):
        with pytest.raises(DataError, match=r"truncated: (\S+ of 3\.\d+ s are there|its last frame)"):
            decoded(data[: -lost * frame])


@pytest.mark.parametrize("rubbish", [b"something else", b"\xff\xfb", bytes(5000), b"\xff\xfb\x90\x00" * 3])
def test_what_stands_between_frames_is_told(rubbish: bytes) -> None:
    data = encoded(16_000, "CONSTANT", 1.0)
    for joined in (data + rubbish + data, data + rubbish):
        with pytest.raises(SoundError, match=r"damaged: |truncated: "):
            mp3_links(io.BytesIO(joined), len(joined))


def test_of_several_faults_the_first_in_the_file_is_told() -> None:
    data = bytearray(encoded(16_000, "CONSTANT", 1.0))
    ends = data[: len(data) // 2]
    frame = len(data) // 4
    side = data.index(data[:2], frame) + 4
    data[side : side + 9] = b"\xff" * 9
    with pytest.raises(SoundError) as caught:
        mp3_links(io.BytesIO(data), len(data))
    assert str(caught.value) == f"damaged: the frame that begins at byte {side - 4} has {CROWDED}"
    for rest in (data + b"something else", data[:-7], data + ends[:-3]):
        with pytest.raises(SoundError) as again:
            mp3_links(io.BytesIO(rest), len(rest))
        assert str(again.value) == str(caught.value)


@pytest.mark.parametrize("read", [6_100, 6_101, 7_000, 9_999])
def test_frames_are_found_however_many_bytes_are_read_at_a_time(
    read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = encoded(16_000, "VARIABLE"), encoded(44_100, "CONSTANT", channels=2)
    joined = first + APE + ID3_V1 + second + ID3_V2 + untold(second) + bytes(300) + first
    cases = [joined, joined[:-5], joined + b"rubbish", joined[:9_000] + b"\xff\xfb" + joined[9_000:]]

    def told() -> Iterator[str]:
        for data in cases:
            try:
                yield repr(mp3_links(io.BytesIO(data), len(data)))
            except SoundError as error:
                yield str(error)

    whole = list(told())
    assert whole[0].count("Link(") == 3  # the one without a length goes on with its like
    monkeypatch.setattr("seqlab.audio.mp3.READ", read)
    assert list(told()) == whole


def test_nothing_of_the_decoder_reaches_standard_error(tmp_path: Path) -> None:
    data = encoded(16_000, "CONSTANT", 1.0)
    random = np.random.default_rng(1)
    for number in range(60):
        damaged = bytearray(untold(data) if number % 2 else data)
        for place in random.integers(0, len(damaged), 1 + number % 20):
            damaged[place] ^= 1 << random.integers(0, 8)
        (tmp_path / f"{number}.mp3").write_bytes(damaged)
    (tmp_path / "stretch.mp3").write_bytes(data)
    script = (
        "import sys\nfrom pathlib import Path\nfrom seqlab.audio import AudioFile\n"
        "from seqlab.errors import DataError\n"
        "for path in Path(sys.argv[1]).iterdir():\n"
        "    for start in (0, 0.5):\n"
        "        try:\n            AudioFile(path, start).samples()\n"
        "        except DataError as error:\n            print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert "dequantization failed" in done.stdout


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [*FRAMES, 48_000])
def test_blocks_are_what_is_decoded_in_one_go(
    rate: int, channels: int, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames hold what later ones need, where loud ones follow quiet ones: a block must not begin anew."""
    time = np.arange(10 * rate) / rate
    voice = np.random.default_rng(1).normal(size=(10 * rate, channels)) * 0.1
    voice += 0.3 * np.sin(2 * np.pi * 150 * time + 3 * np.sin(2 * np.pi * 3 * time))[:, None]
    stream = io.BytesIO()
    samples = voice * np.abs(np.sin(2 * np.pi * 1.5 * time))[:, None] ** 3
    soundfile.write(stream, samples, rate, format="MP3", bitrate_mode=mode, compression_level=0.5)
    source = Source(stream.getvalue())
    stretches = (0, 10 * rate), (3 * rate, 10 * rate)
    monkeypatch.setattr("seqlab.audio.decoding.BLOCK", 1 << 14)
    several = [list(source.blocks(*stretch)) for stretch in stretches]
    monkeypatch.setattr("seqlab.audio.decoding.BLOCK", 1 << 30)
    for stretch, blocks in zip(stretches, several, strict=True):
        assert len(blocks) > 3
        assert np.array_equal(np.concatenate(blocks), np.concatenate(list(source.blocks(*stretch))))

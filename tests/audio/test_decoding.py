from __future__ import annotations

import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import cut, stereo, tone, write

from seqlab.api import DataError
from seqlab.audio import Source, decoding
from seqlab.audio.settings import SUFFIXES


def whole(source: Source) -> np.ndarray:
    return np.concatenate(list(source.blocks(0, source.header.frames)))


LOSSY = 0.06

FORMATS = [
    ("a.wav", "PCM_16", 1e-4),
    ("a.wav", "PCM_U8", 1e-2),
    ("a.wav", "PCM_24", 1e-6),
    ("a.wav", "FLOAT", 0),
    ("a.wav", "DOUBLE", 0),
    ("a.wav", "ULAW", 3e-2),
    ("a.flac", "PCM_16", 1e-4),
    ("a.flac", "PCM_24", 1e-6),
    ("a.ogg", "VORBIS", LOSSY),
    ("a.ogg", "OPUS", LOSSY),
    ("a.mp3", "MPEG_LAYER_III", LOSSY),
    ("a.sph", "PCM_16", 1e-4),
    ("a.aiff", "PCM_16", 1e-4),
    ("a.aiff", "FLOAT", 0),
    ("a.au", "PCM_16", 1e-4),
    ("a.caf", "ALAC_16", 1e-4),
    ("a.caf", "PCM_24", 1e-6),
    ("a.rf64", "PCM_16", 1e-4),
    ("a.w64", "PCM_16", 1e-4),
]


@pytest.mark.parametrize(("name", "subtype", "tolerance"), FORMATS)
def test_every_format_gives_the_samples_from_a_file_bytes_and_a_file_object(
    tmp_path: Path, name: str, subtype: str, tolerance: float
) -> None:
    samples = stereo(0.7)
    path = write(tmp_path / name, samples, subtype=subtype)
    decoded = whole(Source(path))
    assert decoded.dtype == np.float32
    assert decoded.shape == samples.shape
    inside = slice(4000, -4000) if tolerance == LOSSY else slice(None)  # what is lost is lost at the ends
    assert np.abs(decoded - samples)[inside].max() <= tolerance
    with path.open("rb") as stream:
        for source in (Source(str(path)), Source(path.read_bytes()), Source(stream)):
            assert source.header == Source(path).header
            assert source.digest == Source(path).digest
            assert np.array_equal(whole(source), decoded)


def test_codings_that_cannot_be_entered_in_the_middle_are_read_from_the_beginning(tmp_path: Path) -> None:
    source = Source(write(tmp_path / "a.wav", tone(0.5, 8_000), 8_000, subtype="GSM610"))
    assert len(whole(source)) >= 4_000


def test_the_header(tmp_path: Path) -> None:
    header = Source(write(tmp_path / "a.flac", stereo(0.5, 48_000), 48_000)).header
    assert (header.frames, header.sample_rate, header.channels, header.format) == (24_000, 48_000, 2, "FLAC")
    assert header.duration == 0.5


@pytest.mark.parametrize("ending", [".wav", ".raw", ".gsm", ".vox", ".mp3", ""])
def test_the_ending_of_the_name_says_nothing(tmp_path: Path, ending: str) -> None:
    flac = write(tmp_path / "a.flac", tone(0.5))
    renamed = flac.rename(tmp_path / f"b{ending}")
    assert np.abs(whole(Source(renamed))[:, 0] - tone(0.5)).max() < 1e-4
    renamed.write_bytes(bytes(range(128, 256)) * 8)
    with pytest.raises(DataError, match="cannot be decoded"):
        _ = Source(renamed).header


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.sph"])
def test_a_stretch_is_the_same_as_that_part_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    rng = np.random.default_rng(1)
    source = Source(write(tmp_path / name, (tone(3.0) + 0.1 * rng.normal(size=48_000)).astype(np.float32)))
    part = whole(source)[17_000:31_111]
    monkeypatch.setattr(decoding, "BLOCK", 5000)
    blocks = list(source.blocks(17_000, 31_111))
    assert [len(block) for block in blocks[:2]] == [5000, 5000]
    # Lossy decoders carry what came before into the first samples after a jump.
    assert np.abs(np.concatenate(blocks)[1200:] - part[1200:]).max() < 1e-3
    if name not in ("a.ogg", "a.mp3"):
        assert np.array_equal(np.concatenate(blocks), part)


def test_only_the_stretch_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(write(tmp_path / "a.flac", tone(60.0)))
    counted = []
    read = soundfile.SoundFile.read

    def counting(self: soundfile.SoundFile, frames: int, **options: object) -> np.ndarray:
        counted.append(frames)
        return read(self, frames, **options)

    monkeypatch.setattr(soundfile.SoundFile, "read", counting)
    assert sum(map(len, source.blocks(400_000, 401_600))) == 1600
    assert counted == [1600]


# --- what cannot be read -----------------------------------------------------------------------------------


def message(source: Source) -> str:
    with pytest.raises(DataError) as caught:
        whole(source)
    assert caught.value.place
    assert caught.value.place.file == source.name
    return str(caught.value).removeprefix(f"{source.name}: ")


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    assert message(Source(tmp_path / "none.wav")) == "cannot be read: no such file or directory"
    folder = "cannot be read: it is a folder, and only regular files are read"
    assert message(Source(tmp_path)) == folder
    (tmp_path / "link.wav").symlink_to("gone.wav")
    assert (
        message(Source(tmp_path / "link.wav"))
        == "cannot be read: it is a link to gone.wav, which is not there"
    )
    (tmp_path / "zero.wav").symlink_to("/dev/zero")
    device = "cannot be read: it is a device, and only regular files are read"
    assert message(Source(tmp_path / "zero.wav")) == device
    os.mkfifo(tmp_path / "fifo.wav")
    fifo = "cannot be read: it is a FIFO, and only regular files are read"
    assert message(Source(tmp_path / "fifo.wav")) == fifo


def test_an_empty_file_and_one_without_samples(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    assert message(Source(tmp_path / "a.wav")) == "empty: the file has 0 bytes"
    assert message(Source(b"")) == "empty: the file has 0 bytes"
    nothing = write(tmp_path / "b.wav", tone(0.0))
    assert message(Source(nothing)) == "empty: its header announces 0 samples"


def test_text_and_foreign_formats_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("<html>404 Not Found</html>")
    assert message(Source(tmp_path / "a.wav")) == (
        "cannot be decoded: format not recognised; it holds text: '<html>404 Not Found</html>'"
    )
    assert "this is MP4 (M4A)" in message(Source(b"\0\0\0\x20ftypM4A " + bytes(100)))


UNTOLD = {"AVR", "IRCAM", "MAT4", "MAT5", "MPC2K", "PAF", "PVF", "SVX", "VOC", "WVE"}
"""Formats of old samplers and of mathematics, whose headers are not looked at; some hold no length."""

HEADERLESS = {"RAW", "SD2", "XI"}
"""What is written but cannot be read back: without a header, in two files, without a way to seek."""

TOLD = sorted(soundfile.available_formats().keys() - UNTOLD - HEADERLESS)


@pytest.mark.parametrize("form", TOLD)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_never_passes_for_a_short_one(tmp_path: Path, form: str, share: float) -> None:
    path = tmp_path / "a"
    soundfile.write(path, np.random.default_rng(1).uniform(-0.5, 0.5, 48_000), 16_000, format=form)
    assert len(whole(Source(path))) >= 48_000
    cut(path, share)
    why = "cannot be decoded" if form == "HTK" else "truncated"
    assert why in message(Source(path))
    assert why in message(Source(path.read_bytes()))


def test_every_format_that_is_offered_is_told_when_it_is_truncated() -> None:
    names = {"oga": "OGG", "opus": "OGG", "sph": "NIST", "aif": "AIFF"}
    assert {names.get(suffix[1:], suffix[1:].upper()) for suffix in SUFFIXES} <= set(TOLD)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
def test_a_page_that_the_decoder_would_pass_over_is_told(tmp_path: Path, share: float) -> None:
    path = write(tmp_path / "a.ogg", np.random.default_rng(1).uniform(-0.5, 0.5, 48_000))
    data = bytearray(path.read_bytes())
    data[int(share * len(data))] ^= 1
    path.write_bytes(data)
    for source in (Source(path), Source(bytes(data))):
        found = re.fullmatch(r"damaged: the page that begins at byte (\d+) is not .*", message(source))
        assert found
        assert 0 < int(found[1]) <= share * len(data)


def test_what_follows_the_last_page_is_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ogg", tone(1.0))
    length = len(whole(Source(path)))
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    assert len(whole(Source(path))) == length


def test_damage_in_the_middle_of_a_flac_file_is_placed(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    path = write(tmp_path / "a.flac", rng.uniform(-0.5, 0.5, 160_000))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40_000] = bytes(40_000)
    path.write_bytes(data)
    assert message(Source(path)).startswith("damaged or truncated")


def test_a_header_that_announces_the_moon_costs_no_memory(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "a.flac", tone(0.5)).read_bytes())
    data[21] |= 0x0F  # the highest bits of the number of samples in STREAMINFO
    (tmp_path / "b.flac").write_bytes(data)
    assert "truncated" in message(Source(tmp_path / "b.flac"))


def test_a_file_object_in_text_mode_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("RIFF")
    with (
        (tmp_path / "a.wav").open() as stream,
        pytest.raises(DataError, match="gives text; open it in binary"),
    ):
        Source(stream)  # type: ignore[arg-type]


def test_a_stream_that_fails_is_told() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("the line is cut")

    with pytest.raises(DataError, match=r"<stream>: cannot be read: the line is cut"):
        Source(Broken())


@pytest.mark.parametrize("rate", [0, 0xFFFFFFFF])
def test_a_rate_that_no_sound_has_is_said_in_words(rate: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(0.5))
    content = bytearray(path.read_bytes())
    content[24:28] = rate.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.wav: cannot be decoded: its header states a sample rate or "):
        _ = Source(path).header

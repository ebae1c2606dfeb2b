from __future__ import annotations

import io
from pathlib import Path

import pytest
import soundfile
from sounds import stereo, tone, write

from seqlab.audio.containers import NOTICED, explain, shortage, sound_format
from seqlab.audio.settings import SUFFIXES

PROMISING = [
    ("a.wav", None),
    ("a.wav", "PCM_24"),
    ("a.wav", "FLOAT"),
    ("a.sph", "PCM_16"),
    ("a.ogg", "VORBIS"),
]
"""Formats whose header or last page says how much there must be."""


def told(data: bytes) -> str:
    return shortage(io.BytesIO(data), len(data))


@pytest.mark.parametrize(("name", "subtype"), PROMISING)
def test_a_whole_file_lacks_nothing_and_every_cut_is_seen(tmp_path: Path, name: str, subtype: str) -> None:
    data = write(tmp_path / name, stereo(0.5), subtype=subtype).read_bytes()
    assert told(data) == ""
    for missing in (1, 2, 100, len(data) // 2, len(data) - 30):
        assert told(data[:-missing]).startswith("truncated: "), missing


def test_a_cut_tells_how_much_is_there(tmp_path: Path) -> None:
    wav = write(tmp_path / "a.wav", tone(1.0)).read_bytes()
    assert told(wav[:10_044]) == "truncated: 10000 of 32000 bytes of samples are there"
    assert told(wav[:30]) == "truncated: its 30 bytes end before the samples begin"
    sphere = write(tmp_path / "a.sph", tone(1.0)).read_bytes()
    assert told(sphere[:11_024]) == "truncated: 10000 of 32000 bytes of samples are there"
    assert told(sphere[:1000]) == "truncated: its 1000 bytes end before the samples begin"


def test_chunks_before_the_samples_are_stepped_over(tmp_path: Path) -> None:
    data = write(tmp_path / "a.wav", tone(0.5)).read_bytes()
    remark = b"LIST" + (5).to_bytes(4, "little") + b"INFO.\0"  # an odd length is padded
    longer = data[:36] + remark + data[36:]
    assert told(longer) == ""
    assert told(longer[:-1]).startswith("truncated")
    assert told(longer + remark) == ""


@pytest.mark.parametrize("size", [0x7FFFF000, 0xFFFFFFFF])
def test_a_stream_of_unknown_size_lacks_nothing(tmp_path: Path, size: int) -> None:
    data = write(tmp_path / "a.wav", tone(0.5)).read_bytes()
    assert told(data[:40] + size.to_bytes(4, "little") + data[44:]) == ""


def test_an_ogg_stream_must_end_with_its_last_page(tmp_path: Path) -> None:
    data = write(tmp_path / "a.ogg", stereo(3.0)).read_bytes()
    assert told(data[: data.rfind(b"OggS")]) == "truncated: the page that ends the stream is missing"


def test_shorten_is_named(tmp_path: Path) -> None:
    header = b"NIST_1A\n   1024\nsample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n"
    message = "SPHERE compressed with shorten, which is not read; convert it with sph2pipe -f wav"
    assert told(header.ljust(1024)) == message


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"\0\0\0\x20ftypM4A ", "this is MP4 (M4A), which is not read; convert it to WAV or FLAC"),
        (b"#!AMR\n", "this is AMR, which is not read; convert it to WAV or FLAC"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "it holds text: 'version https://git-lfs.github.c'",
        ),
        ("schöne Grüße".encode()[:-1], "it holds text: 'schöne Grüß'"),
        (b"\0" * NOTICED, "it begins with zero bytes"),
        (bytes(range(128, 190)), "read are WAV, FLAC, OGG, MP3, SPHERE and what else libsndfile knows"),
    ],
)
def test_what_is_no_sound_is_told(head: bytes, message: str) -> None:
    assert explain(head) == message


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_that_is_read_is_known_by_its_beginning(tmp_path: Path, suffix: str) -> None:
    names = {".oga": "OGG", ".opus": "OGG", ".sph": "SPHERE", ".aif": "AIFF"}
    form = {".oga": "OGG", ".opus": "OGG", ".sph": "NIST", ".aif": "AIFF"}.get(suffix)
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, tone(0.5), 16_000, format=form)
    assert sound_format(path.read_bytes()[:NOTICED]) == names.get(suffix, suffix[1:].upper())


@pytest.mark.parametrize("version", [2, 3, 4])
def test_mp3_is_known_by_its_tag(version: int) -> None:
    assert sound_format(b"ID3" + bytes([version]) + bytes(60)) == "MP3"


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"ID3",
        b"ID3 is a tag\n",
        b"RIFF",
        b"RIFF, he said and left.\n",
        b"FORM\tNOUN\n",
        "Ein Satz.".encode("utf-16"),
        "Ein Satz.".encode("utf-8-sig"),
        b'{"audio": "a.wav"}\n',
        b"\x1f\x8b\x08",
    ],
)
def test_text_is_no_sound(head: bytes) -> None:
    assert sound_format(head) == ""

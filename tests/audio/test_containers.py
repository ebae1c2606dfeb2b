from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import soundfile
from sounds import stereo, tone, write

from seqlab.api import DataError
from seqlab.audio import Source
from seqlab.audio.containers import NOTICED, explain, file_links, sound_format
from seqlab.audio.links import SoundError
from seqlab.audio.settings import SUFFIXES
from seqlab.audio.tags import PADDING

CONTAINERS = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "OGG")
"""libsndfile's names of the formats whose header or last page says how much there must be."""

UNWRITABLE = {("WAV", "MPEG_LAYER_III"), ("AIFF", "DWVW_12")}
"""What soundfile lists and libsndfile cannot write."""

CODINGS = [
    (form, subtype)
    for form in CONTAINERS
    for subtype in soundfile.available_subtypes(form)
    if (form, subtype) not in UNWRITABLE
]


def told(data: bytes) -> str:
    try:
        file_links(io.BytesIO(data), len(data))
    except SoundError as fault:
        return str(fault)
    return ""


def encoded(form: str, subtype: str | None = None, frames: int = 61, endian: str = "FILE") -> bytes:
    """Noise in a format; an odd number of frames makes the samples of narrow ones odd, too."""
    stream = io.BytesIO()
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, frames)
    soundfile.write(stream, noise, 16_000, subtype=subtype, endian=endian, format=form)
    return stream.getvalue()


def decodable(data: bytes) -> int:
    """The frames that libsndfile finds, 0 where it finds no sound."""
    try:
        return int(soundfile.info(io.BytesIO(data)).frames)
    except soundfile.LibsndfileError:
        return 0


def check_every_cut(data: bytes) -> None:
    """A whole file lacks nothing; whatever is cut off is told, but for what stands behind the last frame."""
    passing = [size for size in range(1, len(data) + 1) if not told(data[:size]) and decodable(data[:size])]
    assert passing[-1] == len(data)
    assert len(passing) <= 2  # one byte fills samples up to an even size
    assert {decodable(data[:size]) for size in passing} == {decodable(data)}


@pytest.mark.parametrize(("form", "subtype"), CODINGS)
def test_a_whole_file_lacks_nothing_and_every_cut_is_seen(form: str, subtype: str) -> None:
    check_every_cut(encoded(form, subtype))


@pytest.mark.parametrize(("form", "endian"), [("WAV", "BIG"), ("AU", "LITTLE"), ("AIFF", "LITTLE")])
def test_every_cut_is_seen_in_either_order_of_bytes(form: str, endian: str) -> None:
    check_every_cut(encoded(form, "PCM_16", endian=endian))


def test_a_cut_tells_how_much_is_there(tmp_path: Path) -> None:
    wav = write(tmp_path / "a.wav", tone(1.0)).read_bytes()
    assert told(wav[:10_044]) == "truncated: 10000 of 32000 bytes of samples are there"
    assert told(wav[:30]) == "truncated: its 30 bytes end before the samples begin"
    sphere = write(tmp_path / "a.sph", tone(1.0)).read_bytes()
    assert told(sphere[:11_024]) == "truncated: 10000 of 32000 bytes of samples are there"
    assert told(sphere[:1000]) == "truncated: its 1000 bytes end before the samples begin"


@pytest.mark.parametrize("form", ["RF64", "W64", "AIFF", "AU", "CAF", "NIST"])
def test_every_container_tells_the_bytes_of_samples_alone(form: str) -> None:
    data = encoded(form, "PCM_16", 1000)
    assert told(data[:-500]) == "truncated: 1500 of 2000 bytes of samples are there"


def test_more_than_four_gigabytes_may_be_missing() -> None:
    data = encoded("RF64", "PCM_16", 43)
    at = data.index(b"ds64") + 16
    longer = data[:at] + (5_000_000_000).to_bytes(8, "little") + data[at + 8 :]
    assert told(longer) == "truncated: 86 of 5000000000 bytes of samples are there"


def riff(name: bytes, content: bytes) -> bytes:
    return name + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2)


def aiff(name: bytes, content: bytes) -> bytes:
    return name + len(content).to_bytes(4, "big") + content + b"\0" * (len(content) % 2)


def caf(name: bytes, content: bytes) -> bytes:
    return name + len(content).to_bytes(8, "big") + content


def w64(name: bytes, content: bytes) -> bytes:
    size = len(content) + 24
    return name.ljust(16, b"\1") + size.to_bytes(8, "little") + content + b"\0" * (-size % 8)


CHUNKS = [("WAV", riff, b"data"), ("RF64", riff, b"data"), ("AIFF", aiff, b"SSND")]
CHUNKS += [("CAF", caf, b"data"), ("W64", w64, b"data\xf3")]
"""Format, what makes a chunk of it, and the name of the one with the samples."""


@pytest.mark.parametrize("frames", [60, 61])
@pytest.mark.parametrize("length", [0, 1, 7, 8])
@pytest.mark.parametrize(("form", "chunk", "samples"), CHUNKS)
def test_chunks_around_the_samples_are_stepped_over(
    form: str, chunk: Callable[[bytes, bytes], bytes], samples: bytes, length: int, frames: int
) -> None:
    data = encoded(form, "PCM_24", frames)
    remark = chunk(b"LIST", bytes(range(1, length + 1)))
    at = data.index(samples)
    longer = data[:at] + remark + chunk(b"more", remark) + data[at:]
    assert told(longer) == ""
    assert told(longer + remark) == ""
    assert told((longer + remark)[: len(longer) + 3]) == ""
    for missing in (2, 9, len(data) - at - 20, len(longer) - at - 3):
        assert told(longer[:-missing]).startswith("truncated: "), missing


@pytest.mark.parametrize("behind", [False, True])
def test_the_table_of_packets_is_needed_where_there_is_one(behind: bool) -> None:
    data = encoded("CAF", "ALAC_16", 9000)
    begin, end = data.index(b"pakt"), data.index(b"data")
    table, samples = data[begin:end], data[end:]
    check = data[:begin] + (samples + table if behind else table + samples)
    assert told(check) == ""
    assert soundfile.info(io.BytesIO(check)).frames == 9000
    assert told(check[:-1]).startswith("truncated: ")
    if behind:
        there = len(table) - 12
        assert told(check[:-1]) == f"truncated: {there - 1} of {there} bytes of its chunk 'pakt' are there"


UNKNOWN = [
    ("WAV", b"data", "little", 4, 0xFFFFFFFF),
    ("WAV", b"data", "little", 4, 0x7FFFF000),
    ("WAV", b"data", "little", 4, 0x7FFFF000 // 6 * 6),  # frames of 6 bytes
    ("AIFF", b"SSND", "big", 4, 0xFFFFFFFF),
    ("AIFF", b"SSND", "big", 4, 0x7F000000 // 6 * 6 + 8),
    ("AU", b".snd\0\0\0\x18", "big", 4, 0xFFFFFFFF),
    ("CAF", b"data", "big", 8, (1 << 64) - 1),
    ("W64", b"data\xf3\xac\xd3\x11\x8c\xd1\0\xc0O\x8e\xdb\x8a", "little", 8, (1 << 63) - 1),
    ("RF64", b"ds64\x1c\0\0\0" + (182).to_bytes(8, "little"), "little", 8, (1 << 64) - 1),
]
"""Format, what stands before the size of its samples, and a size that says that nobody knew it."""


@pytest.mark.parametrize(("form", "before", "order", "width", "size"), UNKNOWN)
def test_a_stream_of_unknown_size_lacks_nothing(
    form: str, before: bytes, order: Literal["little", "big"], width: int, size: int
) -> None:
    data = encoded(form, "PCM_16", 43)
    at = data.index(before) + len(before)
    assert told(data[:at] + size.to_bytes(width, order) + data[at + width :]) == ""
    assert told(data[:at] + (1000).to_bytes(width, order) + data[at + width :]).startswith("truncated: ")


@pytest.mark.parametrize("form", ["WAV", "RF64", "AIFF", "CAF", "W64", "AU", "NIST"])
@pytest.mark.parametrize("frames", [60, 61])
def test_zeros_behind_samples_are_padding_up_to_a_sector_of_them(form: str, frames: int) -> None:
    data = encoded(form, "PCM_16", frames)
    for zeros in (1, 2, 3, 7, 8, 9, 24, 512, PADDING - 8):
        assert told(data + bytes(zeros)) == "", zeros
        assert told(data + bytes(zeros) + b"TAG" + bytes(125)) == "", zeros
        assert told(data + bytes(zeros) + b"\1more than zeros").startswith(
            "its header states too little: "
        ), zeros
    for zeros in (PADDING + 8, 2 * PADDING, 100_000):
        assert told(data + bytes(zeros)).startswith("its header states too little: "), zeros


def test_zeros_in_place_of_chunks_are_not_walked_through() -> None:
    reads = []

    class Counting(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            reads.append(size)
            return super().read(size)

    data = encoded("WAV")[:36] + bytes(100_000)
    with pytest.raises(SoundError, match=f"truncated: its {len(data)} bytes end before the samples begin"):
        file_links(Counting(data), len(data))
    assert len(reads) < 10


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
        (b"\0\0\0\x20ftypM4A ", "this is MP4 (M4A), which is not read; convert it: ffmpeg -i in.m4a in.flac"),
        (b"#!AMR\n", "this is AMR, which is not read; convert it: ffmpeg -i in.m4a in.flac"),
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


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xff\xf1\x50\x80", "AAC"),
        (b"\xff\xf9\x50\x80", "AAC"),
        (b"ADIF", "AAC"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA"),
        (b"MAC \x96\x0f", "Monkey's Audio (APE)"),
        (b"wvpk", "WavPack"),
        (b"TTA1", "True Audio"),
        (b"MPCK", "Musepack"),
        (b"\x1a\x45\xdf\xa3", "WebM or Matroska"),
        (b"\0\0\0\x1cftypisom", "MP4 (M4A)"),
    ],
)
@pytest.mark.parametrize("tagged", [False, True])
def test_sound_that_is_not_read_is_named_with_the_command_that_converts_it(
    tmp_path: Path, head: bytes, name: str, *, tagged: bool
) -> None:
    tag = b"ID3\x04\0\0\0\0\0\x05title" if tagged else b""
    path = tmp_path / "a talk.wav"
    path.write_bytes(tag + head + bytes(range(256)) * 20)
    with pytest.raises(DataError) as caught:
        _ = Source(path).header
    command = f"ffmpeg -i '{tmp_path}/a talk.wav' '{tmp_path}/a talk.flac'"
    assert str(caught.value).endswith(f"this is {name}, which is not read; convert it: {command}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_that_is_read_is_known_by_its_beginning(tmp_path: Path, suffix: str) -> None:
    names = {".oga": "OGG", ".opus": "OGG", ".sph": "SPHERE", ".aif": "AIFF"}
    form = {".oga": "OGG", ".opus": "OGG", ".sph": "NIST", ".aif": "AIFF"}.get(suffix)
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, tone(0.5), 16_000, format=form)
    assert sound_format(path.read_bytes()[:NOTICED]) == names.get(suffix, suffix[1:].upper())


@pytest.mark.parametrize(
    ("form", "endian", "name"), [("WAV", "BIG", "WAV"), ("RF64", "FILE", "RF64"), ("AU", "LITTLE", "AU")]
)
def test_their_kin_are_known_too(form: str, endian: str, name: str) -> None:
    assert sound_format(encoded(form, "PCM_16", endian=endian)[:NOTICED]) == name


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
        b"dns.example.org\n",
        "Ein Satz.".encode("utf-16"),
        "Ein Satz.".encode("utf-8-sig"),
        b'{"audio": "a.wav"}\n',
        b"\x1f\x8b\x08",
    ],
)
def test_text_is_no_sound(head: bytes) -> None:
    assert sound_format(head) == ""

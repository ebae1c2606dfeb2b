"""Whatever is joined, cut or left unsaid: the whole sound comes out, or an error, never less."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from seqlab.api import DataError
from seqlab.audio import Source
from seqlab.audio.links import Link, LinkFile

LENGTHS = (1, 61, 1000, 9001)

UNTOLD = {"IRCAM", "PAF", "PVF"}
"""Formats that announce no length: all that a file holds is read, and a cut cannot be seen."""

NOT_READ = {"RAW", "SD2", "XI"}
"""What is written but cannot be read back: without a header, in two files, without a way to seek."""

CHAINED = {"FLAC", "MP3", "OGG"}
"""Formats whose parts are all read when they are joined."""


def encoded(form: str, subtype: str, length: int, number: int = 0, channels: int = 1) -> bytes:
    """Noise in a format."""
    stream = io.BytesIO()
    noise = np.random.default_rng(length + number).uniform(-0.5, 0.5, (length, channels))
    soundfile.write(stream, noise, 16_000, subtype=subtype, format=form)
    return stream.getvalue()


def samples(data: bytes) -> np.ndarray | None:
    """What is read, None for an error."""
    source = Source(data)
    try:
        return np.concatenate(list(source.blocks(0, source.header.frames)))
    except DataError:
        return None


@cache
def sound(form: str, subtype: str, length: int, number: int = 0) -> tuple[bytes, np.ndarray]:
    data = encoded(form, subtype, length, number)
    read = samples(data)
    assert read is not None
    return data, read


def codings() -> Iterator[tuple[str, str]]:
    """The formats and codings that can be written and read back."""
    for form in sorted(soundfile.available_formats().keys() - NOT_READ):
        for subtype in soundfile.available_subtypes(form):
            try:
                readable = samples(encoded(form, subtype, 1000)) is not None
            except soundfile.LibsndfileError:
                continue
            if readable:
                yield form, subtype


CODINGS = list(codings())


def lengths_of(form: str) -> st.SearchStrategy[int]:
    # libsndfile cannot read back a sample dump or a 24-bit PAF of a single frame.
    return st.sampled_from(LENGTHS[1:] if form in ("SDS", "PAF") else LENGTHS)


BOUNDED = settings(
    max_examples=4, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=False
)


def test_most_of_what_soundfile_writes_is_held() -> None:
    assert len(CODINGS) > 80
    assert {form for form, _ in CODINGS} == soundfile.available_formats().keys() - NOT_READ


@pytest.mark.parametrize(("form", "subtype"), CODINGS)
@seed(1)
@BOUNDED
@given(data=st.data())
def test_joined_files_are_read_whole_or_refused(form: str, subtype: str, data: st.DataObject) -> None:
    lengths = data.draw(st.lists(lengths_of(form), min_size=2, max_size=3))
    parts = [sound(form, subtype, length, number) for number, length in enumerate(lengths)]
    read = samples(b"".join(part for part, _ in parts))
    alone = [each for _, each in parts]
    if form in CHAINED:
        assert read is not None
        assert np.array_equal(read, np.concatenate(alone))
    else:
        assert read is None or len(read) >= sum(map(len, alone))


@pytest.mark.parametrize(("form", "subtype"), [each for each in CODINGS if each[0] not in UNTOLD])
@seed(2)
@BOUNDED
@given(data=st.data())
def test_what_is_cut_is_never_read_shorter(form: str, subtype: str, data: st.DataObject) -> None:
    whole, alone = sound(form, subtype, data.draw(lengths_of(form)))
    first = data.draw(st.integers(0, len(whole) - 1))
    last = data.draw(st.one_of(st.just(len(whole)), st.integers(first + 1, len(whole))))
    read = samples(whole[:first] + whole[last:])
    assert read is None or len(read) >= len(alone) or last < len(whole) <= last + 8


@pytest.mark.parametrize(("form", "subtype"), [each for each in CODINGS if each[0] in CHAINED])
@seed(3)
@BOUNDED
@given(data=st.data())
def test_of_a_chain_no_part_is_lost(form: str, subtype: str, data: st.DataObject) -> None:
    parts = [sound(form, subtype, length, number) for number, length in enumerate(LENGTHS[1:])]
    whole = b"".join(part for part, _ in parts)
    first = data.draw(st.integers(0, len(whole) - 1))
    last = data.draw(st.integers(first + 1, len(whole)))
    borders = list(itertools.accumulate((len(part) for part, _ in parts), initial=0))
    kept = samples(whole[:first] + whole[last:])
    if kept is not None:  # the cut took whole parts, and the others are there
        assert {first, last} <= set(borders)
        assert len(kept) == sum(
            len(each) for (_, each), at in zip(parts, borders, strict=False) if not first <= at < last
        )


@pytest.mark.parametrize("read", [8, 9, 1000, 1001])
def test_flac_is_searched_whole_however_many_bytes_are_read_at_a_time(
    read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [sound("FLAC", "PCM_16", length, number) for number, length in enumerate(LENGTHS)]
    monkeypatch.setattr("seqlab.audio.flac.READ", read)
    read_back = samples(b"".join(part for part, _ in parts))
    assert read_back is not None
    assert np.array_equal(read_back, np.concatenate([each for _, each in parts]))


def halved(data: bytes, before: bytes, width: int, order: str, counted: int = 0) -> bytes:
    """The file with half of the size that stands behind some bytes."""
    at = data.index(before) + len(before)
    size = int.from_bytes(data[at : at + width], order) - counted  # type: ignore[arg-type]
    return data[:at] + (size // 2 + counted).to_bytes(width, order) + data[at + width :]  # type: ignore[arg-type]


STATED = [
    ("WAV", b"data", 4, "little"),
    ("WAVEX", b"data", 4, "little"),
    ("RF64", b"", 0, "little"),
    ("AIFF", b"SSND", 4, "big"),
    ("CAF", b"data", 8, "big"),
    ("AU", b".snd\0\0\0\x18", 4, "big"),
    ("FLAC", b"", 0, "big"),
    ("NIST", b"sample_count -i ", 0, "big"),
]


@pytest.mark.parametrize(("form", "before", "width", "order"), STATED)
def test_a_header_that_states_too_little_is_told(form: str, before: bytes, width: int, order: str) -> None:
    data = encoded(form, "PCM_16", 2000)
    if form == "RF64":
        at = data.index(b"ds64") + 16
        shorter = data[:at] + (2000).to_bytes(8, "little") + data[at + 8 :]
    elif form == "FLAC":
        shorter = data[:22] + (1000).to_bytes(4, "big") + data[26:]
    elif form == "NIST":
        shorter = data.replace(b"sample_count -i 2000", b"sample_count -i 1000")
    else:
        shorter = halved(data, before, width, order)
    assert shorter != data
    with pytest.raises(DataError, match="its header states too little: "):
        _ = Source(shorter).header


@pytest.mark.parametrize("frames", [4096, 9001])
def test_flac_from_a_pipe_states_no_length_and_is_read_whole(frames: int) -> None:
    data = encoded("FLAC", "PCM_16", frames)
    unsaid = data[:12] + bytes(6) + data[18:21] + bytes([data[21] & 0xF0]) + bytes(4) + data[26:]
    expected = samples(data)
    assert expected is not None
    for streamed in (unsaid, unsaid + b"TAG" + bytes(125), b"ID3\x04\0\0\0\0\0\x05abcde" + unsaid):
        assert np.array_equal(samples(streamed), expected)  # type: ignore[arg-type]
    assert samples(unsaid[:-7]) is None


@pytest.mark.parametrize(("form", "name", "order"), [("WAV", b"data", "little"), ("AIFF", b"SSND", "big")])
def test_streams_that_state_no_size_are_read_to_their_end(form: str, name: bytes, order: str) -> None:
    data = encoded(form, "PCM_16", 1000)
    at = data.index(name) + 4
    for size in (bytes(4), b"\xff" * 4):
        read = samples(data[:at] + size + data[at + 4 :])
        assert np.array_equal(read, samples(data))  # type: ignore[arg-type]


def test_an_ogg_page_that_was_taken_out_is_missed() -> None:
    stream = io.BytesIO()
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, 200_000)
    soundfile.write(stream, noise, 16_000, format="OGG")
    data = stream.getvalue()
    pages = [match for match in range(len(data)) if data.startswith(b"OggS", match)]
    assert len(pages) > 5
    for first, last in itertools.pairwise(pages[3:-1]):
        with pytest.raises(DataError, match=f"damaged: pages are missing before byte {first}"):
            _ = Source(data[:first] + data[last:]).header


@pytest.mark.parametrize(
    ("codec", "name"),
    [(b"Speex   1.2", "Speex"), (b"\x80theora", r"Theora \(video\)"), (b"fishead\0", "Ogg Sk")],
)
def test_what_else_is_in_ogg_is_named(codec: bytes, name: str) -> None:
    from seqlab.audio.ogg import checksum

    page = b"OggS\0\6" + bytes(8) + b"\1\0\0\0" + bytes(8) + bytes([1, len(codec)]) + codec
    page = page[:22] + checksum(page).to_bytes(4, "little") + page[26:]
    with pytest.raises(DataError, match=f"this is {name}.*, which is not read; convert it: ffmpeg -i"):
        _ = Source(page).header


def test_too_many_channels_are_refused_before_any_is_decoded() -> None:
    with pytest.raises(DataError, match="has 1024 channels; at most 128 are read"):
        _ = Source(encoded("WAV", "PCM_16", 100, channels=1024)).header


def test_blocks_of_many_channels_are_no_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.audio.decoding.BLOCK", 1000)
    source = Source(encoded("WAV", "PCM_16", 300, channels=16))
    assert {block.size for block in source.blocks(0, 300)} <= {992, 16 * 300 % 992}


def test_a_link_is_read_like_a_file() -> None:
    data = bytes(range(100))
    link = Link(prefix=b"abc", spans=((10, 20), (50, 60)))
    whole = b"abc" + data[10:20] + data[50:60]
    file = io.BufferedReader(LinkFile(io.BytesIO(data), link))
    assert file.read() == whole
    for start, length in itertools.product((0, 2, 3, 12, 13, 22, 30), (0, 1, 5, 40)):
        file.seek(start)
        assert file.read(length) == whole[start : start + length]
    assert file.seek(-4, io.SEEK_END) == len(whole) - 4

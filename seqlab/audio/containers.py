"""What the first bytes say a file is: sound, or what instead; and what its container says is missing of it.

libsndfile quietly shortens files that were cut off, and reads the first part of joined ones; here all of a
file is accounted for before it is decoded. IRCAM, PAF and PVF announce no length, so that a cut of theirs
cannot be seen; nor can that of an MP3 file between two frames, where no first one tells their number.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import BinaryIO, Literal

from seqlab.audio import samplers
from seqlab.audio.chunks import AIFF, CAF, RF64, RIFF, RIFX, SVX, W64, check_end, check_samples, chunk_links
from seqlab.audio.flac import flac_links
from seqlab.audio.links import LARGEST_HEADER, UNKNOWN, WHOLE, Link, SoundError, patched
from seqlab.audio.mp3 import begins_frame, mp3_links
from seqlab.audio.ogg import ogg_links
from seqlab.audio.tags import id3_length

__all__ = ["NOTICED", "OTHER_SUFFIXES", "conversion", "explain", "file_links", "sound_format"]

AU_UNKNOWN_SIZE = 0xFFFF_FFFF
"""Stands in AU's header where the sound was streamed."""

SPHERE_COUNTS = ("sample_count", "channel_count", "sample_n_bytes")
"""What the header of a SPHERE file must state."""

NOTICED = 64
"""Bytes at a file's beginning that `explain` and `sound_format` look at."""

FOREIGN: Mapping[tuple[int, bytes], str] = {
    (0, b"#!AMR"): "AMR",
    (0, b"\x1a\x45\xdf\xa3"): "WebM or Matroska",
    (0, b"\x30\x26\xb2\x75"): "WMA",
    (0, b"\xff\xf1"): "AAC",
    (0, b"\xff\xf9"): "AAC",
    (0, b"\xff\xf0"): "AAC",
    (0, b"\xff\xf8"): "AAC",
    (0, b"ADIF"): "AAC",
    (0, b"MAC "): "Monkey's Audio (APE)",
    (0, b"wvpk"): "WavPack",
    (0, b"MPCK"): "Musepack",
    (0, b"MP+"): "Musepack",
    (0, b"TTA1"): "True Audio",
    (0, b"OFR "): "OptimFROG",
    (0, b"DSD "): "DSD",
    (0, b"FRM8"): "DSD",
    (0, b".RMF"): "RealMedia",
    (0, b"FLV\1"): "Flash video",
    (0, b"\x0b\x77"): "AC-3",
    (0, b"\x7f\xfe\x80\x01"): "DTS",
    (0, b"\0\0\1\xba"): "MPEG video",
    (0, b"ajkg"): "shorten",
    (4, b"ftyp"): "MP4 (M4A)",
    (8, b"AVI "): "AVI",
}
"""What is often taken for readable sound: (offset, bytes there) to the name of the format."""

PACKED: Mapping[bytes, str] = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"7z\xbc\xaf": "7-zip",
    b"Rar!": "RAR",
}
"""Archives, which are unpacked, not converted."""

OTHER_SUFFIXES = (
    ".m4a", ".m4b", ".mp4", ".m4v", ".mov", ".3gp", ".aac", ".wma", ".asf", ".wmv", ".webm", ".weba", ".mka",
    ".mkv", ".amr", ".ape", ".wv", ".spx", ".mpc", ".tta", ".ac3", ".dts", ".ra", ".rm", ".avi", ".flv",
    ".shn", ".dsf", ".caff", ".mid", ".midi",
)  # fmt: skip
"""Endings of files with sound that is not read."""


def file_links(stream: BinaryIO, size: int) -> list[Link]:
    """Return the parts of a file of `size` bytes; SoundError where some of it is known to be missing.

    `stream` stands at the beginning and is left anywhere.
    """
    head = stream.read(NOTICED)
    if tag := id3_length(head):
        stream.seek(tag)
        head = stream.read(NOTICED)
        if head.startswith(b"fLaC"):
            return flac_links(stream, size)
        return [UNKNOWN] if foreign(head) else mp3_links(stream, size)
    if container := _container(head):
        return container.links(stream, size)
    return mp3_links(stream, size) if begins_frame(head) else [UNKNOWN]


def sound_format(head: bytes) -> str:
    """Name the format of sound that begins so (`NOTICED` bytes), an empty string where it is none."""
    container = _container(head)
    if container and not container.seldom:
        return container.name
    return "MP3" if id3_length(head) or begins_frame(head) else ""


def foreign(head: bytes) -> str:
    """Name the format of a file that begins so where it is sound that is not read, otherwise nothing."""
    for (offset, magic), name in FOREIGN.items():
        if head[offset:].startswith(magic):
            return name
    return ""


def explain(head: bytes, path: str = "") -> str:
    """Say what a file is whose beginning (`NOTICED` bytes) no decoder knows, as far as that can be told."""
    if name := foreign(head):
        return f"this is {name}, which is not read; {conversion(path)}"
    for magic, name in PACKED.items():
        if head.startswith(magic):
            return f"this is {name}; unpack it, and name what is in it"
    if _container(head):
        return conversion(path)
    if not head.strip(b"\0"):
        return "it begins with zero bytes"
    text = head.decode("utf-8", errors="ignore")
    if len(text) > len(head) // 2 and all(sign.isprintable() or sign in "\t\n\r" for sign in text):
        return f"it holds text: {text[:32]!r}"
    return "read are WAV, FLAC, OGG, MP3, SPHERE and what else libsndfile knows"


def conversion(path: str = "") -> str:
    """Return the command that converts a file into one that is read."""
    source = PurePath(path or "in.m4a")
    target = source.with_suffix(".wav" if source.suffix == ".flac" else ".flac")
    names = (shlex.quote(str(name)) for name in (source, target))
    return "convert it: ffmpeg -i {} {}".format(*names)


def _container(head: bytes) -> Container | None:
    """Return what sound begins so, None where it is none, or MP3."""
    for container in SOUND:
        if all(head[offset:].startswith(magic) for offset, magic in container.marks):
            return container
    return None


def _au(stream: BinaryIO, size: int, order: Literal["little", "big"]) -> list[Link]:
    """Read where the samples begin and their bytes, which may be unknown (Sun/NeXT)."""
    stream.seek(4)
    header = stream.read(8)
    begin, length = int.from_bytes(header[:4], order), int.from_bytes(header[4:], order)
    if length in (0, AU_UNKNOWN_SIZE):
        check_samples(size, begin, 0)
        return [patched(stream, size, begin, {8: AU_UNKNOWN_SIZE.to_bytes(4, order)})]
    check_samples(size, begin, length)
    check_end(stream, size, begin + length, length)
    return [WHOLE]


def _sphere(stream: BinaryIO, size: int) -> list[Link]:
    """Read the header's lines `name -type value` (NIST SPHERE)."""
    stream.seek(8)
    length = stream.readline(16).strip()
    if not length.isdigit() or int(length) > LARGEST_HEADER:
        raise SoundError("damaged: its header does not tell its own length")
    check_samples(size, int(length), 0)
    stream.seek(0)
    lines = stream.read(int(length)).decode("ascii", errors="replace").splitlines()
    values = {parts[0]: parts[2] for line in lines if len(parts := line.split(None, 2)) == 3}
    if "shorten" in values.get("sample_coding", ""):
        raise SoundError("SPHERE compressed with shorten, which is not read; convert it with sph2pipe -f wav")
    for name in SPHERE_COUNTS:
        if not values.get(name, "").isdigit():
            raise SoundError(f"damaged: its header states no {name}")
    samples, channels, width = (int(values[name]) for name in SPHERE_COUNTS)
    payload = samples * channels * width
    check_samples(size, int(length), payload)
    check_end(stream, size, int(length) + payload, payload)
    return [WHOLE]


@dataclass(frozen=True)
class Container:
    """A format of sound: its name, the bytes at offsets by which it is known, and what tells its parts.

    `seldom`: text might begin so, too; only decoding tells.
    """

    name: str
    marks: tuple[tuple[int, bytes], ...]
    links: Callable[[BinaryIO, int], list[Link]]
    seldom: bool = False


SOUND = (
    Container("WAV", ((0, b"RIFF"), (8, b"WAVE")), partial(chunk_links, layout=RIFF)),
    Container("WAV", ((0, b"RIFX"), (8, b"WAVE")), partial(chunk_links, layout=RIFX)),
    Container("RF64", ((0, b"RF64"), (8, b"WAVE")), partial(chunk_links, layout=RF64)),
    Container("FLAC", ((0, b"fLaC"),), flac_links),
    Container("OGG", ((0, b"OggS"),), ogg_links),
    Container("SPHERE", ((0, b"NIST_1A\n"),), _sphere),
    Container("AIFF", ((0, b"FORM"), (8, b"AIF")), partial(chunk_links, layout=AIFF)),
    Container("AU", ((0, b".snd\0"),), partial(_au, order="big")),
    Container("AU", ((0, b"dns."), (6, b"\0\0")), partial(_au, order="little")),
    Container("CAF", ((0, b"caff\0"),), partial(chunk_links, layout=CAF)),
    Container("W64", ((0, b"riff\x2e\x91\xcf\x11"),), partial(chunk_links, layout=W64)),
    Container("SVX", ((0, b"FORM"), (8, b"8SVX")), partial(chunk_links, layout=SVX), seldom=True),
    Container("SVX", ((0, b"FORM"), (8, b"16SV")), partial(chunk_links, layout=SVX), seldom=True),
    Container("AVR", ((0, b"2BIT"),), samplers.avr_links, seldom=True),
    Container("WVE", ((0, b"ALawSoundFile**\0"),), samplers.wve_links, seldom=True),
    Container("MPC2K", ((0, b"\1\4"),), samplers.mpc_links, seldom=True),
    Container("SDS", ((0, b"\xf0\x7e"), (3, b"\1")), samplers.sds_links, seldom=True),
    Container("VOC", ((0, b"Creative Voice File\x1a"),), samplers.voc_links, seldom=True),
    Container("MAT5", ((0, b"MATLAB 5.0 MAT-file"),), samplers.mat5_links, seldom=True),
    Container("MAT4", ((20, b"samplerate\0"),), samplers.mat4_links, seldom=True),
)
"""The formats that are read, but for MP3."""

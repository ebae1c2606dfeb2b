"""What the first bytes say a file is: sound, or what instead; and what its container says is missing of it.

libsndfile quietly shortens most files that were cut off; here what the header announces is held against the
size. FLAC and MP3 announce their samples, so a cut shows when fewer are decoded; an MP3 without that header,
cut between two frames, cannot be told from a whole one. What else libsndfile knows is not looked at: of those
formats, old samplers' and such, several announce nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Literal

from seqlab.audio.chunks import AIFF, CAF, RF64, RIFF, RIFX, W64, chunk_shortage, headless, lack
from seqlab.audio.mp3 import begins_frame
from seqlab.audio.ogg import page_shortage

__all__ = ["NOTICED", "explain", "shortage", "sound_format"]

AU_UNKNOWN_SIZE = 0xFFFF_FFFF
"""Stands in AU's header where the sound was streamed."""

NOTICED = 64
"""Bytes at a file's beginning that `explain` and `sound_format` look at."""

ID3 = (b"ID3\2", b"ID3\3", b"ID3\4")
"""Beginnings of the tags before MP3, version 2.2 to 2.4."""

FOREIGN: Mapping[tuple[int, bytes], str] = {
    (0, b"#!AMR"): "AMR",
    (0, b"\x1a\x45\xdf\xa3"): "WebM or Matroska",
    (0, b"\x30\x26\xb2\x75"): "WMA",
    (0, b"\x1f\x8b"): "gzip",
    (0, b"PK\x03\x04"): "zip",
    (0, b"ajkg"): "shorten",
    (4, b"ftyp"): "MP4 (M4A)",
    (8, b"AVI "): "AVI",
}
"""What is often taken for readable sound: (offset, bytes there) to the name of the format."""


def shortage(stream: BinaryIO, size: int) -> str:
    """Say what is missing from a file of `size` bytes, an empty string where nothing is known to be missing.

    `stream` stands at the beginning and is left anywhere.
    """
    container = _container(stream.read(NOTICED))
    return container.shortage(stream, size) if container else ""


def sound_format(head: bytes) -> str:
    """Name the format of sound that begins so (`NOTICED` bytes), an empty string where it is none."""
    if container := _container(head):
        return container.name
    return "MP3" if head.startswith(ID3) or begins_frame(head) else ""


def explain(head: bytes) -> str:
    """Say what a file is whose beginning (`NOTICED` bytes) no decoder knows, as far as that can be told."""
    for (offset, magic), name in FOREIGN.items():
        if head[offset:].startswith(magic):
            return f"this is {name}, which is not read; convert it to WAV or FLAC"
    if not head.strip(b"\0"):
        return "it begins with zero bytes"
    text = head.decode("utf-8", errors="ignore")
    if len(text) > len(head) // 2 and all(sign.isprintable() or sign in "\t\n\r" for sign in text):
        return f"it holds text: {text[:32]!r}"
    return "read are WAV, FLAC, OGG, MP3, SPHERE and what else libsndfile knows"


def _container(head: bytes) -> Container | None:
    """Return what sound begins so, None where it is none, or MP3."""
    for container in SOUND:
        if all(head[offset:].startswith(magic) for offset, magic in container.marks):
            return container
    return None


def _told_by_decoding(stream: BinaryIO, size: int) -> str:
    """Say nothing: the decoder sees what is missing."""
    return ""


def _au(stream: BinaryIO, size: int, order: Literal["little", "big"]) -> str:
    """Read where the samples begin and their bytes, which may be unknown (Sun/NeXT)."""
    stream.seek(4)
    header = stream.read(8)
    begin, length = int.from_bytes(header[:4], order), int.from_bytes(header[4:], order)
    return lack(size, begin, 0 if length == AU_UNKNOWN_SIZE else length)


def _sphere(stream: BinaryIO, size: int) -> str:
    """Read the header's lines `name -type value` (NIST SPHERE)."""
    stream.seek(8)
    length = stream.readline(16).strip()
    if not length.isdigit():
        return ""
    if size < int(length):
        return headless(size)
    stream.seek(0)
    lines = stream.read(int(length)).decode("ascii", errors="replace").splitlines()
    values = {parts[0]: parts[2] for line in lines if len(parts := line.split(None, 2)) == 3}
    if "shorten" in values.get("sample_coding", ""):
        return "SPHERE compressed with shorten, which is not read; convert it with sph2pipe -f wav"
    counts = [values.get(name, "") for name in ("sample_count", "channel_count", "sample_n_bytes")]
    if not all(count.isdigit() for count in counts):
        return ""
    samples, channels, width = map(int, counts)
    return lack(size, int(length), samples * channels * width)


@dataclass(frozen=True)
class Container:
    """A format of sound: its name, the bytes at offsets by which it is known, and what tells a shortage."""

    name: str
    marks: tuple[tuple[int, bytes], ...]
    shortage: Callable[[BinaryIO, int], str]


SOUND = (
    Container("WAV", ((0, b"RIFF"), (8, b"WAVE")), partial(chunk_shortage, layout=RIFF)),
    Container("WAV", ((0, b"RIFX"), (8, b"WAVE")), partial(chunk_shortage, layout=RIFX)),
    Container("RF64", ((0, b"RF64"), (8, b"WAVE")), partial(chunk_shortage, layout=RF64)),
    Container("FLAC", ((0, b"fLaC"),), _told_by_decoding),
    Container("OGG", ((0, b"OggS"),), page_shortage),
    Container("SPHERE", ((0, b"NIST_1A\n"),), _sphere),
    Container("AIFF", ((0, b"FORM"), (8, b"AIF")), partial(chunk_shortage, layout=AIFF)),
    Container("AU", ((0, b".snd\0"),), partial(_au, order="big")),
    Container("AU", ((0, b"dns."), (6, b"\0\0")), partial(_au, order="little")),
    Container("CAF", ((0, b"caff\0"),), partial(chunk_shortage, layout=CAF)),
    Container("W64", ((0, b"riff\x2e\x91\xcf\x11"),), partial(chunk_shortage, layout=W64)),
)
"""The formats that are read, but for MP3."""

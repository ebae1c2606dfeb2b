"""What the first bytes say a file is: sound, or what instead; and what its container says is missing of it.

libsndfile quietly shortens a WAV, SPHERE or Ogg file that was cut off; here its header is held against its
size. FLAC and MP3 announce their samples, so a cut shows when fewer are decoded; an MP3 without that header,
cut between two frames, is the one case that nobody can tell from a whole one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import BinaryIO

from seqlab.audio.mp3 import begins_frame

__all__ = ["NOTICED", "explain", "shortage", "sound_format"]

UNKNOWN_SIZE = 0x7FFFF000
"""From here on the size of a WAV's data means `unknown`: who streams cannot go back to fill it in."""

PAGE_HEADER = 27
"""Bytes of an Ogg page before its table of segments (RFC 3533, section 6)."""
LARGEST_PAGE = PAGE_HEADER + 255 + 255 * 255
"""Bytes of the largest Ogg page."""
LAST_PAGE = 4
"""Flag of the page that ends an Ogg stream."""

NOTICED = 64
"""Bytes at a file's beginning that `explain` and `sound_format` look at."""

SOUND: Mapping[str, tuple[tuple[int, bytes], ...]] = {
    "WAV": ((0, b"RIFF"), (8, b"WAVE")),
    "FLAC": ((0, b"fLaC"),),
    "OGG": ((0, b"OggS"),),
    "SPHERE": ((0, b"NIST_1A\n"),),
    "AIFF": ((0, b"FORM"), (8, b"AIF")),
    "AU": ((0, b".snd\0"),),
    "CAF": ((0, b"caff\0"),),
    "W64": ((0, b"riff\x2e\x91\xcf\x11"),),
}
"""The formats that are read, but for MP3, by the bytes that stand at their offsets."""

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
    magic = stream.read(12)
    for start, check in CHECKS.items():
        if magic.startswith(start) and (start != b"RIFF" or magic.endswith(b"WAVE")):
            stream.seek(len(magic))
            return check(stream, size)
    return ""


def sound_format(head: bytes) -> str:
    """Name the format of sound that begins so (`NOTICED` bytes), an empty string where it is none."""
    for name, marks in SOUND.items():
        if all(head[offset:].startswith(magic) for offset, magic in marks):
            return name
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


def _wav(stream: BinaryIO, size: int) -> str:
    """Walk over the chunks up to the samples."""
    while len(chunk := stream.read(8)) == 8:
        length, begin = int.from_bytes(chunk[4:], "little"), stream.tell()
        if chunk.startswith(b"data"):
            cut = size - begin < length < UNKNOWN_SIZE
            return f"truncated: {size - begin} of {length} bytes of samples are there" if cut else ""
        stream.seek(begin + length + length % 2)
    return f"truncated: its {size} bytes end before the samples begin"


def _sphere(stream: BinaryIO, size: int) -> str:
    """Read the header's lines `name -type value` (NIST SPHERE)."""
    stream.seek(8)
    length = stream.readline(16).strip()
    if not length.isdigit():
        return ""
    if size < int(length):
        return f"truncated: its {size} bytes end before the samples begin"
    stream.seek(0)
    lines = stream.read(int(length)).decode("ascii", errors="replace").splitlines()
    values = {parts[0]: parts[2] for line in lines if len(parts := line.split(None, 2)) == 3}
    if "shorten" in values.get("sample_coding", ""):
        return "SPHERE compressed with shorten, which is not read; convert it with sph2pipe -f wav"
    counts = [values.get(name, "") for name in ("sample_count", "channel_count", "sample_n_bytes")]
    if not all(count.isdigit() for count in counts):
        return ""
    samples, channels, width = map(int, counts)
    announced, there = samples * channels * width, size - int(length)
    return f"truncated: {there} of {announced} bytes of samples are there" if there < announced else ""


def _ogg(stream: BinaryIO, size: int) -> str:
    """Look at the last page: it must be whole, and flagged as the last one."""
    stream.seek(max(0, size - LARGEST_PAGE))
    tail = stream.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]
    table = page[PAGE_HEADER : PAGE_HEADER + page[PAGE_HEADER - 1]] if len(page) >= PAGE_HEADER else b""
    if not table or len(page) < PAGE_HEADER + len(table) + sum(table):
        return "truncated: its last page is cut off"
    return "" if page[5] & LAST_PAGE else "truncated: the page that ends the stream is missing"


CHECKS: Mapping[bytes, Callable[[BinaryIO, int], str]] = {b"RIFF": _wav, b"NIST_1A": _sphere, b"OggS": _ogg}
"""By the bytes with which a file begins."""

"""Lines of text files, plain or gzipped, and of standard input; sound and folders are told from them."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import cast

from seqlab.audio.containers import NOTICED, sound_format
from seqlab.errors import DataError, Place
from seqlab.openfile import open_regular

__all__ = ["BOM", "CR_TO_LF", "byte_lines", "decode", "file_name", "is_standard_input"]

BOM = b"\xef\xbb\xbf"
GZIP_MAGIC = b"\x1f\x8b"

LONGEST_LINE = 1 << 24
"""Bytes of the longest line: gzip packs a line of gigabytes into a thousandth of them."""

CR_TO_LF = "convert them, say with: tr '\\r' '\\n' < OLD > NEW"

CR_ALONE = (
    f"no line ends in LF: the line ends are CR alone, as in files of old Macintosh computers; {CR_TO_LF}"
)

SOUND = (
    "this is sound ({kind}), but lines of text are read here; to transcribe it, name its file:"
    " seqlab predict MODEL FILE, without --from, of a model that reads sound"
)


def is_standard_input(path: Path) -> bool:
    """Return whether this is `-`, standard input."""
    return str(path) == "-"


def file_name(path: Path) -> str:
    """Return what names a file in messages; `-` is standard input."""
    return "<stdin>" if is_standard_input(path) else str(path)


def byte_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, or of standard input where `path` is `-`; gzip is told by its content.

    DataError where it cannot be read, or is a folder or sound, or its lines end in CR alone.
    """
    place = Place(file_name(path))
    try:
        with opened(path) as stream:
            head = stream.peek(NOTICED)
            if kind := sound_format(head):
                raise DataError(SOUND.format(kind=kind), place=place)
            # A buffer around GzipFile hands out lines faster than GzipFile itself.
            packed = head.startswith(GZIP_MAGIC)
            yield from bounded(io.BufferedReader(gzip.GzipFile(fileobj=stream)) if packed else stream, place)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        message = f"the gzip data is damaged or cut off: {error}"
        raise DataError(message, place=place) from None
    except OSError as error:
        if path.is_dir():
            message = f"this is a folder; name the files in it, {path / '*'} say"
            raise DataError(message, place=place) from None
        raise DataError(f"cannot read: {error.strerror or error}", place=place) from None


def bounded(stream: io.BufferedReader, place: Place) -> Iterator[bytes]:
    """Yield the lines of a stream; DataError for one that would fill the memory, and for CR line ends."""
    number = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        if number == 1 and b"\r" in line[:-1] and not line.endswith(b"\n") and b"\0" not in line:  # no UTF-16
            raise DataError(CR_ALONE, place=place)
        if len(line) > LONGEST_LINE:
            message = f"the line is longer than {LONGEST_LINE >> 20} MiB; no text or table has such lines"
            raise DataError(message, place=Place(place.file, number))
        yield line


def opened(path: Path) -> AbstractContextManager[io.BufferedReader]:
    """Open a file; standard input is lent and stays open, DataError where it was closed before."""
    if is_standard_input(path):
        if sys.stdin is None:
            raise DataError("cannot be read: standard input is closed", place=Place(file_name(path)))
        return nullcontext(cast("io.BufferedReader", sys.stdin.buffer))
    return open_regular(path)


def decode(block: bytes, place: Place) -> str:
    """Decode lines, the first of which stands at `place`; CRLF becomes LF, the last line end is dropped."""
    try:
        text = block.decode()
    except UnicodeDecodeError as error:
        line = place.line + block.count(b"\n", 0, error.start)
        offset = error.start - block.rfind(b"\n", 0, error.start)
        found = f"byte 0x{block[error.start]:02x} at byte {offset} of the line"
        message = f"not UTF-8: {found}; convert the file to UTF-8"
        raise DataError(message, place=Place(place.file, line)) from None
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    return text.removesuffix("\n")

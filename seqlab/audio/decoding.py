"""From encoded sound, in a file or in memory, to blocks of samples, through soundfile (libsndfile)."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import soundfile
from numpy import float32
from numpy.typing import NDArray

from seqlab.audio.containers import NOTICED, explain, shortage
from seqlab.audio.mp3 import count
from seqlab.audio.ogg import damaged_page
from seqlab.errors import DataError, Place

__all__ = ["BLOCK", "Encoded", "Header", "Source"]

Encoded = Path | str | bytes | BinaryIO
"""Where encoded sound comes from: a path, the bytes themselves, or a file object."""

BLOCK = 1 << 18
"""Frames decoded at a time: a header's own word for the length is never trusted with memory."""

NO_LENGTH = 2**62
"""libsndfile gives a length beyond this where the header gives none."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a sound's header announces: samples per channel, Hz, channels, and the name of the format."""

    frames: int
    sample_rate: int
    channels: int
    format: str

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate


class Source:
    """Encoded sound, opened when it is asked for; a file object is read to its end at once.

    Every fault is a DataError placed at the file's name. The content alone says what the format is, never the
    name. `header` and `digest` are read once, so that many stretches of a file may share a source. `path` is
    None for what lies in memory.
    """

    def __init__(self, encoded: Encoded) -> None:
        self.path = Path(encoded) if isinstance(encoded, str | Path) else None
        self._data = b""
        if isinstance(encoded, bytes):
            self.name = "<bytes>"
            self._data = encoded
        elif isinstance(encoded, str | Path):
            self.name = str(encoded)
        else:
            name = getattr(encoded, "name", None)
            self.name = name if isinstance(name, str) else "<stream>"
            with self._told():
                self._data = encoded.read()
            if not isinstance(self._data, bytes):
                raise self.error("the file object gives text; open it in binary mode, 'rb'")

    @cached_property
    def header(self) -> Header:
        """What the header announces; DataError where the file is no sound, empty or cut off."""
        with self._sound() as sound:
            header = Header(sound.frames, sound.samplerate, sound.channels, sound.format)
        if header.format == "OGG":
            self._check_pages()
        if header.frames >= NO_LENGTH:
            raise self.error("its header gives no length; encode it anew, with ffmpeg or sox say")
        if not header.frames:
            raise self.error("empty: its header announces 0 samples")
        return self._counted(header) if header.format == "MP3" else header

    @cached_property
    def digest(self) -> str:
        """Names the content: a hash of all bytes, about as fast as reading them."""
        with self._opened() as stream, self._told():
            return hashlib.file_digest(stream, "blake2b").hexdigest()

    def blocks(self, start: int, stop: int) -> Iterator[NDArray[float32]]:
        """Yield the frames from `start` to `stop`, (time, channels); what comes before is not decoded."""
        rate, total = self.header.sample_rate, self.header.frames
        with self._sound() as sound:
            position = start
            while position < stop:
                try:
                    if start and position == start:  # some codings know no seeking
                        sound.seek(start)
                    block = sound.read(min(BLOCK, stop - position), dtype="float32", always_2d=True)
                except soundfile.LibsndfileError as error:
                    where = f"at {position / rate:.2f} of {total / rate:.2f} s"
                    raise self.error(f"damaged or truncated {where}: {_words(error)}") from error
                if not len(block):
                    there = f"{position / rate:.2f} of {total / rate:.2f} s can be decoded"
                    raise self.error(f"damaged or truncated: {there}")
                yield block
                position += len(block)

    def error(self, reason: str) -> DataError:
        """Return the error that names this sound."""
        return DataError(reason, place=Place(self.name))

    def _check_pages(self) -> None:
        """Look for pages that libsndfile would pass over: an Ogg file that lacks them is quietly shorter."""
        with self._opened() as stream, self._told():
            place = damaged_page(stream)
        if place is not None:
            raise self.error(f"damaged: the page that begins at byte {place} is not what its checksum says")

    def _counted(self, header: Header) -> Header:
        """Hold the length that libsndfile estimates where an MP3 file tells none against the frames there."""
        with self._opened() as stream, self._told():
            size = stream.seek(0, os.SEEK_END)
            stream.seek(0)
            counted = count(stream, size)
        if counted is None:
            return header
        if counted.missing:
            raise self.error(f"truncated: its last frame lacks {counted.missing} bytes")
        if counted.samples > header.frames + 2 * counted.frame:
            read, there = (
                f"{samples / header.sample_rate:.2f}" for samples in (header.frames, counted.samples)
            )
            why = "an MP3 of variable bit rate that does not tell its length"
            raise self.error(
                f"{why}: only {read} of {there} s would be read; encode it anew, with ffmpeg say"
            )
        return replace(header, frames=min(header.frames, counted.samples))

    @contextmanager
    def _sound(self) -> Iterator[Any]:
        """Open the decoder, after a look at what it would pass over."""
        with self._opened() as stream:
            with self._told():
                size = stream.seek(0, os.SEEK_END)
                stream.seek(0)
                reason = shortage(stream, size) if size else "empty: the file has 0 bytes"
                stream.seek(0)
            if reason:
                raise self.error(reason)
            try:
                # A descriptor has no name: for some endings libsndfile would take any bytes for sound.
                sound = soundfile.SoundFile(stream.fileno() if self.path else stream, closefd=False)
            except soundfile.LibsndfileError as error:
                stream.seek(0)
                why = explain(stream.read(NOTICED))
                raise self.error(f"cannot be decoded: {_words(error)}; {why}") from error
            with sound:
                yield sound

    @contextmanager
    def _opened(self) -> Iterator[io.FileIO | io.BytesIO]:
        if self.path is None:
            yield io.BytesIO(self._data)
            return
        with self._told():
            # Unbuffered: what is read here must move the descriptor that libsndfile reads from.
            stream = self.path.open("rb", buffering=0)
        with stream:
            yield stream

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn the system's errors into DataError."""
        try:
            yield
        except (OSError, ValueError) as error:  # a path with a zero byte in it is a ValueError
            words = getattr(error, "strerror", None) or str(error)
            raise self.error(f"cannot be read: {words.lower()}") from error


def _words(error: soundfile.LibsndfileError) -> str:
    """Return libsndfile's words in the style of the other messages."""
    words = str(error.error_string).rstrip(".")
    return words[:1].lower() + words[1:]

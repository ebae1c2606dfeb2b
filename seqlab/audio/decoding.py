"""From encoded sound, in a file or in memory, to blocks of samples, through soundfile (libsndfile)."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import soundfile
from numpy import float32
from numpy.typing import NDArray

from seqlab.audio.containers import NOTICED, conversion, explain, file_links
from seqlab.audio.links import ForeignError, Link, LinkFile, SoundError
from seqlab.audio.quiet import complaint, own_descriptor, quietly
from seqlab.audio.tags import id3_length
from seqlab.errors import DataError, Place
from seqlab.openfile import open_regular

__all__ = ["BLOCK", "Encoded", "Header", "Source"]

Encoded = Path | str | bytes | BinaryIO
"""Where encoded sound comes from: a path, the bytes themselves, or a file object."""

BLOCK = 1 << 18
"""Samples of all channels decoded at a time: a header's word for the length is not trusted with memory."""

MOST_CHANNELS = 128
"""More channels are no recording of speech, but a file that is made to cost time and memory."""

Blocks: TypeAlias = Generator[NDArray[float32], None, None]

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
        """What the header announces; DataError where the file is no sound, or would not be read whole."""
        first, *others = (header for _, header in self._parts)
        for other in others:
            if (other.sample_rate, other.channels) != (first.sample_rate, first.channels):
                told = " and ".join(
                    f"{each.sample_rate} Hz, channels: {each.channels}" for each in (first, other)
                )
                raise self.error(f"recordings are joined in it that differ: {told}; split it")
        return replace(first, frames=sum(header.frames for _, header in self._parts))

    @cached_property
    def digest(self) -> str:
        """Names the content: a hash of all bytes, about as fast as reading them."""
        with self._opened() as stream, self._told():
            return hashlib.file_digest(stream, "blake2b").hexdigest()  # type: ignore[arg-type] # it has readinto

    def blocks(self, start: int, stop: int) -> Iterator[NDArray[float32]]:
        """Yield the frames from `start` to `stop`, (time, channels); what comes before is not decoded."""
        begin, _ = 0, self.header  # which tells what may not be decoded at all
        for link, header in self._parts:
            end = begin + header.frames
            if start < end and begin < stop:
                first = max(start, begin)
                decoded = partial(self._decoded, link, begin, first, min(stop, end))
                yield from quietly(decoded) if link.noisy else decoded()
            begin = end

    def _decoded(self, link: Link, begin: int, start: int, stop: int) -> Blocks:
        """Yield the frames from `start` to `stop` of a link whose first one is `begin`."""
        rate, total = self.header.sample_rate, self.header.frames
        most = max(1, BLOCK // self.header.channels)
        position = start
        with self._sound(link) as sound:
            while position < stop:
                try:
                    if start > begin and position == start:  # some codings know no seeking
                        sound.seek(start - begin)
                    block = sound.read(min(most, stop - position), dtype="float32", always_2d=True)
                except soundfile.LibsndfileError as error:
                    where = f"at {position / rate:.2f} of {total / rate:.2f} s"
                    raise self.error(f"damaged or truncated {where}: {_words(error)}") from error
                if not len(block):
                    there = f"{position / rate:.2f} of {total / rate:.2f} s can be decoded"
                    raise self.error(f"damaged or truncated: {there}")
                # After a jump the decoder misses what came before, and says so.
                if link.noisy and start == begin and (words := complaint()):
                    raise self.error(f"damaged at about {position / rate:.2f} s: {words}")
                yield block
                position += len(block)

    def error(self, reason: str) -> DataError:
        """Return the error that names this sound."""
        return DataError(reason, place=Place(self.name))

    @cached_property
    def _parts(self) -> list[tuple[Link, Header]]:
        """The parts that are decoded one after another, each with its own header; empty ones are left out."""
        with self._opened() as stream, self._told():
            size = stream.seek(0, os.SEEK_END)
            stream.seek(0)
            if not size:
                raise self.error("empty: the file has 0 bytes")
            links = file_links(stream, size)
        parts = [(link, header) for link in links for header in self._header(link)]
        if not any(header.frames for _, header in parts):
            raise self.error("empty: its header announces 0 samples")
        return [(link, header) for link, header in parts if header.frames]

    def _header(self, link: Link) -> Iterator[Header]:
        """Yield the header of a link."""
        read = partial(self._read_header, link)
        return quietly(read) if link.noisy else read()

    def _read_header(self, link: Link) -> Generator[Header, None, None]:
        with self._sound(link) as sound:
            header = Header(sound.frames, sound.samplerate, sound.channels, sound.format)
        if header.frames >= NO_LENGTH:
            raise self.error("its header gives no length; encode it anew, with ffmpeg or sox say")
        if header.channels > MOST_CHANNELS:
            raise self.error(f"has {header.channels} channels; at most {MOST_CHANNELS} are read")
        if link.frames is None:
            yield header
            return
        if header.frames < link.frames:
            read, there = (f"{frames / header.sample_rate:.2f}" for frames in (header.frames, link.frames))
            raise self.error(f"only {read} of {there} s would be read; encode it anew, with ffmpeg say")
        yield replace(header, frames=link.frames)

    @contextmanager
    def _sound(self, link: Link) -> Iterator[Any]:
        """Open the decoder of a link."""
        with self._opened() as stream:
            # A descriptor has no name: for some endings libsndfile would take any bytes for sound.
            whole: Any = stream.fileno() if self.path else stream
            encoded = io.BufferedReader(LinkFile(stream, link)) if link.spans else whole
            try:
                sound = _Onward(encoded, closefd=False)
            except soundfile.LibsndfileError as error:
                stream.seek(0)
                stream.seek(id3_length(stream.read(NOTICED)))
                why = explain(stream.read(NOTICED), str(self.path or ""))
                raise self.error(f"cannot be decoded: {_words(error)}; {why}") from error
            with sound:
                yield sound

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        if self.path is None:
            yield io.BytesIO(self._data)
            return
        with self._told(), own_descriptor(open_regular(self.path)) as stream:
            yield stream

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn the system's errors and faults of what is encoded into DataError."""
        try:
            yield
        except ForeignError as fault:
            raise self.error(f"{fault}; {conversion(str(self.path or ''))}") from fault
        except SoundError as fault:
            raise self.error(str(fault)) from fault
        except (OSError, ValueError) as error:  # a path with a zero byte in it is a ValueError
            raise self.error(f"cannot be read: {self._reason(error)}") from error

    def _reason(self, error: OSError | ValueError) -> str:
        if isinstance(error, FileNotFoundError) and self.path and self.path.is_symlink():
            return f"it is a link to {self.path.readlink()}, which is not there"
        words = getattr(error, "strerror", None) or str(error)
        return words[:1].lower() + words[1:]


class _Onward(soundfile.SoundFile):  # type: ignore[misc] # soundfile has no types
    """A decoder that goes on where it stands.

    SoundFile seeks there after each read. libmpg123 then lacks what frames hold for later ones, takes that
    for damage, and gives other samples.
    """

    def seekable(self) -> bool:
        """Return False, which is what keeps SoundFile from it; `seek` works all the same."""
        return False


def _words(error: soundfile.LibsndfileError) -> str:
    """Return libsndfile's words in the style of the other messages."""
    words = str(error.error_string).rstrip(".").removeprefix("Error : ")
    if "SF_INFO struct incomplete" in words:
        return "its header states a sample rate or a number of channels that no sound has"
    if "does not exist" in words:  # it was opened: libsndfile says so of what it has no better words for
        return "libsndfile does not open it"
    return words[:1].lower() + words[1:]

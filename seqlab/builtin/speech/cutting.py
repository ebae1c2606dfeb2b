"""Sounds cut into pieces, each an `Audio` of its own, as prediction asks for them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from seqlab.api import Audio, Piece
from seqlab.audio import UNLIMITED, AudioFile, AudioSamples, AudioSettings
from seqlab.audio import pieces as cut

__all__ = ["pieces"]


def pieces(audio: Audio, longest: float | None, *, overlap: bool, name: str) -> Iterator[Piece[Audio]]:
    """Yield the pieces of a sound, one after another, decoded once; see `seqlab.audio.pieces`.

    `name` is that of a sound of a plugin's own class. A piece that is silent by the sound's limits is blank;
    it overlaps with nothing.
    """
    for each in cut(_in_blocks(audio, name), math.inf if longest is None else longest, overlap=overlap):
        before, after = (0.0, 0.0) if each.silent else (each.before, each.after)
        yield Piece(each.audio, each.start, each.end, each.last, before, after, each.silent)


def _in_blocks(audio: Audio, name: str) -> AudioFile | AudioSamples:
    """Return a sound that can be decoded block by block; a plugin's own is held whole, by this name."""
    if isinstance(audio, AudioFile | AudioSamples):
        return audio
    return AudioSamples(audio.samples(), audio.sample_rate, AudioSettings(limits=UNLIMITED), name)

"""Sound as a kind of field: `Audio` of one channel, which is read when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.api import Audio, Calling, Example, FieldKind, Guarded, Hold, Piece, Refuse, Sound, Take
from seqlab.audio.settings import SUFFIXES
from seqlab.builtin.speech.made_noise import SAMPLES
from seqlab.errors import ContractError, SeqlabError
from seqlab.suggest import shown

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

__all__ = ["AudioKind"]

WANTED = ("sample_rate", "duration", "fingerprint", "samples")

MAX_SEGMENT = 20.0
"""Seconds of the longest piece that is answered as a whole where nobody knows what training saw."""

LEAST_PIECE = 1.0
"""Seconds that pieces must at least be allowed to have: below, words would be cut."""

WINDOW_SECONDS = 300.0
"""Seconds of sound that are collected before they are answered: about two full batches."""

LISTS = (".jsonl", ".jsonl.gz")
"""File-name endings of lists of paths, which have the format of the reader `speech`."""


class AudioKind(FieldKind[Audio]):
    """One channel of sound."""

    name = "audio"
    summary = "one channel of sound"
    steps = "frames"
    unit = "seconds"
    window = WINDOW_SECONDS
    window_items = 4_096
    least_piece = LEAST_PIECE
    suffixes = SUFFIXES
    list_suffixes = LISTS
    in_files = True
    samples = SAMPLES

    def samples_for(self, config: Any) -> Sequence[Audio]:
        """Return the samples at the settings' `sample_rate`, where they have one."""
        rate = getattr(config, "sample_rate", None)
        return [each if rate is None else replace(each, sample_rate=rate) for each in SAMPLES]

    def content(self, value: Audio) -> Any:
        """Return the sound's samples."""
        return value.samples()

    def fault(self, value: Any) -> str:
        """Refuse what lacks something of an `Audio`."""
        absent = [name for name in WANTED if not hasattr(value, name)]
        return f"{shown(value)}, which is no Audio: it lacks {', '.join(absent)}" if absent else ""

    def guarded(self, value: Audio, calling: Calling) -> Audio:
        """Return a sound of a plugin's own class as one whose every use is a call of plugin code."""
        return value if _is_known(value) else GuardedAudio(value, calling)

    def size(self, value: Audio) -> float:
        """Return the seconds of the sound."""
        return value.duration

    def outline(self, value: Audio) -> Any:
        """Return how many samples there are, without reading any."""
        return round(value.duration * value.sample_rate)

    def fingerprint(self, value: Audio) -> Any:
        """Return what names the samples."""
        return value.fingerprint

    def take(self, given: Any) -> Audio:
        """Return a sound as it is; paths and samples are taken in by readers, which know rate and channel.

        SeqlabError where such is given to a reader that takes none in.
        """
        if self.is_one(given) or (isinstance(given, tuple) and given and self.is_one(given[0])):
            message = "this model's reader takes in no single sound (it has no method take)"
            raise SeqlabError(f"{message}; give it data in its own format")
        return super().take(given)

    def is_one(self, given: Any) -> bool:
        """Return whether this is an encoded sound, or an array or tensor of samples."""
        return (
            isinstance(given, str | bytes | os.PathLike) or hasattr(given, "read") or hasattr(given, "ndim")
        )

    def examples(self, path: Path, take: Take, refuse: Refuse) -> Iterator[Example]:
        """Yield the examples of a sound file, of all in a folder, or of a list of paths."""
        from seqlab.builtin.speech.finding import sounds

        return sounds(path, take, refuse)

    def cell(self, value: Audio, example: Example) -> str:
        """Return the sound's name."""
        from seqlab.builtin.speech.naming import sound_name

        return sound_name(example)

    def record(
        self, field: str, example: Example, answers: Mapping[str, Any], folder: Path
    ) -> dict[str, Any]:
        """Return what the sound's manifest says of it, and its path or name."""
        from seqlab.builtin.speech.naming import sound_record

        return sound_record(example, answers, folder)

    def moved(self, example: Example, folder: Path) -> Example:
        """Return the example with the path of its sound from `folder`."""
        from seqlab.builtin.speech.naming import moved

        return moved(example, folder)

    def to_json(self, value: Audio) -> Any:
        """Return what names the samples: sound itself is no JSON data."""
        return value.fingerprint

    def trial(self, value: Audio) -> Mapping[str, Any] | None:
        """Return the path of the sound, where it is a whole file."""
        source, start, end = (getattr(value, name, None) for name in ("source", "start", "end"))
        path = getattr(source, "path", None)
        return {"arguments": [str(path)]} if path is not None and not start and end is None else None

    def held(self, value: Audio, hold: Hold) -> Audio:
        """Return a sound whose samples are held, read-only."""
        return HeldAudio(value, hold)

    def changed(self, before: Audio, after: Any, *, keeps_length: bool) -> Audio:
        """Return a sound of the samples that an augmenter has made, at the rate that they had."""
        given, rate = before.samples(), before.sample_rate
        if not hasattr(after, "samples") or getattr(after, "sample_rate", None) != rate:
            raise ContractError(f"returned {shown(after)} where an Audio of {rate} Hz is expected")
        samples = after.samples()
        wanted = f"an array of float32 and shape ({len(given) if keeps_length else 'time'})"
        if not hasattr(samples, "dtype") or str(samples.dtype) != "float32" or samples.ndim != 1:
            raise ContractError(f"returned {shown(samples)} where {wanted} is expected")
        if not len(samples) or (keeps_length and len(samples) != len(given)):
            raise ContractError(f"returned {shown(samples)} where {wanted} is expected")
        return Sound(checked_samples(samples), rate)

    def longest(self, seen: float | None) -> float | None:
        """Return the seconds of the longest sound of the training, at least 1; 20 where nobody knows."""
        return MAX_SEGMENT if seen is None else min(max(seen, LEAST_PIECE), WINDOW_SECONDS)

    def pieces(
        self, value: Audio, longest: float | None, *, overlap: bool, name: str
    ) -> Iterator[Piece[Audio]]:
        """Cut a sound where it is quiet; pieces overlap where the cut is in no pause."""
        from seqlab.builtin.speech.cutting import pieces

        return pieces(value, longest, overlap=overlap, name=name)


@dataclass(frozen=True, eq=False)
class HeldAudio:
    """An `Audio` that is the same as another, but for where its samples come from."""

    audio: Audio
    hold: Hold

    @property
    def sample_rate(self) -> int:
        """Samples per second, Hz."""
        return self.audio.sample_rate

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.audio.duration

    @property
    def fingerprint(self) -> str | None:
        """What names the samples."""
        return self.audio.fingerprint

    def samples(self) -> NDArray[float32]:
        """Return the samples."""
        samples: NDArray[float32] = self.hold(self.audio.samples)
        return samples


@dataclass(frozen=True, eq=False)
class GuardedAudio(Guarded):
    """A reader's own kind of `Audio`, with all that it has besides."""

    bare: Audio
    calling: Calling

    def __getattr__(self, name: str) -> Any:
        if name in ("bare", "calling") or name.startswith("__"):  # a copy that is not filled yet asks
            raise AttributeError(name)
        with self._calling(name):
            there = hasattr(self.bare, name)
            member = getattr(self.bare, name) if there else None
        if not there:
            raise AttributeError(f"{type(self.bare).__name__} has no attribute {name!r}")
        return member

    @property
    def sample_rate(self) -> int:
        """Samples per second, Hz."""
        with self._calling("sample_rate"):
            return self.bare.sample_rate

    @property
    def duration(self) -> float:
        """Length in seconds."""
        with self._calling("duration"):
            return self.bare.duration

    @property
    def fingerprint(self) -> str | None:
        """What names the samples."""
        with self._calling("fingerprint"):
            return self.bare.fingerprint

    def samples(self) -> NDArray[float32]:
        """Return the samples, checked."""
        with self._calling("samples"):
            samples: NDArray[float32] = checked_samples(self.bare.samples())
            return samples

    def _calling(self, name: str) -> Any:
        return self.calling(f"{type(self.bare).__name__}.{name}")


def checked_samples(found: Any) -> Any:
    """Return the samples of a sound where featurizers can read them."""
    import numpy as np

    if not isinstance(found, np.ndarray) or found.dtype != np.float32 or found.ndim != 1:
        raise ContractError(f"returned {shown(found)} where an array of float32 and shape (time) is expected")
    if not np.isfinite(found).all():
        raise ContractError("returned numbers that are not finite")
    return found


def _is_known(audio: Any) -> bool:
    """Tell whether a sound is of a class of seqlab's, or of one made of `AudioFile` or `AudioSamples`."""
    # By names of modules: the libraries of sound, which an import would need, may not be installed.
    own = type(audio).__module__.startswith("seqlab.")
    return own or any(base.__module__.startswith("seqlab.audio.") for base in type(audio).__mro__)

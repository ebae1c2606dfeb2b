"""Utterances of several clips by one speaker, joined with pauses: connected speech of isolated words.

The clips are those of a manifest as the reader `speech` takes it. Per speaker they are shuffled again and
again, `uses` times in all, and cut into utterances one after the other, so every clip is used equally often
(where the last utterance would be too short, some clips once more). What comes out follows from the seed and
the manifest alone.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy import float32
from numpy.typing import NDArray

from seqlab.api import Audio, Example
from seqlab.builtin.speech.readers.utterances import AUDIO, TEXT, SpeechReader, Utterance

__all__ = ["JoinedAudio", "JoinedReader", "Joining"]


@dataclass(frozen=True, kw_only=True)
class Joining:
    """How clips are joined, bounds included: `clips` in one utterance, `pause` in seconds between two.

    `uses`: utterances that each clip stands in.
    """

    clips: tuple[int, int]
    pause: tuple[float, float]
    uses: int


@dataclass(frozen=True)
class JoinedAudio:
    """Sounds of one sample rate end to end, with so many samples of silence after each but the last.

    An `seqlab.api.Audio`; `pauses` has one item less than `parts`.
    """

    parts: Sequence[Audio]
    pauses: Sequence[int]

    @property
    def sample_rate(self) -> int:
        """Samples per second, Hz."""
        return self.parts[0].sample_rate

    @cached_property
    def duration(self) -> float:
        """Length in seconds."""
        return sum(part.duration for part in self.parts) + sum(self.pauses) / self.sample_rate

    @cached_property
    def fingerprint(self) -> str:
        """Names the samples: a hash of the parts' fingerprints and of the pauses."""
        facts = repr(([part.fingerprint for part in self.parts], list(self.pauses)))
        return hashlib.blake2b(facts.encode(), digest_size=16).hexdigest()

    def samples(self) -> NDArray[float32]:
        """Return the samples, float32 of shape (time,)."""
        silences = [np.zeros(pause, dtype=np.float32) for pause in (*self.pauses, 0)]
        waves = (part.samples() for part in self.parts)
        return np.concatenate([piece for pair in zip(waves, silences, strict=True) for piece in pair])


class JoinedReader:
    """Joins what another reader of speech delivers into longer utterances; their origin is an `Utterance`.

    The place of an utterance is that of its first clip. Clips of which nobody says who speaks count as those
    of one speaker. A clip that cannot be used is refused as by the other reader, and stands in no utterance.
    """

    fields: Mapping[str, str] = {AUDIO: "audio", TEXT: "text"}

    def __init__(self, clips: SpeechReader, joining: Joining, *, seed: int = 1) -> None:
        self.clips = clips
        self.suffixes = clips.suffixes
        self.joining = joining
        self.seed = seed

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        """Yield the utterances speaker by speaker, in the manifest's order; all clips are read before."""
        speakers: dict[str | None, list[Example]] = {}
        for clip in self.clips.read(path, labelled=labelled):
            speakers.setdefault(clip.origin.speaker, []).append(clip)
        for speaker, clips in speakers.items():
            # A text as seed gives the same numbers in every version of Python.
            generator = random.Random(f"{self.seed} {speaker or ''}")
            for number, parts in enumerate(self._strings(clips, generator)):
                name = f"{speaker or 'joined'}-{number}"
                yield self._joined(name, parts, generator)

    def take(self, given: Any) -> Example:
        """Return the example of a sound that no manifest lists; see `utterances.taken`."""
        return self.clips.take(given)

    def write(self, example: Example, answers: Mapping[str, Any]) -> str:
        """Return one line of JSON: the utterance's id, its clips and the text that is answered."""
        return self.clips.write(example, answers)

    def _strings(self, clips: Sequence[Example], generator: random.Random) -> Iterator[list[Example]]:
        """Cut `uses` shuffled rounds of the clips into utterances; another round completes the last one."""
        shuffled = chain.from_iterable(generator.sample(clips, len(clips)) for _ in count())
        left = self.joining.uses * len(clips)
        while left > 0:
            wanted = generator.randint(*self.joining.clips)
            length = max(self.joining.clips[0], min(wanted, left))
            left -= length
            yield list(islice(shuffled, length))

    def _joined(self, name: str, parts: Sequence[Example], generator: random.Random) -> Example:
        first = parts[0]
        rate = first.fields[AUDIO].sample_rate
        pauses = [round(generator.uniform(*self.joining.pause) * rate) for _ in parts[1:]]
        fields: dict[str, Any] = {AUDIO: JoinedAudio([part.fields[AUDIO] for part in parts], pauses)}
        if TEXT in first.fields:
            fields[TEXT] = " ".join(part.fields[TEXT] for part in parts)
        record = {"id": name, "clips": [part.origin.id for part in parts]}
        origin = Utterance(name, first.origin.speaker, record | {TEXT: fields.get(TEXT)})
        return Example(fields, first.place, origin)

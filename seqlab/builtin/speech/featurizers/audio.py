"""Sound as a featurizer: frames of features, normalised over what the training split holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from seqlab.api import Audio, SeqlabError
from seqlab.builtin.speech.featurizers.feature_cache import FeatureCache
from seqlab.builtin.speech.featurizers.frames import Frames, FrameSettings, Statistics
from seqlab.builtin.speech.featurizers.spectral import Samples, Spectra
from seqlab.engine import Column, Sequences

__all__ = ["AudioFeaturizer", "FrameFeatures"]

GROUP_SAMPLES = 1 << 18
"""Samples that are transformed at once: enough to keep the processor busy, few enough for its caches."""

PACK_FRAMES = 1 << 18
"""Frames in one file of the cache, 44 minutes at 100 a second: what is lost where a run is interrupted."""


class AudioFeaturizer:
    """Frames of one field's sounds; learns their mean and variance where they are normalised by these.

    The cache serves the data of a run, which is read again in the next run. Once `restore` has taken over
    what a package holds, sounds are someone's input: they are computed and leave nothing on the disk.
    """

    def __init__(
        self, field: str, spectra: Spectra, settings: FrameSettings, cache: FeatureCache | None
    ) -> None:
        self.field = field
        self.spectra = spectra
        self.settings = settings
        self.cache = cache
        self.statistics = Statistics.none(spectra.size * (1 + settings.deltas))

    def fit(self, values: Iterable[Audio]) -> None:
        """Learn each feature's mean and variance over the training split; nothing without `global`."""
        if self.settings.normalize != "global":
            return
        for frames in self._spectra(list(values)):
            self.statistics += Statistics.of(self.settings.differentiated(frames))

    def state(self) -> dict[str, Any]:
        """Return the statistics; nothing where none are learned."""
        return {"statistics": self.statistics.to_json()} if self.settings.normalize == "global" else {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        self.cache = None
        if self.settings.normalize == "global":
            statistics = Statistics.from_json(state["statistics"])
            if statistics.mean.shape != self.statistics.mean.shape:
                wanted = len(self.statistics.mean)
                raise ValueError(f"statistics of {len(statistics.mean)} features, but there are {wanted}")
            self.statistics = statistics

    def encode(self, values: Sequence[Audio]) -> Column:
        """Return the finished frames, float32 of shape (rows, features); DataError where a sound is amiss."""
        if self.settings.normalize == "global" and not self.statistics.count:
            raise SeqlabError("normalize: global has no statistics yet; fit the featurizer first")
        spectra = self._spectra(values)
        lengths = [self.settings.length(len(frames)) for frames in spectra]
        rows = np.empty((sum(lengths), self.settings.size(self.spectra.size)), dtype=np.float32)
        ends = np.cumsum(lengths, dtype=np.int64)
        for frames, length, end in zip(spectra, lengths, ends, strict=True):
            rows[end - length : end] = self.settings.finished(frames, self.statistics)
        return Column(torch.from_numpy(rows), torch.tensor(lengths, dtype=torch.int64))

    def module(self) -> nn.Module:
        """Make the module that hands the frames on."""
        return FrameFeatures(self.settings.size(self.spectra.size))

    def _spectra(self, values: Sequence[Audio]) -> list[Frames]:
        """Return the frames of each sound as they are before derivatives and normalisation."""
        names = [name for audio in values if (name := audio.fingerprint) is not None]
        # Sound that an augmenter has drawn has no name, and comes with nothing else.
        if self.cache is None or len(names) < len(values):
            return list(self._computed(values))
        found = self.cache.find(set(names))
        missing = {name: audio for name, audio in zip(names, values, strict=True) if name not in found}
        for pack in _packs(zip(missing, self._computed(missing.values()), strict=True)):
            found |= self.cache.add(pack)
        return [found[name] for name in names]

    def _computed(self, values: Iterable[Audio]) -> Iterator[Frames]:
        """Yield the frames of each sound, computed in groups."""
        group: list[Samples] = []
        for audio in values:
            group.append(self.spectra.load(audio))
            if sum(map(len, group)) >= GROUP_SAMPLES:
                yield from self.spectra.frames(group)
                group = []
        yield from self.spectra.frames(group)


def _packs(named: Iterable[tuple[str, Frames]]) -> Iterator[dict[str, Frames]]:
    """Cut sounds into what goes into one file each."""
    pack: dict[str, Frames] = {}
    room = PACK_FRAMES
    for name, frames in named:
        pack[name] = frames
        room -= len(frames)
        if room <= 0:
            yield pack
            pack, room = {}, PACK_FRAMES
    if pack:
        yield pack


class FrameFeatures(nn.Module):
    """Frames as they are: all that there is to compute has been computed once, when they were encoded."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.output_size = size

    def forward(self, frames: Sequences) -> Sequences:
        """Return the frames, (rows, output_size)."""
        return frames

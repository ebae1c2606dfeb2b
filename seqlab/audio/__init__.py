"""Sound: from files, bytes and arrays to one channel at one rate, checked.

`AudioFile` and `AudioSamples` implement `seqlab.api.Audio`. Importing this package loads neither numpy nor
soundfile: the names that need them arrive on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seqlab.audio.settings import UNLIMITED, AudioSettings, Channel, Declared, Limits

if TYPE_CHECKING:
    from seqlab.audio.arrays import AudioSamples
    from seqlab.audio.decoding import Encoded, Header, Source
    from seqlab.audio.files import AudioFile
    from seqlab.audio.resampling import resample
    from seqlab.audio.segments import Piece, pieces

__all__ = [
    "UNLIMITED",
    "AudioFile",
    "AudioSamples",
    "AudioSettings",
    "Channel",
    "Declared",
    "Encoded",
    "Header",
    "Limits",
    "Piece",
    "Source",
    "pieces",
    "resample",
]

MODULES = {
    "AudioFile": "files",
    "AudioSamples": "arrays",
    "Encoded": "decoding",
    "Header": "decoding",
    "Piece": "segments",
    "Source": "decoding",
    "pieces": "segments",
    "resample": "resampling",
}
"""Where the names live that need numpy or soundfile."""


def __getattr__(name: str) -> Any:  # PEP 562 gives no better type
    if name in MODULES:
        from importlib import import_module

        return getattr(import_module(f"seqlab.audio.{MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

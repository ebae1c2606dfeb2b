"""Speech synthesis by espeak-ng, through the library that the wheel espeakng-loader brings.

    import soundfile
    from seqlab.audio.espeak import speak

    soundfile.write("new.wav", speak("three one four", voice="en-us+f3"), 16_000)

espeak-ng keeps more from one utterance to the next than any of its functions resets: where in its table of
flutter it stands, filters, echoes. So each utterance is spoken by a library that is loaded for it and
unloaded after it, from a copy in memory: another user of the wheel in the same process is not disturbed. That
takes a few milliseconds, as the utterance itself does.
"""

from __future__ import annotations

import ctypes
import locale
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

import numpy as np
from numpy import float32
from numpy.typing import NDArray

from seqlab.audio.resampling import resample
from seqlab.errors import SeqlabError
from seqlab.suggest import did_you_mean

__all__ = ["PITCHES", "SPEEDS", "check_voice", "engine", "speak", "voices"]

SPEEDS = (80, 450)
"""Slowest and fastest, words a minute."""

PITCHES = (0, 99)
"""Lowest and highest; 50 is the voice's own."""

WHEEL = "espeakng-loader"

LISTING = 'python -c "from seqlab.audio.espeak import voices; print(*voices())"'
"""A command that prints the voices."""

LOCK = Lock()
"""Held while an utterance is made: espeak-ng sets the locale, of which a process has one."""

SEED = 1
"""Of the noise in breath and consonants; by itself espeak-ng takes the time of day."""

SCALE = np.float32(2**-15)
"""From the 16-bit samples that espeak-ng makes to full scale at 1."""

SYNCHRONOUS, RATE, PITCH, CHARACTER, UTF_8 = 1, 1, 3, 1, 1
"""espeak-ng's own numbers: a mode, two parameters, a kind of position, an encoding (`espeak_ng.h`)."""

Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
"""Takes samples, their number and a list of events; 0 means to go on."""


def speak(
    text: str, *, voice: str = "en-us", speed: int = 175, pitch: int = 50, sample_rate: int = 16_000
) -> NDArray[float32]:
    """Return a text as espeak-ng says it: float32 of shape (time,), full scale at -1 and 1.

    `voice` is a file of espeak-ng's `lang` in lower case, alone or with a variant: `en-us`, `en-us+f3`.
    `speed` is in words a minute, `SPEEDS`; `pitch` in `PITCHES`; `sample_rate` in Hz. The same arguments give
    the same samples in every process, whatever was said before, from any thread. ValueError for a number out
    of range and a text of blanks; SeqlabError for an unknown voice, and where espeak-ng is missing.
    """
    for name, value, (least, most) in (("speed", speed, SPEEDS), ("pitch", pitch, PITCHES)):
        if not least <= value <= most:
            raise ValueError(f"{name} must lie between {least} and {most}, got {value}")
    if not text.strip():
        raise ValueError(f"there is nothing to say in {text!r}")
    file, variant = _voice(voice)
    with LOCK, _locale_kept(), _loaded() as library, file.open("rb") as opened:
        # By descriptor: espeak-ng has room for 60 characters of path, and to find a voice by its name it
        # reads the files of all languages, which takes longer than the utterance.
        library.set_voice(f"/proc/self/fd/{opened.fileno()}{variant}")
        library.set_parameter(RATE, speed)
        library.set_parameter(PITCH, pitch)
        samples = library.samples(text)
        rate = library.sample_rate()
    return resample(samples * SCALE, rate, sample_rate)


def check_voice(voice: str) -> None:
    """Raise SeqlabError where espeak-ng has no such voice, or is not installed."""
    _voice(voice)


def voices() -> list[str]:
    """Return the voices, sorted, and then the variants that may be added to each, as `+f3`."""
    data = Path(_wheel().get_data_path())
    return sorted(_languages(data)) + sorted(f"+{variant}" for variant in _variants(data))


def engine() -> str:
    """Return what names the synthesis in fingerprints: the wheel with its version, which pins espeak-ng's."""
    _wheel()
    return f"{WHEEL} {version(WHEEL)}"


def _wheel() -> ModuleType:
    try:
        import espeakng_loader  # type: ignore[import-untyped]
    except ImportError as error:
        message = f"speech is made by espeak-ng, which cannot be imported: {error}"
        raise SeqlabError(f'{message}; pip install "seqlab[speech]"') from error
    assert isinstance(espeakng_loader, ModuleType)
    return espeakng_loader


def _voice(voice: str) -> tuple[Path, str]:
    """Return the file of the voice's language, and its variant with the sign before it."""
    data = Path(_wheel().get_data_path())
    language, plus, variant = voice.partition("+")
    languages = _languages(data)
    if language not in languages:
        hint = did_you_mean(language, languages)
        raise SeqlabError(f"unknown voice {voice!r}{hint}; en-us is one, all are listed by: {LISTING}")
    variants = _variants(data)
    if plus and variant not in variants:
        hint = did_you_mean(variant, variants)
        message = f"unknown variant {variant!r} of voice {voice!r}{hint}"
        raise SeqlabError(f"{message}; f1 to f5 are some, all are listed by: {LISTING}")
    return languages[language], plus + variant


@cache
def _languages(data: Path) -> Mapping[str, Path]:
    return {path.name.lower(): path for path in (data / "lang").rglob("*") if path.is_file()}


@cache
def _variants(data: Path) -> frozenset[str]:
    return frozenset(path.name for path in (data / "voices" / "!v").iterdir())


@contextmanager
def _locale_kept() -> Iterator[None]:
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        yield
    finally:
        locale.setlocale(locale.LC_CTYPE, before)


@contextmanager
def _loaded() -> Iterator[_Library]:
    """Load espeak-ng from a copy of its own, and unload it."""
    wheel = _wheel()
    with os.fdopen(os.memfd_create("espeak-ng"), "wb") as copy:
        copy.write(Path(wheel.get_library_path()).read_bytes())
        copy.flush()
        library = ctypes.CDLL(f"/proc/self/fd/{copy.fileno()}")
    try:
        yield _Library(library, wheel.get_data_path())
    finally:
        library.espeak_ng_Terminate()
        ctypes.CDLL(None).dlclose(ctypes.c_void_p(library._handle))


class _Library:
    """What is used of `espeak_ng.h` and `speak_lib.h`; a status that is not 0 is a SeqlabError."""

    def __init__(self, library: ctypes.CDLL, data: str) -> None:
        self._library = library
        library.espeak_ng_InitializePath(os.fsencode(data))
        self._call("espeak_ng_Initialize", None)
        self._call("espeak_ng_InitializeOutput", SYNCHRONOUS, 0, None)
        self._call("espeak_ng_SetRandSeed", ctypes.c_long(SEED))

    def set_voice(self, file: str) -> None:
        self._call("espeak_ng_SetVoiceByFile", file.encode())

    def set_parameter(self, parameter: int, value: int) -> None:
        self._call("espeak_ng_SetParameter", parameter, value, 0)

    def sample_rate(self) -> int:
        return int(self._library.espeak_ng_GetSampleRate())

    def samples(self, text: str) -> NDArray[np.int16]:
        """Return what is said, 16 bits of shape (time,)."""
        pieces: list[bytes] = []

        def take(wave: int | None, count: int, events: int | None) -> int:
            if wave:
                pieces.append(ctypes.string_at(wave, 2 * count))
            return 0

        callback = Callback(take)  # kept by this name for as long as it may be called
        self._library.espeak_SetSynthCallback(callback)
        encoded = text.encode() + b"\0"
        size = ctypes.c_size_t(len(encoded))
        self._call("espeak_ng_Synthesize", encoded, size, 0, CHARACTER, 0, UTF_8, None, None)
        return np.frombuffer(b"".join(pieces), dtype=np.int16)

    def _call(self, function: str, *arguments: Any) -> None:
        status = getattr(self._library, function)(*arguments)
        if status:
            message = ctypes.create_string_buffer(512)
            self._library.espeak_ng_GetStatusCodeMessage(status, message, ctypes.c_size_t(len(message)))
            raise SeqlabError(f"espeak-ng: {function}: {message.value.decode(errors='replace')}")

"""Sound for tests: tones that are written to real files, and a manifest of damaged and odd ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy import float32
from numpy.typing import NDArray

RATE = 16_000


def tone(seconds: float, rate: int = RATE, pitch: float = 440.0, level: float = 0.5) -> NDArray[float32]:
    """A sine of shape (time,)."""
    time = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * pitch * time)).astype(np.float32)


def stereo(
    seconds: float, rate: int = RATE, pitches: tuple[float, float] = (440.0, 880.0)
) -> NDArray[float32]:
    """Two tones of shape (time, 2)."""
    return np.stack([tone(seconds, rate, pitch) for pitch in pitches], axis=1)


def write(path: Path, samples: NDArray[Any], rate: int = RATE, subtype: str | None = None) -> Path:
    """Write a file in the format of its ending; `.sph` is SPHERE."""
    path.parent.mkdir(parents=True, exist_ok=True)
    form = {".sph": "NIST", ".ogg": "OGG", ".opus": "OGG"}.get(path.suffix)
    soundfile.write(path, samples, rate, subtype=subtype, format=form)
    return path


def cut(path: Path, share: float = 0.5) -> Path:
    """Keep the first `share` of a file's bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def manifest(path: Path, records: list[dict[str, Any]]) -> Path:
    """Write JSON Lines."""
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))
    return path


ODD = ("8-bit", "24-bit", "stereo", "192-khz")
"""Unusual, but sound: these must simply work."""

DAMAGED = {
    "truncated": "truncated: 15978 of 32000 bytes of samples are there",
    "zero-bytes": "empty: the file has 0 bytes",
    "renamed": "cannot be decoded: format not recognised; it holds text: 'It was a dark and stormy night; '",
    "short": "too short: 0.02 s, at least 0.05 s are needed",
    "nan": "sample 8000 (at 0.500 s) is nan; samples must be finite numbers",
    "silence": "silent: every sample is 0",
    "unknown": "character 'ß' (U+00DF, latin small letter sharp s) at position 7 of 'six fuß'"
    " is not in the alphabet ' abcdefghijklmnopqrstuvwxyz'",
}
"""What is refused when it is read, with what is said of it."""

ENDLESS = "longer-than-frames"
"""A text that no second of sound has frames enough for: what a head with such needs refuses."""

ALPHABET = " abcdefghijklmnopqrstuvwxyz"


def damaged_folder(folder: Path) -> Path:
    """Write a sound of each of the 12 kinds, and a sane one first and last; return the manifest.

    Line 1 is sane, then come the kinds in the order of `ODD`, `DAMAGED` and `ENDLESS`, then a sane one.
    """
    odd = dict(zip(ODD, ("PCM_U8", "PCM_24", "PCM_16", "PCM_16"), strict=True))
    for name, subtype in odd.items():
        rate = 192_000 if name == "192-khz" else RATE
        write(folder / f"{name}.wav", stereo(1.0) if name == "stereo" else tone(1.0, rate), rate, subtype)
    for name in ("first", "last", "unknown", ENDLESS):
        write(folder / f"{name}.wav", tone(1.0))
    cut(write(folder / "truncated.wav", tone(1.0)))
    (folder / "zero-bytes.wav").touch()
    (folder / "renamed.wav").write_text("It was a dark and stormy night; the rain fell in torrents.\n" * 9)
    write(folder / "short.wav", tone(0.02))
    broken = tone(1.0)
    broken[8000:8004] = np.nan
    write(folder / "nan.wav", broken, subtype="FLOAT")
    write(folder / "silence.wav", np.zeros(RATE, dtype=np.float32))
    texts = {"unknown": "six fuß", ENDLESS: "yes " * 500}
    names = ["first", *ODD, *DAMAGED, ENDLESS, "last"]
    records = [{"audio": f"{name}.wav", "text": texts.get(name, "yes")} for name in names]
    return manifest(folder / "all.jsonl", records)

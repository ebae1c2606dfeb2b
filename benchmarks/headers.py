"""What it costs to account for all of a file before it is decoded, beside what libsndfile takes to open it.

    python benchmarks/headers.py [--seconds 5 600] [--runs 21]

Noise that swells is written as MP3, FLAC, Vorbis, Opus and WAV. `walk` is the pass over the file of
`seqlab.audio.containers.file_links`, `open` is `soundfile.info`, which looks at the beginning alone. The two
are measured in turn; given are medians.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from seqlab.audio.containers import file_links

RATE = 16_000
FORMATS = {
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "wav": ("WAV", "PCM_16"),
}


def main() -> None:
    """Measure each format at each length and print the table."""
    args = parse_args()
    print(f"{'':<12}{'bytes':>12}{'walk ms':>10}{'open ms':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for seconds in args.seconds:
            for name in FORMATS:
                path = written(Path(folder) / f"{seconds}.{name}", seconds, name)
                walked, opened = medians(path, (walk, soundfile.info), args.runs)
                told = f"{1000 * walked:>10.2f}{1000 * opened:>10.2f}"
                print(f"{seconds:>5} s {name:<5}{path.stat().st_size:>11,}{told}", flush=True)


def written(path: Path, seconds: int, name: str) -> Path:
    """Write a file second by second: libsndfile's Vorbis encoder cannot take all at once."""
    form, subtype = FORMATS[name]
    random = np.random.default_rng(1)
    with soundfile.SoundFile(path, "w", RATE, 1, format=form, subtype=subtype) as file:
        for second in range(seconds):
            file.write(0.1 * random.normal(size=RATE) * abs(np.sin(second + np.arange(RATE) / RATE)))
    return path


def walk(path: Path) -> None:
    """Account for all of a file."""
    with path.open("rb") as stream:
        file_links(stream, path.stat().st_size)


def medians(path: Path, steps: tuple[Callable[[Path], object], ...], runs: int) -> list[float]:
    """Return the median seconds of each step, the first run left out."""
    spent: list[list[float]] = [[] for _ in steps]
    for _ in range(runs + 1):
        for times, step in zip(spent, steps, strict=True):
            begun = time.perf_counter()
            step(path)
            times.append(time.perf_counter() - begun)
    return [statistics.median(times[1:]) for times in spent]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=int, nargs="+", default=[5, 600])
    parser.add_argument("--runs", type=int, default=21)
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""Digit strings of recorded digits: what all sides of `benchmarks/asr.py` train on, as files.

    python digit_strings.py $SEQLAB_DATA/speech_fsdd FOLDER --train 800 --test 150

A string is three to seven clips of one speaker of FSDD with short pauses, over a little noise. The clips of
the training strings are those of the official training split, those of the test strings the official test's.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy import float32
from numpy.typing import NDArray

SAMPLE_RATE = 8000
FEWEST, MOST = 3, 7
"""Digits in a string."""
PAUSE = (0.05, 0.2)
"""Shortest and longest pause between two digits, seconds."""
NOISE = 1e-3
"""Standard deviation of the noise; full scale is 1."""
SECONDS_PER_CHARACTER = 0.045
"""Faster strings are left out: at 33 frames a second, CTC needs a frame for each character and some more."""

Samples = NDArray[float32]


@dataclass(frozen=True)
class String:
    """One spoken string; `samples` are float32 at SAMPLE_RATE."""

    samples: Samples
    text: str

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / SAMPLE_RATE


def read_strings(folder: Path, split: str) -> list[String]:
    """Return the strings of a split in the order of its manifest."""
    records = map(json.loads, (folder / f"{split}.jsonl").read_text().splitlines())
    return [
        String(soundfile.read(folder / each["audio"], dtype="float32")[0], each["text"]) for each in records
    ]


def make_strings(source: Path, split: str, count: int) -> Iterator[String]:
    """Yield strings of a split's clips, the same ones each time."""
    random_numbers, noise = random.Random(split), np.random.default_rng(len(split))
    records = map(json.loads, (source / f"{split}.jsonl").read_text().splitlines())
    clips = defaultdict(list)
    for record in records:
        clips[record["speaker"]].append(record)
    while count:
        speaker = random_numbers.choice(sorted(clips))
        chosen = random_numbers.choices(clips[speaker], k=random_numbers.randint(FEWEST, MOST))
        pauses = [random_numbers.uniform(*PAUSE) for _ in chosen]
        string = joined(source, chosen, pauses, noise)
        if string.seconds >= SECONDS_PER_CHARACTER * len(string.text):
            yield string
            count -= 1


def joined(
    source: Path, records: Sequence[dict[str, Any]], pauses: Sequence[float], noise: np.random.Generator
) -> String:
    """Return clips as one string, a pause after each."""
    parts: list[Samples] = []
    for record, pause in zip(records, pauses, strict=True):
        clip, rate = soundfile.read(source / record["audio"], dtype="float32")
        assert rate == SAMPLE_RATE, f"{record['audio']} has {rate} Hz"
        parts += [clip, np.zeros(round(pause * SAMPLE_RATE), dtype=float32)]
    samples = np.concatenate(parts)
    samples += NOISE * noise.standard_normal(len(samples), dtype=float32)
    return String(samples.clip(-1, 1), " ".join(record["text"] for record in records))


def main() -> None:
    """Write the sound files and the manifests `train.jsonl` and `test.jsonl`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="folder of speech_fsdd")
    parser.add_argument("folder", type=Path, help="folder to write to")
    parser.add_argument("--train", type=int, required=True, help="strings to train on")
    parser.add_argument("--test", type=int, required=True, help="strings to test on")
    args = parser.parse_args()
    (args.folder / "wav").mkdir(parents=True)
    for split, count in (("train", args.train), ("test", args.test)):
        lines = []
        for number, string in enumerate(make_strings(args.source, split, count)):
            name = f"wav/{split}-{number:05}.wav"
            soundfile.write(args.folder / name, string.samples, SAMPLE_RATE)
            record = {"audio": name, "text": string.text, "frames": len(string.samples)}
            lines.append(json.dumps(record) + "\n")
        (args.folder / f"{split}.jsonl").write_text("".join(lines))


if __name__ == "__main__":
    main()

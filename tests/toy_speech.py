"""Toy speech: a tone for each letter, words with pauses between them, and the smallest useful recogniser."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from numpy import float32
from numpy.typing import NDArray
from sounds import manifest, write

RATE = 8_000
PITCHES = {"a": 500.0, "e": 900.0, "i": 1500.0, "o": 2400.0}

RECIPE = """\
name: toy-speech
data:
  reader: {name: speech, sample_rate: 8000}
  train: train.jsonl
  test: test.jsonl
features:
  - {name: log_mel, sample_rate: 8000, n_mels: 16, hop: 20, normalize: utterance}
encoder: {name: bilstm, hidden_size: 24}
head: ctc
observers: [checkpoints]
train:
  epochs: 20
  batch_tokens: 250
  length_jitter: 0
  optimizer: {name: adam, lr: 0.03}
  clip_norm: 5.0
"""


def spoken(text: str, seed: int = 0) -> NDArray[float32]:
    """Say a text of the letters of PITCHES and spaces, which are pauses; 8 kHz, shape (time,)."""
    rng = random.Random(f"{seed} {text}")
    pieces = [np.zeros(rng.randint(200, 500))]
    for letter in text:
        samples = rng.randint(700, 1100)
        time = np.arange(samples) / RATE
        pitch = PITCHES.get(letter, 0.0) * rng.uniform(0.97, 1.03)
        # Each letter swells and fades, so that two equal ones can be told apart.
        pieces.append(0.4 * np.sin(2 * np.pi * pitch * time) * np.hanning(samples))
    pieces.append(np.zeros(rng.randint(200, 500)))
    wave = np.concatenate(pieces)
    noise = np.random.default_rng(rng.getrandbits(32)).standard_normal(len(wave))
    return (wave + 2e-3 * noise).astype(np.float32)


def texts(count: int, seed: int) -> list[str]:
    """Return texts of one to three words."""
    rng = random.Random(seed)
    return [
        " ".join("".join(rng.choices(list(PITCHES), k=rng.randint(1, 4))) for _ in range(rng.randint(1, 3)))
        for _ in range(count)
    ]


def write_toy_speech(folder: Path) -> Path:
    """Write recordings, manifests and the recipe `toy-speech.yaml` into a folder; return the recipe."""
    for split, count, seed in (("train", 60, 1), ("test", 12, 2)):
        records = []
        for number, text in enumerate(texts(count, seed)):
            name = f"{split}-{number:02d}.wav"
            write(folder / name, spoken(text, number), RATE)
            records.append({"audio": name, "text": text, "speaker": "ann"})
        manifest(folder / f"{split}.jsonl", records)
    recipe = folder / "toy-speech.yaml"
    recipe.write_text(RECIPE)
    return recipe

"""A toy language in CoNLL-U, the smallest useful recipe for it, and what two equal runs must share."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NOUNS = ("katos", "hundos", "domos", "arbos", "libros", "floros")
VERBS = ("kuras", "vidas", "manas", "dormas", "ludas")
ADJECTIVES = ("bela", "granda", "ruga", "nova")
UNKNOWN = {"N": ("stelos", "montos"), "V": ("kantas", "saltas"), "A": ("forta",)}
"""Words that only dev and test hold; their endings tell what they are."""

EITHER = "luma"
"""A noun after `la`, a verb elsewhere: only the context tells."""

RECIPE = """\
name: toy
data:
  reader: {name: conllu, label: upos}
  train: train.conllu
  dev: dev.conllu
  test: test.conllu
features:
  - {name: embedding, embedding_dim: 8, min_count: 2, word_dropout: 0.1, dropout: 0.1}
  - {name: char_lstm, embedding_dim: 6, hidden_size: 6}
encoder: {name: bilstm, hidden_size: 12, output_dropout: 0.2}
head: tagging
observers:
  - {name: jsonl, every_steps: 2}
  - {name: checkpoints, every_steps: 3}
train:
  epochs: 8
  batch_tokens: 40
  optimizer: {name: adam, lr: 0.03}
  schedule: {name: one_cycle}
  clip_norm: 5.0
  ema: 0.9
"""

Pair = tuple[str, str]


def noun_phrase(rng: random.Random, nouns: Sequence[str], adjectives: Sequence[str]) -> list[Pair]:
    noun = EITHER if rng.random() < 0.2 else rng.choice(nouns)
    middle = [(rng.choice(adjectives), "ADJ")] if rng.random() < 0.4 and noun != EITHER else []
    return [("la", "DET"), *middle, (noun, "NOUN")]


def sentence(rng: random.Random, *, unknown: bool) -> list[Pair]:
    """Subject, verb and sometimes object, then a full stop."""
    nouns = NOUNS + UNKNOWN["N"] * unknown
    verbs = VERBS + UNKNOWN["V"] * unknown
    adjectives = ADJECTIVES + UNKNOWN["A"] * unknown
    verb = EITHER if rng.random() < 0.2 else rng.choice(verbs)
    words = [*noun_phrase(rng, nouns, adjectives), (verb, "VERB")]
    if rng.random() < 0.6:
        words += noun_phrase(rng, nouns, adjectives)
    return [*words, (".", "PUNCT")]


def conllu(words: Sequence[Pair], number: int) -> str:
    """One sentence; the last letter of a word is its XPOS, and every fifth sentence has a multiword token."""
    lines = [f"# sent_id = {number}", f"# text = {' '.join(word for word, _ in words)}"]
    for index, (word, label) in enumerate(words, 1):
        if index == 1 and number % 5 == 0:
            lines.append(f"1-2\t{word}{words[1][0]}" + "\t_" * 8)
        lines.append(f"{index}\t{word}\t_\t{label}\t{word[-1]}" + "\t_" * 5)
    return "\n".join(lines) + "\n\n"


def write_split(path: Path, count: int, *, seed: int, unknown: bool = False) -> None:
    rng = random.Random(seed)
    path.write_text("".join(conllu(sentence(rng, unknown=unknown), number) for number in range(count)))


def write_toy(folder: Path) -> Path:
    """Write the data and the recipe; return the recipe."""
    write_split(folder / "train.conllu", 60, seed=1)
    write_split(folder / "dev.conllu", 15, seed=2, unknown=True)
    write_split(folder / "test.conllu", 15, seed=3, unknown=True)
    recipe = folder / "toy.yaml"
    recipe.write_text(RECIPE)
    return recipe


def sentences(count: int, seed: int) -> list[list[str]]:
    """Tokens of sentences of the language, unknown words included."""
    rng = random.Random(seed)
    return [[word for word, _ in sentence(rng, unknown=True)] for _ in range(count)]


@dataclass(frozen=True)
class Outcome:
    """All that two runs of one recipe must share, however often one of them was killed."""

    weights: bytes
    metrics: tuple[dict[str, object], ...]
    report: dict[str, object]


def outcome(folder: Path) -> Outcome:
    """Read what a complete run has left; clocks and memory are left out."""
    measured = {"seconds", "tokens_per_second", "peak_memory_mb"}
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    report = json.loads((folder / "report.json").read_text())
    return Outcome(
        (folder / "model/model.safetensors").read_bytes(),
        tuple({key: value for key, value in line.items() if key not in measured} for line in lines),
        {key: value for key, value in report.items() if key not in measured},
    )

"""python-crfsuite with everyday features, beside the two of `benchmarks/pos.py`: trains, labels and times it.

    python crf.py MODEL --train train.conllu --predict dev.conllu --json FILE

Features of a word: itself, in lower case, affixes of 1 to 4 letters, its shape, and the words beside it.
Times are CPU seconds, features included.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import pycrfsuite  # type: ignore[import-untyped,import-not-found,unused-ignore]

SETTINGS = {"c1": 0.1, "c2": 0.01, "max_iterations": 60, "feature.possible_transitions": True}


def main() -> None:
    """Train where there is no model yet, label the file three times and write what was measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--predict", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    args = parser.parse_args()
    if not args.model.exists():
        train(args.train, args.model)
    args.json.write_text(json.dumps(predict(args.predict, args.model), indent=2) + "\n")


def train(data: Path, model: Path) -> None:
    """Fit the weights."""
    trainer = pycrfsuite.Trainer(verbose=False)
    for words, tags in sentences(data):
        trainer.append(features(words), tags)
    trainer.set_params(SETTINGS)
    trainer.train(str(model))


def predict(data: Path, model: Path) -> dict[str, float]:
    """Label the file from lists of words to lists of tags."""
    tagger = pycrfsuite.Tagger()
    tagger.open(str(model))
    gold, speeds = sentences(data), []
    for _ in range(3):
        started = time.process_time()
        found = [tagger.tag(features(words)) for words, _ in gold]
        speeds.append(sum(map(len, found)) / (time.process_time() - started))
    pairs = [
        pair for tags, (_, right) in zip(found, gold, strict=True) for pair in zip(tags, right, strict=True)
    ]
    accuracy = sum(tag == right for tag, right in pairs) / len(pairs)
    return {"tokens_per_cpu_second": statistics.median(speeds), "accuracy": accuracy}


def features(words: Sequence[str]) -> list[list[str]]:
    """Return the features of each word of a sentence."""
    lower = [word.lower() for word in words]
    found = []
    for place, word in enumerate(words):
        own = lower[place]
        affixes = [each for size in range(1, 5) for each in (f"p={own[:size]}", f"s={own[-size:]}")]
        before = lower[place - 1] if place else "<s>"
        after = lower[place + 1] if place + 1 < len(words) else "</s>"
        found.append([f"w={word}", f"l={own}", f"h={shape(word)}", *affixes, f"-={before}", f"+={after}"])
    return found


def shape(word: str) -> str:
    """Return a word's shape: X for capitals, x for other letters, d for digits, each once in a row."""
    kinds = ["X" if c.isupper() else "x" if c.isalpha() else "d" if c.isdigit() else c for c in word]
    return "".join(kind for place, kind in enumerate(kinds) if place == 0 or kinds[place - 1] != kind)


def sentences(path: Path) -> list[tuple[list[str], list[str]]]:
    """Return words and tags of a CoNLL-U file."""
    found = []
    for block in path.read_text(encoding="utf-8").strip().split("\n\n"):
        rows = [line.split("\t") for line in block.splitlines() if not line.startswith("#")]
        words = [row for row in rows if row[0].isdigit()]
        found.append(([row[1] for row in words], [row[3] for row in words]))
    return found


if __name__ == "__main__":
    main()

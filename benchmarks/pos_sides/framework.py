"""seqlab's side of `benchmarks/pos.py`: trains a recipe, or labels a file with the package, and times it.

Training time is the wall time of whole epochs, evaluation alone left out: planning and making batches,
observers, metrics.jsonl and checkpoints count. Prediction goes from lists of tokens to lists of tags: once
with a cold cache of word vectors, once as in use, the cache filled by other text (`--warm`) before.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import seqlab
from seqlab import Lab
from seqlab.engine import Observer, SaveReason, Trainer
from seqlab.engine.device import peak_memory_mb
from seqlab.predict.predictor import Predictor
from seqlab.run import RunOptions


class Clock(Observer):
    """Wall seconds of each epoch, from the end of the one before to its last batch."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.tokens = 0
        self.started = self.last_window = 0.0

    def training_started(self, trainer: Trainer) -> None:
        """Start the first epoch's time."""
        self.tokens = int(trainer.job.data.lengths.sum())
        self.started = time.perf_counter()

    def savepoint(self, trainer: Trainer, reason: SaveReason) -> None:
        """Note when a window ended, its checkpoint included."""
        if reason == "window":
            self.last_window = time.perf_counter()

    def epoch_finished(self, trainer: Trainer, record: Mapping[str, Any]) -> None:
        """Close the epoch's time; the checkpoint that follows counts for the next one."""
        self.seconds.append(self.last_window - self.started)
        self.started = time.perf_counter()


def train(args: argparse.Namespace) -> dict[str, Any]:
    """Run the recipe without its test split."""
    clock = Clock()
    overrides = [f"train.epochs={args.epochs}", "data.test=null"]
    options = RunOptions(out=args.model.parent, device="cpu", observers={"clock": clock})
    report = Lab(entry_points=False).run(args.recipe, overrides, options)
    return {
        "train_tokens_per_second": [clock.tokens / seconds for seconds in clock.seconds],
        "dev_accuracy": report["metrics"]["dev"]["accuracy"],
    }


def predict(args: argparse.Namespace) -> dict[str, Any]:
    """Label the file's tokens `--repeat` times cold, and as often after other text."""
    predictor = seqlab.open(args.model, device="cpu")
    reader = predictor.assembly.reader
    sentences, others = (
        [example.fields["tokens"] for example in reader.read(path)] for path in (args.predict, args.warm)
    )
    cold, warm, cpu = [], [], []
    for _ in range(args.repeat):
        predictor.model.eval()  # empties the cache of word vectors
        cold.append(speed(predictor, sentences))
        predictor.model.eval()
        speed(predictor, others)
        started = time.process_time()
        warm.append(speed(predictor, sentences))
        cpu.append(sum(map(len, sentences)) / (time.process_time() - started))
    return {
        "predict_tokens_per_second": warm,
        "predict_cold_tokens_per_second": cold,
        "predict_tokens_per_cpu_second": cpu,
    }


def speed(predictor: Predictor, sentences: Sequence[Sequence[str]]) -> float:
    """Label the sentences and return the tokens per second."""
    started = time.perf_counter()
    tags = [prediction.tags for prediction in predictor.predict(sentences)]
    assert len(tags) == len(sentences)
    return sum(map(len, tags)) / (time.perf_counter() - started)


def main() -> None:
    """Train (--recipe) or predict (--predict) and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="model folder inside the run folder")
    parser.add_argument("--recipe", type=Path)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--predict", type=Path)
    parser.add_argument("--warm", type=Path, help="text that fills the cache before a warm prediction")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    result = predict(args) if args.predict else train(args)
    args.json.write_text(json.dumps(result | {"peak_memory_mb": peak_memory_mb()}, indent=2) + "\n")


if __name__ == "__main__":
    main()

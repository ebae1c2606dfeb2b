"""seqlab's side of `benchmarks/asr.py`: a recipe's parts, trained by the engine as a run trains them.

    python seqlab_side.py setup.json

The features are made twice, by two assemblies as two runs have them: the first fills the cache on the disk,
the second reads it. The Trainer is the run's own; an observer lets it go on when the side is told to.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from turns import Setup, Turns

from seqlab import Lab, Recipe
from seqlab.api import Example
from seqlab.assembly import Assembly
from seqlab.engine import Budget, Dataset, Observer, SaveReason, Trainer, TrainingJob
from seqlab.engine.batching import plan_batches
from seqlab.engine.seeding import seeded
from seqlab.predict.predictor import Predictor

MS_PER_SECOND = 1000
UNLIMITED = 2**31
"""Frames in a batch: its number of strings is the limit."""


def recipe_of(setup: Setup) -> dict[str, Any]:
    """Return the recipe."""
    features = {"name": "log_mel", "sample_rate": setup.sample_rate, "normalize": "utterance"}
    lengths = {name: getattr(setup, name) * MS_PER_SECOND / setup.sample_rate for name in ("window", "hop")}
    return {
        "name": "asr",
        "data": {
            "reader": {"name": "speech", "sample_rate": setup.sample_rate, "check": False},
            "train": str(setup.folder / "train.jsonl"),
            "test": str(setup.folder / "test.jsonl"),
        },
        "features": [features | lengths | {"n_mels": setup.n_mels}],
        "encoder": {
            "name": "bilstm",
            "hidden_size": setup.hidden_size,
            "num_layers": setup.num_layers,
            "forget_bias": None,
        },
        "head": {"name": "ctc"},
        "train": {
            "epochs": setup.epochs,
            "batch_tokens": UNLIMITED,
            "batch_items": setup.batch_items,
            "optimizer": {"name": "adam", "lr": setup.lr},
            "clip_norm": setup.clip_norm,
            "precision": setup.precision,
            "seed": setup.seed,
        },
    }  # fmt: skip


class InTurn(Observer):
    """Lets the Trainer take as many windows as it is told to, then waits."""

    def __init__(self, turns: Turns, windows: int) -> None:
        self.turns = turns
        self.left = windows
        self.now = 0

    def training_started(self, trainer: Trainer) -> None:
        """Wait for the first command."""
        self._wait()

    def savepoint(self, trainer: Trainer, reason: SaveReason) -> None:
        """Count a window; after the last of all, training ends."""
        if reason != "window":
            return
        self.now -= 1
        self.left -= 1
        if not self.now:
            self.turns.done()
            if self.left:
                self._wait()

    def _wait(self) -> None:
        command, self.now = self.turns.wait()
        assert command == "train", "strings are transcribed when training is over"


def prepared(recipe: Recipe, lab: Lab) -> tuple[Assembly, list[Example], Dataset, float]:
    """Return parts, training examples, their data, and the seconds that the data took to encode."""
    assembly = Assembly(recipe, lab.registry)
    examples = assembly.read(recipe.paths["train"], "train")
    assembly.fit(examples)
    started = time.perf_counter()
    data = assembly.encode(examples, labelled=True)
    return assembly, examples, data, time.perf_counter() - started


def check_plan(data: Dataset, setup: Setup) -> None:
    """Make sure that this side trains on the batches of the others."""
    budget = Budget(UNLIMITED, setup.batch_items)
    planned = [batch.tolist() for epoch in range(setup.epochs)
               for batch in plan_batches(data.lengths, budget, seed=setup.seed, epoch=epoch)]  # fmt: skip
    assert planned == setup.batches, "the engine plans other batches than the other sides are given"


def transcribe(recognizer: Predictor, files: Sequence[Path], batch: int) -> list[str]:
    """Return the texts of sound files, `batch` at a time."""
    groups = (files[first : first + batch] for first in range(0, len(files), batch))
    return [transcript.text for group in groups for transcript in recognizer.predict(group)]


def main() -> None:
    """Get ready, train when told to, then transcribe when told to."""
    setup, turns, lab = Setup.read(Path(sys.argv[1])), Turns(), Lab(entry_points=False)
    torch.set_num_threads(setup.threads)
    recipe = lab.check(recipe_of(setup))
    seconds = prepared(recipe, lab)[-1]
    assembly, examples, data, cached = prepared(recipe, lab)
    check_plan(data, setup)
    with seeded(setup.seed):
        model = assembly.model()
    assembly.with_room(model, examples, data)  # a string that is too fast for CTC is a DataError
    job = TrainingJob(
        data=data, settings=recipe.train, observers={"turns": InTurn(turns, len(setup.batches))}
    )
    turns.tell(features_seconds=seconds, cached_features_seconds=cached)
    Trainer(model, job).fit()
    recognizer = Predictor(assembly, model, {}, precision=recipe.train.precision)
    assembly.restore(assembly.state())  # as a package is opened: sounds to transcribe are not cached
    lines = recipe.paths["test"][0].read_text().splitlines()
    files = [setup.folder / json.loads(line)["audio"] for line in lines]
    while True:
        _, number = turns.wait()
        turns.done(texts=transcribe(recognizer, files, number))


if __name__ == "__main__":
    main()

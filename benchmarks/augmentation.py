"""What augmentation costs: seconds of sound per CPU second, on one thread, from samples to batches of frames.

    python benchmarks/augmentation.py

Data is the training split of AN4 (38 minutes at 16 kHz; `seqlab data get speech_an4`), features are 40 of
`log_mel`. `first` is an epoch that decodes the files, `later` the best of three that find the samples in
memory. `nothing` changes no sound but computes its frames anew: what every change of sound has to pay.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from seqlab import Lab
from seqlab.assembly import Assembly
from seqlab.augmentation import Augmentation
from seqlab.engine import Budget, plan_batches
from seqlab.engine.device import threads

LATER = 3
"""Epochs after the first; the quickest counts."""


def augmenters(noises: str) -> Mapping[str, list[Any]]:
    """Return what is measured; `noises` is a folder of sound files."""
    return {
        "nothing": [{"name": "gain", "gain": [0.0, 0.0]}],
        "speed": ["speed"],
        "noise, white": ["noise"],
        "noise, pink": [{"name": "noise", "exponent": 1.0}],
        "noise, files": [{"name": "noise", "files": [noises]}],
        "reverb": ["reverb"],
        "spec_augment": ["spec_augment"],
        "speed, noise": ["speed", "noise"],
        "all five": ["speed", "noise", "gain", "reverb", "spec_augment"],
    }


def put_together(lab: Lab, augment: list[Any]) -> Augmentation:
    """Read and encode the training split and build the augmenters."""
    recipe = lab.check(
        {
            "data": {"dataset": "speech_an4", "dev": None, "test": None},
            "features": [{"name": "log_mel", "n_mels": 40}],
            "augment": augment,
            "encoder": {"name": "bilstm", "hidden_size": 1},
            "head": "ctc",
        }
    )
    assembly = Assembly(recipe, lab.registry)
    examples = assembly.read(recipe.paths["train"], "train")
    assembly.fit(examples)
    model = assembly.model()
    data = assembly.encode(examples, labelled=True)
    return Augmentation(assembly, model, *assembly.with_room(model, examples, data))


def measure(made: Augmentation, epoch: int) -> float:
    """Return the seconds of sound per CPU second of one epoch in batches of 16."""
    sound: float = sum(example.fields["audio"].duration for example in made.examples)
    batches = plan_batches(made.data.lengths, Budget(sys.maxsize, 16), seed=1, epoch=epoch)
    started = time.process_time()
    for indices in batches:
        made(indices, epoch)
    return sound / (time.process_time() - started)


def main() -> None:
    """Measure one after another and print a table."""
    lab = Lab(entry_points=False)
    noises = str(lab.get_dataset("speech_an4"))
    print(f"{'augment':<14} {'first':>6} {'later':>6}")
    with threads(1):
        for name, augment in augmenters(noises).items():
            made = put_together(lab, augment)
            first, *later = (measure(made, epoch) for epoch in range(1 + LATER))
            print(f"{name:<14} {first:>6.0f} {max(later):>6.0f}", flush=True)


if __name__ == "__main__":
    main()

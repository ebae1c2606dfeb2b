"""Spoken words, made up: a recipe with augmenters, its sounds, and what augmentation makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from made_sounds import speechlike
from sounds import manifest, write

from seqlab import Component, Lab, hookimpl
from seqlab.api import AugmenterContext, Config
from seqlab.assembly import Assembly
from seqlab.augmentation import Augmentation
from seqlab.engine import Sequences
from seqlab.run import RunOptions

RATE = 16_000
COUNT = 12

RECIPE = """\
name: spoken
data:
  reader: {name: speech, check: false}
  train: train.jsonl
  dev: dev.jsonl
features:
  - {name: log_mel, n_mels: 12}
augment:
  - {name: speed, factors: [0.8, 1.0, 1.3]}
  - {name: noise, files: [noises], probability: 0.7}
  - {name: spec_augment, time_mask: 9, freq_share: 0.4}
encoder: {name: bilstm, hidden_size: 6}
head: ctc
metrics: [cer]
observers:
  - jsonl
  - {name: checkpoints, every_steps: 2}
train: {epochs: 3, batch_tokens: 400, optimizer: {name: adam, lr: 0.01}}
"""


def write_spoken(folder: Path) -> Path:
    """Write the sounds, the longer the higher their number, and the recipe; return the recipe."""
    names = [f"{number}.wav" for number in range(COUNT)]
    for number, name in enumerate(names):
        write(folder / name, speechlike(6_000 + 800 * number, number))
    write(folder / "noises/hum.wav", speechlike(20_000, 99))
    texts = ["one two"[: 1 + number % 7].strip() for number in range(COUNT)]
    records = [{"audio": name, "text": text} for name, text in zip(names, texts, strict=True)]
    manifest(folder / "train.jsonl", records)
    manifest(folder / "dev.jsonl", records[:3])
    recipe = folder / "spoken.yaml"
    recipe.write_text(RECIPE)
    return recipe


def augmentation(lab: Lab, source: Path, *overrides: str) -> Augmentation:
    """Make the augmentation of a recipe."""
    recipe = lab.check(source, overrides)
    assembly = Assembly(recipe, lab.registry)
    examples = assembly.read(recipe.paths["train"], "train")
    assembly.fit(examples)
    data = assembly.encode(examples, labelled=True)
    model = assembly.model()
    return Augmentation(assembly, model, *assembly.with_room(model, examples, data))


def frames(made: Augmentation, indices: Iterable[int] = range(COUNT), epoch: int = 0) -> list[torch.Tensor]:
    """Return the frames of examples as they are in an epoch."""
    column = made(torch.tensor(list(indices)), epoch).features[0]
    assert isinstance(column, Sequences)
    return column.to_list()


def originals(made: Augmentation) -> list[torch.Tensor]:
    """Return the frames of all examples as the data holds them."""
    column = made.data.gather(torch.arange(len(made.data))).features[0]
    assert isinstance(column, Sequences)
    return column.to_list()


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    """Compare frames bit by bit."""
    return all(torch.equal(left, right) for left, right in zip(one, other, strict=True))


def component(made: type[Any]) -> Component[Any]:
    """Return the augmenter `mine`."""

    def build(config: Config, context: AugmenterContext) -> Any:
        assert context.fields
        return made()

    return Component(name="mine", config=Config, build=build, summary="for the tests")


class Stranger:
    """A plugin with the augmenter `mine`, which is `made`."""

    def __init__(self, made: type[Any]) -> None:
        self.made = made

    @hookimpl
    def seqlab_register_augmenters(self) -> list[Component[Any]]:
        return [component(self.made)]


def options(folder: Path, **more: Any) -> RunOptions:
    """Return how a run in the test's own process is to be done."""
    return RunOptions(out=folder, device="cpu", threads=1, **more)

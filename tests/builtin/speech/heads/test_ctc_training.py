"""A CTC model learns to read, without any sound: noisy frames first, then a whole run of a recipe."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import torch

from seqlab import Lab
from seqlab.api import Component, Config, DataError, Example, Place, ReaderContext, hookimpl
from seqlab.builtin.speech.heads.ctc import CTCHead
from seqlab.builtin.speech.heads.units import Characters
from seqlab.engine import (
    Budget,
    Column,
    Dataset,
    RecurrentSpec,
    RecurrentStack,
    SequenceModel,
    Sequences,
    State,
    Trainer,
    TrainingJob,
    answer,
)
from seqlab.engine.device import threads
from seqlab.engine.seeding import seeded
from seqlab.run import RunOptions
from seqlab.settings import Adam, TrainSettings

ALPHABET = "abc "


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    with threads(1):
        yield


def spoken(text: str, rng: random.Random) -> list[str]:
    """Each character for one to three frames, a pause of one or two before and after it."""
    frames = ["_"]
    for character in text:
        frames += [character] * rng.randint(1, 3) + ["_"] * rng.randint(1, 2)
    return frames


def texts(count: int, rng: random.Random) -> list[str]:
    return ["".join(rng.choices(ALPHABET, k=rng.randint(1, 6))).strip() or "a" for _ in range(count)]


# --- the engine alone ------------------------------------------------------------------------------------


class Encoder(torch.nn.Module):
    carries_state = True

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.stack = RecurrentStack(RecurrentSpec(cell="lstm", input_size=input_size, hidden_size=16))
        self.output_size = self.stack.output_size

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State | None]:
        states: tuple[Sequences, State | None] = self.stack(inputs, state)
        return states


def noisy(frames: list[str], generator: torch.Generator) -> torch.Tensor:
    symbols = "_" + ALPHABET
    exact = torch.eye(len(symbols))[[symbols.index(frame) for frame in frames]]
    return exact + 0.1 * torch.randn(exact.shape, generator=generator)


def test_noisy_frames_are_learned_and_read_the_same_alone_and_in_a_batch() -> None:
    rng, generator = random.Random(1), torch.Generator().manual_seed(1)
    written = texts(80, rng)
    frames = [noisy(spoken(text, rng), generator) for text in written]
    head = CTCHead("text", Characters())
    head.fit(written[:60])
    column = Column(torch.cat(frames), torch.tensor([len(each) for each in frames]))
    data = Dataset((column,), {"text": head.encode(written)})
    with seeded(1):
        encoder = Encoder(len(ALPHABET) + 1)
        model = SequenceModel([torch.nn.Identity()], encoder, {"text": head.module(encoder.output_size)})
    training = TrainSettings(epochs=20, batch_tokens=120, optimizer=Adam(lr=0.03), clip_norm=5.0)
    Trainer(model, TrainingJob(data=data.select(torch.arange(60)), settings=training)).fit()
    unseen = data.select(torch.arange(60, 80))
    decoders = {"text": lambda outputs, _indices: head.answers(outputs)}
    together = answer(model.eval(), unseen, Budget(10_000), decoders)["text"]
    read = [each.value for each in together.values]
    assert sum(found == text for found, text in zip(read, written[60:], strict=True)) >= 19
    assert together.loss is not None
    assert together.loss < 0.2
    alone = answer(model, unseen, Budget(1), decoders)["text"]
    assert [each.value for each in alone.values] == read
    for found, expected in zip(alone.values, together.values, strict=True):
        assert found.score == pytest.approx(expected.score, abs=1e-5)


# --- a recipe --------------------------------------------------------------------------------------------


class Frames:
    """Reads `frames<TAB>text` lines: one letter per frame, as tokens, and what they spell."""

    suffixes = (".frames",)
    fields: Mapping[str, Any] = {"tokens": "tokens", "text": "text"}

    def __init__(self, context: ReaderContext) -> None:
        self.context = context

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            frames, text = line.split("\t")
            fields: dict[str, Any] = {"tokens": list(frames)} | ({"text": text} if labelled else {})
            yield Example(fields, Place(str(path), number))


class Plugin:
    @staticmethod
    @hookimpl
    def seqlab_register_readers() -> list[Component[Any]]:
        def build(config: Config, context: ReaderContext) -> Frames:
            return Frames(context)

        return [Component(name="frames", config=Config, build=build, summary="for the tests")]


def lab() -> Lab:
    return Lab([Plugin()], entry_points=False)


def recipe(folder: Path, **changes: Any) -> dict[str, Any]:
    rng = random.Random(2)
    for split, count in (("train", 60), ("dev", 12), ("test", 12)):
        lines = [f"{''.join(spoken(text, rng))}\t{text}\n" for text in texts(count, rng)]
        (folder / f"{split}.frames").write_text("".join(lines))
    return {
        "name": "frames",
        "data": {"reader": "frames"}
        | {split: str(folder / f"{split}.frames") for split in ("train", "dev", "test")},
        "features": [{"name": "embedding", "embedding_dim": 8, "unknown": "zero"}],
        "encoder": {"name": "bilstm", "hidden_size": 12},
        "head": {"name": "ctc", **changes},
        "observers": ["jsonl", "checkpoints", "ctc_hints"],
        "train": {
            "epochs": 30,
            "evaluate_every": 10,
            "batch_tokens": 150,
            "optimizer": {"name": "adam", "lr": 0.03},
            "clip_norm": 5.0,
        },
    }


@pytest.mark.parametrize("units", [{"name": "characters"}, {"name": "bpe", "vocab_size": 6}])
def test_a_recipe_is_learned_reported_and_opened_again(tmp_path: Path, units: dict[str, Any]) -> None:
    options = RunOptions(out=tmp_path / "run", device="cpu", threads=1)
    report = lab().run(recipe(tmp_path, units=units), options=options)
    figures = report["metrics"]["test"]
    assert figures["cer"] < 0.1
    assert figures["empty_answers"] == 0
    assert figures["wer_words"] == sum(
        len(line.split("\t")[1].split()) for line in (tmp_path / "test.frames").read_text().splitlines()
    )
    assert {"wer_substitutions", "wer_deletions", "wer_insertions", "wer_low", "wer_high"} < figures.keys()
    again = lab().evaluate(tmp_path / "run/model", [tmp_path / "test.frames"], device="cpu")
    assert again == pytest.approx(figures)


def test_an_utterance_with_too_few_frames_is_refused_by_name(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    with (tmp_path / "train.frames").open("a") as train:
        train.write("ab_\taabb\n")
    options = RunOptions(out=tmp_path / "run", device="cpu", threads=1)
    message = r"train.frames:61: text needs at least 6 states, but the encoder makes 3 of 3 rows"
    with pytest.raises(DataError, match=message):
        lab().run(made, options=options)


def test_spoken_texts_have_the_frames_that_they_need() -> None:
    rng = random.Random(3)
    for text in texts(50, rng):
        frames = spoken(text, rng)
        assert "".join(each for each, _ in groupby(frames) if each != "_") == text

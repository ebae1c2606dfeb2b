"""Augmentation in a run: what is drawn follows from seed, epoch and example, and from nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_sounds import Wave, speechlike
from processes import Warm
from sounds import manifest, write
from spoken_words import COUNT, RATE, Stranger, frames, options, originals, same
from toy_language import outcome

from seqlab import Lab
from seqlab.api import Sound
from seqlab.augmentation import Augmentation, Kept
from seqlab.engine import Observer, Sequences

Vary = Callable[..., Augmentation]


# --- what is drawn ---------------------------------------------------------------------------------------


def test_an_example_becomes_the_same_in_any_batch_and_order(augment: Vary) -> None:
    made = augment()
    together = frames(made)
    for number in range(COUNT):
        (alone,) = frames(made, [number])
        torch.testing.assert_close(alone, together[number], atol=1e-5, rtol=1e-5)
    backwards = frames(augment(), range(COUNT - 1, -1, -1))[::-1]
    for one, other in zip(together, backwards, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_it_becomes_another_in_every_epoch_and_for_every_seed(augment: Vary) -> None:
    made = augment()
    first = frames(made, range(COUNT), 0)
    assert same(frames(made, range(COUNT), 0), first)
    assert same(frames(augment()), first)
    for others in (frames(made, range(COUNT), 1), frames(augment("train.seed=2"))):
        differing = [len(a) != len(b) or not torch.equal(a, b) for a, b in zip(first, others, strict=True)]
        assert sum(differing) >= COUNT - 1


def test_lengths_follow_the_speed_and_targets_and_indices_stay(augment: Vary) -> None:
    made = augment("augment=[{name: speed, factors: [0.8]}]")
    indices = torch.tensor([5, 2, 9])
    batch = made(indices, 0)
    before = made.data.gather(indices)
    assert torch.equal(batch.indices, indices)
    assert torch.equal(batch.targets["text"].data, before.targets["text"].data)
    slower = batch.features[0].layout.lengths / before.features[0].layout.lengths
    assert ((slower > 1.2) & (slower < 1.3)).all()
    assert batch.rows == int(batch.features[0].layout.lengths.sum()) > before.rows


def test_what_is_not_changed_is_what_the_data_holds(augment: Vary) -> None:
    made = augment("augment=[{name: gain, probability: 0.4}]")
    pairs = zip(frames(made), originals(made), strict=True)
    kept = [torch.equal(one, other) for one, other in pairs]
    assert 0 < sum(kept) < COUNT


def test_the_data_itself_never_changes(augment: Vary) -> None:
    made = augment("augment=[spec_augment]")
    before = made.data.features[0].values.clone()
    for epoch in range(3):
        frames(made, range(COUNT), epoch)
    assert torch.equal(made.data.features[0].values, before)


def test_equal_featurizers_of_one_sound_get_the_same_draws(augment: Vary) -> None:
    both = "features=[{name: log_mel, n_mels: 12}, {name: log_mel, n_mels: 12}]"
    batch = augment(both)(torch.arange(COUNT), 1)
    one, other = batch.features
    assert isinstance(one, Sequences)
    assert isinstance(other, Sequences)
    torch.testing.assert_close(one.data, other.data)


def test_an_example_without_room_after_it_stays_as_it_is(augment: Vary, spoken: Path) -> None:
    """At twice the speed the long text has too few frames; the others have enough."""
    write(spoken.parent / "0.wav", speechlike(RATE // 2))
    records = [json.loads(line) for line in (spoken.parent / "train.jsonl").read_text().splitlines()]
    records[0]["text"] = "one two one two one two one two"
    manifest(spoken.parent / "train.jsonl", records)
    made = augment("augment=[{name: speed, factors: [2]}]")
    before = made.data.lengths
    assert before[0] == 48
    after = torch.tensor([len(each) for each in frames(made)])
    assert after[0] == before[0]
    assert (after[1:] < 0.6 * before[1:]).all()


def test_examples_and_data_stay_aligned_where_some_are_left_out(augment: Vary, spoken: Path) -> None:
    records = [json.loads(line) for line in (spoken.parent / "train.jsonl").read_text().splitlines()]
    records[4]["text"] = "one two " * 60
    manifest(spoken.parent / "train.jsonl", records)
    skipping = ("data.on_error=skip", "data.reader.check=true")
    made = augment("augment=[{name: gain, gain: [0.0, 0.0]}]", *skipping)
    assert len(made.examples) == len(made.data) == COUNT - 1
    for one, other in zip(frames(made, range(COUNT - 1)), originals(made), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_sound_is_decoded_once_where_there_is_room_for_it(tmp_path: Path) -> None:
    class Counted(Sound):
        reads = 0

        def samples(self) -> Wave:
            Counted.reads += 1
            return super().samples()

    sounds = [Counted(speechlike(1_000, seed), RATE) for seed in range(3)]
    kept = Kept(limit=8_500)
    for _ in range(4):
        for number, sound in enumerate(sounds):
            samples = kept((number, "audio"), sound.samples)
            assert np.array_equal(samples, sound.wave)
            assert not samples.flags.writeable
    assert Counted.reads == 2 + 4
    assert kept.size == 8_000


# --- a run -----------------------------------------------------------------------------------------------


def test_a_killed_run_goes_on_to_the_same_end(spoken: Path, warm: Warm, tmp_path: Path) -> None:
    arguments = ("run", spoken, "--threads", 1, "--out")
    whole = warm(*arguments, tmp_path / "whole")
    assert whole.wait() == 0, whole.stderr
    killed = warm(*arguments, tmp_path / "killed")
    checkpoint = tmp_path / "killed/checkpoints/last.safetensors"
    assert any(checkpoint.exists() for _ in killed.ticks()), killed.stderr
    killed.process.kill()
    killed.process.join()
    assert not (tmp_path / "killed/report.json").exists(), "it must be killed on its way"
    resumed = warm(*arguments, tmp_path / "killed", "--resume")
    assert resumed.wait() == 0, resumed.stderr
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")


def test_training_counts_what_is_trained_and_nothing_else_is_augmented(
    spoken: Path, lab: Lab, tmp_path: Path
) -> None:
    seen: list[int] = []

    class Slower:
        """Appends half of a sound to it."""

        stage = "audio"
        keeps_length = False

        def __call__(self, value: Any, generator: np.random.Generator) -> Any:
            wave = value.samples()
            seen.append(len(wave))
            return Sound(np.concatenate([wave, wave[: len(wave) // 2]]), value.sample_rate)

    rows: list[int] = []

    class Steps(Observer):
        def step_finished(self, trainer: Any, record: Any) -> None:
            rows.append(record.tokens)

    strange = Lab([Stranger(Slower)], entry_points=False)
    plain = int(sum((6_000 + 800 * number - 400) // 160 + 1 for number in range(COUNT)))
    run = options(tmp_path / "run", observers={"steps": Steps()})
    strange.run(spoken, ["augment=[mine]", "train.epochs=1"], run)
    assert sum(rows) == pytest.approx(1.5 * plain, rel=0.02)
    assert len(seen) == COUNT
    strange.evaluate(tmp_path / "run/model", split="dev", device="cpu")
    assert len(seen) == COUNT
    assert lab.evaluate(tmp_path / "run/model", split="dev", device="cpu"), (
        "the plugin is not needed any more"
    )


def test_its_files_are_not_needed_once_it_is_trained(
    spoken: Path, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "words.dict").write_text("o OW\non AA N\none W AH N\nt T\ntw T UH\ntwo T UW\n")
    overrides = ["head={name: ctc, units: {name: phones, lexicon: words.dict}}", "train.epochs=1"]
    monkeypatch.chdir(tmp_path)
    report = lab.run(spoken, overrides, options(tmp_path / "run"))
    (tmp_path / "words.dict").unlink()
    (spoken.parent / "noises/hum.wav").unlink()
    (spoken.parent / "noises").rmdir()
    assert lab.evaluate(tmp_path / "run/model", split="dev", device="cpu") == pytest.approx(
        report["metrics"]["dev"]
    )

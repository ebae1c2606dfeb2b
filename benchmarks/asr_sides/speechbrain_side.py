"""SpeechBrain's own LSTM, CTC loss, features and Brain: a side of `benchmarks/asr.py`.

    python speechbrain_side.py setup.json

Runs in an environment that has SpeechBrain. Its LSTM is given padded batches, as its CTC recipes do.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import speechbrain as sb  # type: ignore[import-not-found]
import torch
from digit_strings import String, read_strings
from speechbrain.decoders import ctc_greedy_decode  # type: ignore[import-not-found]
from speechbrain.lobes.features import Fbank  # type: ignore[import-not-found]
from speechbrain.nnet.linear import Linear  # type: ignore[import-not-found]
from speechbrain.nnet.losses import ctc_loss  # type: ignore[import-not-found]
from speechbrain.nnet.RNN import LSTM  # type: ignore[import-not-found]
from speechbrain.processing.features import InputNormalization  # type: ignore[import-not-found]
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from turns import Setup, Turns

BLANK = 0
MS_PER_SECOND = 1000

Padded = tuple[Tensor, Tensor]
"""Items as one tensor, and their lengths relative to the longest, as SpeechBrain has them."""


class Recognizer(sb.Brain):  # type: ignore[misc]
    """A Brain: a batch is the padded frames and the padded targets."""

    def compute_forward(self, batch: tuple[Padded, Padded], stage: object) -> Tensor:
        """Map frames to log-probabilities (batch, time, classes)."""
        states, _ = self.modules.lstm(batch[0][0])
        scores: Tensor = self.modules.output(states)
        return scores.float().log_softmax(dim=-1)

    def compute_objectives(self, log_probs: Tensor, batch: tuple[Padded, Padded], stage: object) -> Tensor:
        """Return the loss summed over the batch, divided by its characters."""
        (_, lengths), (targets, sizes) = batch
        characters = (sizes * targets.shape[1]).sum()
        summed: Tensor = ctc_loss(log_probs, targets, lengths, sizes, blank_index=BLANK, reduction="sum")
        return summed / characters


class Side:
    """Data and features once, then training steps and transcriptions."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.fbank = Fbank(
            sample_rate=setup.sample_rate,
            n_fft=setup.window,
            n_mels=setup.n_mels,
            win_length=setup.window * MS_PER_SECOND / setup.sample_rate,
            hop_length=setup.hop * MS_PER_SECOND / setup.sample_rate,
        )
        self.normalize = InputNormalization(norm_type="sentence", std_norm=True)
        started = time.perf_counter()
        train = read_strings(setup.folder, "train")
        self.frames = [self.features(string).clone() for string in train]
        self.features_seconds = time.perf_counter() - started
        self.characters = "".join(sorted({character for string in train for character in string.text}))
        self.targets = [
            torch.tensor([1 + self.characters.index(character) for character in string.text])
            for string in train
        ]
        self.brain = self.made_brain()
        self.plan = iter(setup.batches)

    def made_brain(self) -> Recognizer:
        """Make the model, ready to be trained."""
        setup = self.setup
        lstm = LSTM(
            setup.hidden_size, input_size=setup.n_mels, num_layers=setup.num_layers, bidirectional=True
        )
        output = Linear(1 + len(self.characters), input_size=2 * setup.hidden_size)
        brain = Recognizer(
            {"lstm": lstm, "output": output},
            opt_class=lambda parameters: torch.optim.Adam(parameters, setup.lr),
            run_opts={"device": "cpu", "precision": setup.precision, "max_grad_norm": setup.clip_norm},
        )
        brain.on_fit_start()
        return brain

    @torch.inference_mode()
    def features(self, string: String) -> Tensor:
        """Return a sound's frames, (frames, mels)."""
        frames = self.fbank(torch.from_numpy(string.samples)[None])
        normal: Tensor = self.normalize(frames, torch.ones(1))
        return normal[0]

    def train(self, batches: int) -> None:
        """Take the next steps of the plan."""
        self.brain.modules.train()
        for _ in range(batches):
            indices = next(self.plan)
            frames = padded([self.frames[index] for index in indices])
            self.brain.fit_batch((frames, padded([self.targets[index] for index in indices])))

    @torch.inference_mode()
    def transcribe(self, batch: int) -> list[str]:
        """Return the texts of the test split's sounds, read from their files, `batch` at a time."""
        self.brain.modules.eval()
        strings = read_strings(self.setup.folder, "test")
        texts: list[str] = []
        for first in range(0, len(strings), batch):
            frames = padded([self.features(string) for string in strings[first : first + batch]])
            with self.brain.evaluation_ctx:
                log_probs = self.brain.compute_forward((frames, frames), sb.Stage.TEST)
            found: list[list[int]] = ctc_greedy_decode(log_probs, frames[1], blank_id=BLANK)
            texts += ["".join(self.characters[number - 1] for number in classes) for classes in found]
        return texts


def padded(items: Sequence[Tensor]) -> Padded:
    """Return items as one tensor, filled up with zeros, and their relative lengths."""
    lengths = torch.tensor([float(len(item)) for item in items])
    return pad_sequence(list(items), batch_first=True), lengths / lengths.max()


def main() -> None:
    """Get ready, then do what is asked."""
    setup, turns = Setup.read(Path(sys.argv[1])), Turns()
    torch.set_num_threads(setup.threads)
    torch.manual_seed(setup.seed)
    side = Side(setup)
    facts: dict[str, Any] = {"features_seconds": side.features_seconds, "version": sb.__version__}
    turns.tell(**facts)
    while True:
        command, number = turns.wait()
        if command == "train":
            side.train(number)
            turns.done()
        else:
            turns.done(texts=side.transcribe(number))


if __name__ == "__main__":
    main()

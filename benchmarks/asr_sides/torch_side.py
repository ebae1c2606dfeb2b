"""CTC in plain torch and torchaudio, written by hand: a side of `benchmarks/asr.py`.

    python torch_side.py setup.json packed|padded

`packed` gives nn.LSTM a PackedSequence; `padded` the padded batch, so that the reading from right to left
begins on padding and an answer depends on what else is in the batch.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from digit_strings import Samples, String, read_strings
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torchaudio.transforms import MelSpectrogram
from turns import Setup, Turns

BLANK = 0
PRE_EMPHASIS = 0.97
FLOOR = 1e-10


class Features(nn.Module):
    """Log-mel energies of one sound, each of mean 0 and variance 1 over it."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self.mel = MelSpectrogram(
            setup.sample_rate,
            setup.window,
            hop_length=setup.hop,
            f_min=20.0,
            n_mels=setup.n_mels,
            center=False,
        )

    @torch.inference_mode()
    def forward(self, samples: Samples) -> Tensor:
        """Map samples (time,) to frames (frames, mels)."""
        signal = torch.from_numpy(samples)
        emphasised = torch.cat([signal[:1] * (1 - PRE_EMPHASIS), signal[1:] - PRE_EMPHASIS * signal[:-1]])
        frames: Tensor = self.mel(emphasised).clamp(min=FLOOR).log().T
        deviation, mean = torch.std_mean(frames, dim=0, correction=0)
        return (frames - mean) / deviation.clamp(min=1e-5)


class Recognizer(nn.Module):
    """A bidirectional LSTM and a linear layer to the characters and the blank."""

    def __init__(self, setup: Setup, characters: str, *, packed: bool) -> None:
        super().__init__()
        self.packed = packed
        self.lstm = nn.LSTM(
            setup.n_mels, setup.hidden_size, setup.num_layers, batch_first=True, bidirectional=True
        )
        self.output = nn.Linear(2 * setup.hidden_size, 1 + len(characters))

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Map frames (batch, time, mels) to log-probabilities (batch, time, classes)."""
        if self.packed:
            packed = pack_padded_sequence(frames, lengths, batch_first=True, enforce_sorted=False)
            states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        else:
            states, _ = self.lstm(frames)
        scores: Tensor = self.output(states)
        return scores.float().log_softmax(dim=-1)


class Script:
    """The whole script: data and features once, then training steps and transcriptions."""

    def __init__(self, setup: Setup, *, packed: bool) -> None:
        self.setup = setup
        self.features = Features(setup)
        self.test = read_strings(setup.folder, "test")
        started = time.perf_counter()
        train = read_strings(setup.folder, "train")
        self.frames = [self.features(string.samples).clone() for string in train]
        self.features_seconds = time.perf_counter() - started
        self.characters = "".join(sorted({character for string in train for character in string.text}))
        self.targets = [self.spelt(string) for string in train]
        self.model = Recognizer(setup, self.characters, packed=packed)
        self.optimizer = torch.optim.Adam(self.model.parameters(), setup.lr)
        self.plan = iter(setup.batches)

    def spelt(self, string: String) -> Tensor:
        """Return the classes of a text's characters."""
        return torch.tensor([1 + self.characters.index(character) for character in string.text])

    def train(self, batches: int) -> None:
        """Take the next steps of the plan."""
        self.model.train()
        for _ in range(batches):
            self.step(next(self.plan))

    def step(self, indices: Sequence[int]) -> None:
        """Take one step: the loss is summed over the batch and divided by its characters."""
        frames, lengths = padded([self.frames[index] for index in indices])
        targets, sizes = padded([self.targets[index] for index in indices])
        with self.arithmetic():
            log_probs = self.model(frames, lengths)
        summed = functional.ctc_loss(log_probs.transpose(0, 1), targets, lengths, sizes, reduction="sum")
        (summed / sizes.sum()).backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(self.model.parameters(), self.setup.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()

    @torch.inference_mode()
    def transcribe(self, batch: int) -> list[str]:
        """Return the texts of the test split's sounds, read from their files, `batch` at a time."""
        self.model.eval()
        return [text for strings in groups(read_strings(self.setup.folder, "test"), batch)
                for text in self.texts(strings)]  # fmt: skip

    def texts(self, strings: Sequence[String]) -> Iterator[str]:
        """Yield the text of each of a batch's best paths."""
        frames, lengths = padded([self.features(string.samples) for string in strings])
        with self.arithmetic():
            best = self.model(frames, lengths).argmax(dim=-1)
        for path, length in zip(best, lengths.tolist(), strict=True):
            classes = path[:length].unique_consecutive().tolist()
            yield "".join(self.characters[number - 1] for number in classes if number != BLANK)

    def arithmetic(self) -> AbstractContextManager[object]:
        """Return the context of the forward pass."""
        return torch.autocast("cpu", torch.bfloat16) if self.setup.precision == "bf16" else nullcontext()


def padded(items: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return items as one tensor, filled up with zeros, and their lengths."""
    return pad_sequence(list(items), batch_first=True), torch.tensor([len(item) for item in items])


def groups(strings: Sequence[String], size: int) -> Iterator[Sequence[String]]:
    """Cut strings, in their order, into batches."""
    for first in range(0, len(strings), size):
        yield strings[first : first + size]


def main() -> None:
    """Get ready, then do what is asked."""
    setup, packed = Setup.read(Path(sys.argv[1])), {"packed": True, "padded": False}[sys.argv[2]]
    torch.set_num_threads(setup.threads)
    torch.manual_seed(setup.seed)
    script, turns = Script(setup, packed=packed), Turns()
    turns.tell(features_seconds=script.features_seconds)
    while True:
        command, number = turns.wait()
        if command == "train":
            script.train(number)
            turns.done()
        else:
            turns.done(texts=script.transcribe(number))


if __name__ == "__main__":
    main()

"""Training a character language model against a plain torch script of the same sizes, the two in turn.

    python benchmarks/char_lm.py [--rounds 3] [--threads 2]

Sizes and settings are those of `recipes/char_lm_shakespeare.yaml`: one epoch on the first 200,000 characters,
32 lanes, chunks of 100. The script (below) is what one would write: `nn.Embedding`, `nn.LSTM` on a full
(lanes, steps) batch, dropout, `nn.Linear`, Adam, clipping, carried states. A speed is characters trained per
second of a whole epoch; a ratio is seqlab's over the script's, round by round. Needs SEQLAB_DATA.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqlab import Lab
from seqlab.run import RunOptions

RECIPE = Path(__file__).parent.parent / "recipes" / "char_lm_shakespeare.yaml"
CHARACTERS = 200_000


def main() -> None:
    """Run the rounds and print the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    text = (Path(os.environ["SEQLAB_DATA"]) / "lm_tinyshakespeare" / "train.txt").read_text()[:CHARACTERS]
    recipe = Lab(entry_points=False).check(RECIPE)
    ours, theirs = [], []
    for number in range(args.rounds):
        ours.append(seqlab(text, args.threads))
        theirs.append(script(text, recipe))
        print(
            f"round {number + 1}: seqlab {ours[-1]:,.0f}, script {theirs[-1]:,.0f} characters/s", flush=True
        )
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    medians = f"seqlab {statistics.median(ours):,.0f}, script {statistics.median(theirs):,.0f} characters/s"
    print(
        f"medians: {medians}, ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    )


def seqlab(text: str, threads: int) -> float:
    """Train the recipe for an epoch and return its speed."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "train.txt"
        file.write_text(text)
        reader = "{name: text, unit: characters, by: file}"
        changes = [f"data={{reader: {reader}, train: {file}}}", "train.epochs=1"]
        options = RunOptions(out=Path(folder) / "run", device="cpu", threads=threads)
        Lab(entry_points=False).run(RECIPE, changes, options)
        lines = (Path(folder) / "run" / "metrics.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        return next(float(each["tokens_per_second"]) for each in records if "tokens_per_second" in each)


class Plain(nn.Module):
    """What the recipe describes, by torch's modules."""

    def __init__(self, characters: int, recipe: Any) -> None:
        super().__init__()
        size, encoder = recipe.features[0].config.embedding_dim, recipe.encoders[0].config
        self.table = nn.Embedding(characters, size)
        self.before, self.after = nn.Dropout(encoder.input_dropout), nn.Dropout(encoder.output_dropout)
        self.rnn = nn.LSTM(size, encoder.hidden_size, encoder.num_layers, batch_first=True)
        self.project = nn.Linear(encoder.hidden_size, characters)

    def forward(
        self, ids: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Map ids (lanes, steps) to scores (lanes, steps, characters), and the state to the last one."""
        states, state = self.rnn(self.before(self.table(ids)), state)
        return self.project(self.after(states)), state


def script(text: str, recipe: Any) -> float:
    """Train the plain model for an epoch and return its speed."""
    train = recipe.train
    alphabet = {character: number for number, character in enumerate(sorted(set(text)))}
    ids = torch.tensor([alphabet[character] for character in text])
    length = (len(ids) - 1) // train.lanes
    inputs, targets = (ids[start : start + length * train.lanes].view(train.lanes, -1) for start in (0, 1))
    model = Plain(len(alphabet), recipe).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=train.optimizer.lr)
    state: tuple[Tensor, Tensor] | None = None
    started = time.perf_counter()
    for first in range(0, length, train.bptt):
        wanted = targets[:, first : first + train.bptt]
        scores, state = model(inputs[:, first : first + train.bptt], state)
        state = (state[0].detach(), state[1].detach())
        optimizer.zero_grad()
        functional.cross_entropy(scores.flatten(0, 1), wanted.flatten()).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), train.clip_norm)
        optimizer.step()
    return inputs.numel() / (time.perf_counter() - started)


if __name__ == "__main__":
    main()

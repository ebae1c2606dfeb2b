"""Runs the native loops over random batches beside the packed kernel; a fault ends the process.

    python tests/engine/recurrent/native/sanitized.py CASES [FOLDER]

FOLDER holds loops that were compiled in another way, with a sanitizer say.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import torch

from seqlab.engine import CellKind, RecurrentSpec, RecurrentStack, Sequences
from seqlab.engine.recurrent.native import library

CELLS: tuple[CellKind, ...] = ("lstm", "gru", "rnn_tanh", "rnn_relu")


def compared(number: int) -> None:
    """Compare outputs, states and gradients of one random case."""
    draw = random.Random(number)
    torch.manual_seed(number)
    torch.set_num_threads(draw.choice((1, 2)))
    cell, hidden_size = draw.choice(CELLS), draw.choice((draw.randint(1, 40), draw.randint(1, 321)))
    projects = cell == "lstm" and hidden_size > 1 and draw.random() < 0.3
    spec = {
        "cell": cell,
        "input_size": draw.randint(1, 70),
        "hidden_size": hidden_size,
        "num_layers": draw.randint(1, 2),
        "bidirectional": draw.random() < 0.5,
        "proj_size": draw.randint(1, hidden_size - 1) if projects else 0,
        "recurrent_dropout": draw.choice((0.0, 0.3)),
    }
    lengths = [draw.randint(0, 12) for _ in range(draw.randint(1, 20))]
    lengths[0] += not any(lengths)
    inputs = Sequences.from_flat(torch.randn(sum(lengths), spec["input_size"]), lengths)
    made = RecurrentStack(RecurrentSpec(**spec, kernel="native"))
    other = RecurrentStack(RecurrentSpec(**spec, kernel="packed"))
    other.load_state_dict(made.state_dict())
    found = []
    for each in (made, other):
        torch.manual_seed(number)
        output, final = each(inputs)
        loss = output.data.square().sum() + sum(part.sum() for part in final)
        found.append([output.data, *final, *torch.autograd.grad(loss, list(each.parameters()))])
        with torch.no_grad():
            found[-1].append(each.eval()(inputs)[0].data)
    for ours, theirs in zip(*found, strict=True):
        scale = max(1.0, float(theirs.detach().abs().max()))
        error = float((ours.detach() - theirs.detach()).abs().max()) / scale
        # At 0 the slope of relu jumps, and which side a sum of about 0 is on hangs on its last bits.
        assert error < (0.05 if cell == "rnn_relu" else 1e-4), (number, spec, lengths, error)


def main() -> None:
    """Run the cases."""
    cases = int(sys.argv[1])
    if len(sys.argv) > 2:
        library.FOLDER = Path(sys.argv[2])
    loops = library.library()
    assert loops is not None, "no loops for this CPU"
    for number in range(cases):
        compared(number)
    print(f"{cases} cases, {loops.instructions}: no fault")  # noqa: T201


if __name__ == "__main__":
    main()

"""Measures gradients without leaving a trace: by time lag for each recurrent layer, and of each weight.

The state h_t of a sequence gets the gradient dLoss/dh_t, of which backpropagation through time multiplies one
Jacobian per step into the next (Bengio, Simard and Frasconi 1994; Pascanu, Mikolov and Bengio 2013). The loss
is that of one step at the sequence's end, so what is found at a lag has come all that way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from seqlab.engine import Batch, Dataset, RecurrentStack, SequenceModel, Sequences
from seqlab.engine.seeding import restore_rng, rng_state

__all__ = [
    "Probe",
    "number",
    "recurrent_stacks",
    "trained_parameters",
    "undisturbed",
    "update_ratios",
    "weight_figures",
]

DIRECTIONS: tuple[Literal["forward", "reverse"], ...] = ("forward", "reverse")
"""In the order in which a stack's states hold them."""

SIGNIFICANT_DIGITS = 7
"""As many as a float32 has."""


@dataclass(frozen=True)
class Probe:
    """What is probed: examples of `data`, in batches of indices, up to `max_lag` steps back (None: all)."""

    data: Dataset
    batches: Sequence[Tensor]
    max_lag: int | None = None

    def flow(self, model: SequenceModel) -> list[dict[str, Any]]:
        """Return for each layer and direction the mean L2 norm of dLoss/dh_t by lag.

        Each direction is asked about the loss at its own last step, as far as a head has one target a row:
        forward the loss of the last row, reverse that of the first; other heads count with their whole loss.
        Entry `lag` of `norms` is the mean over the `sequences` that are so long. Sequences do not share a
        loss, so each counts alone. Several heads are summed.
        """
        stacks = recurrent_stacks(model)
        sums = {name: LagSums(stack) for name, stack in stacks.items()}
        both = any(stack.spec.bidirectional for stack in stacks.values())
        with undisturbed(model):
            for indices in self.batches:
                batch = self._batch(model, indices)
                for direction in DIRECTIONS[: 1 + both]:
                    taps = {name: partial(sums[name].add, direction) for name in stacks}
                    with tapped(stacks, taps):
                        _gradients(model, _end_loss(model, batch, direction))
        return [{"stack": name, **entry} for name in stacks for entry in sums[name].entries(self.max_lag)]

    def weight_gradients(self, model: SequenceModel) -> dict[str, float]:
        """Return the L2 norm of the gradient of each parameter: that of the mean loss, as training has it."""
        totals = {name: torch.zeros_like(each) for name, each in trained_parameters(model).items()}
        with undisturbed(model):
            batches = [self._batch(model, indices) for indices in self.batches]
            counts = [model.counts(batch) for batch in batches]
            whole = {name: sum(float(count[name]) for count in counts) for name in model.head_names}
            for batch in batches:
                sums, _ = model.losses(batch)
                loss = torch.stack([sums[name] / (whole[name] or 1.0) for name in sums]).sum()
                for total, gradient in zip(totals.values(), _gradients(model, loss), strict=True):
                    if gradient is not None:
                        total += gradient
        return {name: _norm(total) for name, total in totals.items()}

    def _batch(self, model: SequenceModel, indices: Tensor) -> Batch:
        return self.data.gather(indices).to(next(model.parameters()).device)


def recurrent_stacks(model: SequenceModel) -> dict[str, RecurrentStack]:
    """Return the recurrent stacks of the encoder by name, `encoder` where it is one itself.

    Those of featurizers are left out: they read characters, not the steps of the sequence.
    """
    found = model.encoder.named_modules(prefix="encoder")
    return {name: module for name, module in found if isinstance(module, RecurrentStack)}


def trained_parameters(model: nn.Module) -> dict[str, Tensor]:
    """Return the parameters that are trained, under the names that they have in checkpoints and packages."""
    named = model.state_dict(keep_vars=True).items()
    return {name: each for name, each in named if isinstance(each, nn.Parameter) and each.requires_grad}


def update_ratios(model: SequenceModel, before: Mapping[str, Tensor]) -> dict[str, float | None]:
    """Return by what share of its norm each parameter has moved; None where the norm was 0."""
    ratios = {}
    for name, parameter in trained_parameters(model).items():
        norm = _norm(before[name])
        ratios[name] = number(_norm(parameter - before[name]) / norm) if norm else None
    return ratios


def weight_figures(
    model: SequenceModel, gradients: Mapping[str, float], updates: Mapping[str, float | None]
) -> list[dict[str, Any]]:
    """Return for each parameter its norm, its gradient's norm and its update ratio, None where unknown."""
    return [
        {
            "name": name,
            "weight_norm": number(_norm(parameter)),
            "gradient_norm": number(gradients[name]),
            "update_ratio": updates.get(name),
        }
        for name, parameter in trained_parameters(model).items()
    ]


def number(value: float) -> float | None:
    """Return a figure as JSON can hold it: rounded to what it is worth, None where it is not finite."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}") if math.isfinite(value) else None


class LagSums:
    """Adds up the norms of a stack's gradients by layer, direction and lag."""

    def __init__(self, stack: RecurrentStack) -> None:
        self.spec = stack.spec
        nothing = torch.zeros(0, dtype=torch.float64)
        places = [(layer, each) for layer in range(self.spec.num_layers) for each in self._directions()]
        self.norms = dict.fromkeys(places, nothing)
        self.counts = dict.fromkeys(places, nothing)

    def add(self, direction: Literal["forward", "reverse"], layer: int, gradient: Sequences) -> None:
        """Take dLoss/dh of one layer, (rows, directions * hidden_size); only `direction` of it counts."""
        if direction not in self._directions():
            return
        layout = gradient.layout
        mine = gradient.data.detach().chunk(self.spec.directions, dim=-1)[DIRECTIONS.index(direction)]
        norms = torch.linalg.vector_norm(mine, dim=-1, dtype=torch.float64).cpu()
        times = layout.times.cpu()
        lags = times if direction == "reverse" else layout.lengths[layout.items.cpu()] - 1 - times
        place = (layer, direction)
        self.norms[place] = _added(self.norms[place], torch.bincount(lags, weights=norms))
        self.counts[place] = _added(self.counts[place], torch.bincount(lags).double())

    def entries(self, max_lag: int | None) -> Iterator[dict[str, Any]]:
        """Yield one entry per layer and direction."""
        stop = None if max_lag is None else max_lag + 1
        for (layer, direction), norms in self.norms.items():
            counts = self.counts[layer, direction]
            yield {
                "layer": layer,
                "direction": direction,
                "norms": [number(each) for each in (norms / counts)[:stop].tolist()],
                "sequences": [int(each) for each in counts[:stop].tolist()],
            }

    def _directions(self) -> tuple[Literal["forward", "reverse"], ...]:
        return DIRECTIONS[: self.spec.directions]


@contextmanager
def undisturbed(model: SequenceModel) -> Iterator[None]:
    """Compute in evaluation mode; modes and random generators are afterwards what they were."""
    modes = {module: module.training for module in model.modules()}
    generators = rng_state()
    model.eval()
    try:
        # cuDNN has no backward pass in evaluation mode.
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        restore_rng(generators)


@contextmanager
def tapped(stacks: Mapping[str, RecurrentStack], taps: Mapping[str, Any]) -> Iterator[None]:
    """Let each stack tell its tap the gradients of its states."""
    before = {name: stack.tap for name, stack in stacks.items()}
    try:
        for name, stack in stacks.items():
            stack.tap = taps[name]
        yield
    finally:
        for name, stack in stacks.items():
            stack.tap = before[name]


def _end_loss(model: SequenceModel, batch: Batch, direction: Literal["forward", "reverse"]) -> Tensor:
    """Return the summed loss at each sequence's last step in this direction, or the whole one of a head."""
    states, _ = model.encode(batch.features)
    loss = torch.zeros((), device=states.data.device)
    for name, head in model.named_heads():
        target = batch.targets[name]
        if torch.equal(target.lengths, states.lengths):
            loss = loss + head.loss(_end(states, direction), _end(target, direction))
        else:
            loss = loss + head.loss(states, target)
    return loss


def _end(sequences: Sequences, direction: Literal["forward", "reverse"]) -> Sequences:
    """Return one row a sequence: the last one, in reverse the first; empty sequences stay empty."""
    lengths = sequences.lengths
    rows = lengths.cumsum(0) - (1 if direction == "forward" else lengths)
    places = rows[lengths > 0].to(sequences.data.device)
    return Sequences.from_flat(sequences.to_flat()[places], lengths.clamp(max=1))


def _gradients(model: SequenceModel, loss: Tensor) -> tuple[Tensor | None, ...]:
    # Not loss.backward(): the parameters' own gradients belong to the training.
    return torch.autograd.grad(loss, list(trained_parameters(model).values()), allow_unused=True)


def _added(left: Tensor, right: Tensor) -> Tensor:
    """Add two vectors, the shorter one as if it went on with zeros."""
    size = max(len(left), len(right))
    return nn.functional.pad(left, (0, size - len(left))) + nn.functional.pad(right, (0, size - len(right)))


def _norm(tensor: Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor.detach(), dtype=torch.float64))

"""One layer of the packed kernel on drawn numbers, and the same by the float64 reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from recurrent_cases import Answers
from torch import Tensor

from seqlab.engine import CellKind, Sequences
from seqlab.engine.recurrent import reference
from seqlab.engine.recurrent.bptt import PackedPass, run_packed
from seqlab.engine.recurrent.cells import LayerWeights, Parts
from seqlab.engine.recurrent.kernels import CELLS
from seqlab.engine.sequences import Layout

GATES: dict[CellKind, int] = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru": 3}


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer and a batch for it, drawn from `seed`; `lengths` are at least 1, the longest first."""

    cell: CellKind
    lengths: tuple[int, ...] = (6, 4, 4, 1)
    hidden: int = 3
    projected: int = 0
    directions: int = 2
    masked: bool = False
    checkpoint_every: int | None = None
    seed: int = 0

    def __str__(self) -> str:
        parts = [self.cell, f"proj{self.projected}" * bool(self.projected), "masked" * self.masked]
        return "-".join([*filter(None, parts), f"{self.directions}dir"])

    @cached_property
    def layout(self) -> Layout:
        return Layout.of(self.lengths)

    @cached_property
    def parameters(self) -> list[reference.Weights]:
        """The weights of each direction."""
        size, width = self.projected or self.hidden, GATES[self.cell] * self.hidden
        return [
            reference.Weights(
                weight_ih=self._draw(direction, "ih", width, 2),
                weight_hh=self._draw(direction, "hh", width, size) * size**-0.5,
                bias_ih=self._draw(direction, "bi", width),
                bias_hh=self._draw(direction, "bh", width),
                weight_hr=self._draw(direction, "hr", size, self.hidden) if self.projected else None,
            )
            for direction in range(self.directions)
        ]

    @cached_property
    def inputs(self) -> Tensor:
        return self._draw(0, "inputs", self.layout.total, 2)

    @cached_property
    def state(self) -> Parts:
        return self._parts("state")

    @cached_property
    def mask(self) -> Tensor | None:
        """Entries that are no powers of two, and zeros."""
        return self.state[0].cos().mul(1.7).relu() if self.masked else None

    @cached_property
    def d_output(self) -> Tensor:
        return self._draw(0, "output", self.layout.total, self.directions * (self.projected or self.hidden))

    @cached_property
    def d_final(self) -> Parts:
        return self._parts("final")

    def how(self, tap: Callable[[Tensor], None] | None = None) -> PackedPass:
        return PackedPass(
            cell=CELLS[self.cell],
            steps=self.layout.steps,
            reverse=self.layout.reverse if self.directions == 2 else None,
            checkpoint_every=self.checkpoint_every,
            products=torch.float64,
            tap=tap,
        )

    def leaves(self) -> dict[str, Tensor]:
        """What gradients are taken of: the inputs, each direction's weights and the initial state."""
        named = {
            f"{name} {direction}": each
            for direction in range(self.directions)
            for name, each in self._weights(direction)._asdict().items()
            if each is not None
        }
        named |= {"inputs": self.inputs} | {f"state {n}": part for n, part in enumerate(self.state)}
        return {name: each.detach().clone().requires_grad_() for name, each in named.items()}

    def run(
        self, leaves: dict[str, Tensor], tap: Callable[[Tensor], None] | None = None
    ) -> tuple[Tensor, Parts]:
        state = tuple(leaves[f"state {number}"] for number in range(len(self.state)))
        output, final = run_packed(self.how(tap), leaves["inputs"], self.weights(leaves), state, self.mask)
        assert output is not None
        return output, final

    def weights(self, leaves: dict[str, Tensor]) -> list[LayerWeights]:
        """Return each direction's weights among the leaves."""
        return [
            LayerWeights(
                **{
                    name: leaves[key]
                    for name in LayerWeights._fields
                    if (key := f"{name} {direction}") in leaves
                }
            )
            for direction in range(self.directions)
        ]

    def _weights(self, direction: int) -> LayerWeights:
        """The weights as the kernel wants them: a GRU's new gate keeps its hidden bias to itself."""
        inside = self.hidden if self.cell == "gru" else 0
        mine = self.parameters[direction]
        outside = mine.bias_hh.clone()
        if inside:
            outside[-inside:] = 0
        return LayerWeights(
            input=mine.weight_ih,
            hidden=mine.weight_hh,
            bias=mine.bias_ih + outside,
            hidden_bias=mine.bias_hh[-inside:] if inside else None,
            projection=mine.weight_hr,
        )

    def _parts(self, purpose: str) -> Parts:
        sizes = [self.projected or self.hidden] + [self.hidden] * (self.cell == "lstm")
        return tuple(
            self._draw(number, purpose, self.directions, len(self.lengths), size)
            for number, size in enumerate(sizes)
        )

    def _draw(self, number: int, purpose: str, *shape: int) -> Tensor:
        seed = self.seed + 10 * number + sum(ord(letter) << 8 * at for at, letter in enumerate(purpose[:4]))
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_kernel(layer: Layer) -> Answers:
    """Return outputs, final states, all gradients and what the tap was given."""
    leaves = layer.leaves()
    seen: list[Tensor] = []
    output, final = layer.run(leaves, seen.append)
    grads = torch.autograd.grad([output, *final], list(leaves.values()), [layer.d_output, *layer.d_final])
    (hidden,) = seen
    found = {"output": output.detach(), "tap": hidden}
    found |= {f"final {number}": part.detach() for number, part in enumerate(final)}
    return found | {f"gradient of {name}": grad for name, grad in zip(leaves, grads, strict=True)}


def by_reference(layer: Layer) -> Answers:
    """Return what `by_kernel` returns, from one sequence and direction at a time."""
    outputs, taps = [], []
    inputs = torch.zeros_like(layer.inputs)
    parts = {
        f"{what} {n}": torch.zeros_like(part)
        for what in ("final", "gradient of state")
        for n, part in enumerate(layer.state)
    }
    found_of_weights: Answers = {}
    for direction, weights in enumerate(layer.parameters):
        total = weights.zeros()
        rows, hidden = [], []
        for number in range(len(layer.lengths)):
            trace, grads = _one(layer, weights, direction, number)
            mine = (layer.layout.items == number).nonzero().flatten()
            inputs[mine] += _turned(grads.inputs, direction)
            rows.append(_turned(trace.outputs, direction))
            hidden.append(_turned(grads.hidden, direction))
            for n, (part, grad) in enumerate(zip(trace.final, grads.state, strict=True)):
                parts[f"final {n}"][direction, number] = part
                parts[f"gradient of state {n}"][direction, number] = grad
            _add(total, grads.weights)
        outputs.append(Sequences.from_list(rows).data)
        taps.append(Sequences.from_list(hidden).data)
        found_of_weights |= {f"{name} {direction}": each for name, each in _kernels(layer, total).items()}
    found = {"output": torch.cat(outputs, dim=1), "tap": torch.cat(taps, dim=1), "gradient of inputs": inputs}
    return found | parts | found_of_weights


def _one(
    layer: Layer, weights: reference.Weights, direction: int, number: int
) -> tuple[reference.Trace, reference.Gradients]:
    rows = (layer.layout.items == number).nonzero().flatten()
    size = layer.projected or layer.hidden
    d_output = layer.d_output[rows, direction * size : (direction + 1) * size]
    trace = reference.forward(
        layer.cell,
        weights,
        _turned(layer.inputs[rows], direction),
        tuple(part[direction, number] for part in layer.state),
        None if layer.mask is None else layer.mask[direction, number],
    )
    d_final = tuple(part[direction, number] for part in layer.d_final)
    return trace, reference.backward(trace, _turned(d_output, direction), d_final)


def _turned(rows: Tensor, direction: int) -> Tensor:
    return rows.flip(0) if direction else rows


def _add(total: reference.Weights, more: reference.Weights) -> None:
    for name, value in vars(more).items():
        if value is not None:
            getattr(total, name).add_(value)


def _kernels(layer: Layer, total: reference.Weights) -> Answers:
    """Name the gradients of one direction's weights as the kernel's."""
    found = {"input": total.weight_ih, "hidden": total.weight_hh, "bias": total.bias_ih}
    if layer.cell == "gru":
        found["hidden_bias"] = total.bias_hh[-layer.hidden :]
    if total.weight_hr is not None:
        found["projection"] = total.weight_hr
    return {f"gradient of {name}": value for name, value in found.items()}

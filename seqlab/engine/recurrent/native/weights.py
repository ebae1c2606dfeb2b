"""A layer's weights as the native loops want them: whole blocks, contiguous, the recurrent ones in panels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from seqlab.engine.recurrent.cells import LayerWeights, Parts
from seqlab.engine.recurrent.native.library import Library, Pass, pointers
from seqlab.engine.recurrent.spec import CellKind

__all__ = ["CELLS", "Prepared", "address", "held_prepared", "let_go", "padded"]

CELLS: dict[CellKind, int] = {"lstm": 0, "gru": 1, "rnn_tanh": 2, "rnn_relu": 3}
GATES: dict[CellKind, int] = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


HELD = "_seqlab_held"
"""The attribute of a layer that holds its `Held`."""


class Prepared:
    """The weights of each direction of a layer, every gate padded to whole blocks by zeros.

    Padded units have weights and biases of 0, and the loops keep their h at 0. `hidden` and `output` are the
    padded sizes; `sizes` are the layer's own. An `input_size` says that rows are padded to it by zeros;
    `halves`, that all weights are bf16 numbers, whose panels hold two in a word.
    """

    def __init__(
        self,
        cell: CellKind,
        weights: Sequence[LayerWeights],
        library: Library,
        *,
        input_size: int | None = None,
        halves: bool = False,
    ) -> None:
        self.library = library
        self.halves = halves
        self.gates = GATES[cell]
        first = weights[0]
        self.input_size = input_size or first.input.shape[1]
        self.sizes = (first.hidden.shape[0] // self.gates, first.hidden.shape[1])
        self.hidden, self.output = (-(-size // library.block) * library.block for size in self.sizes)
        self.each = [self._laid_out(each) for each in weights]
        self.bias = torch.stack([each.bias for each in self.each])
        biases = [each.hidden_bias for each in self.each if each.hidden_bias is not None]
        self.hidden_bias = torch.stack(biases) if biases else None
        self.packed: list[list[Tensor]] | None = None

    @property
    def projects(self) -> bool:
        """Whether h is projected."""
        return self.each[0].projection is not None

    def describe(self, how: Pass) -> None:
        """Tell a pass of the weights and give it room for their panels, packed or not."""
        how.units, how.hidden, how.output = self.sizes[0], self.hidden, self.output
        how.bias, how.hidden_bias = self.bias.data_ptr(), address(self.hidden_bias)
        weights = (
            [each.input for each in self.each],
            [each.hidden for each in self.each],
            [each.projection for each in self.each if each.projection is not None],
        )
        how.input = self.input_size
        how.input_weights, how.weights, how.projection = map(pointers, weights)
        how.packed, how.halves = int(self.packed is not None), int(self.halves)
        panels = self.packed or [[self._room(each) for each in kind] for kind in weights]
        how.input_panels, how.panels, how.projection_panels = map(pointers, panels)
        how.keeps = panels  # for as long as the pass

    def pack(self, cell: CellKind) -> None:
        """Pack the panels once, for weights that are used again and again."""
        how = Pass(cell=CELLS[cell], directions=len(self.each))
        self.describe(how)
        self.library.pack(how)
        self.packed = how.keeps

    def cut_states(self, parts: Sequence[Tensor]) -> Parts:
        """Return the parts of a state without what pads them."""
        return tuple(_cut(part, size) for part, size in zip(parts, reversed(self.sizes), strict=False))

    def cut_outputs(self, outputs: Tensor) -> Tensor:
        """Return rows of outputs without what pads each direction."""
        if self.output == self.sizes[1]:
            return outputs
        directions = outputs.view(len(outputs), -1, self.output).unbind(1)
        return torch.cat([_cut(each, self.sizes[1]) for each in directions], dim=1)

    def pad_outputs(self, rows: Tensor) -> Tensor:
        """Undo `cut_outputs`."""
        if self.output == self.sizes[1]:
            return rows.contiguous()
        return padded(rows.reshape(len(rows), -1, self.sizes[1]), self.output).flatten(1)

    def cut_gates(self, grads: Tensor) -> Tensor:
        """Return what is laid out gate by gate without what pads each gate."""
        if self.hidden == self.sizes[0]:
            return grads
        return grads.view(self.gates, self.hidden, *grads.shape[1:])[:, : self.sizes[0]].flatten(0, 1)

    def _room(self, weight: Tensor) -> Tensor:
        """Return room for the panels of a weight, (columns, depth)."""
        if not self.halves:
            return torch.empty_like(weight)
        return weight.new_empty(len(weight), -(-weight.shape[1] // 2), dtype=torch.int32)

    def _laid_out(self, weights: LayerWeights) -> LayerWeights:
        projection = weights.projection
        return LayerWeights(
            padded(self._by_gates(weights.input), self.input_size),
            padded(self._by_gates(weights.hidden), self.output),
            self._by_gates(weights.bias),
            None if weights.hidden_bias is None else padded(weights.hidden_bias, self.hidden),
            None if projection is None else padded(padded(projection, self.output, dim=0), self.hidden),
        )

    def _by_gates(self, weight: Tensor) -> Tensor:
        if self.hidden == self.sizes[0]:
            return weight.contiguous()
        parts = weight.view(self.gates, self.sizes[0], *weight.shape[1:])
        return padded(parts, self.hidden, dim=1).flatten(0, 1)


class Held:
    """What a layer in prediction has prepared, and of which weights; it is not copied with the layer.

    The weights are kept as they were, so that no other ones can come to lie at the same address.
    """

    def __init__(self, of: Sequence[Tensor] = (), prepared: Prepared | None = None) -> None:
        self.of = [(each.detach(), each._version, _sample(each)) for each in of]
        self.prepared = prepared

    def is_of(self, weights: Sequence[Tensor]) -> bool:
        """Tell whether these are the weights, unchanged."""
        if len(self.of) != len(weights):
            return False
        pairs = zip(self.of, weights, strict=True)
        return all(
            kept.data_ptr() == each.data_ptr()
            and version == each._version
            and torch.equal(sample, _sample(each))
            for (kept, version, sample), each in pairs
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return type(self)()

    def __reduce__(self) -> tuple[type[Self], tuple[()]]:
        return type(self), ()


def _sample(weight: Tensor) -> Tensor:
    """Return some of the values: what is changed through `.data` has no new version."""
    flat = weight.detach().flatten()
    return flat[:: max(1, len(flat) // 16)].clone()


def held_prepared(
    layer: nn.RNNBase, cell: CellKind, weights: Callable[[], Sequence[LayerWeights]], library: Library
) -> Prepared:
    """Return a layer's prepared weights with their panels: those of before while the layer has the same."""
    parameters = list(layer.parameters())
    # What has no version, or is worked out of something else, may change unseen.
    names = {name for name, _ in layer.named_parameters()}
    plain = names == set(chain.from_iterable(layer._all_weights)) and not parametrize.is_parametrized(layer)
    if not plain or any(each.is_inference() for each in parameters):
        return Prepared(cell, weights(), library)
    # Threads may share the layer: what is held is replaced as a whole, never changed.
    held: Held = layer.__dict__.get(HELD, Held())
    if held.prepared is not None and held.is_of(parameters):
        return held.prepared
    made = Prepared(cell, weights(), library)
    # A fused optimizer changes weights without a new version; it needs gradients, and these a pass that
    # lets go.
    if all(each.grad is None for each in parameters):
        made.pack(cell)
        layer.__dict__[HELD] = Held(parameters, made)
    return made


def let_go(layer: nn.Module) -> None:
    """Forget what is held of a layer: its weights are about to change."""
    layer.__dict__.pop(HELD, None)


def address(tensor: Tensor | None) -> int | None:
    """Return where the values of a tensor begin."""
    return None if tensor is None else tensor.data_ptr()


def _cut(tensor: Tensor, size: int) -> Tensor:
    """Return the first entries of the last dimension; no view, which torch lets nobody change in place."""
    return tensor if tensor.shape[-1] == size else tensor[..., :size].clone()


def padded(tensor: Tensor, size: int, *, dim: int = -1) -> Tensor:
    """Return a tensor with zeros up to a size of one dimension, contiguous."""
    missing = size - tensor.shape[dim]
    if not missing:
        return tensor.contiguous()
    after = tensor.dim() - 1 - (dim % tensor.dim())
    return functional.pad(tensor, (0, 0) * after + (0, missing))

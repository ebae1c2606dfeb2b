"""Steps of a stack by the native loops: everything is laid out once, a step is one call for each layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seqlab.engine.recurrent.cells import weights_of
from seqlab.engine.recurrent.native.library import Library, Pass
from seqlab.engine.recurrent.native.weights import CELLS, Prepared, address
from seqlab.engine.recurrent.spec import RecurrentSpec
from seqlab.engine.state import State

__all__ = ["NativeSteps"]


class NativeSteps:
    """A stack that reads forwards, and the states and buffers of its layers.

    `halves` says that the weights of the products are bf16 numbers.
    """

    def __init__(
        self,
        layers: Sequence[nn.RNNBase],
        spec: RecurrentSpec,
        sequences: int,
        library: Library,
        *,
        halves: bool,
    ) -> None:
        self.library = library
        self.spec = spec
        self.sizes = torch.tensor([sequences], dtype=torch.int64, device="cpu")
        self.layers: list[_LayerSteps] = []
        for layer in layers:  # each reads what the one before has padded
            reads = self.layers[-1].ready.output if self.layers else None
            with torch.no_grad():
                ready = Prepared(spec.cell, weights_of(layer, spec), library, input_size=reads, halves=halves)
                ready.pack(spec.cell)
            self.layers.append(_LayerSteps(ready, spec, self.sizes))
        self.first = self.layers[0].described
        for before, after in zip(self.layers, self.layers[1:], strict=False):
            after.described.inputs = before.outputs.data_ptr()

    def __call__(self, rows: Tensor) -> Tensor:
        """Take a step; the output is a tensor of its own."""
        rows = rows.contiguous()
        self.first.inputs = rows.data_ptr()
        for each in self.layers:
            self.library.forward(each.described)
        outputs, size = self.layers[-1].outputs, self.spec.hidden_size
        return outputs.clone() if outputs.shape[1] == size else outputs[:, :size].clone()

    @property
    def state(self) -> State:
        """The state, (sequences, num_layers, size); not a copy."""
        parts = zip(*(each.state for each in self.layers), strict=True)
        size = self.spec.hidden_size
        return tuple(torch.stack([part[:, :size] for part in each], dim=1) for each in parts)

    @state.setter
    def state(self, state: State) -> None:
        for number, layer in enumerate(self.layers):
            for own, part in zip(layer.state, state, strict=True):
                own[:, : self.spec.hidden_size] = part[:, number]


class _LayerSteps:
    """One layer: a pass of a single step that goes from its state to its state."""

    def __init__(self, ready: Prepared, spec: RecurrentSpec, sizes: Tensor) -> None:
        self.ready = ready
        count = int(sizes[0])
        # Neither the defaults of torch nor inference mode may decide what these are.
        with torch.inference_mode(mode=False):
            new = torch.zeros(0, dtype=torch.float32, device="cpu").new_zeros
            self.state = [new(count, self.ready.hidden) for _ in spec.state_sizes]
            self.outputs = new(count, self.ready.output)
            self.gates = new(count, self.ready.gates * self.ready.hidden)
        h, c = (*map(address, self.state), None)[:2]
        self.described = Pass(
            cell=CELLS[spec.cell],
            steps=1,
            rows=count,
            sequences=count,
            directions=1,
            threads=1,
            sizes=sizes.data_ptr(),
            gate_rows=count,
            first_h=h,
            first_c=c,
            final_h=h,
            final_c=c,
            outputs=self.outputs.data_ptr(),
            gates=self.gates.data_ptr(),
        )
        self.ready.describe(self.described)

"""The recurrent encoder: dropout, a recurrent stack, dropout."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from seqlab.engine import RecurrentSpec, RecurrentStack, SequenceDropout, Sequences, State, both_ends

__all__ = ["RecurrentEncoder"]


class RecurrentEncoder(nn.Module):
    """Sequences of features to sequences of states, step by step; lengths stay as they are."""

    def __init__(self, spec: RecurrentSpec, *, input_dropout: float, output_dropout: float) -> None:
        super().__init__()
        self.output_size = spec.output_size
        self.before = SequenceDropout(input_dropout, locked=spec.locked)
        self.stack = RecurrentStack(spec)
        self.carries_state = self.stack.carries_state
        self.state_parts = self.stack.state_parts
        self.after = SequenceDropout(output_dropout, locked=spec.locked)

    def forward(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State]:
        """Map (rows, input_size) to (rows, output_size); the state is the stack's."""
        states, final = self.stack(self.before(inputs), state)
        return self.after(states), final

    def final(self, outputs: Sequences, before: Callable[[], Tensor]) -> Tensor:
        """Return the last state of each direction, (sequences, output_size)."""
        return both_ends(outputs) if self.stack.spec.bidirectional else outputs.final

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Return the lengths unchanged."""
        return lengths

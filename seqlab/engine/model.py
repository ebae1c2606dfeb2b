"""A sequence model: featurizers side by side, one encoder on their concatenation, heads on its states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from seqlab.engine.batching import Batch, Indexed, distinct_rows
from seqlab.engine.calls import BareParts, Calls, HeadCalls, Names, Parts, encoded, featurized, lengths_of
from seqlab.engine.chain import EncoderChain
from seqlab.engine.sequences import RepeatedRows, Sequences
from seqlab.engine.state import State
from seqlab.engine.states import States
from seqlab.errors import ContractError

__all__ = ["FeaturizerModule", "HeadModule", "SequenceModel"]


class FeaturizerModule(Protocol):
    """The trained half of a featurizer, a torch module.

    It may have an attribute `pointwise`; where that is true, a row's features depend on nothing but the row,
    and in prediction equal rows of a batch are given to it once.
    """

    output_size: int

    def __call__(self, column: Sequences | Indexed) -> Sequences:
        """Map a batch of the featurizer's column to features of shape (rows, output_size)."""
        ...


class HeadModule(Protocol):
    """The trained half of a head, a torch module.

    `states` are Sequences of the encoder's rows, (rows, input_size), with `states.final`, (sequences,
    input_size), the summary of each sequence.

    Further methods are used where a module has them:

    - `connect(featurizers)`: is given the modules of the featurizers when the model is made, to share weights
      with one of them (which stay parameters of the featurizer).
    - `answer_given(states, target)`: is called in the place of `answer` where the model reads the target as
      well and the head says so (`target_in_prediction`): a language model says how probable a text is.
    """

    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        """Return by how much a batch's summed loss is to be divided, a scalar tensor.

        `lengths`, on the CPU, says how many states there are of each sequence: where a target needs more, it
        has no loss and does not count.
        """
        ...

    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        """Return the summed loss of a batch, a scalar tensor in fp32."""
        ...

    def answer(self, states: Sequences) -> Any:
        """Return whatever the head makes answers of: tensors, one row or item for each sequence or state."""
        ...


def _needs_nothing(_featurizers: Sequence[nn.Module]) -> None:
    """Stand in for the method of a head that shares no weights."""


class SequenceModel(nn.Module):
    """Featurizer modules, an encoder from their concatenation to states, and named head modules.

    `parts` answers for them where one fails, or returns what it must not (ContractError). Where a method is
    given `names`, they say which examples it was called for.
    """

    def __init__(
        self,
        featurizers: Sequence[nn.Module],
        encoder: nn.Module,
        heads: Mapping[str, nn.Module],
        parts: Parts | None = None,
    ) -> None:
        super().__init__()
        self.parts = parts or BareParts()
        self.featurizers = nn.ModuleList(featurizers)
        self.pointwise = all(getattr(featurizer, "pointwise", False) for featurizer in featurizers)
        self.encoder = encoder
        self.head_names = tuple(heads)
        self.heads = nn.ModuleList(heads.values())
        calls = Calls(self.parts)
        for number, head in enumerate(self.heads):
            with calls(f"heads.{number}", "connect"):
                getattr(head, "connect", _needs_nothing)(list(self.featurizers))

    def encode(
        self, features: Sequence[Sequences | Indexed], state: State | None = None, names: Names = tuple
    ) -> tuple[States, State | None]:
        """Return the encoder's states for a batch of feature columns, and the state after the last rows."""
        calls = Calls(self.parts, names)
        inputs = self._inputs(features, calls)
        if isinstance(self.encoder, EncoderChain):  # each of its encoders is called by itself
            chained: tuple[States, State | None] = self.encoder(inputs, state, calls)
            return chained
        return encoded(self.encoder, inputs, state, calls, "encoder")

    def output_lengths(self, lengths: Tensor, names: Names = tuple) -> Tensor:
        """Return how many states the encoder makes of sequences of these lengths."""
        calls = Calls(self.parts, names)
        if isinstance(self.encoder, EncoderChain):
            return self.encoder.output_lengths(lengths, calls)
        with calls("encoder", "output_lengths"):
            return lengths_of(self.encoder, lengths)

    def _inputs(self, features: Sequence[Sequences | Indexed], calls: Calls) -> Sequences:
        """Return all features side by side; in prediction each distinct row's are made once."""
        layout = features[0].layout
        predicting = not self.training and not torch.is_grad_enabled()
        # To count the distinct rows, a GPU would have to be waited for.
        shared = predicting and self.pointwise and layout.device.type == "cpu" and distinct_rows(features)
        if not shared:
            return self._featurized(features, calls)
        table = self._featurized(shared[0], calls).data
        return RepeatedRows(table, Sequences(shared[1], layout))

    def _featurized(self, features: Sequence[Sequences | Indexed], calls: Calls) -> Sequences:
        parts = []
        for number, (featurizer, column) in enumerate(zip(self.featurizers, features, strict=True)):
            with calls(f"featurizers.{number}", "forward"):
                parts.append(featurized(featurizer, column))
        if len(parts) == 1:
            return parts[0]
        return parts[0].with_data(torch.cat([part.data for part in parts], dim=-1))

    def counts(self, batch: Batch) -> dict[str, Tensor]:
        """Return by how much each head's summed loss over the batch is to be divided."""
        heads = self.head_calls(batch.names)
        lengths = self.output_lengths(batch.features[0].layout.lengths, batch.names)
        return {name: head.count(batch.targets[name], lengths) for name, head in heads.items()}

    def losses(self, batch: Batch, state: State | None = None) -> tuple[dict[str, Tensor], State | None]:
        """Return each head's summed loss over the batch, and the encoder's state after it."""
        states, state = self.encode(batch.features, state, batch.names)
        heads = self.head_calls(batch.names)
        losses = {name: head.loss(states, batch.targets[name]) for name, head in heads.items()}
        if self.training and not any(loss.requires_grad for loss in losses.values()):
            self._refuse_detached(states, Calls(self.parts, batch.names))
        return losses, state

    def _refuse_detached(self, states: Sequences, calls: Calls) -> None:
        """Raise ContractError for the part that detached what nothing can be learned from any more."""
        if not torch.is_grad_enabled():
            with calls("", "forward"):
                raise ContractError("left gradients switched off, as torch.set_grad_enabled(False) does")
        learning = [path for path, part in self._paths() if any(p.requires_grad for p in part.parameters())]
        if not learning:
            with calls("", "loss"):
                raise ContractError("has no gradient: no part of the model has a parameter that takes one")
        # A head's own parameters are in its loss, those of an encoder in its states.
        own = [path for path in learning if path.startswith("heads.")]
        if own or states.data.requires_grad:
            with calls(own[0] if own else "heads.0", "loss"):
                raise ContractError(
                    "returned a number without a gradient: it, or what it is made of, is detached"
                )
        with calls(learning[-1], "forward"):
            raise ContractError("returned what has no gradient: it, or what is made of it, is detached")

    def _paths(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield the parts in the order of their calls, each with its path."""
        chain = self.encoder if isinstance(self.encoder, EncoderChain) else None
        encoders = chain.encoders.named_children() if chain else ()
        yield from ((f"featurizers.{name}", part) for name, part in self.featurizers.named_children())
        yield from ((f"encoder.encoders.{name}", part) for name, part in encoders)
        yield from (() if chain else (("encoder", self.encoder),))
        yield from ((f"heads.{name}", part) for name, part in self.heads.named_children())

    def head_calls(self, names: Names) -> dict[str, HeadCalls]:
        """Return the calls of each head for the examples of these names."""
        calls = Calls(self.parts, names)
        return {
            name: HeadCalls(head, f"heads.{number}", calls)
            for number, (name, head) in enumerate(self.named_heads())
        }

    def named_heads(self) -> Iterator[tuple[str, HeadModule]]:
        """Yield each head with its name."""
        heads = cast("Iterator[HeadModule]", iter(self.heads))  # nn.ModuleList knows nn.Module only
        return zip(self.head_names, heads, strict=True)

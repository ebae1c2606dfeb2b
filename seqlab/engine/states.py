"""The states that an encoder makes of a batch, as heads see them: rows, and a summary of each sequence."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from seqlab.engine.sequences import Sequences
from seqlab.errors import ContractError
from seqlab.suggest import shown

__all__ = ["States", "both_ends"]

Calling: TypeAlias = AbstractContextManager[None]
"""The block in which a method of an encoder is called."""


class States(Sequences):
    """An encoder's rows, of shape (rows, output_size); `final`, (sequences, output_size), is its summary.

    By default that is the last row of each sequence. An encoder that knows better, since it reads backwards
    too or works row by row, has a method `final(outputs, before)` that returns it: of its rows, and of a
    function that returns the summary of what it has read. It is worked out when a head asks for it.
    """

    rows: Sequences
    summary: Callable[[], Tensor]

    def __init__(self, rows: Sequences, summary: Callable[[], Tensor]) -> None:
        # The class is frozen, and `data` may be made only when it is asked for.
        vars(self).update(rows=rows, layout=rows.layout, summary=summary)

    @classmethod
    def of(
        cls, encoder: nn.Module, rows: Sequences, before: Sequences, calling: Callable[[], Calling]
    ) -> States:
        """Return what an encoder has made of the rows `before`.

        Its method `final` is called in the block that `calling` makes; ContractError where it returns none.
        """
        final: Callable[..., Any] | None = getattr(encoder, "final", None)
        if final is None:
            return cls(rows, lambda: rows.final)

        def summary() -> Tensor:
            with calling():
                return _checked(final(rows, lambda: before.final), rows)

        return cls(rows, summary)

    @cached_property
    def data(self) -> Tensor:
        """The rows, shape (rows, output_size)."""
        return self.rows.data

    @property
    def distinct(self) -> Tensor:
        """The rows, or a table of those that there are."""
        return self.rows.distinct

    @cached_property
    def final(self) -> Tensor:
        """The summary of each sequence in the caller's order, (sequences, output_size)."""
        return self.summary()


def _checked(found: Any, rows: Sequences) -> Tensor:
    """Return a summary where it is as large as the rows, one for each sequence."""
    if not isinstance(found, Tensor):
        raise ContractError(f"returned {shown(found)} where a tensor is expected")
    wanted = (len(rows), rows.distinct.shape[1])
    if found.shape != wanted or not found.is_floating_point():
        raise ContractError(f"returned {shown(found)} where floats of shape {wanted} are expected")
    return found


def both_ends(outputs: Sequences) -> Tensor:
    """Return the summary of rows whose second half was read backwards: that half of each first row.

    The first half is that of each last row; (sequences, size), 0 where a sequence is empty.
    """
    data, layout = outputs.data, outputs.layout
    forwards, backwards = data.tensor_split(2, dim=1)
    firsts = backwards[: len(layout.alive)]  # packed: the first step of each, longest first
    ends = torch.cat([forwards[layout.lasts], firsts], dim=1)
    return data.new_zeros(len(outputs), data.shape[1]).index_copy(0, layout.alive, ends)

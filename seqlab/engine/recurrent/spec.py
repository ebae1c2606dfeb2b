"""What a recurrent stack is made of, in torch's terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from seqlab.engine.recurrent.initialisation import RecurrentInit

__all__ = ["CellKind", "Kernel", "RecurrentSpec"]

CellKind = Literal["rnn_tanh", "rnn_relu", "lstm", "gru"]
Kernel = Literal["auto", "native", "packed", "torch"]


@dataclass(frozen=True, kw_only=True)
class RecurrentSpec:
    """The shape of a recurrent stack and how it is run.

    `proj_size` above 0 projects an LSTM's output to so many units (Sak, Senior and Beaufays 2014). `dropout`
    acts between layers, on rows independently or, `locked`, with one mask per sequence; `recurrent_dropout`
    acts on h on its way into the recurrent product, one mask per sequence (Gal and Ghahramani 2016);
    `weight_dropout` on the recurrent weights, one mask per batch (Merity, Keskar and Socher 2017).
    `initial_state` is zeros or learned, one vector per layer and direction. `kernel` is seqlab's loops in C++
    (`native`), its kernel of torch's operations (`packed`), torch's modules (`torch`), or the fastest that
    can do it (`auto`). `checkpoint_every` keeps states only every so many steps for the backward pass, which
    computes the rest anew: less memory, more time. Raises ValueError where an option does not fit the cell or
    the kernel.
    """

    cell: CellKind
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    proj_size: int = 0
    dropout: float = 0.0
    locked: bool = False
    recurrent_dropout: float = 0.0
    weight_dropout: float = 0.0
    initial_state: Literal["zeros", "learned"] = "zeros"
    init: RecurrentInit = RecurrentInit()  # noqa: RUF009 - immutable
    kernel: Kernel = "auto"
    checkpoint_every: int | None = None

    def __post_init__(self) -> None:
        if self.init.forget_bias is not None and self.cell != "lstm":
            raise ValueError(f"forget_bias is for LSTMs: a cell of kind {self.cell!r} has no forget gate")
        if self.proj_size and self.cell != "lstm":
            raise ValueError(f"proj_size is for LSTMs, not for a cell of kind {self.cell!r}")
        for name in ("recurrent_dropout", "weight_dropout"):
            if not 0 <= (value := getattr(self, name)) < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, got {value}")
        if not 0 <= self.proj_size < self.hidden_size:
            raise ValueError(
                f"proj_size must be at least 0 and below hidden_size ({self.hidden_size}),"
                f" got {self.proj_size}"
            )
        if self.checkpoint_every is not None and self.checkpoint_every < 1:
            raise ValueError(f"checkpoint_every must be at least 1, got {self.checkpoint_every}")
        if self.kernel == "native" and self.checkpoint_every is not None:
            raise ValueError("kernel 'native' keeps all states: checkpoint_every needs 'packed' or 'auto'")
        if self.kernel == "torch" and self.only_packed:
            raise ValueError(
                "recurrent_dropout, weight_dropout and checkpoint_every need seqlab's own kernel: kernel must"
                " be 'packed' or 'auto', got 'torch'"
            )

    @property
    def only_packed(self) -> bool:
        """Whether torch's modules cannot do what is asked for."""
        return self.recurrent_dropout + self.weight_dropout > 0 or self.checkpoint_every is not None

    @property
    def directions(self) -> int:
        """1, or 2 when bidirectional."""
        return 2 if self.bidirectional else 1

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """The sizes of a state's parts: h and c for an LSTM, h for the others."""
        hidden = self.proj_size or self.hidden_size
        return (hidden, self.hidden_size) if self.cell == "lstm" else (hidden,)

    @property
    def output_size(self) -> int:
        """The size of an output row: that of h for each direction."""
        return self.state_sizes[0] * self.directions

from __future__ import annotations

from typing import Any

import pytest

from seqlab.engine import RecurrentSpec
from seqlab.engine.recurrent import RecurrentInit

LSTM: dict[str, Any] = {"cell": "lstm", "input_size": 3, "hidden_size": 4}
GRU = LSTM | {"cell": "gru"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (GRU | {"init": RecurrentInit(forget_bias=1.0)}, "forget_bias is for LSTMs: .*'gru'"),
        (GRU | {"proj_size": 2}, "proj_size is for LSTMs, not .*'gru'"),
        (LSTM | {"proj_size": 4}, r"proj_size must be .*below hidden_size \(4\), got 4"),
        (LSTM | {"proj_size": -1}, r"proj_size must be .*below hidden_size \(4\), got -1"),
        (LSTM | {"checkpoint_every": 0}, "checkpoint_every must be at least 1, got 0"),
        (GRU | {"kernel": "torch", "recurrent_dropout": 0.1}, "recurrent_dropout.* kernel must be .*'torch'"),
        (GRU | {"kernel": "torch", "checkpoint_every": 5}, "checkpoint_every.* kernel must be .*'torch'"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RecurrentSpec(**options)


@pytest.mark.parametrize(
    ("options", "state_sizes", "output_size"),
    [
        (GRU, (4,), 4),
        (GRU | {"bidirectional": True}, (4,), 8),
        (LSTM, (4, 4), 4),
        (LSTM | {"proj_size": 3}, (3, 4), 3),
        (LSTM | {"proj_size": 3, "bidirectional": True}, (3, 4), 6),
    ],
)
def test_a_projection_makes_h_smaller_and_leaves_c(
    options: dict[str, Any], state_sizes: tuple[int, ...], output_size: int
) -> None:
    spec = RecurrentSpec(**options)
    assert spec.state_sizes == state_sizes
    assert spec.output_size == output_size

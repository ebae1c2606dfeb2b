from __future__ import annotations

import torch

from seqlab.engine.precision import arithmetic

CPU = torch.device("cpu")


def test_bf16_computes_products_in_bf16_and_leaves_weights_alone() -> None:
    layer = torch.nn.Linear(3, 2)
    with arithmetic("bf16", CPU):
        assert layer(torch.ones(1, 3)).dtype == torch.bfloat16
    assert layer.weight.dtype == torch.float32
    assert not torch.is_autocast_enabled("cpu")


def test_fp32_changes_nothing() -> None:
    with arithmetic("fp32", CPU):
        assert torch.nn.Linear(3, 2)(torch.ones(1, 3)).dtype == torch.float32

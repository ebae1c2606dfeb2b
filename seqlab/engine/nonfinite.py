"""Who made a loss that is not finite: the head of a plugin, where all that it was given is ordinary."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from seqlab.engine.batching import Batch
from seqlab.engine.calls import HeadCalls
from seqlab.engine.model import SequenceModel
from seqlab.errors import ContractError, PluginError, SeqlabError

__all__ = ["blame_heads"]

LARGE = 1e6
"""States or weights beyond this come of a training that diverges, which is no fault of a head."""


@torch.no_grad()
def blame_heads(model: SequenceModel, batches: Sequence[Batch]) -> None:
    """Raise PluginError for a plugin's head whose loss of some batch is not finite by its own doing."""
    for batch in batches:
        states, _ = model.encode(batch.features, names=batch.names)
        if not _ordinary(states.data):
            continue
        for name, head in model.head_calls(batch.names).items():
            target = batch.targets[name]
            for method, found in (
                ("loss", head.loss(states, target)),
                ("count", head.count(target, states.lengths)),
            ):
                if not found.isfinite() and all(map(_ordinary, model.heads.parameters())):
                    _blame(head, method, float(found))


def _blame(head: HeadCalls, method: str, found: float) -> None:
    try:
        with head.calls(head.path, method):
            raise ContractError(f"returned {found}, though states and weights are finite")
    except PluginError:
        raise
    except (ContractError, SeqlabError):  # of a part of seqlab, or of nobody: the step itself is told
        return


def _ordinary(tensor: Tensor) -> bool:
    return bool((tensor.abs() < LARGE).all())

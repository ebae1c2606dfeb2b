"""A plugin's head is named where its loss is not finite by its own doing, and not where training diverges."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch
from toy_models import dataset, model

from seqlab.engine.nonfinite import blame_heads
from seqlab.errors import PluginError


class OfAPlugin:
    """Parts that a plugin answers for."""

    def title(self, path: str) -> str:
        return path

    def fault(self, path: str, method: str, error: BaseException, names: Iterable[str]) -> BaseException:
        return PluginError(f"{path}: {method} {error}; at {', '.join(names)}", plugin="mine")


BATCH = dataset().gather(torch.tensor([1, 3]))


@pytest.mark.parametrize("method", ["loss", "count"])
def test_a_head_that_spoils_what_is_finite_is_named(method: str) -> None:
    subject = model()
    subject.parts = OfAPlugin()
    blame_heads(subject, [BATCH])
    setattr(subject.heads[0], method, lambda *_: torch.tensor(torch.nan))
    with pytest.raises(PluginError) as caught:
        blame_heads(subject, [BATCH])
    told = f"heads.0: {method} returned nan, though states and weights are finite; at toy:1, toy:3"
    assert str(caught.value) == f"plugin 'mine': {told}"


def test_a_head_is_not_named_where_weights_have_run_away() -> None:
    subject = model()
    subject.parts = OfAPlugin()
    with torch.no_grad():
        next(subject.heads.parameters()).fill_(torch.inf)
    blame_heads(subject, [BATCH])


def test_nobody_is_named_where_no_plugin_answers() -> None:
    subject = model()
    setattr(subject.heads[0], "loss", lambda *_: torch.tensor(torch.nan))  # noqa: B010 - for mypy
    blame_heads(subject, [BATCH])

"""Parameters that the gradient of a step does not reach, part by part."""

from __future__ import annotations

from collections import defaultdict

from seqlab.engine.model import SequenceModel
from seqlab.suggest import shortened

__all__ = ["unreached"]


def unreached(model: SequenceModel) -> str:
    """Return which trained parameters have no gradient, those nearest to the loss first; empty if all have.

    To be asked between the backward pass of a step and its end.
    """
    lacking: defaultdict[str, list[str]] = defaultdict(list)
    counts: defaultdict[str, int] = defaultdict(int)
    trained = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    for name, parameter in reversed(trained):
        title = model.parts.title(name)
        counts[title] += 1
        if parameter.grad is None:
            lacking[title].append(name)
    if not lacking:
        return ""
    found = [
        f"{f'all {len(names)}' if len(names) == counts[title] else shortened(names[::-1])} of {title}"
        for title, names in lacking.items()
    ]
    return (
        f"the first step gave some parameters no gradient, so they are not trained: {'; '.join(found)}."
        " They take no part in the loss, or what is computed of them is detached on its way there"
        " (detach, no_grad, numpy); of parameters that are meant to stay, set requires_grad to False"
    )

"""The half of a metric's protocol that is empty where nothing is learned of the training split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from seqlab.api import Example

__all__ = ["LearnsNothing"]


class LearnsNothing:
    """Base of metrics that need the answers and nothing else."""

    def fit(self, examples: Iterable[Example]) -> None:
        """Learn nothing; `examples` stays unread."""

    def state(self) -> dict[str, Any]:
        """Return nothing: nothing is learned."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back nothing."""

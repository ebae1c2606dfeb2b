from __future__ import annotations

from collections.abc import Iterator

from seqlab.api import Example
from seqlab.builtin.core.metrics.learns_nothing import LearnsNothing


def test_nothing_is_read_kept_or_taken_back() -> None:
    def unread() -> Iterator[Example]:
        raise AssertionError("the examples are read")
        yield

    metric = LearnsNothing()
    metric.fit(unread())
    metric.restore({"of": "another version"})
    assert metric.state() == {}
    assert vars(metric) == {}

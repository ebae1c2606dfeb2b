"""The manifest's bounds count what a manifest holds, and are told before a training, not after it."""

from __future__ import annotations

from pathlib import Path

import pytest

import seqlab.manifest
from seqlab import Lab, PackageError
from seqlab.manifest import manifest_bytes
from seqlab.run import RunOptions

BRACKETS = 1 << 20


@pytest.mark.parametrize("text", ["[{" * BRACKETS, '"[' * BRACKETS, "\\[" * BRACKETS, '\\"[' * BRACKETS])
def test_brackets_inside_strings_are_neither_lists_nor_objects(text: str) -> None:
    assert manifest_bytes({"learned": {text: [text]}}, 0)


def test_too_many_lists_between_strings_are_counted() -> None:
    with pytest.raises(PackageError, match="more than 1,048,576 lists and objects; a component has learned"):
        manifest_bytes({"learned": [["\\"]] * BRACKETS}, 0)


def test_what_no_manifest_can_hold_is_told_before_the_training(
    lab: Lab, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seqlab.manifest, "MAX_CONTAINERS", 5)
    with pytest.raises(PackageError, match="more than 5 lists and objects; a component has learned more"):
        lab.run(toy, [], RunOptions(out=tmp_path / "run", device="cpu", threads=1))
    assert list((tmp_path / "run").iterdir()) == []

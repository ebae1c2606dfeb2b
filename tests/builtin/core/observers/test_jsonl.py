from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from toy_models import Saver, dataset, model, scripted, settings, trainer

from seqlab.api import PackageError
from seqlab.builtin.core.observers.jsonl import JsonLines
from seqlab.engine import Observer

TRAIN = settings(epochs=3, batch_items=4, batch_tokens=1000)
STEPS_PER_EPOCH = 3


def watch(path: Path, every_steps: int | None = None) -> JsonLines:
    return JsonLines(path, every_steps=every_steps)


def run(**observers: Observer) -> None:
    trainer(model(), dataset(), TRAIN, observers=observers).fit()


def events(path: Path) -> list[tuple[str, int]]:
    lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()]
    return [(line["event"], line["step"]) for line in lines]


def test_a_line_per_epoch_and_per_so_many_steps(tmp_path: Path) -> None:
    run(quiet=watch(tmp_path / "quiet"), loud=watch(tmp_path / "loud", 2))
    ends = [("epoch", STEPS_PER_EPOCH * number) for number in (1, 2, 3)]
    assert events(tmp_path / "quiet") == ends
    assert events(tmp_path / "loud") == [
        ("step", 2), ends[0], ("step", 4), ("step", 6), ends[1], ("step", 8), ends[2],
    ]  # fmt: skip
    first = json.loads((tmp_path / "loud").read_text().splitlines()[1])
    assert first["epoch"] == 1
    assert set(first) >= {"loss", "lr", "skipped", "dev", "seconds", "tokens_per_second"}


def test_a_resumed_run_drops_what_its_checkpoint_has_not_seen(tmp_path: Path) -> None:
    path, saver = tmp_path / "metrics", Saver(tmp_path)
    run(metrics=watch(path, 1), saver=saver)
    whole = events(path)
    for number in range(len(saver.reasons)):
        resumed = trainer(model(), dataset(), TRAIN, observers={"metrics": watch(path, 1)})
        resumed.restore(*saver.load(number))
        resumed.fit()
        assert events(path) == whole


def test_a_run_that_starts_afresh_starts_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "metrics").write_text("what an interrupted run left\n")
    run(metrics=watch(tmp_path / "metrics"))
    assert len(events(tmp_path / "metrics")) == 3


@pytest.mark.parametrize("left", [None, 5])
def test_a_file_shorter_than_the_checkpoint_knows_is_an_error(tmp_path: Path, left: int | None) -> None:
    path, saver = tmp_path / "metrics", Saver(tmp_path)
    run(metrics=watch(path), saver=saver)
    size = path.stat().st_size
    path.unlink() if left is None else path.write_bytes(path.read_bytes()[:left])
    resumed = trainer(model(), dataset(), TRAIN, observers={"metrics": watch(path)})
    resumed.restore(*saver.load(len(saver.reasons) - 1))
    with pytest.raises(
        PackageError,
        match=f"^{re.escape(str(path))}: has {left or 0} bytes, but the checkpoint knows {size}$",
    ):
        resumed.fit()


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"gone/metrics: cannot be written: No such file or directory$"):
        run(metrics=watch(tmp_path / "gone" / "metrics"))


def test_figures_that_are_not_finite_are_null(tmp_path: Path) -> None:
    data = dataset()
    data.features[0].values[:] = torch.nan
    train = settings(batch_tokens=1000, nonfinite="skip")
    observers = {"metrics": watch(tmp_path / "metrics", 1)}
    _, evaluation = scripted(float("inf"))
    trainer(model(), data, train, observers=observers, evaluation=evaluation).fit()
    lines = (tmp_path / "metrics").read_text().splitlines()
    step, epoch = (json.loads(line, parse_constant=pytest.fail) for line in lines)
    assert (step["loss"], step["gradient_norm"], step["skipped"]) == (None, None, True)
    assert epoch["dev"] == {"score": None}

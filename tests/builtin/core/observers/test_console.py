from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from toy_models import dataset, model, settings, trainer

import seqlab
from seqlab.builtin.core.observers.console import Console
from seqlab.engine import Evaluation, SequenceModel
from seqlab.settings import EarlyStopping

SPEED = re.compile(r"[\d,]+ tokens/s")

ON_A_TERMINAL = """
import sys
from toy_models import dataset, model, settings, trainer
from seqlab.builtin.core.observers.console import Console
from seqlab.engine import Observer
class Fault(Observer):
    def epoch_finished(self, trainer, record):
        if record["epoch"] == 2 and sys.argv[1] == "fault":
            sys.exit("fault")
observers = {"console": Console(bar=sys.argv[1] != "plain"), "fault": Fault()}
trainer(model(), dataset(), settings(epochs=2), observers=observers).fit()
"""


def scripted(*values: float) -> Evaluation:
    scores: Iterator[float] = iter(values)

    def judge(subject: SequenceModel) -> Mapping[str, float]:
        return {"loss": 0.25, "score": next(scores)}

    return Evaluation(judge=judge, monitor="score")


def test_elsewhere_than_on_a_terminal_it_prints_a_line_per_epoch(capfd: pytest.CaptureFixture[str]) -> None:
    subject = model()
    train = settings(epochs=4, early_stopping=EarlyStopping(patience=1))
    observers = {"console": Console()}
    made = trainer(subject, dataset(), train, observers=observers, evaluation=scripted(0.5, 0.75, 0.5))
    made.fit()
    printed, told = capfd.readouterr()
    assert printed == "", "standard output belongs to the answers"
    lines = SPEED.sub("N tokens/s", told).splitlines()
    losses = [re.findall(r"loss (\d\.\d{4})", line)[0] for line in lines[1:4]]
    size = sum(parameter.numel() for parameter in subject.parameters())
    assert lines == [
        f"training: 10 sequences, 38 rows, {size} parameters, {made.steps_per_epoch} steps an epoch, on cpu",
        f"epoch 1/4  loss {losses[0]}  dev loss 0.2500  dev score 0.5000  best so far  N tokens/s",
        f"epoch 2/4  loss {losses[1]}  dev loss 0.2500  dev score 0.7500  best so far  N tokens/s",
        f"epoch 3/4  loss {losses[2]}  dev loss 0.2500  dev score 0.5000  N tokens/s",
        "stopped early after epoch 3",
    ]


def test_without_an_evaluation_it_prints_the_loss_alone(capfd: pytest.CaptureFixture[str]) -> None:
    data = dataset()
    data.features[0].values[-1] = float("nan")
    train = settings(nonfinite="skip", batch_items=1)
    trainer(model(), data, train, observers={"console": Console()}).fit()
    last = SPEED.sub("N tokens/s", capfd.readouterr().err).splitlines()[-1]
    assert re.fullmatch(r"epoch 1/1  loss \d\.\d{4}  N tokens/s  1 steps skipped", last)


def on_a_terminal(mode: str) -> str:
    """What the observer writes to a terminal."""
    ours, theirs = pty.openpty()
    path = os.pathsep.join([str(Path(seqlab.__file__).parents[1]), str(Path(__file__).parents[3])])
    with subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, mode],
        stderr=theirs,
        env=os.environ | {"PYTHONPATH": path, "TERM": "xterm", "COLUMNS": "100"},
    ) as process:
        os.close(theirs)
        told = b""
        try:
            while piece := os.read(ours, 4096):
                told += piece
        except OSError:  # Linux reports the other end's closing as an input/output error
            pass
    os.close(ours)
    assert process.returncode == (1 if mode == "fault" else 0)
    return told.decode()


@pytest.mark.parametrize("mode", ["bar", "fault"])
def test_on_a_terminal_a_bar_is_drawn_and_taken_away(mode: str) -> None:
    told = on_a_terminal(mode)
    hide, show = "\x1b[?25l", "\x1b[?25h"
    assert hide in told
    assert told.rindex(show) > told.rindex(hide), "the cursor is back"
    assert re.search(r"step \d+/\d+", told)
    assert "epoch 2/2  loss " in told


@pytest.mark.slow
def test_on_a_terminal_the_bar_can_be_switched_off() -> None:
    told = on_a_terminal("plain")
    assert "\x1b[?25l" not in told
    assert "epoch 2/2  loss " in told

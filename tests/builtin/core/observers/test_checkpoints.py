from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from toy_models import dataset, identical, model, settings, trainer

from seqlab.builtin.core.observers.checkpoints import Checkpoints
from seqlab.engine import (
    Cancelled,
    CheckpointFolder,
    Evaluation,
    Observer,
    SaveReason,
    SequenceModel,
    Trainer,
    TrainingJob,
)


class Saved(Observer):
    """After each savepoint, the step of the checkpoint on the disk."""

    def __init__(self, path: Path) -> None:
        self.folder = CheckpointFolder(path)
        self.steps: list[int | None] = []

    def savepoint(self, trainer: Trainer, reason: SaveReason) -> None:
        exists = self.folder.last.exists()
        self.steps.append(self.folder.load()[0]["progress"]["step"] if exists else None)


def observers(path: Path, every_steps: int) -> dict[str, Observer]:
    return {"c": Checkpoints(path, every_steps=every_steps), "saved": Saved(path)}


def test_it_saves_every_so_many_steps_and_at_the_end_of_an_epoch(tmp_path: Path) -> None:
    watching = observers(tmp_path, 2)
    trainer(
        model(), dataset(), settings(epochs=2, batch_items=2, batch_tokens=1000), observers=watching
    ).fit()
    saved = watching["saved"]
    assert isinstance(saved, Saved)
    assert saved.steps == [None, 2, 2, 4, 4, 5, 5, 7, 7, 9, 9, 10]


def test_it_saves_when_training_is_interrupted(tmp_path: Path) -> None:
    job = TrainingJob(
        data=dataset(),
        settings=settings(batch_items=2),
        observers=observers(tmp_path, 500),
        cancelled=lambda: True,
    )
    with pytest.raises(Cancelled):
        Trainer(model(), job).fit()
    assert CheckpointFolder(tmp_path).load()[0]["progress"]["step"] == 1


def test_last_and_best_lie_in_the_folder(tmp_path: Path) -> None:
    scores = iter([1.0, 3.0, 2.0])

    def judge(subject: SequenceModel) -> Mapping[str, float]:
        return {"score": next(scores)}

    subject = model()
    made = trainer(
        subject,
        dataset(),
        settings(epochs=3),
        observers=observers(tmp_path, 1),
        evaluation=Evaluation(judge=judge, monitor="score"),
    )
    made.fit()
    state, best = CheckpointFolder(tmp_path).load()
    assert state["progress"]["epoch"] == 3
    assert state["progress"]["finished"]
    assert best is not None
    assert identical(best, subject.state_dict())
    assert not identical(state["model"], subject.state_dict())

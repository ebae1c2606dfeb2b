"""What a Trainer is to do, and whether it can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from seqlab.engine.batching import Batch, Dataset
from seqlab.engine.model import SequenceModel
from seqlab.engine.progress import Observer
from seqlab.settings import TrainSettings

__all__ = ["Evaluation", "TrainingJob", "check_job"]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How the dev split is judged: a function of the model in evaluation mode, and the figure to watch.

    It picks the best weights; between equal ones decides the lower `loss`, where `judge` tells one. Where
    nothing is to be watched, None, the last weights are kept; early stopping and the plateau schedule wait.
    """

    judge: Callable[[SequenceModel], Mapping[str, float]]
    monitor: str | None
    higher_is_better: bool = True


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """What a Trainer is to do: data, settings, evaluation, who watches, and a switch to cancel it.

    `augment(indices, epoch)` makes the batch of these examples as they are in that epoch, where they are
    not in every one as `data` holds them; it must answer the same whenever it is asked. Batches are
    planned, and steps counted, by the lengths in `data`; with truncated BPTT it must keep these.
    """

    data: Dataset
    augment: Callable[[Tensor, int], Batch] | None = None
    settings: TrainSettings = field(default_factory=TrainSettings)
    evaluation: Evaluation | None = None
    observers: Mapping[str, Observer] = field(default_factory=dict)
    cancelled: Callable[[], bool] = lambda: False


def check_job(model: SequenceModel, job: TrainingJob) -> None:
    """Refuse settings that do not fit model or data: ValueError."""
    if not len(job.data):
        raise ValueError("there is nothing to train on: the data set is empty")
    if job.settings.bptt is not None and not model.encoder.carries_state:
        raise ValueError(
            "train.bptt needs encoders that carry a state: they read forwards only, and none shortens"
        )
    for name, column in job.data.targets.items() if job.settings.bptt is not None else ():
        if not torch.equal(column.lengths, job.data.lengths):
            raise ValueError(
                f"train.bptt cuts targets along with the states, but {name!r} has not one part for each state"
            )
    if job.settings.lanes is not None and job.augment is not None:
        raise ValueError("train.lanes cuts across examples, which augmentation changes one by one")
    if job.evaluation is None and (job.settings.early_stopping or job.settings.schedule.name == "plateau"):
        raise ValueError("train.early_stopping and the plateau schedule need a dev split to watch")

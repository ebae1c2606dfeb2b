"""The engine: ragged batches, recurrent layers and training, in plain torch.

It knows no plugin, no recipe and no command line, and serves on its own:

    from seqlab.engine import Dataset, SequenceModel, Trainer, TrainingJob
"""

from seqlab.engine.answering import Answers, answer
from seqlab.engine.batching import Batch, Budget, Column, Dataset, Indexed, plan_batches
from seqlab.engine.calls import Decode, Parts
from seqlab.engine.chain import EncoderChain
from seqlab.engine.checkpoint import CheckpointFolder, load_state, save_state
from seqlab.engine.job import Evaluation, TrainingJob
from seqlab.engine.model import FeaturizerModule, HeadModule, SequenceModel
from seqlab.engine.progress import Observer, Progress, SaveReason, StepRecord
from seqlab.engine.recurrent import (
    CellKind,
    Kernel,
    MaskedStack,
    RecurrentInit,
    RecurrentSpec,
    RecurrentStack,
    SequenceDropout,
    Stepper,
)
from seqlab.engine.sequences import Layout, Sequences
from seqlab.engine.state import State
from seqlab.engine.states import States, both_ends
from seqlab.engine.training import Cancelled, Trainer

__all__ = [
    "Answers",
    "Batch",
    "Budget",
    "Cancelled",
    "CellKind",
    "CheckpointFolder",
    "Column",
    "Dataset",
    "Decode",
    "EncoderChain",
    "Evaluation",
    "FeaturizerModule",
    "HeadModule",
    "Indexed",
    "Kernel",
    "Layout",
    "MaskedStack",
    "Observer",
    "Parts",
    "Progress",
    "RecurrentInit",
    "RecurrentSpec",
    "RecurrentStack",
    "SaveReason",
    "SequenceDropout",
    "SequenceModel",
    "Sequences",
    "State",
    "States",
    "StepRecord",
    "Stepper",
    "Trainer",
    "TrainingJob",
    "answer",
    "both_ends",
    "load_state",
    "plan_batches",
    "save_state",
]

"""The engine: ragged batches, recurrent layers and training, in plain torch.

It knows no plugin, no recipe and no command line, and serves on its own:

    from seqlab.engine import Dataset, SequenceModel, Trainer, TrainingJob
"""

from seqlab.engine.batching import Batch, Budget, Column, Dataset, Indexed, plan_batches
from seqlab.engine.calls import Parts
from seqlab.engine.chain import EncoderChain
from seqlab.engine.checkpoint import CheckpointFolder, load_state, save_state
from seqlab.engine.evaluation import Answers, answer
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
)
from seqlab.engine.sequences import Layout, Sequences
from seqlab.engine.state import State
from seqlab.engine.training import Cancelled, Evaluation, Trainer, TrainingJob

__all__ = [
    "Answers",
    "Batch",
    "Budget",
    "Cancelled",
    "CellKind",
    "CheckpointFolder",
    "Column",
    "Dataset",
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
    "StepRecord",
    "Trainer",
    "TrainingJob",
    "answer",
    "load_state",
    "plan_batches",
    "save_state",
]

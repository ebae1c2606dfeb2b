"""Recurrent layers over packed sequences."""

from seqlab.engine.recurrent.dropout import SequenceDropout
from seqlab.engine.recurrent.initialisation import RecurrentInit
from seqlab.engine.recurrent.stack import CellKind, RecurrentSpec, RecurrentStack

__all__ = ["CellKind", "RecurrentInit", "RecurrentSpec", "RecurrentStack", "SequenceDropout"]

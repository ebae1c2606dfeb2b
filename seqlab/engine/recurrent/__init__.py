"""Recurrent layers over packed sequences."""

from seqlab.engine.recurrent.dropout import SequenceDropout
from seqlab.engine.recurrent.initialisation import RecurrentInit
from seqlab.engine.recurrent.masked import MaskedStack
from seqlab.engine.recurrent.spec import CellKind, Kernel, RecurrentSpec
from seqlab.engine.recurrent.stack import RecurrentStack
from seqlab.engine.recurrent.stepping import Stepper

__all__ = [
    "CellKind",
    "Kernel",
    "MaskedStack",
    "RecurrentInit",
    "RecurrentSpec",
    "RecurrentStack",
    "SequenceDropout",
    "Stepper",
]

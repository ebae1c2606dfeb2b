"""Finds and loads the compiled loops: plain symbols and a structure of pointers, no ABI of torch."""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Iterable
from ctypes import c_int, c_int64, c_void_p
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from seqlab.engine.recurrent.native.compiling import COMPILED, SETS, library_name

__all__ = ["Library", "Pass", "instructions", "library", "pointers"]

OFF = "SEQLAB_NATIVE"
"""The environment variable that says `off`, or which instruction set is to be used."""

PROCESS = os.getpid()
"""Where torch's threads are."""

FOLDER = Path(__file__).with_name(COMPILED)
"""Where the compiled loops are."""

CAPABILITIES = {"AVX512": "avx512", "AVX2": "avx2"}
"""Instruction sets as torch calls them, which looks at the CPU."""

Pair = c_void_p * 2
"""One for each direction."""


class Pass(ctypes.Structure):
    """One layer over one batch, field for field that of loops.cpp, where each is explained."""

    _fields_ = (
        ("cell", c_int64),
        ("steps", c_int64),
        ("rows", c_int64),
        ("sequences", c_int64),
        ("directions", c_int64),
        ("threads", c_int64),
        ("units", c_int64),
        ("hidden", c_int64),
        ("output", c_int64),
        ("packed", c_int64),
        ("halves", c_int64),
        ("sizes", c_void_p),
        ("index", c_void_p),
        ("gate_rows", c_int64),
        ("input", c_int64),
        ("inputs", c_void_p),
        ("input_weights", Pair),
        ("input_panels", Pair),
        ("weights", Pair),
        ("projection", Pair),
        ("panels", Pair),
        ("projection_panels", Pair),
        ("bias", c_void_p),
        ("hidden_bias", c_void_p),
        ("mask", c_void_p),
        ("first_h", c_void_p),
        ("first_c", c_void_p),
        ("final_h", c_void_p),
        ("final_c", c_void_p),
        ("outputs", c_void_p),
        ("gates", c_void_p),
        ("kept", c_void_p),
        ("unprojected", c_void_p),
        ("output_grads", c_void_p),
        ("h_grads", c_void_p),
        ("c_grads", c_void_p),
        ("bias_grads", c_void_p),
        ("projected_grads", c_void_p),
    )


class Runtime(ctypes.Structure):
    """Entry points of the OpenMP runtime that torch has loaded."""

    _fields_ = (("parallel", c_void_p), ("thread", c_void_p), ("threads", c_void_p))


class Library(NamedTuple):
    """The loops for this CPU."""

    instructions: str
    block: int
    """All sizes are multiples of it."""
    loops: ctypes.CDLL
    runtime: Runtime | None
    process: int
    """The one whose threads the runtime has: a fork of it has none of them."""

    def forward(self, how: Pass) -> None:
        """Run a layer forwards; MemoryError where there is no room for its buffers."""
        self._run(self.loops.seqlab_forward, how)

    def backward(self, how: Pass) -> None:
        """Run a layer backwards."""
        self._run(self.loops.seqlab_backward, how)

    def before(self, how: Pass, direction: int, out: Tensor) -> None:
        """Write h one step before each row, (rows, R)."""
        self.loops.seqlab_before(ctypes.byref(how), direction, out.data_ptr())

    def pack(self, how: Pass) -> None:
        """Fill the panels of weights."""
        self.loops.seqlab_pack(ctypes.byref(how))

    def _run(self, function: ctypes._NamedFuncPointer, how: Pass) -> None:
        threads = self.runtime if self.process == os.getpid() else None
        if function(ctypes.byref(how), ctypes.byref(threads) if threads else None):
            raise MemoryError("a recurrent layer has no room for its states")


@cache
def library() -> Library | None:
    """Return the loops for this CPU, None where they were not compiled or are switched off."""
    name = instructions()
    if name is None:
        return None
    try:
        loops = ctypes.CDLL(str(FOLDER / library_name(name)))
        fits = loops.seqlab_pass_size() == ctypes.sizeof(Pass)
    except (OSError, AttributeError):
        fits = False
    if not fits:
        logging.getLogger(__name__).warning(
            "the native loops are of another seqlab or machine: install seqlab anew"
        )
        return None
    for function in (loops.seqlab_forward, loops.seqlab_backward):
        function.argtypes = (c_void_p, c_void_p)
        function.restype = c_int
    loops.seqlab_before.argtypes = (c_void_p, c_int, c_void_p)
    loops.seqlab_pack.argtypes = (c_void_p,)
    return Library(name, loops.seqlab_block(), loops, torchs_runtime(), PROCESS)


def instructions() -> str | None:
    """Return the best instruction set that the CPU has and that was compiled, None where there is none."""
    wanted = os.environ.get(OFF, "")
    if wanted not in ("", "off", *SETS):
        raise ValueError(f"{OFF} must be one of: off, {', '.join(SETS)}; got {wanted!r}")
    if wanted == "off":
        return None
    best = CAPABILITIES.get(torch.backends.cpu.get_cpu_capability(), "portable")
    known = list(SETS)
    usable = known[known.index(best) if best in known else -1 :]
    there = (name for name in usable if (FOLDER / library_name(name)).is_file())
    return next((name for name in there if wanted in ("", name)), None)


def torchs_runtime() -> Runtime | None:
    """Return the OpenMP runtime that torch is linked with, None where it has none of this kind.

    Others may be in the process, brought by other packages; they would start threads of their own.
    """
    try:
        found = ctypes.CDLL(str(Path(torch.__file__).with_name("lib") / "libtorch_cpu.so"))
        functions = (found.GOMP_parallel, found.omp_get_thread_num, found.omp_get_num_threads)
    except (OSError, AttributeError):
        return None
    return Runtime(*(ctypes.cast(function, c_void_p) for function in functions))


def pointers(tensors: Iterable[Tensor | None]) -> ctypes.Array[c_void_p]:
    """Return the addresses of what each direction has."""
    return Pair(*(None if each is None else each.data_ptr() for each in tensors))

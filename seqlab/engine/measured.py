"""Models made no larger than a file of weights says: what is asked for is held against its header first.

A package of a few kilobytes can ask for a model of any size. So its parts are made twice: once without
memory, on torch's `meta` device, where sizes and names are compared with the header; then, where they agree,
for good.
"""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seqlab.errors import PackageError

__all__ = ["WeightsHeader", "made_to_measure", "read_header"]

Module = TypeVar("Module", bound=nn.Module)

MAX_HEADER = 16 << 20
"""Bytes of the largest header that is read: one tensor takes about 100."""

MAX_DIMENSIONS = 16

CALLS_PER_TENSOR = 1000
"""Calls of torch that the making of a tensor may take; the most elaborate initialisation takes about 50."""

CALLS_PER_ELEMENT = 8
"""Calls that may come on top for each number in a file of weights: some modules fill a table in a loop."""

FILLERS = frozenset({"bernoulli_", "copy_", "fill_", "normal_", "uniform_", "zero_"})
"""What puts numbers into tensors is left out where they have none: torch would import 900 modules first."""

SPARE = 4
"""How many times the weights' bytes may be made where nothing can be made without memory."""

DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
    "C64": torch.complex64,
}
"""The types of numbers that safetensors names and a model may hold."""


@dataclass(frozen=True)
class WeightsHeader:
    """The tensors that a safetensors file says it holds, without their numbers (on the device `meta`)."""

    path: Path
    tensors: Mapping[str, Tensor]

    @property
    def bytes(self) -> int:
        """The bytes of all tensors."""
        return sum(map(_bytes, self.tensors.values()))

    @property
    def calls(self) -> int:
        """The calls of torch that the making of all tensors may take."""
        elements = sum(tensor.numel() for tensor in self.tensors.values())
        return CALLS_PER_TENSOR * (len(self.tensors) + 1) + CALLS_PER_ELEMENT * elements


def read_header(file: BinaryIO, path: Path) -> WeightsHeader:
    """Read the header of an open safetensors file; PackageError where it does not fit the rest."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(MAX_HEADER, size - 8):
        raise PackageError(f"{path}: damaged: its header does not fit {size:,} bytes")
    try:
        header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        tensors = {name: _tensor(entry) for name, entry in header.items()}
    except (AttributeError, LookupError, RecursionError, RuntimeError, TypeError, ValueError) as error:
        raise PackageError(f"{path}: damaged: its header cannot be read: {error}") from error
    found = WeightsHeader(path, tensors)
    if found.bytes != size - 8 - length:
        raise PackageError(
            f"{path}: damaged: its header tells of {found.bytes:,} bytes, but {size - 8 - length:,} follow it"
        )
    return found


def _tensor(entry: Mapping[str, Any]) -> Tensor:
    shape = entry["shape"]
    if len(shape) > MAX_DIMENSIONS or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"a tensor cannot have the shape {str(shape)[:100]}")
    if math.prod(shape) > 1 << 48:
        raise ValueError(f"there is no memory for a tensor of shape {shape}")
    return torch.empty(shape, dtype=DTYPES[entry["dtype"]], device="meta")


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def made_to_measure(make: Callable[[], Module], header: WeightsHeader) -> Module:
    """Return what `make` makes, if its tensors are those of the header.

    PackageError where it would be larger or holds a tensor without memory, RuntimeError where names or shapes
    differ. `make` is called twice.
    """
    try:
        with _Bounded(header), torch.device("meta"):
            blank = make()
    except PackageError:
        raise
    except Exception:  # a plugin's module that needs numbers to be made, or a mistake that comes again
        with _Bounded(header):
            return make()
    blank.load_state_dict(dict(header.tensors))
    wanted = sum(map(_bytes, blank.state_dict().values()))
    if wanted != header.bytes:
        raise _misfit(header, f"has {wanted:,} bytes of weights")
    return _with_numbers(make(), header)


def _with_numbers(model: Module, header: WeightsHeader) -> Module:
    """Return a model, if no part of it has kept a tensor of the first, which was made without memory."""
    tensors = itertools.chain(model.named_parameters(), model.named_buffers())
    for name, tensor in tensors:
        if tensor.is_meta:
            raise PackageError(
                f"{header.path.parent}: {name} has no numbers: its module keeps a tensor from one model to"
                " the next, as functools.lru_cache does, and the first model is made on the device 'meta';"
                " make it anew in every module, or on device='cpu'"
            )
    return model


class _Bounded(TorchFunctionMode):
    """Raises PackageError as soon as this thread has torch do more than the tensors of a header can need."""

    def __init__(self, header: WeightsHeader) -> None:
        super().__init__()
        self.header = header
        self.most = header.calls
        self.calls = self.made = 0

    def __torch_function__(
        self, function: Any, _types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call the function, and count calls and the bytes that are made from nothing."""
        filled = args[0] if args else (kwargs or {}).get("tensor")
        if function.__name__ in FILLERS and isinstance(filled, Tensor) and filled.is_meta:
            return filled
        self.calls += 1
        if self.calls > self.most:
            raise _misfit(self.header, f"takes more than {self.most:,} calls of torch to be made")
        result = function(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and not (result.is_meta or any(isinstance(a, Tensor) for a in args)):
            self.made += _bytes(result)
            if self.made > SPARE * (self.header.bytes + MAX_HEADER):
                raise _misfit(self.header, f"has more than {self.header.bytes:,} bytes of weights")
        return result


def _misfit(header: WeightsHeader, reason: str) -> PackageError:
    return PackageError(
        f"{header.path.parent}: the parts of the package do not fit together: the model that the recipe asks"
        f" for {reason}, but {header.path.name} holds {len(header.tensors):,} tensors of {header.bytes:,}"
        " bytes"
    )

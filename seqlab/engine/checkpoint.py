"""Training state on disk: one file per checkpoint, written whole or not at all, read without running code.

Tensors go into a safetensors file; everything else, as JSON, into its header. A file is written beside its
target, forced to the disk and renamed, so a crash or a full disk leaves the last good checkpoint as it was.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from seqlab.errors import PackageError
from seqlab.openfile import create_new, open_regular, partial_name

__all__ = ["CheckpointFolder", "load_state", "matching", "save_state", "weights", "write_atomically"]

TENSOR = "__tensor__"
"""Marks, in the JSON skeleton, the place of a tensor by its name in the file."""

BEST = re.compile(r"best-\d+\.safetensors")
"""Names of files with best weights: what a checkpoint says of itself leads nowhere else."""


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write nested dicts and lists of tensors, numbers, strings and None; PackageError where that fails."""
    tensors: dict[str, Tensor] = {}
    skeleton = json.dumps(_take_tensors(state, "", tensors))
    write_atomically(path, save(tensors, metadata={"state": skeleton}))


def load_state(path: Path) -> dict[str, Any]:
    """Read back what `save_state` wrote; PackageError where the file is missing, cut or not ours."""
    try:
        open_regular(path).close()
        with safe_open(path, framework="pt") as file:
            skeleton = json.loads((file.metadata() or {})["state"])
            state = _put_tensors(skeleton, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except FileNotFoundError:
        raise PackageError(f"{path}: no such checkpoint") from None
    except (OSError, SafetensorError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise PackageError(f"{path}: not a readable checkpoint ({error})") from error
    if not isinstance(state, dict):
        raise PackageError(f"{path}: not a readable checkpoint (it holds no state)")
    return state


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file as a whole and force it to the disk; PackageError where that fails.

    The error says which file is left: the old one untouched or, where only its folder could not be forced to
    the disk, the new one. A link is replaced, not followed.
    """
    partial = partial_name(path)
    try:
        with create_new(partial) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):  # the error to tell is the first one
            partial.unlink(missing_ok=True)
        raise PackageError(
            f"{path}: cannot be written: {error.strerror or error}; what was saved before is intact"
        ) from error
    try:
        _sync_folder(path.parent)
    except OSError as error:
        raise PackageError(
            f"{path}: replaced, but its folder cannot be forced to the disk: {error.strerror or error};"
            " after a power cut the file may be the one of before"
        ) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take_tensors(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        # safetensors refuses tensors that share memory and ones with gaps; a copy has neither.
        # The number keeps apart names that only look alike: a key may be 1 or "1", or hold a slash.
        name = f"{len(tensors)}{path}"
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        return {TENSOR: name}
    if isinstance(value, Mapping):
        # Optimizers number their parameters; JSON keys are strings, so pairs keep the type.
        return {
            "pairs": [[key, _take_tensors(each, f"{path}/{key}", tensors)] for key, each in value.items()]
        }
    if isinstance(value, list | tuple):
        return [_take_tensors(each, f"{path}/{place}", tensors) for place, each in enumerate(value)]
    return value


def _put_tensors(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_put_tensors(each, tensors) for each in value]
    if isinstance(value, dict):
        if TENSOR in value:
            return tensors[value[TENSOR]]
        return {key: _put_tensors(each, tensors) for key, each in value["pairs"]}
    return value


def weights(module: torch.nn.Module) -> dict[str, Tensor]:
    """Return a copy of a module's parameters and buffers on the CPU."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in module.state_dict().items()}


def matching(tensors: Mapping[str, Tensor], module: torch.nn.Module) -> dict[str, Tensor]:
    """Return weights that a module can load; ValueError where names or shapes differ."""
    shapes = {name: tensor.shape for name, tensor in module.state_dict().items()}
    if {name: tensor.shape for name, tensor in tensors.items()} != shapes:
        raise ValueError("the best weights are those of another model")
    return dict(tensors)


class CheckpointFolder:
    """The two checkpoints of a run: the last state, and the best weights that it refers to.

    The best weights are written under a new name before the last state that names them, and older ones
    removed after it, so that at any moment the last state and its best weights belong together.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last = path / "last.safetensors"
        self._best: str | None = None

    def save(self, state: Mapping[str, Any], best: Mapping[str, Tensor] | None, best_step: int) -> None:
        """Write both; raises PackageError and leaves the earlier ones whole where that fails."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PackageError(f"{self.path}: cannot be made: {error.strerror}") from error
        if self.path.is_symlink():
            raise PackageError(f"{self.path}: it is a link, and no link is written through")
        name = f"best-{best_step:08d}.safetensors" if best is not None else None
        # A file of that name may be an older run's: only one that this object has written is left alone.
        if best is not None and name and name != self._best:
            save_state(self.path / name, {"model": best})
            self._best = name
        save_state(self.last, {**state, "best": name})
        for stale in self.path.glob("best-*.safetensors"):
            if stale.name != name:
                stale.unlink()

    def load(self) -> tuple[dict[str, Any], dict[str, Tensor] | None]:
        """Return the last state and its best weights; PackageError where they cannot be read."""
        state = load_state(self.last)
        try:
            name = state.pop("best")
            if name is not None and not BEST.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a file with best weights")
            return state, load_state(self.path / name)["model"] if name else None
        except (KeyError, TypeError, ValueError) as error:
            raise PackageError(f"{self.last}: not the checkpoint of a run ({error})") from error

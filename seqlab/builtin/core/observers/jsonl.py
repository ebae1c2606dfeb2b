"""Figures of a run as JSON Lines."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from seqlab.api import PackageError
from seqlab.engine import Observer, StepRecord, Trainer
from seqlab.openfile import open_to_append

__all__ = ["JsonLines"]


class JsonLines(Observer):
    """Appends a line per epoch, and per some steps; a resumed run drops what its checkpoint has not seen.

    A figure that is not finite is written as null: JSON has no other word for it.
    """

    def __init__(self, path: Path, *, every_steps: int | None = None) -> None:
        self.path = path
        self.every_steps = every_steps
        self.size = 0

    def state(self) -> dict[str, Any]:
        """Return how many bytes are written, once they are on the disk."""
        return {"size": self.size}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue after the lines that belong to the checkpoint."""
        self.size = state.get("size", 0)
        if type(self.size) is not int or self.size < 0:
            raise PackageError(
                f"{self.path}: the checkpoint knows {self.size!r} bytes of it, which is no size"
            )

    def training_started(self, trainer: Trainer) -> None:
        """Cut the file to the lines that belong to the state that training starts from."""
        with self._appending() as file:
            if file.tell() < self.size:
                raise PackageError(
                    f"{self.path}: has {file.tell()} bytes, but the checkpoint knows {self.size}"
                )
            file.truncate(self.size)

    def step_finished(self, trainer: Trainer, record: StepRecord) -> None:
        """Write a step's line, if this step has one."""
        if self.every_steps and record.step % self.every_steps == 0:
            self._write({"event": "step"} | asdict(record))

    def epoch_finished(self, trainer: Trainer, record: Mapping[str, Any]) -> None:
        """Write the epoch's line."""
        self._write({"event": "epoch"} | dict(record))

    def _write(self, record: Mapping[str, Any]) -> None:
        line = (json.dumps(_finite(record), allow_nan=False) + "\n").encode()
        with self._appending() as file:
            file.write(line)
        self.size += len(line)

    @contextmanager
    def _appending(self) -> Iterator[BinaryIO]:
        """Open the file at its end and force what was written to the disk."""
        try:
            with open_to_append(self.path) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise PackageError(f"{self.path}: cannot be written: {error.strerror}") from error


def _finite(value: Any) -> Any:
    """Replace every number that is not finite by None, at any depth of mappings."""
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value

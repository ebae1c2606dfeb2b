"""The folder of a run: who may write in it, what stands in it, and what must agree on resume.

recipe.yaml     the resolved recipe; runs again unchanged
run.json        seed, data fingerprints, plugin and library versions
metrics.jsonl   figures per epoch
checkpoints/    last state and best weights
model/          the package
report.json     written last: a run with a report is complete
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seqlab.api import PackageError, SeqlabError
from seqlab.engine.checkpoint import PARTIAL, CheckpointFolder, write_atomically
from seqlab.recipe import dump_recipe, load_plain

__all__ = ["RunFolder", "default_folder"]


def default_folder(name: str) -> Path:
    """Return where a run goes that is given no folder."""
    return Path("runs") / name


class RunFolder:
    """Paths and files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe = path / "recipe.yaml"
        self.run = path / "run.json"
        self.metrics = path / "metrics.jsonl"
        self.checkpoints = path / "checkpoints"
        self.model = path / "model"
        self.report_file = path / "report.json"

    @contextmanager
    def locked(self, *, resume: bool) -> Iterator[None]:
        """Make the folder and hold it alone; SeqlabError where it is taken or holds another run's files."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDONLY)
        except OSError as error:
            raise SeqlabError(f"run folder {self.path}: cannot be made: {error.strerror}") from error
        try:
            self._lock(descriptor)
            self._refuse_existing(resume=resume)
            yield
        finally:
            os.close(descriptor)

    @property
    def resumable(self) -> bool:
        """Whether a resume finds anything to go on from: a checkpoint, or the report of a complete run."""
        return self.report_file.exists() or CheckpointFolder(self.checkpoints).last.exists()

    def begin(self, recipe: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
        """Write what the run is made of, or check it against what is there; return whether it is a resume."""
        if self.run.exists():
            self._check_same(recipe, facts)
            return True
        try:
            write_atomically(self.recipe, dump_recipe(recipe).encode())
            write_atomically(self.run, _json(facts))
        except PackageError:
            self.clear_unstarted()
            raise
        return False

    def clear_unstarted(self) -> None:
        """Take back what `begin` wrote where training never started, so that the mended run can begin."""
        if not (self.metrics.exists() or self.checkpoints.exists() or self.model.exists()):
            self.recipe.unlink(missing_ok=True)
            self.run.unlink(missing_ok=True)

    def enter_versions(self, versions: Mapping[str, Any]) -> str:
        """Add the versions that a resume runs with; return what to tell the user where they differ.

        Plugins that only one of the two had are not compared: a part that is missing is found missing.
        """
        facts = self.facts()
        began = _flat({key: facts.get(key) for key in versions})
        now = _flat(versions)
        changed = [name for name in now if name in began and began[name] != now[name]]
        if not changed:
            return ""
        resumed_with = facts.setdefault("resumed_with", [])
        if versions not in resumed_with[-1:]:
            resumed_with.append(versions)
            write_atomically(self.run, _json(facts))
        listed = ", ".join(f"{name} {now[name]} (the run began with {began[name]})" for name in changed)
        return f"resumed with {listed}: the result may differ from that of an uninterrupted run"

    def facts(self) -> dict[str, Any]:
        """Return what `begin` was told."""
        return _read_json(self.run)

    def finish(self, report: Mapping[str, Any]) -> None:
        """Write the report."""
        write_atomically(self.report_file, _json(report))

    def report(self) -> dict[str, Any] | None:
        """Return the report of a run that is complete."""
        return _read_json(self.report_file) if self.report_file.exists() else None

    @staticmethod
    def fingerprints(paths: Mapping[str, Sequence[Path]]) -> dict[str, dict[str, str]]:
        """Return the sha256 of every data file by split and path."""
        return {split: {str(file): _sha256(file) for file in files} for split, files in paths.items()}

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SeqlabError(f"run folder {self.path}: another process is running in it") from None
        except OSError as error:  # some network file systems have no locks
            message = f"cannot be locked: {error.strerror}; choose one on a local disk with --out"
            raise SeqlabError(f"run folder {self.path}: {message}") from error

    def _refuse_existing(self, *, resume: bool) -> None:
        """Keep out of what is not ours: a run is continued on request only, anything else not at all."""
        # Killed while it began, a run has left its recipe, or half of one.
        begun = {self.recipe.name, self.recipe.name + PARTIAL, self.run.name + PARTIAL}
        there = {entry.name for entry in self.path.iterdir()}
        if not there or (resume and (self.run.exists() or there <= begun)):
            return
        if self.run.exists() or there <= begun:
            advice = "continue it with --resume, choose another with --out, or remove it"
        else:
            advice = "it holds no run of seqlab; choose another with --out"
        raise SeqlabError(f"run folder {self.path}: exists and is not empty; {advice}")

    def _check_same(self, recipe: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        saved = load_plain(self.recipe)
        if changed := sorted(_differences(saved, recipe)):
            raise SeqlabError(
                f"run folder {self.path}: the recipe differs from the one that the run began with in:"
                f" {', '.join(changed)}; resume with the same recipe, or choose another --out"
            )
        data = self.facts()["data"]
        if changed := sorted(_differences(data, facts["data"])):
            raise SeqlabError(
                f"run folder {self.path}: the data has changed since the run began: {', '.join(changed)}"
            )


def _differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Yield the dotted paths at which two trees of plain data differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(old, Sequence) and isinstance(new, Sequence) and not isinstance(old, str | bytes):
        if len(old) != len(new):
            yield path
        else:
            for place, (left, right) in enumerate(zip(old, new, strict=True)):
                yield from _differences(left, right, f"{path}.{place}")
    elif old != new:
        yield path


def _flat(versions: Mapping[str, Any]) -> dict[str, str]:
    """Return torch and the plugins as `what version` pairs."""
    plugins = versions["plugins"] or {}
    named = {f"plugin {name}": version for name, version in plugins.items()}
    return {"torch": versions["torch"]} | named


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SeqlabError(f"{path}: cannot be read: {error.strerror}") from error


def _json(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise PackageError(f"{path}: cannot be read: {error}") from error
    assert isinstance(data, dict)
    return data

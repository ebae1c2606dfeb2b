"""The folder of a run: who may write in it, what stands in it, and what must agree on resume.

It may come from a stranger: links are refused, in it, before anything is written.

recipe.yaml     the resolved recipe; runs again unchanged
run.json        seed, data fingerprints, plugin and library versions
metrics.jsonl   figures per epoch
checkpoints/    last state and best weights
model/          the package
report.json     written last: a run with a report is complete
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from seqlab.api import PackageError, SeqlabError
from seqlab.datasets.checksums import file_sha256
from seqlab.engine.checkpoint import CheckpointFolder, write_atomically
from seqlab.filepath import data_as_written
from seqlab.openfile import PARTIAL, read_regular
from seqlab.recipe import dump_recipe, load_plain

__all__ = ["RunFolder", "default_folder"]

KeyPath: TypeAlias = tuple[str, ...]

HALF_WRITTEN = re.compile(
    rf"(?P<name>.+)\.[0-9a-f]{{16}}{re.escape(PARTIAL)}"
    rf"|(?P<old>recipe\.yaml|run\.json|report\.json|(last|best)\.safetensors){re.escape(PARTIAL)}"
)
"""What a run that was killed leaves of a file, or of the package, that it was writing.

`old`: under the names that earlier versions took.
"""

REPLACED = re.compile(r"model\.[0-9a-f]{16}\.old")
"""An older package, where a run was killed before it had removed it."""


MAX_NAME = 255
"""Most bytes of a folder's name (NAME_MAX of Linux and macOS)."""


def default_folder(name: str) -> Path:
    """Return where a run goes that is given no folder; SeqlabError where none can have its name."""
    if (size := len(os.fsencode(name))) > MAX_NAME:
        message = f"the recipe's name has {size:,} bytes, and a folder's at most {MAX_NAME}"
        raise SeqlabError(f"{message}; give the recipe a shorter name, or the run a folder (--out)")
    return Path("runs") / name


class RunFolder:
    """Paths and files of one run; these hold paths as the recipe says them, `variables` by their names.

    `completed` returns a resolved recipe of an earlier version with the keys that have come since.
    """

    def __init__(
        self,
        path: Path,
        variables: Collection[str] = (),
        completed: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
    ) -> None:
        self.path = path
        self.variables = variables
        self.completed = completed
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
            self._refuse_links()
            self._clear_half_written()
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
            write_atomically(self.run, _json(self._as_written(facts)))
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
        before = facts.get("resumed_with")
        resumed_with = facts["resumed_with"] = before if isinstance(before, list) else []
        if versions not in resumed_with[-1:]:
            resumed_with.append(versions)
            write_atomically(self.run, _json(facts))
        listed = ", ".join(f"{name} {now[name]} (the run began with {began[name]})" for name in changed)
        return f"resumed with {listed}: the result may differ from that of an uninterrupted run"

    def facts(self) -> dict[str, Any]:
        """Return what `begin` was told; of old runs, too, variables by their names."""
        return self._as_written(_read_json(self.run))

    def finish(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """Write the report and return what is written."""
        written = self._as_written(report)
        write_atomically(self.report_file, _json(written))
        return written

    def report(self) -> dict[str, Any] | None:
        """Return the report of a run that is complete."""
        return _read_json(self.report_file) if self.report_file.exists() else None

    @staticmethod
    def fingerprints(paths: Mapping[str, Sequence[Path]]) -> dict[str, dict[str, str]]:
        """Return the sha256 of every data file by split and path."""
        return {split: {str(file): _sha256(file) for file in files} for split, files in paths.items()}

    def _as_written(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return dict(data_as_written(data, self.variables))

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
        there = [entry.name for entry in self.path.iterdir()]
        begun = {self.recipe.name, self.run.name}
        ours = self.run.exists() or {_meant(name) for name in there} <= begun
        if not there or (resume and ours):
            return
        if ours:
            advice = "continue it with --resume, choose another with --out, or remove it"
        else:
            advice = "it holds no run of seqlab; choose another with --out"
        raise SeqlabError(f"run folder {self.path}: exists and is not empty; {advice}")

    def _refuse_links(self) -> None:
        """Refuse a folder with anything in it but files and folders: writing there could reach elsewhere."""
        for folder, folders, files in os.walk(self.path):
            for name in (*folders, *files):
                path = Path(folder) / name
                if path.is_symlink() or not (path.is_file() or path.is_dir()):
                    what = f"is a link to {path.readlink()}" if path.is_symlink() else "is no regular file"
                    message = f"{path} {what}; a run writes into files of its own only: remove it"
                    raise SeqlabError(f"run folder {self.path}: {message}, or choose another with --out")

    def _clear_half_written(self) -> None:
        """Remove what a run that was killed has left half-written, and a package that it had replaced."""
        for folder in (self.path, self.checkpoints):
            for path in folder.glob("*") if folder.is_dir() else ():
                whole = (self.model / "package.json").exists() and REPLACED.fullmatch(path.name)
                if whole or HALF_WRITTEN.fullmatch(path.name):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _check_same(self, recipe: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        saved = load_plain(self.recipe)
        began = self.completed(saved)
        if changed := dict(_differences(began, recipe)):
            newer = all(_holds(began, path) and not _holds(saved, path) for path in changed)
            raise SeqlabError(f"run folder {self.path}: {_told(changed, newer=newer)}")
        saved, now = self.facts(), self._as_written(facts)
        if data := sorted(".".join(path) for path, _ in _differences(saved.get("data"), now["data"])):
            raise SeqlabError(
                f"run folder {self.path}: the data has changed since the run began: {', '.join(data)}"
            )


def _meant(name: str) -> str:
    """Return the name that a file has or, half-written, was to have."""
    found = HALF_WRITTEN.fullmatch(name)
    return (found["name"] or found["old"]) if found else name


def _told(changed: Mapping[KeyPath, Any], *, newer: bool) -> str:
    """Say in which keys a recipe differs from that of the run, whose values are given, and what to do."""
    began = {".".join(path): changed[path] for path in sorted(changed)}
    if not newer:
        return (
            f"the recipe differs from the one that the run began with in: {', '.join(began)}; resume with the"
            " same recipe, or choose another --out"
        )
    overrides = " ".join(f"{key}={_shown(value)}" for key, value in began.items())
    return (
        f"the run began with an earlier version, whose recipes had no {', '.join(began)}; to go on as it"
        f" began, resume with {overrides}, or choose another --out"
    )


def _shown(value: Any) -> str:
    """Return a value as an override may spell it."""
    return value if isinstance(value, str) and value.isidentifier() else json.dumps(value)


def _holds(data: Any, path: KeyPath) -> bool:
    """Return whether plain data, as it is written, has a value at a path."""
    for key in path:
        if isinstance(data, Mapping) and key in data:
            data = data[key]
        elif isinstance(data, Sequence) and key.isdigit() and int(key) < len(data):
            data = data[int(key)]
        else:
            return False
    return True


def _differences(old: Any, new: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield the paths at which two trees of plain data differ, each with the old value."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _differences(old.get(key), new.get(key), (*path, str(key)))
    elif isinstance(old, Sequence) and isinstance(new, Sequence) and not isinstance(old, str | bytes):
        if len(old) != len(new):
            yield path, old
        else:
            for place, (left, right) in enumerate(zip(old, new, strict=True)):
                yield from _differences(left, right, (*path, str(place)))
    elif old != new:
        yield path, old


def _flat(versions: Mapping[str, Any]) -> dict[str, str]:
    """Return torch and the plugins as `what version` pairs."""
    plugins = versions["plugins"] if isinstance(versions["plugins"], Mapping) else {}
    named = {f"plugin {name}": version for name, version in plugins.items()}
    return {"torch": versions["torch"]} | named


def _sha256(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise SeqlabError(f"{path}: cannot be read: {error.strerror}") from error


def _json(data: Mapping[str, Any]) -> bytes:
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    return text.encode(errors="backslashreplace")  # names that are not UTF-8 as JSON escapes


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(read_regular(path))
        if not isinstance(data, dict):
            raise ValueError(f"expected an object of JSON, got {type(data).__name__}")
    except (OSError, RecursionError, ValueError) as error:
        raise PackageError(f"{path}: cannot be read: {error}") from error
    return data

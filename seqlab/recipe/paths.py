"""The files behind the strings of `data`: environment variables, globs, URIs, and files given twice."""

from __future__ import annotations

import glob
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from seqlab.errors import Place, Problem
from seqlab.filepath import VARIABLE, FilePath, expand
from seqlab.recipe.globbing import MAGIC, Search
from seqlab.recipe.problems import show
from seqlab.recipe.tree import COMMAND_LINE, MAPPING_SOURCE, KeyPath, Node, dotted
from seqlab.settings import Config

__all__ = [
    "DataString",
    "Locate",
    "anchor",
    "anchored_settings",
    "find_files",
    "folder_of",
    "path_beside",
    "strerror",
]

C = TypeVar("C", bound=Config)

Locate: TypeAlias = Callable[[str, Path], Path | None]
"""Turns (URI, folder of the recipe) into a local path, or returns None for an unknown scheme."""

URI = re.compile(r"[a-z][a-z0-9+.-]+:")
"""Two letters at least before the colon, so that `C:\\corpus` is a path."""


@dataclass(frozen=True)
class DataString:
    """One string of a split: as written, where, and under which key (`data.train.0`)."""

    split: str
    text: str
    place: Place
    path: str


class _BadPathError(Exception):
    """What is wrong with one string; becomes a Problem at its place."""


def folder_of(place: Place) -> Path:
    """Return the folder that relative paths at `place` start from, without symbolic links.

    That is the folder of the file; for the command line and for recipes given as data, the current one.
    """
    if place.file in (COMMAND_LINE.file, MAPPING_SOURCE.file):
        return Path.cwd()
    return Path(place.file).parent.resolve()


def anchor(text: str, place: Place) -> str:
    """Make a relative path or glob absolute; URIs and strings that begin with `${NAME}` stay as written."""
    if URI.match(text) or VARIABLE.match(text) or Path(text).is_absolute():
        return text
    folder, rest = _climbed(folder_of(place), text)
    # The folder's own name must mean itself when this string is read again.
    literal = glob.escape(str(folder)).replace("${", "[$]{")
    return str(Path(literal) / rest)


def _climbed(folder: Path, text: str) -> tuple[Path, str]:
    """Return the folder that the leading `./` and `../` of a path lead to, and the rest of the path."""
    while text.startswith(("./", "../")):  # exact, since the folder has no links
        first, _, text = text.partition("/")
        folder = folder.parent if first == ".." else folder
        text = text.lstrip("/")
    return folder, text


def anchored_settings(config: C, node: Node, path: KeyPath, problems: list[Problem], *, check: bool) -> C:
    """Return a component's settings with every relative `FilePath` made absolute, as `anchor` does for data.

    `node` is what the recipe says of the component, at `path`. With `check`, a path that leads nowhere goes
    to `problems`.
    """
    anchored: C = _anchored(config, node, path, problems if check else None)
    return anchored


def _anchored(value: Any, node: Node, path: KeyPath, problems: list[Problem] | None) -> Any:
    """Walk the settings side by side with the tree; what is not written has the place of what holds it."""
    if isinstance(value, FilePath):
        return _anchored_path(value, node, path, problems)
    if isinstance(value, Config):
        children = node.content if isinstance(node.content, dict) else {}
        changes: dict[str, Any] = {}
        for name, field in type(value).model_fields.items():
            before, key = getattr(value, name), field.alias or name
            after = _anchored(before, children.get(key, node), (*path, key), problems)
            changes |= {name: after} if after != before else {}
        return value.model_copy(update=changes) if changes else value
    if isinstance(value, tuple | list):
        written = node.content if isinstance(node.content, tuple) else ()
        items = written if len(written) == len(value) else (node,) * len(value)
        pairs = enumerate(zip(value, items, strict=True))
        return type(value)(_anchored(each, item, (*path, i), problems) for i, (each, item) in pairs)
    return value


def _anchored_path(value: FilePath, node: Node, path: KeyPath, problems: list[Problem] | None) -> FilePath:
    if not (VARIABLE.match(value) or Path(value).is_absolute()):
        folder, rest = _climbed(folder_of(node.place), value)
        value = FilePath(folder / rest)
    if problems is None:
        return value
    try:
        local = Path(expand(value))
        reason = "" if local.exists() else f"no such file or folder: {local}"
    except ValueError as error:
        reason = str(error)
    except OSError as error:
        reason = f"cannot look at {show(str(value))}: {strerror(error)}"
    if reason:
        problems.append(Problem(node.place, dotted(path), reason))
    return value


def path_beside(text: str, place: Place) -> Path:
    """Return the path that `text` at `place` means, as short as it was written: it is shown in messages.

    Raises ValueError where an environment variable is unset or empty.
    """
    if VARIABLE.match(text) or place.file in (COMMAND_LINE.file, MAPPING_SOURCE.file):
        return Path(expand(text))
    return Path(place.file).parent / expand(text)


def find_files(
    strings: Sequence[DataString], locate: Locate | None, problems: list[Problem]
) -> dict[str, tuple[Path, ...]]:
    """Return the files of each split in the order written, each glob's sorted; none may be given twice.

    Paths are absolute but keep the names of symbolic links: a link's target may lack the suffix that says
    what the file is.
    """
    splits: dict[str, tuple[Path, ...]] = {}
    owners: dict[Path, DataString] = {}
    search = Search()
    for string in strings:
        try:
            found = _files_of(string, locate, search)
        except _BadPathError as error:
            problems.append(Problem(string.place, string.path, str(error)))
            found = []
        problems += _given_twice(string, found, owners)
        splits[string.split] = (*splits.get(string.split, ()), *found)
    return splits


def _files_of(string: DataString, locate: Locate | None, search: Search) -> list[Path]:
    if not string.text:
        raise _BadPathError("expected a path, got an empty string")
    if "\0" in string.text:
        raise _BadPathError(f"a path cannot hold the character U+0000, got {string.text!r}")
    try:
        if URI.match(string.text):
            return [_checked(_locate(string, locate))]
        text = anchor(string.text, string.place)
        if MAGIC.search(text):
            return _matches(Path(glob.escape(str(Path.cwd()))) / expand(text, pattern=True), search)
        return [_checked(Path.cwd() / expand(text))]
    except OSError as error:
        where = f", {error.filename}" if error.filename and MAGIC.search(string.text) else ""
        reason = strerror(error)
        raise _BadPathError(f"cannot look at {show(string.text)}: {reason}{where}") from error
    except ValueError as error:
        raise _BadPathError(str(error)) from error


def _locate(string: DataString, locate: Locate | None) -> Path:
    folder = folder_of(string.place)
    path = locate(string.text, folder) if locate else None
    if path is None:
        scheme = string.text.partition(":")[0]
        hint = f"write ./{string.text} if it is the name of a file"
        raise _BadPathError(f"nothing installed knows the scheme '{scheme}:'; {hint}")
    return folder / path


def _matches(pattern: Path, search: Search) -> list[Path]:
    files = search.files(pattern)
    if not files:
        raise _BadPathError(f"no file matches {str(pattern)!r}")
    for folder, error in search.closed.items():
        reason = strerror(error)
        log = logging.getLogger(__name__)
        log.warning("%s cannot be looked at and is passed over by %r: %s", folder, str(pattern), reason)
    return [_checked(path) for path in files]


def _checked(path: Path) -> Path:
    if path.is_dir():
        raise _BadPathError(f"{path} is a directory; name its files, e.g. with a glob: {path.name}/*")
    if not path.exists():
        raise _BadPathError(f"{path} is a link to nothing" if path.is_symlink() else f"no such file: {path}")
    if not path.is_file():
        raise _BadPathError(f"{path} is a device or a pipe; data is read more than once and must be a file")
    return path


def _given_twice(string: DataString, files: Sequence[Path], owners: dict[Path, DataString]) -> list[Problem]:
    """Enter the files under their owner; report once per earlier string that shares files with this one."""
    shared: dict[DataString, list[Path]] = {}
    for file in files:
        target = file.resolve()
        if target in owners:
            shared.setdefault(owners[target], []).append(file)
        owners.setdefault(target, string)
    return [_overlap(string, owner, common) for owner, common in shared.items()]


def _overlap(string: DataString, owner: DataString, common: Sequence[Path]) -> Problem:
    more = f" and {len(common) - 1} more" if len(common) > 1 else ""
    leak = "" if owner.split == string.split else "; no file may be in two splits"
    message = f"{common[0]}{more} given twice, here and in {owner.path} ({owner.text!r}){leak}"
    return Problem(string.place, string.path, message)


def strerror(error: OSError) -> str:
    """Return the reason of the operating system, in lower case as all messages."""
    return (error.strerror or str(error)).lower()

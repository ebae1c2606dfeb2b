"""The errors seqlab raises on purpose, and where in a file they point.

    SeqlabError          exit 1   base of all of ours
    |- RecipeError       exit 2   problems[]: file, line, column, message
    |- PluginError       exit 3   plugin, distribution, version, hook
    |- DataError         exit 4   file, line (or utterance), reason
    `- PackageError      exit 5   checkpoints and model packages

Messages are lower-case and say what, where, which value and what is allowed. The command line prints them
without a traceback and exits with `exit_code`; programming mistakes keep their tracebacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "ContractError",
    "DataError",
    "PackageError",
    "Place",
    "PluginError",
    "Problem",
    "RecipeError",
    "SeqlabError",
]


@dataclass(frozen=True, order=True)
class Place:
    """A point in a source: `file:line:column`, lines and columns counted from 1, 0 where unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        # A name with a line end in it would end the line of a message, and begin another in its place.
        file = self.file.replace("\n", "\\n").replace("\r", "\\r")
        return ":".join([file, *(str(part) for part in (self.line, self.column) if part)])


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in a recipe: where it is, which key it concerns (dotted path) and what is wrong."""

    place: Place
    path: str
    message: str

    def __str__(self) -> str:
        subject = f"{self.path}: " if self.path else ""
        return f"{self.place}: {subject}{self.message}"


class SeqlabError(Exception):
    """Base of every error that seqlab raises on purpose."""

    exit_code: ClassVar[int] = 1


class RecipeError(SeqlabError):
    """A recipe cannot be run as written; `problems` lists every mistake, sorted by place."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class PluginError(SeqlabError):
    """A plugin broke the contract; names the plugin, what ships it and the hook concerned."""

    exit_code = 3

    def __init__(
        self, message: str, *, plugin: str, distribution: str = "", version: str = "", hook: str = ""
    ) -> None:
        self.message = message
        self.plugin = plugin
        self.distribution = distribution
        self.version = version
        self.hook = hook
        shipped = f" ({' '.join(part for part in (distribution, version) if part)})" if distribution else ""
        where = f": {hook}" if hook else ""
        super().__init__(f"plugin {plugin!r}{shipped}{where}: {message}")


class DataError(SeqlabError):
    """Input data is damaged or does not fit the task; `place` names the file and line."""

    exit_code = 4

    def __init__(self, message: str, *, place: Place | None = None) -> None:
        self.place = place
        super().__init__(f"{place}: {message}" if place else message)


class ContractError(TypeError):
    """What a part was asked for breaks its contract: `returned list where a Tensor is expected`.

    A programming mistake, and no SeqlabError; of a part that a plugin registered, a PluginError says so.
    `at` names the one example of a call that it concerns, where that is known.
    """

    def __init__(self, message: str, *, at: str = "") -> None:
        super().__init__(message)
        self.at = at


class PackageError(SeqlabError):
    """A model package or a checkpoint cannot be written, read or trusted."""

    exit_code = 5

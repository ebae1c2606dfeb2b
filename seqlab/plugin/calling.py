"""The seam through which the host calls plugin code: what fails there is named with its plugin.

`blaming` serves hooks and data sets, `Part` the components of a recipe. seqlab's own errors pass unchanged:
a component raises them on purpose. So does a lack of memory, which is nobody's mistake. What a built-in
component raises keeps its traceback: that is a programming mistake of seqlab.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from seqlab.errors import ContractError, PluginError, SeqlabError
from seqlab.plugin.hookspecs import PROJECT
from seqlab.suggest import shortened

__all__ = ["Part", "blaming", "lacks_memory", "memory_asked", "raised"]

MANAGER = str(Path(__file__).with_name("manager.py"))
MACHINERY = (__file__, MANAGER, importlib.__file__, importlib.metadata.__file__)
"""Files whose frames say nothing about where plugin code failed."""

NO_MEMORY = ("allocate memory", "out of memory")
"""What torch says where it cannot allocate."""

TOO_LARGE = ("calculation overflowed", "Overflow when unpacking")
"""What it says of a tensor whose size is beyond 64 bits."""

ASKED = re.compile(r"tried to allocate ([0-9.]+) ([a-z]+)", re.IGNORECASE)
"""How much it says that it tried: `4000 bytes` on a CPU, `20.00 GiB` on a GPU."""


@contextmanager
def blaming(
    fault: Callable[[str], PluginError], *, passing: tuple[type[Exception], ...] = (SeqlabError,)
) -> Iterator[None]:
    """Turn whatever the block raises into the error that `fault` makes of `raised ...`, but for `passing`."""
    try:
        yield
    except passing:
        raise
    except (Exception, SystemExit) as error:
        raise fault(f"raised {raised(error)}") from error


@dataclass(frozen=True)
class Part:
    """A component of a recipe as messages name it: its kind, its name, and the plugin that registered it.

    `package` is the Python package of its builder: the innermost line of it that failed is told.
    """

    kind: str
    name: str
    owner: str
    package: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}"

    @property
    def built_in(self) -> bool:
        """Whether it is one of seqlab's own."""
        return self.owner == PROJECT

    @contextmanager
    def calling(self, method: str, examples: Callable[[], Iterable[str]] = tuple) -> Iterator[None]:
        """Run a call of one of its methods; what goes wrong is raised as `fault` has it."""
        try:
            yield
        except (Exception, SystemExit) as error:
            found = self.fault(method, error, examples())
            if found is error:
                raise
            raise found from error

    def fault(self, method: str, error: BaseException, examples: Iterable[str] = ()) -> BaseException:
        """Return what to raise where a call of a method failed: a PluginError, or the error itself."""
        if isinstance(error, SeqlabError) or lacks_memory(error):
            return error
        concerned = concerning(error, examples)
        where = f"; at {concerned}" if concerned else ""
        if self.built_in:
            error.add_note(f"{self}: {method}{where}")
            return error
        reason = str(error) if isinstance(error, ContractError) else f"raised {raised(error, self.package)}"
        return PluginError(f"{self}: {method} {reason}{where}", plugin=self.owner)

    def refused(self, reason: str) -> PluginError:
        """Return the error that says what is wrong with the component itself."""
        return PluginError(f"{self} {reason}", plugin=self.owner)


def concerning(error: BaseException, examples: Iterable[str]) -> str:
    """Return the examples that a failed call was for in short, or the one that the error itself names."""
    known = error.at if isinstance(error, ContractError) else ""
    return known or shortened(examples)


def lacks_memory(error: BaseException, *, building: bool = False) -> bool:
    """Tell a failure to allocate from others; torch's are RuntimeErrors.

    In `building` a component, sizes whose product no 64 bits hold are one, too: they are the recipe's.
    """
    if isinstance(error, MemoryError):
        return True
    signs = NO_MEMORY + (TOO_LARGE if building else ())
    kinds = (RuntimeError, TypeError) if building else RuntimeError
    return isinstance(error, kinds) and any(sign in str(error) for sign in signs)


def memory_asked(error: BaseException) -> str:
    """Return how much a failure to allocate was for, `4,000 bytes`; empty where it does not say."""
    if any(sign in str(error) for sign in TOO_LARGE):
        return "more bytes than 64 bits can count"
    if not (found := ASKED.search(str(error))):
        return ""
    amount, unit = found.groups()
    return f"{int(amount):,} {unit}" if amount.isdigit() else f"{amount} {unit}"


def raised(error: BaseException, package: str = "") -> str:
    """Return `ValueError: the message (file:line)`.

    The line is the innermost one of the package, where it is known and took part; otherwise the innermost
    outside the import system.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg} ({error.filename}:{error.lineno})"
    frames = [
        (frame, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not _is_machinery(frame.f_code.co_filename)
    ]
    own = [each for each in frames if package and _package(each[0]) == package]
    place = "".join(f" ({frame.f_code.co_filename}:{line})" for frame, line in (own or frames)[-1:])
    return f"{type(error).__name__}: {error}{place}"


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _is_machinery(file: str) -> bool:
    return file in MACHINERY or file.startswith("<frozen importlib")

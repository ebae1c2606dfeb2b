"""Kinds of fields and writers of plugins as the host calls them: what fails is named."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from seqlab.errors import ContractError, Place, PluginError
from seqlab.plugin.calling import Part
from seqlab.suggest import shown

__all__ = ["at_example", "guarded"]

T = TypeVar("T")

MEANT: Mapping[str, tuple[type[Exception], ...]] = {
    "parse": (ValueError,),
    "from_json": (ValueError,),
    "take": (TypeError, ValueError),
}
"""What methods raise on purpose: they refuse a value of the user's."""

STRINGS = frozenset({"fault", "answer_fault", "to_text", "cell", "begin", "write", "end"})
"""Methods that must return a string."""


def guarded(found: T, part: Part) -> T:
    """Return what stands for a kind of field, or a writer, of a plugin; seqlab's own is itself."""
    return found if part.built_in else cast("T", _Guarded(found, part))


class _Guarded:
    """Has all that it stands for has; what its methods raise becomes a PluginError."""

    def __init__(self, bare: Any, part: Part) -> None:
        self.bare = bare
        self.part = part

    def __getattr__(self, name: str) -> Any:
        if name in ("bare", "part") or name.startswith("__"):  # a copy that is not filled yet asks
            raise AttributeError(name)
        if not hasattr(self.bare, name):
            raise AttributeError(f"{self.part} has no attribute {name!r}")
        member = getattr(self.bare, name)
        if not callable(member):
            return member
        method = vars(self)[name] = functools.partial(self._call, name, member)
        return method

    def _call(self, name: str, member: Callable[..., Any], /, *facts: Any, **more: Any) -> Any:
        with self._told(name):
            found = member(*facts, **more)
            _check(name, found)
        return self._iterated(name, found) if isinstance(found, Iterator) else found

    def _iterated(self, name: str, found: Iterator[Any]) -> Iterator[Any]:
        while True:
            with self._told(name):
                try:
                    each = next(found)
                except StopIteration:
                    return
            yield each

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            with self.part.calling(name):
                yield
        except PluginError as error:
            if isinstance(error.__cause__, MEANT.get(name, ())):
                raise error.__cause__ from None
            raise


def _check(name: str, found: Any) -> None:
    if name in STRINGS and not isinstance(found, str):
        raise ContractError(f"returned {shown(found)} where a string is expected")
    if name == "to_json":
        try:
            json.dumps(found)
        except (TypeError, ValueError) as error:
            raise ContractError(f"returned {shown(found)}, which is no JSON data: {error}") from None


@contextmanager
def at_example(place: Place) -> Iterator[None]:
    """Name an example in what is told of a plugin's fault, where nothing else is."""
    try:
        yield
    except PluginError as error:
        if "; at " in error.message:
            raise
        raise PluginError(f"{error.message}; at {place}", plugin=error.plugin) from error.__cause__

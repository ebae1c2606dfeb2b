"""Every registered component and data set with its owner, looked up by kind and name."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from seqlab.datasets import DatasetEntry
from seqlab.errors import SeqlabError
from seqlab.plugin.calling import Part
from seqlab.plugin.component import KINDS, Component
from seqlab.plugin.fields import FieldKind
from seqlab.plugin.guards import guarded
from seqlab.plugin.writers import Writer
from seqlab.settings import Config
from seqlab.suggest import shown, unknown

__all__ = ["Registry", "definition"]

NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Registered:
    """A component and the name of the plugin that registered it."""

    component: Component[Any]
    owner: str


class Registry:
    """Components by kind and name and data sets by name, each with the plugin that owns it.

    `seqlab.plugin.Plugins` fills it, and takes back everything of a plugin that fails halfway.
    """

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, Registered]] = {kind: {} for kind in KINDS}
        self._datasets: dict[str, tuple[DatasetEntry, str]] = {}
        self._field_kinds: dict[str, tuple[FieldKind[Any], str]] = {}
        self._writers: dict[str, tuple[Writer, str]] = {}

    def add(self, kind: str, component: object, owner: str) -> Component[Any]:
        """Enter a component that `owner` registered and return it.

        Raises ValueError with the reason where it is not a sound component or its name is taken; the caller
        knows which distribution is to blame and says so.
        """
        sound = _sound(kind, component)
        taken = self._of(kind).get(sound.name)
        if taken:
            raise ValueError(f"{kind} {sound.name!r} is already registered by plugin {taken.owner!r}")
        self._entries[kind][sound.name] = Registered(sound, owner)
        return sound

    def add_dataset(self, entry: object, owner: str) -> DatasetEntry:
        """Enter a data set that `owner` registered and return it; ValueError as `add` raises it."""
        if not isinstance(entry, DatasetEntry):
            raise ValueError(f"returned {shown(entry)} where a DatasetEntry is expected")
        if entry.name in self._datasets:
            taken = self._datasets[entry.name][1]
            raise ValueError(f"data set {entry.name!r} is already registered by plugin {taken!r}")
        self._datasets[entry.name] = (entry, owner)
        return entry

    def add_field_kind(self, kind: object, owner: str) -> FieldKind[Any]:
        """Enter a kind of field that `owner` registered and return it; ValueError as `add` raises it."""
        found = _named(kind, FieldKind, "field kind")
        _enter(self._field_kinds, guarded(found, _part_of(found, "field kind", owner)), owner, "field kind")
        return found

    def add_writer(self, writer: object, owner: str) -> Writer:
        """Enter a writer that `owner` registered and return it; ValueError as `add` raises it."""
        found = _named(writer, Writer, "writer")
        _enter(self._writers, guarded(found, _part_of(found, "writer", owner)), owner, "writer")
        return found

    def remove(self, owner: str) -> None:
        """Take back everything of a plugin."""
        for found in (self._datasets, self._field_kinds, self._writers):
            for name in [name for name, (_, whose) in found.items() if whose == owner]:
                del found[name]
        for kind, entries in self._entries.items():
            self._entries[kind] = {name: entry for name, entry in entries.items() if entry.owner != owner}

    def get(self, kind: str, name: str) -> Component[Any]:
        """Return a component; raises SeqlabError with the nearest and the allowed names if there is none."""
        return self._entry(kind, name).component

    def datasets(self) -> dict[str, DatasetEntry]:
        """Return the data sets of all plugins by name, sorted."""
        return {name: entry for name, (entry, _) in sorted(self._datasets.items())}

    def dataset(self, name: str) -> DatasetEntry:
        """Return a data set; raises SeqlabError with the nearest and the allowed names if there is none."""
        if name not in self._datasets:
            raise SeqlabError(unknown("data set", name, self._datasets))
        return self._datasets[name][0]

    def dataset_owner(self, name: str) -> str:
        """Return the name of the plugin that registered a data set."""
        self.dataset(name)
        return self._datasets[name][1]

    def field_kinds(self) -> dict[str, FieldKind[Any]]:
        """Return the kinds of fields of all plugins by name, sorted."""
        return {name: kind for name, (kind, _) in sorted(self._field_kinds.items())}

    def field_kind_owner(self, name: str) -> str:
        """Return the name of the plugin that registered a kind of field."""
        return self._field_kinds[name][1]

    def writers(self) -> dict[str, Writer]:
        """Return the writers of all plugins by name, sorted."""
        return {name: writer for name, (writer, _) in sorted(self._writers.items())}

    def writer_owner(self, name: str) -> str:
        """Return the name of the plugin that registered a writer."""
        return self._writers[name][1]

    def owner(self, kind: str, name: str) -> str:
        """Return the name of the plugin that registered a component."""
        return self._entry(kind, name).owner

    def part(self, kind: str, name: str) -> Part:
        """Return what messages call a component."""
        entry = self._entry(kind, name)
        module = str(getattr(_function(entry.component.build), "__module__", ""))
        return Part(kind, name, entry.owner, module.partition(".")[0])

    def settling(self, kind: str, name: str) -> AbstractContextManager[None]:
        """Return the block in which a component checks settings; a fault of its code is a PluginError."""
        return self.part(kind, name).calling("config")

    def source(self, kind: str, name: str) -> str:
        """Return where a component's builder is defined as `file:line`, or `unknown` (compiled code)."""
        return definition(self.get(kind, name).build)

    def names(self, kind: str) -> tuple[str, ...]:
        """Return the names of all components of a kind, sorted."""
        return tuple(sorted(self._of(kind)))

    def catalogue(self) -> dict[str, dict[str, type[Config]]]:
        """Return kind -> name -> settings class, for the checks of a recipe."""
        return {kind: {name: self.get(kind, name).config for name in self.names(kind)} for kind in KINDS}

    def described(self) -> dict[str, dict[str, tuple[type[Config], str]]]:
        """Return kind -> name -> (settings class, summary), for documentation and the JSON Schema."""
        return {
            kind: {
                name: (entry.component.config, entry.component.summary)
                for name, entry in sorted(found.items())
            }
            for kind, found in self._entries.items()
        }

    def _of(self, kind: str) -> dict[str, Registered]:
        if kind not in self._entries:
            raise SeqlabError(unknown("kind", kind, KINDS))
        return self._entries[kind]

    def _entry(self, kind: str, name: str) -> Registered:
        found = self._of(kind).get(name)
        if found is None:
            raise SeqlabError(unknown(kind, name, self.names(kind)))
        return found


def _sound(kind: str, component: object) -> Component[Any]:
    if not isinstance(component, Component):
        raise ValueError(f"returned {shown(component)} where a Component is expected")
    if not (isinstance(component.name, str) and NAME.fullmatch(component.name)):
        raise ValueError(
            f"{kind} name {component.name!r} is not allowed; it must match [a-z][a-z0-9_]* like 'bilstm'"
        )
    if not (isinstance(component.config, type) and issubclass(component.config, Config)):
        raise ValueError(
            f"{kind} {component.name!r}: config is {shown(component.config)}; "
            "it must be a class derived from seqlab.api.Config"
        )
    if not callable(component.build):
        raise ValueError(f"{kind} {component.name!r}: build is {shown(component.build)}; it must be callable")
    return component


N = TypeVar("N", FieldKind[Any], Writer)


def _named(found: object, kind: type[N], what: str) -> N:
    if not isinstance(found, kind):
        wanted = f"an instance of a subclass of seqlab.api.{kind.__name__}"
        raise ValueError(f"returned {shown(found)} where {wanted} is expected")
    name = getattr(found, "name", None)
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        example = "jsonl" if kind is Writer else "tokens"
        raise ValueError(
            f"{what} name {name!r} is not allowed; it must match [a-z][a-z0-9_]* like {example!r}"
        )
    if not isinstance(getattr(found, "summary", None), str):
        raise ValueError(f"{what} {name!r} has no summary, a string")
    return found


def _part_of(found: FieldKind[Any] | Writer, what: str, owner: str) -> Part:
    return Part(what, found.name, owner, type(found).__module__.partition(".")[0])


def _enter(known: dict[str, tuple[N, str]], found: N, owner: str, what: str) -> None:
    if taken := known.get(found.name):
        raise ValueError(f"{what} {found.name!r} is already registered by plugin {taken[1]!r}")
    known[found.name] = (found, owner)


def _function(build: Callable[..., Any]) -> Any:
    function: Any = inspect.unwrap(build)
    while isinstance(function, functools.partial):
        function = inspect.unwrap(function.func)
    return function


def definition(build: Callable[..., Any]) -> str:
    """Return where a function or a class is defined as `file:line`, or `unknown` (compiled code)."""
    function = _function(build)
    if not (inspect.isroutine(function) or inspect.isclass(function)):
        function = type(function)
    try:
        # Not inspect.getsourcelines for functions: a code object knows its line without reading the file.
        code = getattr(function, "__code__", None)
        line = code.co_firstlineno if code else inspect.getsourcelines(function)[1]
        return f"{inspect.getsourcefile(function)}:{line}"
    except (OSError, TypeError):
        return "unknown"

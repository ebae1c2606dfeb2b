"""Loading plugins and calling their hooks; one that fails is named, taken back whole and hurts nobody else.

pluggy marks, parses and stores the hooks. The host walks the implementations itself, so that it knows the
owner of every component and of every exception, and reads entry points itself, because pluggy's own loader
stops at the first plugin that fails.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from seqlab.distributions import declaring, installed_version
from seqlab.errors import PluginError, SeqlabError
from seqlab.plugin import hookspecs
from seqlab.plugin.calling import blaming
from seqlab.plugin.checks import faults, hook_parameters, result_fault
from seqlab.plugin.component import KINDS
from seqlab.plugin.hookspecs import PROJECT
from seqlab.plugin.registry import Registry
from seqlab.settings import built

__all__ = ["PluginInfo", "Plugins", "disabled_from"]

BUILT_IN = "built-in"
ENTRY_POINT = "entry point"
EVERY_ENTRY_POINT = "all"

OFFERED = {"datasets": "data sets", "field_kinds": "field kinds", "writers": "writers"}
"""What plugins register besides components, as the hooks and as messages call it."""


@dataclass(frozen=True)
class PluginInfo:
    """A loaded plugin: its name, what ships it, where it came from and what it brings.

    `origin` is "built-in", "entry point", "file PATH" or "object"; `components` holds (kind, name) pairs,
    `datasets`,
    `field_kinds` and `writers` the names of those.
    """

    name: str
    distribution: str = ""
    version: str = ""
    origin: str = "object"
    components: tuple[tuple[str, str], ...] = ()
    hooks: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    field_kinds: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Implementation:
    """One plugin's function for one hook; `parameters` are those that it asks for."""

    plugin: PluginInfo
    hook: str
    function: Callable[..., Any]
    parameters: tuple[str, ...]


def disabled_from(value: str) -> frozenset[str]:
    """Read `SEQLAB_DISABLE_PLUGINS`: names separated by commas; `all` stands for every entry point."""
    return frozenset(name.strip() for name in value.split(",") if name.strip())


class Plugins:
    """The plugins of one Lab, and the registry of their components.

    What is asked for by name (an object, a file) raises PluginError at once; what merely happens to be
    installed (an entry point) is isolated: its PluginError goes to `failures` and the rest loads, or it is
    raised where `strict`. Either way nothing of a failed plugin stays.
    """

    def __init__(self, *, disabled: Collection[str] = (), strict: bool = False) -> None:
        self.registry = Registry()
        self._disabled = frozenset(disabled)
        self._strict = strict
        self._pluggy = pluggy.PluginManager(PROJECT)
        self._pluggy.add_hookspecs(hookspecs)
        self._parameters = hook_parameters(self._pluggy)
        self._infos: dict[str, PluginInfo] = {}
        # pluggy holds each built-in module under its own name; all of them are the one plugin `seqlab`.
        self._owners: dict[str, PluginInfo] = {}
        self._failures: list[PluginError] = []
        self._skipped: list[str] = []

    @property
    def infos(self) -> tuple[PluginInfo, ...]:
        """The loaded plugins, in the order of registration."""
        return tuple(self._infos.values())

    @property
    def failures(self) -> tuple[PluginError, ...]:
        """What went wrong with plugins that were left out."""
        return tuple(self._failures)

    @property
    def disabled(self) -> tuple[str, ...]:
        """Names of the entry points that were in fact skipped."""
        return tuple(self._skipped)

    # --- loading ---------------------------------------------------------------------------------------

    def load_builtin(self, modules: Iterable[str]) -> None:
        """Import the built-in modules and register them, all together, as the one plugin `seqlab`."""
        info = PluginInfo(PROJECT, PROJECT, installed_version(PROJECT), BUILT_IN)
        self._register(info, {module: importlib.import_module(module) for module in modules})

    def add(self, plugin: object, name: str | None = None) -> None:
        """Register an object or a module; by default its name is the module's or that of its class."""
        chosen = name or getattr(plugin, "__name__", None) or type(plugin).__name__
        self._register(PluginInfo(chosen), {chosen: plugin})

    def load_file(self, path: Path) -> None:
        """Import and register a Python file as the plugin named like the file, without its suffix.

        The module gets a private name and `sys.path` stays as it is, so the file can shadow nothing.
        """
        info = PluginInfo(path.stem, origin=f"file {path}")
        if path.suffix != ".py":
            raise _error(info, f"{path} is no Python file; its name must end in .py")
        if not path.is_file():
            raise _error(info, f"{path} does not exist or is not a file")
        with _module_of(path) as module:
            with _blaming(info, f"importing {path}"):
                _execute(module)
            self._register(info, {path.stem: module})

    def load_entry_points(self, group: str = PROJECT) -> None:
        """Load every installed entry point of the group but the disabled ones, each failure isolated."""
        for distribution in _distributions_with(group):
            with self._isolated():
                info = _identity(distribution)
                with _blaming(info, "reading its entry points"):
                    points = distribution.entry_points.select(group=group)
                for point in points:
                    self._load_entry_point(point, replace(info, name=point.name))

    def _load_entry_point(self, point: importlib.metadata.EntryPoint, info: PluginInfo) -> None:
        if self._disabled & {info.name, EVERY_ENTRY_POINT}:
            self._skipped.append(info.name)
            return
        with self._isolated():
            with _blaming(info, f"importing {point.value}"):
                plugin = point.load()
            self._register(info, {info.name: plugin})

    @contextmanager
    def _isolated(self) -> Iterator[None]:
        try:
            yield
        except PluginError as error:
            if self._strict:
                raise
            self._failures.append(error)

    # --- registering -----------------------------------------------------------------------------------

    def _register(self, info: PluginInfo, members: Mapping[str, object]) -> None:
        self._check(info, members)
        try:
            for name, plugin in members.items():
                self._pluggy.register(plugin, name)
                self._owners[name] = info
            hooks = tuple(hook for hook in self._parameters if self._implementations(hook, info))
            components = tuple(self._collect(info))
            datasets = tuple(self._collect_named("datasets", self.registry.add_dataset, info))
            kinds = tuple(self._collect_named("field_kinds", self.registry.add_field_kind, info))
            writers = tuple(self._collect_named("writers", self.registry.add_writer, info))
        except BaseException:
            self._withdraw(info.name)
            raise
        self._infos[info.name] = replace(
            info, components=components, hooks=hooks, datasets=datasets, field_kinds=kinds, writers=writers
        )

    def _check(self, info: PluginInfo, members: Mapping[str, object]) -> None:
        namesake = self._infos.get(info.name)
        if namesake:
            raise _error(info, f"another plugin of this name is already registered{_shipped(namesake)}")
        for name, plugin in members.items():
            if self._pluggy.is_registered(plugin):
                raise _error(info, f"it is already registered as {self._pluggy.get_name(plugin)!r}")
            if self._pluggy.has_plugin(name):
                raise _error(info, f"{name!r} is the name of a built-in module; choose another")
            for fault in faults(self._pluggy, plugin) if info.origin != BUILT_IN else ():
                raise _error(info, fault.reason, fault.hook)

    def _collect(self, info: PluginInfo) -> Iterator[tuple[str, str]]:
        for kind in KINDS:
            for implementation in self._implementations(f"seqlab_register_{kind}s", info):
                for component in _offered(implementation, "components"):
                    try:
                        added = self.registry.add(kind, component, info.name)
                    except ValueError as error:
                        raise _error(info, str(error), implementation.hook) from None
                    if info.origin != BUILT_IN:
                        with _blaming(info, f"building the settings of {kind} {added.name!r}"):
                            built(added.config)
                    yield kind, added.name

    def _collect_named(self, what: str, add: Callable[[object, str], Any], info: PluginInfo) -> Iterator[str]:
        """Enter what a plugin offers besides components, yield the names."""
        for implementation in self._implementations(f"seqlab_register_{what}", info):
            for found in _offered(implementation, OFFERED[what]):
                try:
                    with _blaming(
                        info, f"adding its {OFFERED[what]}", implementation.hook, passing=(ValueError,)
                    ):
                        name = add(found, info.name).name
                except ValueError as error:
                    raise _error(info, str(error), implementation.hook) from None
                yield name

    def _withdraw(self, name: str) -> None:
        for member in [member for member, owner in self._owners.items() if owner.name == name]:
            self._pluggy.unregister(name=member)
            del self._owners[member]
        self.registry.remove(name)
        self._infos.pop(name, None)

    # --- calling ---------------------------------------------------------------------------------------

    def call(self, hook_name: str, /, **facts: Any) -> list[tuple[str, Any]]:
        """Call a hook of every plugin, built-ins first, then in the order of registration.

        Returns (plugin name, result) pairs. A SeqlabError passes through; any other exception becomes a
        PluginError that names the plugin and the line.
        """
        self._check_facts(hook_name, facts)
        return [(one.plugin.name, _invoke(one, facts)) for one in self._implementations(hook_name)]

    def first(self, hook_name: str, /, **facts: Any) -> Any:
        """Return the first result that is not None, asking the latest plugin first and the built-ins last."""
        self._check_facts(hook_name, facts)
        for implementation in reversed(self._implementations(hook_name)):
            result = _invoke(implementation, facts)
            if result is not None:
                return result
        return None

    def gather(self, hook_name: str, accept: Callable[[str, Any], None], /, **facts: Any) -> None:
        """Give each plugin's result to `accept(plugin name, result)`; one that fails in either is left out.

        `accept` refuses a result by raising ValueError with the reason, before it keeps anything of it.
        Plugins asked for by name, and every plugin where `strict`, raise instead.
        """
        self._check_facts(hook_name, facts)
        for implementation in self._implementations(hook_name):
            info = implementation.plugin
            try:
                result = _invoke(implementation, facts, passing=())
                try:
                    accept(info.name, result)
                except ValueError as error:
                    raise _error(info, str(error), hook_name) from None
            except PluginError as error:
                self._withdraw(info.name)
                if self._strict or info.origin != ENTRY_POINT:
                    raise
                self._failures.append(error)

    def _check_facts(self, hook_name: str, facts: Mapping[str, Any]) -> None:
        # pluggy would hand a plugin whatever it is given; here a wrong call is a mistake of the host.
        if set(facts) != set(self._parameters[hook_name]):
            raise TypeError(f"{hook_name} takes {self._parameters[hook_name]}, not {tuple(facts)}")

    def _implementations(self, hook: str, of: PluginInfo | None = None) -> Sequence[Implementation]:
        found = [
            Implementation(self._owners[impl.plugin_name], hook, impl.function, impl.argnames)
            for impl in getattr(self._pluggy.hook, hook).get_hookimpls()
        ]
        found.sort(key=lambda one: one.plugin.origin != BUILT_IN)  # stable: otherwise order of registration
        return [one for one in found if of is None or one.plugin == of]


def _offered(implementation: Implementation, what: str) -> Iterable[object]:
    offered = _invoke(implementation, {}, passing=())
    if not isinstance(offered, Iterable):
        raise _error(
            implementation.plugin,
            f"returned {offered!r} ({type(offered).__name__}) where a list of {what} is expected",
            implementation.hook,
        )
    with _blaming(implementation.plugin, "iterating over what it returned", implementation.hook):
        return list(offered)


def _invoke(
    one: Implementation, facts: Mapping[str, Any], *, passing: tuple[type[Exception], ...] = (SeqlabError,)
) -> Any:
    with _blaming(one.plugin, "the hook", one.hook, passing=passing):
        result = one.function(*(facts[name] for name in one.parameters))
        # A generator, or a map, would raise later, where nobody knows whose it is.
        result = list(result) if isinstance(result, Iterator) else result
    if reason := result_fault(one.hook, result):
        raise _error(one.plugin, reason, one.hook)
    return result


def _blaming(
    info: PluginInfo, doing: str, hook: str = "", *, passing: tuple[type[Exception], ...] = ()
) -> AbstractContextManager[None]:
    """Turn whatever a plugin's code raises into a PluginError with the exception and its innermost line."""
    return blaming(lambda reason: _error(info, f"{doing} {reason}", hook), passing=passing)


def _error(info: PluginInfo, message: str, hook: str = "") -> PluginError:
    return PluginError(
        message, plugin=info.name, distribution=info.distribution, version=info.version, hook=hook
    )


def _shipped(info: PluginInfo) -> str:
    by = " ".join(part for part in (info.distribution, info.version) if part)
    return f" ({info.origin} of {by})" if by else f" ({info.origin})"


@contextmanager
def _module_of(path: Path) -> Iterator[ModuleType]:
    """Give an empty module for a file, known to sys.modules; taken out again where the body fails."""
    # dataclasses and pydantic look modules up there. One name per file, whatever Lab loads it: pydantic finds
    # docstrings through inspect, which remembers one module name for each file.
    name = f"_seqlab_plugin_{path.stem}_{hashlib.sha256(bytes(path.resolve())).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path.absolute())
    assert spec, "the caller saw to a name that ends in .py"
    before = sys.modules.get(name)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    try:
        yield module
    except BaseException:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
        raise


def _execute(module: ModuleType) -> None:
    assert module.__spec__
    assert module.__spec__.loader
    module.__spec__.loader.exec_module(module)


def _distributions_with(group: str) -> list[importlib.metadata.Distribution]:
    """Return the distributions that declare the group, sorted; of two of one name the first on the path."""
    found: dict[str, importlib.metadata.Distribution] = {}
    for distribution in declaring(group):
        found.setdefault(re.sub(r"[-_.]+", "-", _identity(distribution).distribution).lower(), distribution)
    return [found[name] for name in sorted(found)]


def _identity(distribution: importlib.metadata.Distribution) -> PluginInfo:
    try:
        name, version = distribution.metadata["Name"], distribution.metadata["Version"]
    except Exception:  # the metadata file is missing or damaged, which metadata reports in many ways
        name, version = None, None
    # Without a name the folder is the best that can be said; it is also the key that keeps two of them apart.
    name = name or str(distribution.locate_file("entry_points.txt"))
    return PluginInfo(name, name, version or "", ENTRY_POINT)

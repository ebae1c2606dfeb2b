"""Components as the host calls them: the one seam between it and the code of plugins.

`called` wraps a component of a plugin once, where it is built. From then on whatever one of its methods
raises becomes a PluginError that names plugin, component, method, the innermost line of the plugin's code and
the examples concerned, and what it returns is checked (`seqlab.contract`). seqlab's own components are not
wrapped: a fault of theirs is a programming mistake and keeps its traceback. Torch modules stay themselves:
the engine calls them and asks `ModelParts` who is to be named.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqlab.api import Example, FieldKind, Guarded, Place
from seqlab.contract import CHECKS, Values, check_example, check_normal
from seqlab.errors import ContractError, PluginError, Problem, RecipeError, SeqlabError
from seqlab.plugin import Part, concerning, lacks_memory, memory_asked
from seqlab.suggest import shown

__all__ = ["ModelParts", "called", "sized"]


def called(component: Any, part: Part, kinds: Mapping[str, FieldKind[Any]]) -> Any:
    """Return a component as the host is to call it; `kinds` are those that fields may have."""
    # An encoder is a torch module, and what an augmenter must return depends on what it was given.
    if part.built_in or part.kind in ("encoder", "augmenter"):
        return component
    if part.kind == "reader":
        return CalledReader(component, part, kinds)
    return Called(component, part)


OF_A_BATCH = {("head", "answers")}
"""Methods that the engine calls for a batch: it knows the examples, and `ModelParts` whom to name."""


class Called:
    """Stands for a component: has all that it has, and calls its methods through the seam."""

    def __init__(self, component: Any, part: Part) -> None:
        self.component = component
        self.part = part

    def __getattr__(self, name: str) -> Any:
        if name in ("component", "part") or name.startswith("__"):  # a copy that is not filled yet asks
            raise AttributeError(name)
        with self.part.calling(name):  # it may be a property
            there = hasattr(self.component, name)
            member = getattr(self.component, name) if there else None
        if not there:
            raise AttributeError(f"{self.part} has no attribute {name!r}")
        if not callable(member):
            return member
        method = vars(self)[name] = self._method(name, member)
        return method

    def _method(self, name: str, member: Callable[..., Any]) -> Callable[..., Any]:
        if (self.part.kind, name) in OF_A_BATCH:
            return member
        check = CHECKS.get((self.part.kind, name))

        def method(*facts: Any, **more: Any) -> Any:
            with self.part.calling(name, lambda: _places(facts)):
                found = member(*facts, **more)
                return check(found, *facts) if check else found

        return method


class CalledReader(Called):
    """A reader whose examples are checked one by one, as they come."""

    def __init__(self, component: Any, part: Part, kinds: Mapping[str, FieldKind[Any]]) -> None:
        super().__init__(component, part)
        self.kinds = {name: kinds[kind] for name, kind in component.fields.items()}

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        """Yield the examples of one file."""
        at = [str(path)]
        with self.part.calling("read", at.copy):
            examples = _iterated(self.component.read(path, labelled=labelled))
        while True:
            with self.part.calling("read", at.copy):
                try:
                    found = next(examples)
                except StopIteration:
                    return
                at[:] = [str(getattr(found, "place", at[0]))]
                example = self._checked(found, labelled=labelled)
                at[:] = [f"{example.place} or just after it"]
            yield example

    def _method(self, name: str, member: Callable[..., Any]) -> Callable[..., Any]:
        makes_examples = name in ("normalize", "take")

        def bare(*facts: Any, **more: Any) -> Any:
            found = member(*map(_bare, facts), **more)
            if name == "normalize":
                check_normal(found, *facts)
            return self._checked(found, labelled=False) if makes_examples else found

        return super()._method(name, bare)

    def _checked(self, found: Any, *, labelled: bool) -> Example:
        """Return a sound example; sounds of the plugin's own are read through the seam, too."""
        example = check_example(found, self.kinds, labelled=labelled)
        fields = {}
        for name, value in example.fields.items():
            guarded = self.kinds[name].guarded(value, self._calling(example)) if name in self.kinds else value
            if guarded is not value:
                fields[name] = guarded
        return replace(example, fields={**example.fields, **fields}) if fields else example

    def _calling(self, example: Example) -> Callable[[str], AbstractContextManager[None]]:
        return lambda method: self.part.calling(method, lambda: [str(example.place)])


def _bare(fact: Any) -> Any:
    """Return an example as its own reader made it; anything else as it is."""
    own = fact.fields if isinstance(fact, Example) else {}
    guarded = {name: value.bare for name, value in own.items() if isinstance(value, Guarded)}
    return replace(fact, fields={**own, **guarded}) if guarded else fact


def _iterated(found: Any) -> Iterator[Any]:
    if not isinstance(found, Iterable):
        raise ContractError(f"returned {shown(found)} where an iterator of Examples is expected")
    return iter(found)


def _places(facts: Iterable[Any]) -> Iterator[str]:
    """Yield the places of the examples that a method was called for."""
    for fact in facts:
        if isinstance(fact, Example):
            yield str(fact.place)
        elif isinstance(fact, Values):
            yield from fact.places()


@dataclass(frozen=True)
class ModelParts:
    """Who answers for the modules of a model, by their paths in it (a `seqlab.engine.Parts`)."""

    parts: Mapping[str, Part]

    def title(self, path: str) -> str:
        """Return what messages call the part that a module or a parameter belongs to."""
        part = self.parts[self._part_of(path)]
        return str(part) if part.built_in else f"{part} of plugin {part.owner!r}"

    def fault(self, path: str, method: str, error: BaseException, names: Iterable[str]) -> BaseException:
        """Return a PluginError for the part of a plugin, the error itself for one of seqlab's own.

        A wrong result of seqlab's own is told in words: no traceback says more of it.
        """
        part = self.parts[self._part_of(path)] if path else None
        suspects = [part] if part and not part.built_in else [] if part else self._suspects(error)
        if not suspects:
            return _of_no_plugin(str(part or "model"), method, error, names)
        found = suspects[0].fault(method, error, names)
        if isinstance(found, PluginError) and len(suspects) > 1:
            others = ", ".join(self.title(path) for path, part in self.parts.items() if part in suspects[1:])
            return PluginError(f"{found.message}; it may also be {others}", plugin=found.plugin)
        return found

    def _part_of(self, path: str) -> str:
        return next(known for known in self.parts if path == known or path.startswith(f"{known}."))

    def _suspects(self, error: BaseException) -> list[Part]:
        """Return the parts of plugins whose code took part, in their order.

        All, where nobody's did and torch complains of what a forward pass left behind, or a result is wrong.
        """
        plugins = [part for part in self.parts.values() if not part.built_in]
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        packages = [str(frame.f_globals.get("__name__", "")).partition(".")[0] for frame in frames]
        if found := [part for part in plugins if part.package in packages]:
            return found
        of_torch = "torch" in packages and {*packages[packages.index("torch") :]} == {"torch"}
        return plugins if of_torch or isinstance(error, ContractError) else []


@contextmanager
def sized(part: Part, place: Place) -> Iterator[None]:
    """Make a component or its module; RecipeError where its settings ask for more memory than there is."""
    try:
        yield
    except (MemoryError, RuntimeError, TypeError) as error:
        if not lacks_memory(error, building=True):
            raise
        asked = memory_asked(error)
        message = f"{part} needs more memory than there is{asked and f' ({asked} for one tensor)'}"
        raise RecipeError([Problem(place, "", f"{message}; make it smaller")]) from error


def _of_no_plugin(who: str, method: str, error: BaseException, names: Iterable[str]) -> BaseException:
    """Return the error with a note of who and where; a wrong result as a SeqlabError that says both."""
    if isinstance(error, SeqlabError) or lacks_memory(error):
        return error
    concerned = concerning(error, names)
    where = f"; at {concerned}" if concerned else ""
    if isinstance(error, ContractError):
        return SeqlabError(f"{who}: {method} {error}{where}")
    error.add_note(f"{who}: {method}{where}")
    return error

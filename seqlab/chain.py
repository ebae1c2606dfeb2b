"""Whether the parts of a recipe fit together, followed along the chain by what they declare.

Reader, featurizers, encoders, heads, metrics, and the figure that training watches: everything that the
recipe alone shows is found before data is read, and without torch. What a component does not declare is not
known.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from importlib.util import find_spec
from typing import Any, TypeAlias

from seqlab.errors import ContractError, SeqlabError
from seqlab.plugin import Declaration, Registry, chosen_field
from seqlab.plugin.kinds import IN_STEP
from seqlab.recipe import ComponentRef, Recipe
from seqlab.recipe.placement import Neighbours, misplacement
from seqlab.settings import Config
from seqlab.suggest import did_you_mean, one_of, shown

__all__ = ["Finding", "chain_problems"]

Finding: TypeAlias = tuple[str, str]
"""The dotted path of a key, and what is wrong with it."""

BYTES = 4
"""Of a weight in fp32."""


def chain_problems(recipe: Recipe, registry: Registry) -> Iterator[Finding]:
    """Yield what in a recipe does not fit together, part by part."""
    chain = _Chain(recipe, registry)
    yield from chain.fields()
    yield from chain.features()
    yield from chain.augmenters()
    yield from chain.encoders()
    yield from chain.heads()
    yield from chain.metrics()
    yield from chain.training()
    yield from chain.modules()
    yield from chain.sizes()


@dataclass(frozen=True)
class _Part:
    """A component of a recipe: the path of its key, what it is called, and what it declares."""

    path: str
    ref: ComponentRef
    declared: Declaration

    def __str__(self) -> str:
        return f"{self.ref.kind} {self.ref.name}"


class _Chain:
    def __init__(self, recipe: Recipe, registry: Registry) -> None:
        self.recipe = recipe
        self.registry = registry
        self.kinds = registry.field_kinds()
        self.reader = self._declared(recipe.reader)

    def fields(self) -> Iterator[Finding]:
        """Yield fields of a kind that nobody has registered, or that is not cut into strings."""
        for name, kind in (self.reader.fields or {}).items():
            if kind not in self.kinds:
                hint = f"{did_you_mean(kind, self.kinds)}; {one_of(self.kinds)}"
                yield "data.reader", f"field {name!r} has the unknown kind {kind!r}{hint}"
            elif name in self.reader.separated and not self.kinds[kind].of_strings:
                fit = one_of([each for each, other in self.kinds.items() if other.of_strings])
                yield (
                    "data.reader",
                    f"field {name!r} of kind {kind} has no parts to separate; {fit}",
                )

    def features(self) -> Iterator[Finding]:
        """Yield featurizers that cannot read what the reader delivers."""
        for part in self._features:
            try:
                field = self._field(part, "reads")
            except SeqlabError as error:
                yield part.path, str(error)
                continue
            kind = self.kinds.get((self.reader.fields or {}).get(field or "", ""))
            if kind is not None and kind.annotation:
                yield part.path, f"{part} reads field {field!r}, which is not there in prediction"
            yield from self._uses(part)

    def _uses(self, part: _Part) -> Iterator[Finding]:
        """Yield the further fields of a part that the reader does not deliver."""
        for use in part.declared.uses:
            try:
                if self.reader.fields is not None:
                    chosen_field(f"{part} {use.verb}", use.field, use.kinds, self.reader.fields)
            except SeqlabError as error:
                yield part.path, str(error)

    def augmenters(self) -> Iterator[Finding]:
        """Yield augmenters that have nothing to change here, or must not change it."""
        among = self._neighbours
        for part in self._parts("augment", self.recipe.augmenters):
            stage, keeps = part.declared.stage, part.declared.keeps_length
            known = stage is not None and keeps is not None
            if known and (reason := misplacement(_Change(str(stage), bool(keeps)), among)):
                yield part.path, f"{part} {reason}"

    def encoders(self) -> Iterator[Finding]:
        """Yield encoders that do what a head cannot bear."""
        for head in self._heads:
            for encoder in self._encoders:
                if reason := _unbearable(head, encoder):
                    yield encoder.path, reason

    def heads(self) -> Iterator[Finding]:
        """Yield heads that cannot learn what the reader delivers, and such as have one target."""
        seen: dict[str, _Part] = {}
        for part in self._heads:
            try:
                target = self._field(part, "learns")
            except SeqlabError as error:
                yield part.path, str(error)
                continue
            if target is not None and target in seen:
                yield part.path, f"{part} learns {target!r}, as {seen[target].path} does; each needs its own"
            elif target is not None:
                seen[target] = part

    def metrics(self) -> Iterator[Finding]:
        """Yield metrics that cannot score what a head answers."""
        for metric in self._parts("metrics", self.recipe.metrics or ()):
            for head in self._heads:
                kind = self._target_kind(head)
                if kind and metric.declared.kinds is not None and kind not in metric.declared.kinds:
                    scores = " or ".join(metric.declared.kinds)
                    yield metric.path, f"{metric} scores {scores}, but {head} answers {kind}"

    def training(self) -> Iterator[Finding]:
        """Yield settings of the training that these parts cannot follow."""
        train = self.recipe.train
        if train.lanes is not None and self.recipe.augmenters:
            yield "train.lanes", "lanes cut across examples, which augment changes one by one"
        if train.bptt is not None:
            for encoder in self._encoders:
                if encoder.declared.carries_state is False:
                    yield "train.bptt", f"{encoder} carries no state from one chunk to the next"
            for head in self._heads:
                if head.declared.alignment not in (None, *IN_STEP):
                    yield "train.bptt", f"{head} has targets that cannot be cut along with the states"
        monitor, figures = train.monitor, self._figures
        if monitor is None or figures is None or any(fnmatchcase(monitor, figure) for figure in figures):
            return
        known = [figure for figure in figures if "*" not in figure]
        yield "train.monitor", f"no figure {monitor!r}{did_you_mean(monitor, known)}; {one_of(known)}"

    def modules(self) -> Iterator[Finding]:
        """Yield parts that need what is not installed."""
        every = (
            *self._features,
            *self._encoders,
            *self._heads,
            *self._parts("metrics", self.recipe.metrics or ()),
        )
        for part in every:
            for module, command in part.declared.modules:
                if find_spec(module.partition(".")[0]) is None:
                    yield part.path, f"{part} needs {module}, which is not installed: {command}"

    def sizes(self) -> Iterator[Finding]:
        """Yield parts whose weights alone are larger than the memory of this machine."""
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        for part in (*self._features, *self._encoders, *self._heads):
            size = part.declared.weights * BYTES
            if size > memory:
                told = f"{size / 2**30:,.0f} GiB of weights, this machine has {memory / 2**30:,.0f}"
                yield part.path, f"{part} would have at least {told}; make it smaller"

    # --- parts -------------------------------------------------------------------------------------------

    @cached_property
    def _features(self) -> list[_Part]:
        return self._parts("features", self.recipe.features)

    @cached_property
    def _encoders(self) -> list[_Part]:
        return self._parts("encoder", self.recipe.encoders)

    @cached_property
    def _heads(self) -> list[_Part]:
        return self._parts("head", self.recipe.heads)

    @cached_property
    def _neighbours(self) -> Neighbours:
        aligned = (head for head in self._heads if head.declared.alignment in IN_STEP)
        return Neighbours(
            reads=[self._read(part) for part in self._features],
            frames=[part.declared.frames for part in self._features],
            bptt=self.recipe.train.bptt is not None,
            aligned=next((self._named(head) for head in aligned), None),
        )

    @cached_property
    def _figures(self) -> list[str] | None:
        """The names of all figures that can be watched, None where a part does not tell its own."""
        names = ["loss"]
        for head in self._heads:
            prefix = ""
            if len(self._heads) > 1:
                try:
                    target = self._field(head, "learns")
                except SeqlabError:
                    return None
                if target is None:
                    return None
                prefix = f"{target}."
                names.append(f"{prefix}loss")
            metrics = self._metrics_of(head)
            kind = self._target_kind(head)
            found = [None] if metrics is None else [_figures_of(each, kind) for each in metrics]
            if None in found:
                return None
            names += [prefix + figure for figures in found for figure in figures or ()]
        return names

    def _metrics_of(self, head: _Part) -> list[Declaration] | None:
        if self.recipe.metrics is not None:
            return [self._declared(ref) for ref in self.recipe.metrics]
        if head.declared.default_metrics is None:
            return None
        try:
            found = [self.registry.get("metric", name) for name in head.declared.default_metrics]
            return [self._declaration("metric", component.name, component.config()) for component in found]
        except (SeqlabError, ValueError):  # there is none of this name, or it needs settings
            return None

    def _parts(self, key: str, refs: Sequence[ComponentRef]) -> list[_Part]:
        """Return the parts of a key; a single encoder or head may be written without a list."""
        several = len(refs) > 1 or key in ("features", "augment", "metrics")
        paths = [f"{key}.{number}" if several else key for number in range(len(refs))]
        return [_Part(path, ref, self._declared(ref)) for path, ref in zip(paths, refs, strict=True)]

    def _declared(self, ref: ComponentRef) -> Declaration:
        return self._declaration(ref.kind, ref.name, ref.config)

    def _declaration(self, kind: str, name: str, config: Config) -> Declaration:
        """Return what a component declares; ContractError, told with its plugin, where that is none."""
        with self.registry.part(kind, name).calling("declares"):
            found: Any = self.registry.get(kind, name).declares(config)
            if not isinstance(found, Declaration):
                raise ContractError(f"returned {shown(found)} where a Declaration is expected")
            figures = found.figures.values() if isinstance(found.figures, Mapping) else [found.figures]
            names = [("figures", each) for each in figures]
            names += [("kinds", found.kinds), ("default_metrics", found.default_metrics)]
            for key, value in names:
                if value is not None and (
                    isinstance(value, str) or not all(isinstance(each, str) for each in value)
                ):
                    raise ContractError(f"returned {key} {shown(value)} where a tuple of strings is expected")
            return found

    def _field(self, part: _Part, verb: str) -> str | None:
        """Return the field that a part uses, None where nobody knows; SeqlabError where there is none."""
        declared, fields = part.declared, self.reader.fields
        if declared.kinds is None or fields is None:
            return declared.field
        return chosen_field(f"{part} {verb}", declared.field, declared.kinds, fields)

    def _target_kind(self, head: _Part) -> str | None:
        try:
            target = self._field(head, "learns")
        except SeqlabError:
            return None
        return self._kind(target, head)

    def _read(self, part: _Part) -> str | None:
        try:
            field = self._field(part, "reads")
        except SeqlabError:  # told already; what it would read is known all the same
            field = None
        return self._kind(field, part)

    def _kind(self, field: str | None, part: _Part) -> str | None:
        """Return the kind of a part's field, None where nobody knows."""
        kinds = part.declared.kinds or ()
        only = kinds[0] if len(kinds) == 1 else None
        return (self.reader.fields or {}).get(field or "", only)

    def _named(self, head: _Part) -> str:
        try:
            target = self._field(head, "learns")
        except SeqlabError:
            target = None
        return head.ref.name if target is None else f"{head.ref.name} of {target!r}"


def _figures_of(metric: Declaration, kind: str | None) -> tuple[str, ...] | None:
    """Return the figures that a metric has of a kind of field, None where nobody knows."""
    if metric.figures is None or isinstance(metric.figures, tuple | list):
        return metric.figures
    return metric.figures.get(kind or "")


@dataclass(frozen=True)
class _Change:
    """What an augmenter declares, as the rules of placement want it."""

    stage: str
    keeps_length: bool


def _unbearable(head: _Part, encoder: _Part) -> str:
    """Return why an encoder cannot stand before a head; empty where it can or nobody knows."""
    alignment, does = head.declared.alignment, encoder.declared
    if alignment in IN_STEP and does.keeps_length is False:
        return f"{encoder} changes the lengths, but {head} needs one state for each part of its target"
    if alignment == "shifted" and does.carries_state is False:
        return f"{encoder} may look ahead, but {head} is to foretell what comes next"
    return ""

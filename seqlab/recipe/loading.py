"""From a file or a mapping to a checked Recipe, or to every mistake in it at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

from pydantic import ValidationError

from seqlab.errors import Problem, RecipeError
from seqlab.filepath import VARIABLE
from seqlab.recipe.datasets import DATASET, laid_over_each_other, locating, on_this_machine
from seqlab.recipe.extending import layers_of
from seqlab.recipe.overrides import apply_overrides, long_form, long_forms
from seqlab.recipe.paths import (
    DataString,
    anchor,
    anchored_settings,
    find_files,
)
from seqlab.recipe.problems import follow, key_problems, settings_problems, show, unlike
from seqlab.recipe.reader import read_file, read_mapping
from seqlab.recipe.schema import (
    DATA_KEYS,
    DEFAULT_OBSERVERS,
    RECIPE_KEYS,
    REQUIRED_KEYS,
    SPLITS,
    ComponentRef,
    OnError,
    Recipe,
    Surroundings,
)
from seqlab.recipe.tree import COMMAND_LINE, KeyPath, Node, dotted, plain, without_consequences
from seqlab.recipe.variables import paths_as_written, variables_of
from seqlab.settings import Config, PlateauSchedule, TrainSettings, built
from seqlab.suggest import one_of, unknown

__all__ = ["load_recipe"]

C = TypeVar("C", bound=Config)

DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
"""The name of a distribution (PEP 508); the message tells the user to install it, so it must be no more."""

RUN_NAME = re.compile(r"(?!\.{1,2}$)[^/\\\x00-\x1f\x7f\ud800-\udfff]+")
"""A run's name becomes that of its folder, so it must not lead anywhere else."""


def load_recipe(
    source: Path | Mapping[str, Any],
    surroundings: Surroundings,
    *,
    overrides: Sequence[str] = (),
    check_data: bool = True,
    check_files: bool = True,
) -> Recipe:
    """Read and check a recipe, `KEY=VALUE` overrides applied; RecipeError holds every problem found.

    With `check_data` off the data's paths are not looked at and `paths` stays empty: the recipe in a model
    package has left its data behind. With `check_files` off neither are the files that settings of components
    name, which only training reads.
    """
    variables = set(VARIABLE.findall("\n".join(overrides)))
    with paths_as_written(variables):
        tree = read_mapping(source) if isinstance(source, Mapping) else read_file(source)
        variables |= variables_of(tree.root)
        problems = list(tree.problems)
        layers = layers_of(long_forms(tree.root), problems, tree.unread)
        variables.update(*map(variables_of, layers))
        # A data set chosen on the command line takes the place of the data; then single keys are set.
        chosen = [override for override in overrides if override.startswith(f"data.{DATASET}=")]
        if chosen:
            layers.append(apply_overrides(Node({}, COMMAND_LINE, COMMAND_LINE), chosen[-1:], problems))
        root = laid_over_each_other(layers, surroundings.datasets, problems)
        root = apply_overrides(root, [each for each in overrides if each not in chosen], problems)
        root = laid_over_each_other([root], surroundings.datasets, problems)
        path = None if isinstance(source, Mapping) else source
        check = _Check(root, surroundings, problems, check_files=check_files)
        recipe = check.recipe(path, check_data=check_data)
        if recipe is None or problems:
            raise RecipeError(without_consequences(problems, tree.unread))
        return recipe


class _Check:
    """One walk over a recipe; what is wrong goes to `problems`, what is right into the Recipe."""

    def __init__(
        self, root: Node, surroundings: Surroundings, problems: list[Problem], *, check_files: bool
    ) -> None:
        self.root = root
        self.surroundings = surroundings
        self.problems = problems
        self.check_files = check_files

    def recipe(self, source: Path | None, *, check_data: bool) -> Recipe | None:
        """Check everything; None where too much is wrong to make a Recipe."""
        self.problems += key_problems(self.root, (), RECIPE_KEYS, REQUIRED_KEYS)
        name = self._name(source)
        requires = self._requires()
        reader, strings = self._data()
        on_error = self._on_error()
        features = self._components("featurizer", "features")
        augmenters = self._augmenters()
        encoders = self._one_or_several("encoder")
        heads = self._one_or_several("head")
        metrics = self._optional_components("metric", "metrics")
        observers = self._optional_components("observer", "observers")
        train = self._train()
        if check_data and train is not None:
            self._needs_of_dev(train)
        paths = self._paths(strings) if check_data else {}
        if reader is None or on_error is None or train is None:
            return None
        return Recipe(
            name=name,
            source=source,
            requires=requires,
            reader=reader,
            on_error=on_error,
            splits=_by_split((string.split, string.text) for string in strings),
            anchored=_by_split((string.split, anchor(string.text, string.place)) for string in strings),
            paths=paths,
            features=features,
            augmenters=augmenters,
            encoders=encoders,
            heads=heads,
            metrics=metrics,
            observers=self._default_observers() if observers is None else observers,
            train=train,
            tree=self.root,
        )

    def _name(self, source: Path | None) -> str:
        node = self._child(self.root, "name")
        if node is None or node.content is None:
            node = replace(self.root, content=source.stem if source else "recipe")
        if not isinstance(node.content, str):
            self._report(node, ("name",), unlike("a string", plain(node)))
        elif not RUN_NAME.fullmatch(node.content):
            message = f"must be usable as the name of a folder, without / and \\, got {show(node.content)}"
            self._report(node, ("name",), message)
        return str(node.content)

    def _requires(self) -> tuple[str, ...]:
        node = self._child(self.root, "requires")
        if node is None or node.content is None:
            return ()
        if not isinstance(node.content, tuple):
            self._report(node, ("requires",), unlike("a list of distributions", plain(node)))
            return ()
        installed = {_normal(name) for name in self.surroundings.installed}
        for index, item in enumerate(node.content):
            self._distribution(item, ("requires", index), installed)
        return tuple(str(item.content) for item in node.content)

    def _distribution(self, node: Node, path: KeyPath, installed: Collection[str]) -> None:
        if not isinstance(node.content, str) or not DISTRIBUTION.fullmatch(node.content):
            self._report(node, path, unlike("the name of a distribution, no more", plain(node)))
        elif _normal(node.content) not in installed:
            name = node.content
            message = (
                f"the recipe says that it needs a plugin of {name}, and none is loaded (see: seqlab plugins);"
                f" check that you trust it before you install it: pip install {name}"
            )
            self._report(node, path, message)

    def _data(self) -> tuple[ComponentRef | None, list[DataString]]:
        node = self._child(self.root, "data")
        if node is None:
            return None, []
        if not isinstance(node.content, dict):
            self._report(node, ("data",), unlike("a mapping", plain(node)))
            return None, []
        # A data set that is not known would have filled them.
        required = () if DATASET in node.content else ("reader", "train")
        self.problems += key_problems(node, ("data",), DATA_KEYS, required)
        reader = self._child(node, "reader")
        strings: list[DataString] = []
        for split in SPLITS:
            files = self._child(node, split)
            if files is not None and (files.content is not None or split == "train"):
                strings += self._strings(files, split)
        return self._component("reader", reader, ("data", "reader")) if reader else None, strings

    def _strings(self, node: Node, split: str) -> list[DataString]:
        if isinstance(node.content, str):
            return [DataString(split, node.content, node.place, f"data.{split}")]
        if not isinstance(node.content, tuple) or not node.content:
            got = "an empty list" if node.content == () else show(plain(node))
            self._report(node, ("data", split), f"expected a path or a list of paths, got {got}")
            return []
        strings = []
        for index, item in enumerate(node.content):
            if isinstance(item.content, str):
                strings.append(DataString(split, item.content, item.place, f"data.{split}.{index}"))
            else:
                self._report(item, ("data", split, index), unlike("a path", plain(item)))
        return strings

    def _paths(self, strings: Sequence[DataString]) -> dict[str, tuple[Path, ...]]:
        datasets, others = self.surroundings.datasets, self.surroundings.locate
        strings = on_this_machine(strings, datasets, self.problems)
        return find_files(strings, locating(datasets, others), self.problems)

    def _on_error(self) -> OnError | None:
        data = self._child(self.root, "data")
        node = None if data is None else self._child(data, "on_error")
        if node is None or node.content is None:
            return "fail"
        for allowed in get_args(OnError):
            if node.content == allowed:
                return cast("OnError", allowed)
        self._report(node, ("data", "on_error"), f"got {show(plain(node))}; {one_of(get_args(OnError))}")
        return None

    def _one_or_several(self, kind: str) -> tuple[ComponentRef, ...]:
        node = self._child(self.root, kind)
        if node is None:
            return ()
        if isinstance(node.content, tuple):
            return self._components(kind, kind)
        ref = self._component(kind, node, (kind,))
        return () if ref is None else (ref,)

    def _components(self, kind: str, key: str) -> tuple[ComponentRef, ...]:
        """Check a list of at least one component."""
        node = self._child(self.root, key)
        if node is not None and node.content == ():
            self._report(node, (key,), f"expected at least one {kind}, got an empty list")
        return () if node is None else self._items(kind, node, (key,))

    def _augmenters(self) -> tuple[ComponentRef, ...]:
        """Check a list in which a name may stand twice, as noises of two kinds do; none where absent."""
        node = self._child(self.root, "augment")
        if node is None or node.content is None:
            return ()
        return self._items("augmenter", node, ("augment",))

    def _optional_components(self, kind: str, key: str) -> tuple[ComponentRef, ...] | None:
        """Check a list in which every name stands once; None where the choice is left open."""
        node = self._child(self.root, key)
        if node is None or node.content is None:
            return None
        refs = self._items(kind, node, (key,))
        first: dict[str, ComponentRef] = {}
        for ref in refs:
            if first.setdefault(ref.name, ref) is not ref:
                message = f"{kind} {ref.name!r} is listed twice, first at {first[ref.name].place}"
                self.problems.append(Problem(ref.place, key, message))
        return refs

    def _default_observers(self) -> tuple[ComponentRef, ...]:
        names = [long_form(replace(self.root, content=name)) for name in DEFAULT_OBSERVERS]
        return self._items("observer", replace(self.root, content=tuple(names)), ("observers",))

    def _items(self, kind: str, node: Node, path: KeyPath) -> tuple[ComponentRef, ...]:
        if not isinstance(node.content, tuple):
            self._report(node, path, unlike(f"a list of {kind}s", plain(node)))
            return ()
        items = enumerate(node.content)
        refs = [self._component(kind, item, (*path, index)) for index, item in items]
        return tuple(ref for ref in refs if ref is not None)

    def _component(self, kind: str, node: Node, path: KeyPath) -> ComponentRef | None:
        if not isinstance(node.content, dict):
            self._report(node, path, unlike("a component name or a mapping with a 'name'", plain(node)))
            return None
        known = self.surroundings.catalogue.get(kind, {})
        name = node.content.get("name")
        if name is None:
            self._report(node, path, f"missing required key 'name'; {one_of(known)}")
            return None
        if not isinstance(name.content, str):
            self._report(name, (*path, "name"), unlike("a string", plain(name)))
            return None
        if name.content not in known:
            self._report(name, path, unknown(kind, name.content, known))
            return None
        rest = replace(node, content={key: child for key, child in node.content.items() if key != "name"})
        with self.surroundings.settling(kind, name.content):
            config = self._settings(known[name.content], rest, path)
        if config is None:
            return None
        config = anchored_settings(config, rest, path, self.problems, check=self.check_files)
        return ComponentRef(kind, name.content, config, node.place)

    def _train(self) -> TrainSettings | None:
        node = self._child(self.root, "train")
        if node is None or node.content is None:
            return TrainSettings()
        if not isinstance(node.content, dict):
            self._report(node, ("train",), unlike("a mapping", plain(node)))
            return None
        return self._settings(TrainSettings, node, ("train",))

    def _needs_of_dev(self, train: TrainSettings) -> None:
        """Report every setting that means nothing without a dev split where there is none."""
        dev = follow(self.root, ("data", "dev"))
        if (not dev[2] and dev[0].content is not None) or not follow(self.root, ("data", DATASET))[2]:
            return
        needs: dict[KeyPath, bool] = {
            ("train", "early_stopping"): train.early_stopping is not None,
            ("train", "evaluate_every"): train.evaluate_every != 1,
            ("train", "monitor"): train.monitor is not None,
            ("train", "schedule"): isinstance(train.schedule, PlateauSchedule),
        }
        for path in (path for path, needed in needs.items() if needed):
            self._report(follow(self.root, path)[0], path, "needs a dev split, but there is no data.dev")

    def _settings(self, model: type[C], node: Node, path: KeyPath) -> C | None:
        try:
            return built(model).model_validate(plain(node))
        except ValidationError as error:
            self.problems += settings_problems(error, model, node, path)
            return None

    def _child(self, node: Node, key: str) -> Node | None:
        return node.content.get(key) if isinstance(node.content, dict) else None

    def _report(self, node: Node, path: KeyPath, message: str) -> None:
        self.problems.append(Problem(node.place, dotted(path), message))


def _by_split(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    splits: dict[str, tuple[str, ...]] = {}
    for split, text in pairs:
        splits[split] = (*splits.get(split, ()), text)
    return splits


def _normal(distribution: str) -> str:
    """Return the form in which two spellings of a distribution's name are equal (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()

"""The composition root: a Lab owns plugins and components, and does what the command line does.

Two Labs in one process never meet. Importing this module loads neither torch nor numpy; the methods that
compute import what they need.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from seqlab.chain import chain_problems
from seqlab.datasets import get_dataset
from seqlab.errors import PluginError, RecipeError
from seqlab.plugin import Plugins, Registry, blaming, disabled_from
from seqlab.plugin.hookspecs import PROJECT
from seqlab.plugin.kinds import Located
from seqlab.recipe import Recipe, Surroundings, load_recipe, paths_as_written
from seqlab.settings import Precision, schedule_fault

if TYPE_CHECKING:
    from seqlab.datasets.fetching import DownloadProgress
    from seqlab.figures import Figures
    from seqlab.predict.predictor import Predictor
    from seqlab.run import RunOptions
    from seqlab.scoring import ErrorListing, Scorer

__all__ = ["BUILT_IN", "Lab"]

Many = TypeVar("Many", bound=Iterable[object])

BUILT_IN = (
    "seqlab.builtin.core.plugin",
    "seqlab.builtin.text.plugin",
    "seqlab.builtin.speech.plugin",
    "seqlab.builtin.synthetic.plugin",
)
"""The domains that seqlab ships, each registered as anybody's plugin is, through the same hooks."""


class Lab:
    """Plugins, their components, and what can be done with recipes and models.

    `plugins` are objects or modules with hooks, `plugin_files` Python files; a fault in these raises
    PluginError. Installed plugins (entry points of group `seqlab`) that fail are left out and listed in
    `plugins.failures`, or raise where `strict`. The environment's SEQLAB_DISABLE_PLUGINS names entry points
    to leave out, `all` for every one.
    """

    def __init__(
        self,
        plugins: Iterable[object] = (),
        *,
        plugin_files: Iterable[Path | str] = (),
        entry_points: bool = True,
        strict: bool = False,
    ) -> None:
        disabled = disabled_from(os.environ.get("SEQLAB_DISABLE_PLUGINS", ""))
        self.plugins = Plugins(disabled=disabled, strict=strict)
        self.plugins.load_builtin(BUILT_IN)
        if entry_points:
            self.plugins.load_entry_points()
        for plugin in plugins:
            self.plugins.add(plugin)
        for path in several("plugin_files", plugin_files):
            self.plugins.load_file(Path(path))

    @property
    def registry(self) -> Registry:
        """The components of all plugins."""
        return self.plugins.registry

    def check(self, source: Path | str | Mapping[str, Any], overrides: Sequence[str] = ()) -> Recipe:
        """Read a recipe and check all of it but the data's content; RecipeError lists every problem."""
        if not isinstance(source, (Path, str, Mapping)):
            raise TypeError(f"a recipe is a path or a mapping, not {type(source).__name__}")
        recipe = self._load(source, several("overrides", overrides))
        self._let_plugins_check(recipe)
        if fault := schedule_fault(recipe.train):
            logging.getLogger(__name__).warning("%s", recipe.problem("train.schedule", fault))
        return recipe

    def run(
        self,
        source: Path | str | Mapping[str, Any] | Recipe,
        overrides: Sequence[str] = (),
        options: RunOptions | None = None,
    ) -> dict[str, Any]:
        """Train, judge and package what a recipe describes; return the report.

        A Recipe that `check` returned is not checked again, and takes no overrides.
        """
        from seqlab.run import Run, RunOptions

        if isinstance(source, Recipe) and overrides:
            raise ValueError("a checked recipe takes no overrides; give them to check")
        recipe = source if isinstance(source, Recipe) else self.check(source, overrides)
        with paths_as_written(recipe.variables):
            return Run(recipe, self.plugins, options or RunOptions()).execute()

    def open(self, path: Path | str, *, device: str = "auto", precision: Precision = "fp32") -> Predictor:
        """Open a model package for prediction; PackageError where it cannot be used.

        `precision` is that of the matrix products: fp32, bf16, or auto, which is bf16 where the device
        computes it in hardware.
        """
        from seqlab.engine.device import pick_device
        from seqlab.package import open_package
        from seqlab.predict.predictor import Predictor

        opened = open_package(Path(path), self.registry, pick_device(device))
        return Predictor(opened.assembly, opened.model, opened.manifest, precision=precision)

    def evaluate(
        self,
        path: Path | str,
        data: Sequence[Path | str] = (),
        *,
        split: str = "test",
        device: str = "auto",
        precision: Precision = "fp32",
    ) -> Figures:
        """Return a package's figures on labelled files, by default on a split of its own recipe.

        Files of the recipe that have changed since the training are named in a warning of the log.
        """
        predictor = self.open(path, device=device, precision=precision)
        return self._scorer(predictor, data, split)(predictor.model)

    def list_errors(
        self,
        path: Path | str,
        data: Sequence[Path | str] = (),
        *,
        split: str = "test",
        device: str = "auto",
        precision: Precision = "fp32",
    ) -> ErrorListing:
        """Return the figures as `evaluate` does, and what the metrics list of the errors, as one text.

        RecipeError, before any data is read, where no metric of the package lists them.
        """
        from seqlab.scoring import ErrorListing

        predictor = self.open(path, device=device, precision=precision)
        assembly = predictor.assembly
        metrics = {name: metric for each in assembly.metrics.values() for name, metric in each.items()}
        if not any(hasattr(metric, "listing") for metric in metrics.values()):
            message = f"none of the metrics lists errors: {', '.join(metrics) or 'there is none'}"
            raise RecipeError([assembly.recipe.problem("metrics", message)])
        scorer = self._scorer(predictor, data, split)
        return ErrorListing(scorer(predictor.model), scorer.listing())

    def get_dataset(self, name: str, progress: DownloadProgress | None = None) -> Path:
        """Return the folder of a data set of the catalogue, checked; what is not here is fetched first.

        `progress(file, bytes done, bytes in all or None)` is told how far it is. DataError where it cannot be
        had, SeqlabError for an unknown name.
        """
        entry, owner = self.registry.dataset(name), self.registry.dataset_owner(name)

        def fault(reason: str) -> PluginError:
            message = f"getting data set {name!r} {reason}"
            return PluginError(message, plugin=owner, hook="seqlab_register_datasets")

        # A fault of our own is a programming mistake and keeps its traceback.
        with nullcontext() if owner == PROJECT else blaming(fault):
            return get_dataset(entry, progress) if progress else get_dataset(entry)

    def _scorer(self, predictor: Predictor, data: Sequence[Path | str], split: str) -> Scorer:
        from seqlab.engine.answering import BATCH
        from seqlab.scoring import Scorer

        assembly = predictor.assembly
        with paths_as_written(assembly.recipe.variables):
            files = [Path(file) for file in several("data", data)] or self._split_of(predictor.info, split)
            examples = assembly.read(files, split)
        encoded = assembly.encode(examples, labelled=True)
        scorer = Scorer(assembly, examples, encoded, BATCH, predictor.precision)
        for target, count in scorer.unseen().items():
            message = "%d targets %s of the data are not among those that training saw: no loss counts them"
            logging.getLogger(__name__).warning(message, count, target)
        for target, count in scorer.missing_labels().items():
            message = "%d targets %s are missing in the data: no loss and no figure counts them"
            logging.getLogger(__name__).warning(message, count, target)
        scorer.short_of_states(predictor.model)
        return scorer

    def _split_of(self, manifest: Mapping[str, Any], split: str) -> Sequence[Path]:
        from seqlab.package import without_training
        from seqlab.runfolder import RunFolder

        recipe = self._load(without_training(manifest["recipe"]), (), check_files=False)
        if split not in recipe.paths:
            there = ", ".join(recipe.paths)
            message = f"the recipe has no {split} split, only: {there}; name one with --split, or data files"
            raise RecipeError([recipe.problem("data", message)])
        files = recipe.paths[split]
        found = RunFolder.fingerprints({split: files})[split]
        trained = manifest.get("data", {}).get(split, found)
        if list(found.values()) != list(trained.values()):
            changed = [file for file in found if found[file] not in trained.values()] or found
            message = "the %s data has changed since training: %s"
            logging.getLogger(__name__).warning(message, split, ", ".join(changed))
        return files

    def _load(
        self,
        source: Path | str | Mapping[str, Any],
        overrides: Sequence[str],
        *,
        check_files: bool = True,
    ) -> Recipe:
        located: dict[Path, Located] = {}

        def locate(uri: str, base: Path) -> Path | None:
            found = self.plugins.first("seqlab_locate", uri=uri, base=base)
            if found is None:
                return None
            located[found.path] = found
            return Path(found.path)

        surroundings = Surroundings(
            self.registry.catalogue(),
            locate=locate,
            installed=[info.distribution or info.name for info in self.plugins.infos],
            datasets=self.registry.datasets(),
            settling=self.registry.settling,
        )
        source = Path(source) if isinstance(source, str) else source
        recipe = load_recipe(source, surroundings, overrides=overrides, check_files=check_files)
        notices = (found.notice for found in located.values() if found.notice)
        return replace(recipe, notices=tuple(dict.fromkeys(notices)))

    def _let_plugins_check(self, recipe: Recipe) -> None:
        answers = self.plugins.call("seqlab_recipe_checked", recipe=recipe.resolved())
        findings = list(chain_problems(recipe, self.registry))
        findings += [finding for _, found in answers for finding in found or ()]
        reader = recipe.reader.name
        if recipe.on_error == "skip" and not self.registry.get("reader", reader).skips:
            message = f"reader {reader!r} leaves out no single examples; say fail, or take another reader"
            findings.append(("data.on_error", message))
        if findings:
            raise RecipeError([recipe.problem(path, message) for path, message in findings])


def several(name: str, values: Many) -> Many:
    """Return the values; TypeError for a single string, which would be taken letter by letter."""
    if isinstance(values, str):
        raise TypeError(f"{name} is the string {values!r}; give a list: [{values!r}]")
    return values

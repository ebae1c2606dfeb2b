"""One run from a checked recipe to a usable model: read, fit, train, judge, package, report."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from seqlab.api import DataError, Example, Observer, ObserverContext, RecipeError, RunInfo, SeqlabError
from seqlab.assembly import Assembly
from seqlab.augmentation import Augmentation, check_augmenters
from seqlab.building import build_component
from seqlab.engine import CheckpointFolder, Evaluation, SequenceModel, Trainer, TrainingJob
from seqlab.engine.answering import BATCH
from seqlab.engine.best import LOSS
from seqlab.engine.device import peak_memory_mb, pick_device, threads
from seqlab.engine.seeding import derived_seed, seeded
from seqlab.figures import overall
from seqlab.notices import warnings_kept
from seqlab.overlap import Known
from seqlab.package import check_room, save_package
from seqlab.plugin import Plugins
from seqlab.predict.lengths import LENGTHS, lengths_seen
from seqlab.recipe import Recipe, Surroundings, load_resolved
from seqlab.runfolder import RunFolder, default_folder
from seqlab.scoring import Scorer
from seqlab.settings import schedule_fault
from seqlab.suggest import did_you_mean, one_of

__all__ = ["Run", "RunOptions"]

TRIALS = 50
"""Examples among which one is looked for that a user may try the model on."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What a run is told besides its recipe.

    `out`: run folder, `runs/<recipe name>` by default; `resume`: continue what is there; `device`: cpu, cuda
    or auto; `threads`: CPU threads, torch's default when None; `cancelled`: asked after every window;
    `observers`: watch beside those of the recipe, under names of their own.
    """

    out: Path | str | None = None
    resume: bool = False
    device: str = "auto"
    threads: int | None = None
    cancelled: Callable[[], bool] = lambda: False
    observers: Mapping[str, Observer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be at least 1, or None for torch's default, got {self.threads}")


class Run:
    """A run under way; `execute` does it all and returns the report."""

    def __init__(self, recipe: Recipe, plugins: Plugins, options: RunOptions) -> None:
        self.recipe = recipe
        self.plugins = plugins
        self.options = options
        self.device = pick_device(options.device)
        self.folder = RunFolder(
            Path(options.out or default_folder(recipe.name)), recipe.variables, self._completed
        )
        self.notices = recipe.notices
        self.started = time.perf_counter()
        self.training = False
        self.short_of_states: dict[str, list[str]] = {}
        self.missing: dict[str, dict[str, int]] = {}
        self.also_in_train: dict[str, int] = {}
        self.lengths: dict[str, dict[str, Any]] = {}
        self.trial: Mapping[str, Any] = {}

    def execute(self) -> dict[str, Any]:
        """Run and report; plugins see the start and, whatever happens, the end."""
        self._check_observers()
        with self.folder.locked(resume=self.options.resume):
            resumed = self._begin()
            if resumed and (report := self.folder.report()):
                return report
            info = self._info(resumed=resumed)
            try:
                self.plugins.call("seqlab_run_started", run=info)
                with threads(self.options.threads):
                    report = self._execute(info)
            except BaseException as error:
                if not self.training:
                    self.folder.clear_unstarted()
                self._tell_failure(info, error)
                raise
            self.plugins.call("seqlab_run_finished", run=info, report=report, error=None)
            return report

    def _check_observers(self) -> None:
        names = {ref.name for ref in self.recipe.observers}
        if taken := sorted(names & self.options.observers.keys()):
            message = f"the recipe has observers of these names, too: {', '.join(taken)}; choose others"
            raise SeqlabError(f"options.observers: {message}")

    def _begin(self) -> bool:
        facts = {"seed": self.recipe.train.seed, "data": self.folder.fingerprints(self.recipe.paths)}
        return self.folder.begin(self.recipe.resolved(), facts | self._versions)

    def _completed(self, saved: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the recipe that a run began with as it is resolved today; what no longer fits as it is."""
        registry = self.plugins.registry
        surroundings = Surroundings(registry.catalogue(), settling=registry.settling)
        try:
            whole = load_resolved({**saved, "requires": []}, surroundings).resolved()
        except RecipeError:
            return saved
        return {**whole, "requires": saved.get("requires", [])}

    def _info(self, *, resumed: bool) -> RunInfo:
        if resumed and (notice := self.folder.enter_versions(self._versions)):
            logging.getLogger(__name__).warning(notice)
            self.notices += (notice,)
        return RunInfo(self.recipe.name, self.folder.path, self.recipe.resolved(), resumed, self.notices)

    def _tell_failure(self, info: RunInfo, error: BaseException) -> None:
        try:
            self.plugins.call("seqlab_run_finished", run=info, report=None, error=error)
        except SeqlabError as fault:
            # What ended the run matters more than a plugin that cannot cope with it.
            error.add_note(str(fault))

    def _execute(self, info: RunInfo) -> dict[str, Any]:
        assembly = Assembly(self.recipe, self.plugins.registry, self.device)
        _ = assembly.metrics  # what they lack is told before anything is read
        check_augmenters(assembly)
        examples = assembly.read(self.recipe.paths["train"], "train")
        with warnings_kept() as warnings:
            assembly.fit(examples)
        self.notices += tuple(warnings)
        data = assembly.encode(examples, labelled=True)
        if not data.lengths.any():
            count = len(examples)
            raise DataError(f"data.train holds empty sequences alone, {count} of them: nothing to learn")
        # Faults of any split are found now, not after hours of training; test is judged once, in the end.
        dev, test = self._scorer(assembly, "dev"), self._scorer(assembly, "test")
        with seeded(derived_seed(self.recipe.train.seed, "weights")):
            model = assembly.model().to(self.device)
        check_room(assembly, model)
        examples, data = assembly.with_room(model, examples, data)
        self.lengths = lengths_seen(examples, assembly.inputs)
        scorers = {name: scorer for name, scorer in (("dev", dev), ("test", test)) if scorer}
        self._look_at(assembly, examples, scorers)
        self.short_of_states = {name: scorer.short_of_states(model) for name, scorer in scorers.items()}
        augment = Augmentation(assembly, model, examples, data) if assembly.augmenters else None
        job = TrainingJob(
            data=data,
            augment=augment,
            settings=self.recipe.train,
            evaluation=self._evaluation(dev) if dev else None,
            observers=self._observers(info),
            cancelled=self.options.cancelled,
        )
        trainer = self._trainer(model, job)
        before = self._resume(trainer) if info.resumed else 0.0
        self.training = True
        trainer.fit()
        return self._conclude(assembly, trainer, scorers, before)

    def _look_at(
        self, assembly: Assembly, examples: Sequence[Example], scorers: Mapping[str, Scorer]
    ) -> None:
        """Count the labels that the data lacks, and what stands in two splits."""
        self.missing = {"train": assembly.missing(examples)}
        self.trial = self._trial(assembly, [each for scorer in scorers.values() for each in scorer.examples])
        known = Known(examples if scorers else (), assembly.inputs)
        for name, scorer in scorers.items():
            self.missing[name] = scorer.missing_labels()
            self.also_in_train[name] = known.repeated(scorer.examples)

    def _trial(self, assembly: Assembly, examples: Sequence[Example]) -> Mapping[str, Any]:
        """Return how a user may try the model: on a short example of the data, or else on all of it."""
        if len(assembly.inputs) == 1:
            (field, kind), *_ = assembly.inputs.items()
            values = sorted((example.fields[field] for example in examples[:TRIALS]), key=kind.size)
            trials = (kind.trial(value) for value in values)
            found = next((trial for trial in trials if trial is not None), None)
            if found is not None:
                return found
        split = next(name for name in ("test", "dev", "train") if name in self.recipe.paths)
        return {"arguments": ["--from", "data", str(self.recipe.paths[split][0])]}

    # --- training ------------------------------------------------------------------------------------------

    def _scorer(self, assembly: Assembly, split: str) -> Scorer | None:
        if split not in self.recipe.paths:
            return None
        examples = assembly.read(self.recipe.paths[split], split)
        return Scorer(assembly, examples, assembly.encode(examples, labelled=True), BATCH)

    def _observers(self, info: RunInfo) -> dict[str, Observer]:
        registry, context = self.plugins.registry, ObserverContext(info)
        observers: dict[str, Observer] = {}
        for ref in self.recipe.observers:
            observers[ref.name] = build_component(registry, ref, context)
        return observers | dict(self.options.observers)

    def _trainer(self, model: SequenceModel, job: TrainingJob) -> Trainer:
        try:
            trainer = Trainer(model, job)
        except ValueError as error:
            raise RecipeError([self.recipe.problem("train", str(error))]) from error
        if fault := schedule_fault(job.settings, trainer.total_steps):
            notice = str(self.recipe.problem("train.schedule", fault))
            self.notices += (notice,)
            if not schedule_fault(job.settings):  # or the check of the recipe has said so
                logging.getLogger(__name__).warning(notice)
        return trainer

    def _evaluation(self, dev: Scorer) -> Evaluation:
        figures = dev.figures()
        default = next((name for name in figures if name != LOSS), LOSS)
        monitor = self.recipe.train.monitor or default
        if monitor not in figures:
            # Figures of parts may be watched, too, but would hide the others here.
            allowed = one_of(overall(figures, dev.heads))
            message = f"no dev metric {monitor!r}{did_you_mean(monitor, figures)}; {allowed}"
            lacking = "; in the dev split parts of the targets are missing" if dev.missing_labels() else ""
            raise RecipeError([self.recipe.problem("train.monitor", message + lacking)])
        if untold := dev.untold():
            self._warn_of_unknown(sorted(untold), monitor)

        def judge(model: SequenceModel) -> Mapping[str, float]:
            found = dev(model)
            dev.check_kept(monitor, found)
            return found

        watched = None if monitor in untold else monitor
        return Evaluation(judge=judge, monitor=watched, higher_is_better=figures[monitor])

    def _warn_of_unknown(self, untold: Sequence[str], monitor: str) -> None:
        """Say that no target of the dev split is known to training, and what follows from it."""
        notice = f"data.dev: training has seen no part of its targets: there is no dev {', '.join(untold)}"
        if monitor in untold:
            notice += (
                " to watch: the last weights are kept as the best ones, and neither early stopping nor the"
                " plateau schedule ever acts"
            )
        logging.getLogger(__name__).warning(notice)
        self.notices += (notice,)

    def _resume(self, trainer: Trainer) -> float:
        """Take the last checkpoint, if there is one yet; return the seconds spent before it."""
        checkpoints = CheckpointFolder(self.folder.checkpoints)
        if not checkpoints.last.exists():
            return 0.0
        trainer.restore(*checkpoints.load())
        return trainer.progress.total_seconds

    # --- the end -------------------------------------------------------------------------------------------

    def _conclude(
        self, assembly: Assembly, trainer: Trainer, scorers: Mapping[str, Scorer], before: float
    ) -> dict[str, Any]:
        """Judge the best weights, write the package and then the report."""
        metrics = {name: scorer(trainer.model) for name, scorer in scorers.items()}
        facts = self.folder.facts() | {"metrics": metrics, "components": self._components(assembly)}
        facts[LENGTHS] = self.lengths
        kinds = {name: kind.name for name, kind in assembly.kinds.items()}
        save_package(self.folder.model, assembly, trainer.model, facts)
        progress = trainer.progress
        report = {
            "metrics": metrics,
            "reads": {field: kinds[field] for field in assembly.inputs},
            "answers": {target: kinds[target] for target in assembly.heads},
            "trial": self.trial,
            "seconds": round(time.perf_counter() - self.started + before, 3),
            "tokens_per_second": round(progress.tokens_per_second, 1),
            "peak_memory_mb": round(peak_memory_mb(), 1),
            "seed": self.recipe.train.seed,
            "epochs": progress.epoch,
            "best_epoch": progress.best_epoch or progress.epoch,
            "steps": progress.step,
            "skipped_steps": progress.skipped,
            "skipped_examples": {
                name: list(map(str, each)) for name, each in assembly.refused.items() if each
            },
            "missing_labels": self.missing,
            "unseen_labels": {name: scorer.unseen() for name, scorer in scorers.items()},
            "also_in_train": self.also_in_train,
            "short_of_states": {name: each for name, each in self.short_of_states.items() if each},
            "notices": [*self.notices, *trainer.notices],
            "device": str(self.device),
            "precision": trainer.precision,
            "threads": self.options.threads or torch.get_num_threads(),
        }
        return self.folder.finish(report)

    def _components(self, assembly: Assembly) -> dict[str, str]:
        """Return what to install for each component of the recipe."""
        recipe, registry = self.recipe, self.plugins.registry
        shipped = {info.name: info.distribution or info.name for info in self.plugins.infos}
        used = [
            (ref.kind, ref.name) for ref in (recipe.reader, *recipe.features, *recipe.encoders, *recipe.heads)
        ]
        used += [("metric", name) for metrics in assembly.metrics.values() for name in metrics]
        return {f"{kind}.{name}": shipped[registry.owner(kind, name)] for kind, name in used}

    @cached_property
    def _versions(self) -> dict[str, Any]:
        plugins = {info.name: info.version for info in self.plugins.infos}
        return {"plugins": plugins, "torch": torch.__version__}

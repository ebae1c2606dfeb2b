"""The parts of a recipe put together: reader, featurizers, encoder, heads, metrics, fitted on one split."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from seqlab.api import (
    Augmenter,
    AugmenterContext,
    DataError,
    Encoder,
    EncoderContext,
    Example,
    Featurizer,
    FeaturizerContext,
    Head,
    HeadContext,
    Metric,
    MetricContext,
    PluginError,
    Problem,
    Reader,
    ReaderContext,
    RecipeError,
    SeqlabError,
)
from seqlab.calling import ModelParts, called, sized
from seqlab.contract import ANSWERS, Values, attribute_fault
from seqlab.engine import Column, Dataset, EncoderChain, Observer, SequenceModel
from seqlab.plugin import Part, Registry, raised
from seqlab.recipe import ComponentRef, Recipe
from seqlab.suggest import one_of

__all__ = ["Assembly", "build_component", "placed", "values_of"]

LEARNS = ("fit", "state", "restore")

REQUIRED: Mapping[str, Sequence[str]] = {
    "reader": ("suffixes", "fields", "read"),
    "featurizer": ("field", *LEARNS, "encode", "module"),
    "augmenter": ("stage", "keeps_length", "__call__"),
    "encoder": ("output_size", "carries_state", "forward", "output_lengths", "state_dict"),
    "head": ("target", "default_metrics", *LEARNS, "encode", "module", "decode"),
    "metric": ("higher_is_better", *LEARNS, "reset", "update", "compute"),
    "observer": tuple(name for name in vars(Observer) if not name.startswith("_")),
}
"""What the host uses of every component of a kind, so that what is missing is known before it is needed."""


def build_component(registry: Registry, ref: ComponentRef, context: object) -> Any:
    """Build a component of a recipe, to be called as `called` has it.

    A fault of plugin code becomes a PluginError with the plugin's name, an error without a place gets that of
    the component in the recipe.
    """
    part = registry.part(ref.kind, ref.name)
    try:
        with sized(part, ref.place):
            built = registry.get(ref.kind, ref.name).build(ref.config, context)
    except SeqlabError as error:
        raise placed(error, ref) from error
    except (Exception, SystemExit) as error:
        raise part.refused(f"cannot be built: {raised(error, part.package)}") from error
    with part.calling("build"):
        missing = [name for name in REQUIRED[ref.kind] if not hasattr(built, name)]
        fault = "" if missing else attribute_fault(ref.kind, built)
    wanted = f"; see seqlab.api.{ref.kind.capitalize()}"
    if missing:
        raise part.refused(f"was built as {built!r}, which lacks {', '.join(missing)}{wanted}")
    if fault:
        raise part.refused(f"{fault}{wanted}")
    return called(built, part, context)


def placed(error: SeqlabError, ref: ComponentRef) -> SeqlabError:
    """Give an error without a place of its own the one where the recipe names the component."""
    return RecipeError([Problem(ref.place, "", str(error))]) if type(error) is SeqlabError else error


class Assembly:
    """Everything between the files and the tensors.

    Made from a recipe, it is blank; `fit` learns vocabularies and labels from the training examples, or
    `restore` takes them from a package. Only then can it encode, decode and make the model. `refused` holds,
    per split, what was left out because the recipe says `on_error: skip`. Featurizers may compute on
    `device`; the model is moved there by whoever makes it.
    """

    def __init__(self, recipe: Recipe, registry: Registry, device: torch.device | str = "cpu") -> None:
        self.recipe = recipe
        self.registry = registry
        self.refused: dict[str, list[DataError]] = {}
        self._refusing: list[DataError] | None = None
        self.reader: Reader = self._build(recipe.reader, ReaderContext(self._refuse))
        fields = self.reader.fields
        self.featurizers: list[Featurizer] = [
            self._build(ref, FeaturizerContext(fields, str(device))) for ref in recipe.features
        ]
        self.augmenters: list[Augmenter] = [
            self._build(ref, AugmenterContext(fields)) for ref in recipe.augmenters
        ]
        heads: list[Head] = [self._build(ref, HeadContext(fields)) for ref in recipe.heads]
        self.heads: dict[str, Head] = {head.target: head for head in heads}
        if len(self.heads) != len(heads):
            targets = ", ".join(head.target for head in heads)
            raise RecipeError(
                [recipe.problem("head", f"every head needs a target of its own, got: {targets}")]
            )
        self._check_fields()
        self.metrics: dict[str, dict[str, Metric]] = {
            target: self._build_metrics(head) for target, head in self.heads.items()
        }

    # --- learning and remembering --------------------------------------------------------------------------

    def fit(self, examples: Sequence[Example]) -> None:
        """Learn vocabularies, labels and what metrics need from the training examples and nothing else."""
        for featurizer in self.featurizers:
            featurizer.fit(values_of(examples, featurizer.field))
        for ref, head in zip(self.recipe.heads, self.heads.values(), strict=True):
            try:
                head.fit(values_of(examples, head.target))
            except SeqlabError as error:
                raise placed(error, ref) from error
        for metric in self._all_metrics():
            metric.fit(Values(examples, examples))
        self.state()  # what no package can keep is told now, not after the training

    def state(self) -> dict[str, Any]:
        """Return what was learned, as plain JSON data."""
        return {
            "features": [featurizer.state() for featurizer in self.featurizers],
            "heads": {target: head.state() for target, head in self.heads.items()},
            "metrics": [metric.state() for metric in self._all_metrics()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        for featurizer, saved in zip(self.featurizers, state["features"], strict=True):
            featurizer.restore(saved)
        for target, head in self.heads.items():
            head.restore(state["heads"][target])
        for metric, saved in zip(self._all_metrics(), state["metrics"], strict=True):
            metric.restore(saved)

    # --- examples to tensors -------------------------------------------------------------------------------

    def read(self, paths: Iterable[Path], split: str) -> list[Example]:
        """Read labelled files; DataError where they hold no example that can be used."""
        with self._noting(split):
            try:
                examples = self.normalized(example for path in paths for example in self.reader.read(path))
            except SeqlabError as error:
                raise placed(error, self.recipe.reader) from error
        if not examples:
            refused = self.refused[split]
            why = f"; the first of {len(refused)} that were left out: {refused[0]}" if refused else ""
            raise DataError(f"data.{split} holds no examples: {', '.join(map(str, paths))}{why}")
        return examples

    def normalized(self, examples: Iterable[Example]) -> list[Example]:
        """Return examples as the model sees them: in the reader's normal form, where it has one."""
        normalize = getattr(self.reader, "normalize", None)
        return list(map(normalize, examples) if normalize else examples)

    def missing(self, examples: Iterable[Example]) -> dict[str, int]:
        """Return, by head, how many labels the examples lack; heads that lack none are left out."""
        counts: Counter[str] = Counter()
        labelled = [target for target in self.heads if self.has_labels(target)]
        for example in examples:
            for target in labelled:
                counts[target] += example.fields[target].count(None)
        return dict(+counts)

    def has_labels(self, target: str) -> bool:
        """Tell whether the field holds a label for each token, of which some may be missing."""
        return self.reader.fields[target] == "token_labels"

    def encode(self, examples: Sequence[Example], *, labelled: bool) -> Dataset:
        """Encode examples, with their targets where they are labelled."""
        features = tuple(each.encode(values_of(examples, each.field)) for each in self.featurizers)
        self._check_side_by_side(features, examples)
        heads = self.heads.items() if labelled else ()
        targets = {target: head.encode(values_of(examples, target)) for target, head in heads}
        return Dataset(features, targets, Places(examples))

    def with_room(
        self, model: SequenceModel, examples: list[Example], data: Dataset
    ) -> tuple[list[Example], Dataset]:
        """Return training examples and data without those that have fewer states than their targets need.

        They are refused by name: DataError, unless the recipe says `on_error: skip`. RecipeError where a head
        needs one state per label and the encoder changes the lengths.
        """
        self._check_aligned(data, model.output_lengths(data.lengths))
        lacking = self.short_of_states(model, examples, data)
        if not lacking:
            return examples, data
        with self._noting("train"):
            for error in lacking.values():
                self._refuse(error)
        kept = [index for index in range(len(examples)) if index not in lacking]
        if not kept:
            raise DataError("no training example has as many states as its target needs")
        return [examples[index] for index in kept], data.select(torch.tensor(kept))

    def short_of_states(
        self, model: SequenceModel, examples: Sequence[Example], data: Dataset
    ) -> dict[int, DataError]:
        """Return, by number, why examples have fewer states than their targets need: no loss counts them."""
        lengths = model.output_lengths(data.lengths)
        found: dict[int, DataError] = {}
        for target, needed in self.states_needed(examples).items():
            for index in (lengths < needed).nonzero().flatten().tolist():
                message = (
                    f"{target} needs at least {needed[index]} states, but the encoder makes"
                    f" {lengths[index]} of {data.lengths[index]} rows of features"
                )
                found.setdefault(index, DataError(message, place=examples[index].place))
        return found

    def states_needed(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Return how many states each example needs, by the target of each head that needs a least number."""
        needs = {target: shortest for target, head in self.heads.items() if (shortest := _shortest(head))}
        return {
            target: torch.tensor(shortest(values_of(examples, target))) for target, shortest in needs.items()
        }

    def model(self) -> SequenceModel:
        """Make the model for the fitted parts; sizes are inferred from part to part."""
        featurizers = []
        for ref, featurizer in zip(self.recipe.features, self.featurizers, strict=True):
            with sized(self._part(ref), ref.place):
                featurizers.append(featurizer.module())
        input_size = sum(_output_size(featurizer) for featurizer in featurizers)
        encoders: list[nn.Module] = []
        for ref in self.recipe.encoders:
            encoders.append(self._build(ref, EncoderContext(input_size)))
            input_size = _output_size(encoders[-1])
        encoder = encoders[0] if len(encoders) == 1 else EncoderChain(encoders)
        heads = {}
        for ref, (target, head) in zip(self.recipe.heads, self.heads.items(), strict=True):
            with sized(self._part(ref), ref.place):
                heads[target] = head.module(input_size)
        return SequenceModel(featurizers, encoder, heads, self._model_parts())

    def _model_parts(self) -> ModelParts:
        """Say which component each part of the model belongs to."""
        recipe, chained = self.recipe, len(self.recipe.encoders) > 1
        refs = {f"featurizers.{number}": ref for number, ref in enumerate(recipe.features)}
        refs |= {
            f"encoder.encoders.{number}" if chained else "encoder": ref
            for number, ref in enumerate(recipe.encoders)
        }
        refs |= {f"heads.{number}": ref for number, ref in enumerate(recipe.heads)}
        return ModelParts({path: self._part(ref) for path, ref in refs.items()})

    # --- names ---------------------------------------------------------------------------------------------

    def prefix(self, target: str) -> str:
        """Return what stands before a head's figures: nothing for a single head."""
        return f"{target}." if len(self.heads) > 1 else ""

    @contextmanager
    def _noting(self, split: str) -> Iterator[None]:
        """Note what is refused for the report, where the recipe lets it pass."""
        noted = self.refused.setdefault(split, [])
        before = len(noted)
        self._refusing = noted if self.recipe.on_error == "skip" else None
        try:
            yield
        finally:
            self._refusing = None
        if count := len(noted) - before:
            logging.getLogger(__name__).warning(
                "data.%s: %d examples left out: %s", split, count, noted[before]
            )

    def _refuse(self, error: DataError) -> None:
        if self._refusing is None:
            raise error
        self._refusing.append(error)

    def _check_aligned(self, data: Dataset, lengths: Tensor) -> None:
        for ref, (target, head) in zip(self.recipe.heads, self.heads.items(), strict=True):
            labels = data.targets[target].lengths
            if not getattr(head, "one_state_per_label", False) or torch.equal(lengths, labels):
                continue
            index = int((lengths != labels).nonzero()[0])
            message = (
                f"makes {lengths[index]} states of {data.lengths[index]} rows of features"
                f" ({data.name(index)}), but head {ref.name} needs one for each of {labels[index]} labels of"
                f" {target!r}: take encoders that keep the lengths"
            )
            raise RecipeError([self.recipe.problem("encoder", message)])

    def _check_side_by_side(self, features: Sequence[Column], examples: Sequence[Example]) -> None:
        """Refuse featurizers that make unequally many rows of one example: they cannot stand side by side."""
        for number, column in enumerate(features):
            if torch.equal(column.lengths, features[0].lengths):
                continue
            index = int((column.lengths != features[0].lengths).nonzero()[0])
            refs = self.recipe.features[0], self.recipe.features[number]
            one, other = map(self._part, refs)
            message = (
                f"{other} makes {column.lengths[index]} rows of {examples[index].place}, {one} makes"
                f" {features[0].lengths[index]}: side by side they must make equally many"
            )
            if at_fault := next((part for part in (other, one) if not part.built_in), None):
                raise PluginError(message, plugin=at_fault.owner)
            raise RecipeError([self.recipe.problem(f"features.{number}", message)])

    def _build(self, ref: ComponentRef, context: object) -> Any:
        return build_component(self.registry, ref, context)

    def _build_metrics(self, head: Head) -> dict[str, Metric]:
        refs = self.recipe.metrics
        if refs is None:
            refs = tuple(self._default(name, head) for name in head.default_metrics)
        context = MetricContext(head.target, self.reader.fields)
        return {ref.name: self._build(ref, context) for ref in refs}

    def _default(self, name: str, head: Head) -> ComponentRef:
        try:
            config = self.registry.get("metric", name).config()
        except (SeqlabError, ValueError) as error:  # there is none of this name, or it needs settings
            raise self._part_of(head).refused(f"names {name!r} in default_metrics: {error}") from error
        return ComponentRef("metric", name, config, self.recipe.place("head"))

    def _all_metrics(self) -> list[Metric]:
        return [metric for metrics in self.metrics.values() for metric in metrics.values()]

    def _part(self, ref: ComponentRef) -> Part:
        return self.registry.part(ref.kind, ref.name)

    def _part_of(self, head: Head) -> Part:
        refs = zip(self.recipe.heads, self.heads.values(), strict=True)
        return self._part(next(ref for ref, each in refs if each is head))

    def _check_fields(self) -> None:
        for head in self.heads.values():
            if head.target not in self.reader.fields:
                message = f"was built with target {head.target!r}, which the reader does not deliver"
                raise self._part_of(head).refused(f"{message}; {one_of(self.reader.fields)}")
        for number, featurizer in enumerate(self.featurizers):
            if featurizer.field not in self.reader.fields:
                delivered = one_of(self.reader.fields)
                message = f"reads field {featurizer.field!r}, which the reader does not deliver; {delivered}"
            elif featurizer.field in self.heads:
                message = f"reads field {featurizer.field!r}, which a head is to predict"
            elif self.reader.fields[featurizer.field] in ANSWERS:
                message = f"reads field {featurizer.field!r}, which is not there in prediction"
            else:
                continue
            raise RecipeError([self.recipe.problem(f"features.{number}", message)])


class Places(Sequence[str]):
    """Names of examples, made when a message needs one."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: Any) -> Any:
        return str(self.examples[index].place)


def values_of(examples: Sequence[Example], field: str) -> Values:
    """Return the examples' values of a field."""
    return Values([example.fields[field] for example in examples], examples)


def _shortest(head: Head) -> Callable[[Sequence[Any]], Sequence[int]] | None:
    return getattr(head, "shortest", None)


def _output_size(module: nn.Module) -> int:
    return cast("Encoder", module).output_size

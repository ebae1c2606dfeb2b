"""The parts of a recipe put together: reader, featurizers, encoder, heads, metrics, fitted on one split."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from seqlab.api import (
    Answer,
    Augmenter,
    AugmenterContext,
    DataError,
    Encoder,
    EncoderContext,
    Example,
    Featurizer,
    FeaturizerContext,
    FieldKind,
    Head,
    HeadContext,
    Metric,
    MetricContext,
    PluginError,
    Reader,
    ReaderContext,
    RecipeError,
    SeqlabError,
)
from seqlab.building import build_component, placed
from seqlab.calling import ModelParts, sized
from seqlab.contract import Values, check_answer
from seqlab.engine import Column, Dataset, Decode, EncoderChain, SequenceModel
from seqlab.errors import ContractError
from seqlab.measuring import Metrics
from seqlab.plugin import Part, Registry
from seqlab.plugin.kinds import IN_STEP
from seqlab.recipe import ComponentRef, Recipe
from seqlab.suggest import one_of, shown

__all__ = ["Assembly", "values_of"]


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
        self.reader: Reader = self._build(recipe.reader, ReaderContext(self._refuse, registry.field_kinds()))
        fields = self.reader.fields
        known = registry.field_kinds()
        self.kinds: dict[str, FieldKind[Any]] = {name: known[kind] for name, kind in fields.items()}
        self.featurizers: list[Featurizer] = [
            self._build(ref, FeaturizerContext(fields, str(device))) for ref in recipe.features
        ]
        self.augmenters: list[Augmenter] = [
            self._build(ref, AugmenterContext(fields)) for ref in recipe.augmenters
        ]
        heads: list[Head] = [self._build(ref, HeadContext(fields, self.kinds)) for ref in recipe.heads]
        self.heads: dict[str, Head] = {head.target: head for head in heads}
        if len(self.heads) != len(heads):
            targets = ", ".join(head.target for head in heads)
            raise RecipeError(
                [recipe.problem("head", f"every head needs a target of its own, got: {targets}")]
            )
        self._check_fields()
        self._metrics = Metrics(recipe, registry, self.heads, self._built_metric)

    @property
    def metrics(self) -> dict[str, dict[str, Metric]]:
        """What judges each head's answers, by target and name; built when it is asked for."""
        return self._metrics.by_target

    # --- learning and remembering --------------------------------------------------------------------------

    def fit(self, examples: Sequence[Example]) -> None:
        """Learn vocabularies, labels and what metrics need from the training examples and nothing else."""
        for ref, featurizer in zip(self.recipe.features, self.featurizers, strict=True):
            try:
                if fit_examples := getattr(featurizer, "fit_examples", None):
                    fit_examples(Values(examples, examples))
                else:
                    featurizer.fit(values_of(examples, featurizer.field))
            except SeqlabError as error:
                raise placed(error, ref) from error
        for ref, head in zip(self.recipe.heads, self.heads.values(), strict=True):
            try:
                head.fit(values_of(examples, head.target))
            except SeqlabError as error:
                raise placed(error, ref) from error
        self._metrics.fit(Values(examples, examples))
        self.state()  # what no package can keep is told now, not after the training

    def state(self) -> dict[str, Any]:
        """Return what was learned, as plain JSON data."""
        return {
            "features": [featurizer.state() for featurizer in self.featurizers],
            "heads": {target: head.state() for target, head in self.heads.items()},
            "metrics": self._metrics.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        for featurizer, saved in zip(self.featurizers, state["features"], strict=True):
            featurizer.restore(saved)
        for target, head in self.heads.items():
            head.restore(state["heads"][target])
        self._metrics.restore(state["metrics"])

    def keepers(self) -> Iterator[tuple[str, Any]]:
        """Yield the parts that keep files of their own in a package, each with its folder's name there."""
        for kind, parts in (("features", self.featurizers), ("heads", self.heads.values())):
            for number, part in enumerate(parts):
                if hasattr(part, "save") and hasattr(part, "load"):
                    yield f"{kind}.{number}", part

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
        """Return, by head, how many parts of targets the examples lack; heads that lack none are left out."""
        counts: Counter[str] = Counter()
        for example in examples:
            for target in self.heads:
                counts[target] += self.kinds[target].missing(example.fields[target])
        return dict(+counts)

    def encode(self, examples: Sequence[Example], *, labelled: bool) -> Dataset:
        """Encode examples, with their targets where they are labelled, or heads want them anyway."""
        self._check_read(examples)
        features = tuple(each.encode(values_of(examples, each.field)) for each in self.featurizers)
        self._check_side_by_side(features, examples)
        known = self.heads if labelled else self.given
        heads = ((target, head) for target, head in self.heads.items() if target in known)
        targets = {target: head.encode(values_of(examples, target)) for target, head in heads}
        return Dataset(features, targets, Places(examples))

    @property
    def given(self) -> Collection[str]:
        """The targets that the model reads as well and whose heads want them in prediction, too."""
        wanted = (name for name, head in self.heads.items() if getattr(head, "target_in_prediction", False))
        return [name for name in wanted if name in self.inputs]

    def with_room(
        self, model: SequenceModel, examples: list[Example], data: Dataset
    ) -> tuple[list[Example], Dataset]:
        """Return training examples and data without those that have fewer states than their targets need.

        They are refused by name: DataError, unless the recipe says `on_error: skip`. RecipeError where a head
        needs one state per label and the encoder changes the lengths.
        """
        self._check_aligned(model, data)
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
        return {
            target: torch.tensor(head.states_needed(values_of(examples, target)))
            for target, head in self.heads.items()
            if hasattr(head, "states_needed")
        }

    def decoders(self, examples: Sequence[Example]) -> dict[str, Decode]:
        """Return, by head, what makes answers to these examples of what its module answers to a batch."""
        return {target: partial(self._answers, target, examples) for target in self.heads}

    def _answers(
        self, target: str, examples: Sequence[Example], outputs: Any, indices: Sequence[int]
    ) -> list[Answer]:
        found, kind = self.heads[target].answers(outputs), self.kinds[target]
        if not isinstance(found, Sequence) or len(found) != len(indices):
            raise ContractError(f"returned {shown(found)} where {len(indices)} Answers are expected")
        answered = zip(found, indices, strict=True)
        return [check_answer(each, kind, examples[index], self.kinds) for each, index in answered]

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

    @property
    def inputs(self) -> dict[str, FieldKind[Any]]:
        """The fields that featurizers read, with their kinds, each once."""
        return {featurizer.field: self.kinds[featurizer.field] for featurizer in self.featurizers}

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

    def _check_aligned(self, model: SequenceModel, data: Dataset) -> None:
        lengths = model.output_lengths(data.lengths)
        for ref, (target, head) in zip(self.recipe.heads, self.heads.items(), strict=True):
            parts = data.targets[target].lengths
            if head.alignment not in IN_STEP:
                if self.recipe.train.bptt is not None:
                    message = f"head {ref.name} has targets that cannot be cut along with the states"
                    raise RecipeError([self.recipe.problem("train.bptt", message)])
                continue
            if torch.equal(lengths, parts):
                continue
            index = int((lengths != parts).nonzero()[0])
            batch = data.gather(torch.tensor([index])).to(next(model.parameters()).device)
            with torch.no_grad():  # an encoder that makes others than it says is at fault, not the recipe
                model.encode(batch.features, names=batch.names)
            message = (
                f"makes {lengths[index]} states of {data.lengths[index]} rows of features"
                f" ({data.name(index)}), but head {ref.name} needs one for each of {parts[index]}"
                f" {self.kinds[target].parts} of {target!r}: take encoders that keep the lengths"
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

    def _built_metric(self, ref: ComponentRef, target: str) -> Metric:
        metric: Metric = self._build(ref, MetricContext(target, self.reader.fields))
        return metric

    def _part(self, ref: ComponentRef) -> Part:
        return self.registry.part(ref.kind, ref.name)

    def _part_of(self, head: Head) -> Part:
        refs = zip(self.recipe.heads, self.heads.values(), strict=True)
        return self._part(next(ref for ref, each in refs if each is head))

    def _check_read(self, examples: Sequence[Example]) -> None:
        """Refuse examples without a field that a featurizer reads."""
        for field in self.inputs:
            for example in examples:
                if field not in example.fields:
                    raise self._unread(field, example)

    def _unread(self, field: str, example: Example) -> BaseException:
        """Return the error of an example without a field that is read: a plugin's, if its reader made it."""
        part, there = self._part(self.recipe.reader), ", ".join(example.fields) or "none"
        if part.built_in:
            message = f"there is no {field!r}, which the model reads; the fields are: {there}"
            return DataError(message, place=example.place)
        message = f"yielded an Example without the field {field!r}; its fields are: {there}"
        return part.fault("read", ContractError(message, at=str(example.place)))

    def _check_fields(self) -> None:
        for head in self.heads.values():
            if head.target not in self.reader.fields:
                message = f"was built with target {head.target!r}, which the reader does not deliver"
                raise self._part_of(head).refused(f"{message}; {one_of(self.reader.fields)}")
        for number, featurizer in enumerate(self.featurizers):
            if featurizer.field not in self.reader.fields:
                delivered = one_of(self.reader.fields)
                message = f"reads field {featurizer.field!r}, which the reader does not deliver; {delivered}"
            elif self.kinds[featurizer.field].annotation:
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


def _output_size(module: nn.Module) -> int:
    return cast("Encoder", module).output_size

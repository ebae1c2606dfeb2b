"""The kinds of component: what a builder is given (contexts) and what it must return (protocols).

Contexts gain fields over time and never lose one, so an old plugin keeps working. Types of the engine appear
under TYPE_CHECKING only: importing this module loads neither torch nor numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from seqlab.errors import DataError
from seqlab.plugin.answers import Answer
from seqlab.plugin.fields import Example, FieldKind

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import Tensor, nn

    from seqlab.engine import Column, Sequences, State

__all__ = [
    "ALIGNMENTS",
    "IN_STEP",
    "Alignment",
    "Augmenter",
    "AugmenterContext",
    "Encoder",
    "EncoderContext",
    "Featurizer",
    "FeaturizerContext",
    "Head",
    "HeadContext",
    "Located",
    "Metric",
    "MetricContext",
    "ObserverContext",
    "Reader",
    "ReaderContext",
    "RunInfo",
]


def _raised(error: DataError) -> None:
    raise error


@dataclass(frozen=True)
class Located:
    """What `seqlab_locate` returns: a local path, and a notice for the user, if there is something to say."""

    path: Path
    notice: str = ""


@dataclass(frozen=True)
class RunInfo:
    """A run as hooks and observers see it; `recipe` is the resolved recipe as plain data."""

    name: str
    folder: Path
    recipe: Mapping[str, Any]
    resumed: bool
    notices: tuple[str, ...] = ()


# --- readers -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReaderContext:
    """What a reader's builder knows: the kinds of fields, and what to do with an example that cannot be used.

    `kinds` are all that are registered, by name. `refuse` raises the error, or, where the recipe says
    `on_error: skip`, takes note of it; then the reader goes on with the next example. What spoils a whole
    file is raised. A reader that does so says it when it is registered: `Component(skips=True)`.
    """

    refuse: Callable[[DataError], None] = _raised
    kinds: Mapping[str, FieldKind[Any]] = field(default_factory=dict)


class Reader(Protocol):
    """Reads files into examples; bad input raises DataError with file and line, nothing is dropped.

    One example that cannot be used goes to the context's `refuse`.

    Further methods are used where a reader has them:

    - `normalize(example)`: the example as models see it, where its text has a normal form. All go through it,
      those that it has read and those that a user gives; what is written back is the example as it was.
    - `take(given)`: the example of what a user hands over, where the settings of the reader play a part (the
      sample rate, say); by default the field's kind takes it in. `given` is a mapping of fields to values, or
      of a kind whose values come in files the value itself.
    - `parse(line)`: the value that a line of text stands for at the command, in the same case.
    - `write(example, answers)`: the example in the reader's own format with the answers, per field, filled
      in; a writer that goes by the reader's format uses it.
    - `joined(tokens)`: the text that tokens stand for; what a language model writes is put together by it.
    - `header(example, answers)`: what stands above such an example in a file, the names of its columns, say.
      Examples with different headers cannot be written to the same file.
    """

    suffixes: tuple[str, ...]
    """File-name endings of its format, with the dot: `(".conllu", ".conllu.gz")`."""
    fields: Mapping[str, str]
    """The fields that its examples hold, each with the name of its kind.

    With `labelled=False` those may be absent that no featurizer of the recipe reads.
    """

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        """Yield the examples of one file in order; the path `-` is standard input."""
        ...


# --- featurizers ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FeaturizerContext:
    """What a featurizer's builder knows.

    `fields`: those that the reader delivers. `device`: where the model computes, `cpu` or `cuda`; what
    `encode` has to compute may be computed there, what it returns is on the CPU.
    """

    fields: Mapping[str, str]
    device: str = "cpu"


class Featurizer(Protocol):
    """Turns one field of the examples into numbers: a vocabulary and the module that reads its ids.

    One that learns of other fields, too, has a method `fit_examples(examples)`, which is called in the place
    of `fit` with the whole examples of the training split: how its words go with labels, say.

    One that keeps files of its own in a package, beside its `state`, has methods `save(folder)`, which writes
    them into an empty folder, and `load(folder)`, which reads them there, after `restore`.
    """

    field: str
    """The field it reads."""

    def fit(self, values: Iterable[Any]) -> None:
        """Learn the vocabulary from the training split's values of `field`."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what was learned as plain JSON data."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        ...

    def encode(self, values: Sequence[Any]) -> Column:
        """Encode the field's values of many examples into one flat column."""
        ...

    def module(self) -> nn.Module:
        """Make the module for the fitted vocabulary, a `seqlab.engine.FeaturizerModule`."""
        ...


# --- augmenters ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AugmenterContext:
    """What an augmenter's builder knows: the fields that the reader delivers."""

    fields: Mapping[str, str]


class Augmenter(Protocol):
    """Changes training examples at random, another way in every epoch; never in evaluation or prediction.

    All that it draws comes from the generator that it is given, which follows from seed, epoch and example:
    an augmenter that keeps no state of its own makes a run repeat and resume exactly.
    """

    @property
    def stage(self) -> str:
        """What it changes: the name of a field kind, `audio` say, before featurizers read such values.

        Or `features`: the frames that they made.
        """
        ...

    @property
    def keeps_length(self) -> bool:
        """Whether a sequence always stays as long as it was."""
        ...

    def __call__(self, value: Any, generator: Generator) -> Any:
        """Return the changed value, or `value` itself where it stays as it is; never change it in place.

        An `Audio` becomes one of the same sample rate (`Sound` holds new samples). Frames, float32 of shape
        (time, features), become others with as many features. Every sound of an example, and every
        featurizer's frames, come with an equal generator: they stay aligned where a change of length follows
        from that alone.
        """
        ...


# --- encoders ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EncoderContext:
    """What an encoder's builder knows: the size of the features that it will read."""

    input_size: int


class Encoder(Protocol):
    """A torch module from sequences to sequences.

    Heads may ask for the summary of each sequence, by default its last row. An encoder for which another is
    right (it reads backwards, too, or works row by row) has a method `final(outputs, before)`: the summary,
    (sequences, output_size), of its own rows `outputs`; `before()` returns that of its inputs.

    One that carries a state may have `state_parts`, the number of tensors in it: in a list of encoders it can
    then be given a state before it has made one.
    """

    output_size: int
    carries_state: bool
    """Whether a state from one chunk can continue in the next (never true where it reads backwards)."""

    def __call__(self, inputs: Sequences, state: State | None = None) -> tuple[Sequences, State | None]:
        """Map (rows, input_size) to (rows, output_size) and return the state after each sequence's last row.

        `state`, one row per sequence in the caller's order, continues earlier chunks; None starts afresh.
        """
        ...

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Return the lengths of the outputs for inputs of these lengths, integers, shape (sequences,)."""
        ...


# --- heads ---------------------------------------------------------------------------------------------

Alignment = Literal["per_state", "shifted", "monotonic", "per_sequence", "free"]
"""How the parts of a target stand to the states that the encoder makes.

- `per_state`: one part for each state, as labels of tokens.
- `shifted`: the same, but a part is something of the next step, as in a language model: no encoder may look
  ahead.
- `monotonic`: in the same order, no more parts than states, as the text of a sound.
- `per_sequence`: one answer for the whole, as a class.
- `free`: any number in any order, as a translation.
"""

ALIGNMENTS: tuple[Alignment, ...] = ("per_state", "shifted", "monotonic", "per_sequence", "free")
"""All of them."""

IN_STEP: tuple[Alignment, ...] = ("per_state", "shifted")
"""Those in which a target has one part for each state."""


@dataclass(frozen=True)
class HeadContext:
    """What a head's builder knows: the reader's fields by kind, and the kinds themselves."""

    fields: Mapping[str, str]
    kinds: Mapping[str, FieldKind[Any]] = field(default_factory=dict)


class Head(Protocol):
    """Turns states into answers of one target field: loss and decoding.

    Further methods are used where a head has them:

    - `states_needed(values)`: the least number of states for each of many examples' targets, as CTC needs
      one for each unit; by default there is no such number.
    - `save(folder)` and `load(folder)`, as a featurizer's, for files of its own in a package.
    - `target_in_prediction`, True: where the model reads the target, too, it is encoded in prediction as
      well, and given to the module's `answer_given`.
    - `join(answers, pieces)`: the answer to a long value of which each `Piece` was answered by itself, None
      for a blank one; of the pieces the places are given, not the values. Without it, nothing is cut.
    """

    target: str
    """The field that it learns and predicts."""
    alignment: Alignment
    """How the parts of the target stand to the states."""
    default_metrics: tuple[str, ...]
    """Metrics reported where the recipe names none; the first one picks the best weights."""

    def fit(self, values: Iterable[Any]) -> None:
        """Learn the labels from the training split's values of `target`; None stands for what is missing."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what was learned as plain JSON data."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        ...

    def encode(self, values: Sequence[Any]) -> Column:
        """Encode the target's values of many examples, one item each.

        In a column of integers, -1 stands for what is missing and for labels never seen in training.
        """
        ...

    def module(self, input_size: int) -> nn.Module:
        """Make the module for states of this size, a `seqlab.engine.HeadModule`."""
        ...

    def answers(self, outputs: Any) -> Sequence[Answer]:
        """Turn what the module's `answer` returned for a batch into one answer for each of its sequences."""
        ...


# --- metrics -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MetricContext:
    """What a metric's builder knows: the field that the head predicts, and the reader's fields."""

    target: str
    fields: Mapping[str, str]


class Metric(Protocol):
    """Compares predicted with gold answers, example by example.

    One that can show the errors has a method `listing()` besides: all that was counted since `reset`, as a
    text to read, line end included (`seqlab evaluate --errors`).
    """

    higher_is_better: bool

    def fit(self, examples: Iterable[Example]) -> None:
        """Learn what the metric needs of the training split (known words, say)."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what was learned as plain JSON data."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        ...

    def reset(self) -> None:
        """Forget all updates."""
        ...

    def update(self, example: Example, gold: Any, answer: Answer) -> None:
        """Count one example; `gold` and `answer.value` are what the head's target field holds.

        What is missing in the gold value, None, counts nowhere.
        """
        ...

    def compute(self) -> dict[str, float]:
        """Return named figures; the first is the metric's main one. Empty where nothing was counted.

        `PART.FIGURE`, as `NOUN.f1`, is of one part; `PART.GROUP_FIGURE`, as `ann.speaker_wer` beside `wer`,
        is the figure of one part of a group. Both are left out where figures are shown at a glance.
        """
        ...


# --- observers: what they must be is `seqlab.engine.Observer` -------------------------------------------


@dataclass(frozen=True)
class ObserverContext:
    """What an observer's builder knows: the run that it watches."""

    run: RunInfo

"""The kinds of component: what a builder is given (contexts) and what it must return (protocols).

Contexts gain fields over time and never lose one, so an old plugin keeps working. Types of the engine appear
under TYPE_CHECKING only: importing this module loads neither torch nor numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from seqlab.errors import DataError, Place

if TYPE_CHECKING:
    from numpy import float32
    from numpy.random import Generator
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from seqlab.engine import Column, Sequences, State

__all__ = [
    "Audio",
    "Augmenter",
    "AugmenterContext",
    "Encoder",
    "EncoderContext",
    "Example",
    "Featurizer",
    "FeaturizerContext",
    "FieldKind",
    "Head",
    "HeadContext",
    "Located",
    "Metric",
    "MetricContext",
    "ObserverContext",
    "Reader",
    "ReaderContext",
    "RunInfo",
    "Sound",
]

FieldKind = Literal["tokens", "token_labels", "audio", "text"]
"""What a field of an example holds.

A list of strings; a list of labels as long as the tokens, with None where the data has none; an `Audio`; a
string.
"""


class Audio(Protocol):
    """One channel of sound, read when it is asked for."""

    @property
    def sample_rate(self) -> int:
        """Samples per second, Hz."""
        ...

    @property
    def duration(self) -> float:
        """Length in seconds."""
        ...

    @property
    def fingerprint(self) -> str | None:
        """What names the samples: equal for the same stretch of the same content, and for nothing else.

        None for sound that is drawn anew each time: what is computed of it is not worth keeping.
        """
        ...

    def samples(self) -> NDArray[float32]:
        """Return the samples, float32 of shape (time,), full scale at -1 and 1.

        DataError where they cannot be read or are no sound.
        """
        ...


@dataclass(frozen=True, eq=False)
class Sound:
    """An `Audio` of samples that an augmenter has made, float32 of shape (time,), full scale at -1 and 1."""

    wave: NDArray[float32]
    sample_rate: int

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.wave) / self.sample_rate

    @property
    def fingerprint(self) -> None:
        """None: nothing keeps what is computed of it."""
        return

    def samples(self) -> NDArray[float32]:
        """Return the samples."""
        return self.wave


def _raised(error: DataError) -> None:
    raise error


@dataclass(frozen=True, slots=True)
class Example:
    """One sequence as a reader delivers it.

    `fields` maps field names to values (for text: `"tokens"` and one list of labels per label field, in which
    None stands for a label that the data lacks: no loss and no figure counts it);
    `place` is where it starts; `origin` is whatever the reader needs to write the example back.
    """

    fields: Mapping[str, Any]
    place: Place
    origin: Any = None


@dataclass(frozen=True)
class Located:
    """What `seqlab_locate` returns: a local path, and a notice for the user where one is due."""

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
    """What a reader's builder knows: what to do with one example that cannot be used.

    `refuse` raises the error, or, where the recipe says `on_error: skip`, takes note of it; then the reader
    goes on with the next example. What spoils a whole file is raised. A reader that does so says it when it
    is registered: `Component(skips=True)`.
    """

    refuse: Callable[[DataError], None] = _raised


class Reader(Protocol):
    """Reads files into examples; bad input raises DataError with file and line, nothing is dropped.

    One example that cannot be used goes to the context's `refuse`.

    A reader whose text has a normal form has a method `normalize(example)` besides: the example as models see
    it. All go through it, those that it has read and those that a user gives; what is written back is the
    example as it was.

    A reader of sound that can take in a sound that no data lists has a method `recording(sound,
    sample_rate=None)` besides: the example of a path, bytes or a binary file object, or of an array of
    samples (time,) or (time, channels) at that rate in Hz.
    """

    suffixes: tuple[str, ...]
    """File-name endings of its format, with the dot: `(".conllu", ".conllu.gz")`."""
    fields: Mapping[str, FieldKind]
    """The fields that its examples hold; label fields are absent when read with `labelled=False`."""

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        """Yield the examples of one file in order; the path `-` is standard input."""
        ...

    def write(self, example: Example, answers: Mapping[str, Any]) -> str:
        """Return the example in the reader's own format with what heads answer (per field) filled in."""
        ...


# --- featurizers ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FeaturizerContext:
    """What a featurizer's builder knows.

    `fields`: those that the reader delivers. `device`: where the model computes, `cpu` or `cuda`; what
    `encode` has to compute may be computed there, what it returns is on the CPU.
    """

    fields: Mapping[str, FieldKind]
    device: str = "cpu"


class Featurizer(Protocol):
    """Turns one field of the examples into numbers: a vocabulary and the module that reads its ids."""

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

    fields: Mapping[str, FieldKind]


class Augmenter(Protocol):
    """Changes training examples at random, another way in every epoch; never in evaluation or prediction.

    All that it draws comes from the generator that it is given, which follows from seed, epoch and example:
    an augmenter that keeps no state of its own makes a run repeat and resume exactly.
    """

    @property
    def stage(self) -> Literal["audio", "features"]:
        """What it changes: an `Audio`, before featurizers read it, or the frames that they made."""
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


@dataclass(frozen=True)
class HeadContext:
    """What a head's builder knows: the reader's fields."""

    fields: Mapping[str, FieldKind]


class Head(Protocol):
    """Turns states into answers of one target field: labels or text, loss and decoding.

    A head whose targets need a least number of states, as CTC does, has a method `shortest(values)` besides:
    that number for each of many examples' targets. One that needs exactly one state for each id of a target
    has an attribute `one_state_per_label` that is true. Both are checked before training.
    """

    target: str
    """The field that it learns and predicts."""
    default_metrics: tuple[str, ...]
    """Metrics reported where the recipe names none; the first one picks the best weights."""

    def fit(self, values: Iterable[Any]) -> None:
        """Learn the labels from the training split's values of `target`; None is no label."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what was learned as plain JSON data."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        ...

    def encode(self, values: Sequence[Any]) -> Column:
        """Encode the target's values of many examples; None and labels never seen in training become -1."""
        ...

    def module(self, input_size: int) -> nn.Module:
        """Make the module for states of this size, a `seqlab.engine.HeadModule`."""
        ...

    def decode(self, ids: Sequence[int]) -> Any:
        """Turn the ids of one example into what the target field holds: a list of labels, or text."""
        ...


# --- metrics -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MetricContext:
    """What a metric's builder knows: the field that the head predicts, and the reader's fields."""

    target: str
    fields: Mapping[str, FieldKind]


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

    def update(self, example: Example, gold: Any, predicted: Any) -> None:
        """Count one example; gold and predicted are what the head's target field holds.

        Where a gold label is None, the data has none: it counts nowhere.
        """
        ...

    def compute(self) -> dict[str, float]:
        """Return named figures; the first is the metric's main one. Empty where nothing was counted."""
        ...


# --- observers: what they must be is `seqlab.engine.Observer` -------------------------------------------


@dataclass(frozen=True)
class ObserverContext:
    """What an observer's builder knows: the run that it watches."""

    run: RunInfo

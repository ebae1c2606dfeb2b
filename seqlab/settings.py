"""Typed settings: the base class of every component's configuration, and the training settings.

They stand below the recipe and the engine so that both read one definition; nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema

from seqlab.fielddocs import field_docs

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Config",
    "ConstantSchedule",
    "CosineSchedule",
    "EarlyStopping",
    "LinearSchedule",
    "OneCycleSchedule",
    "OptimizerSettings",
    "PlateauSchedule",
    "Precision",
    "ScheduleSettings",
    "TrainSettings",
    "built",
    "documentation",
    "schedule_fault",
]


BUILDING = Lock()
"""Held while a settings class is built: pydantic's building on first use is no matter for two threads."""

SMALLEST_INTEGER, LARGEST_INTEGER = -(2**63), 2**63 - 1
"""What torch and numpy hold integers in has 64 bits."""

SHOWN_BITS = 128
"""Longer integers are not written out in messages."""


class Config(BaseModel):
    """Base of all settings: frozen, strictly typed, unknown keys refused, field docstrings are the help.

    What checks the values is built on first use: a command uses few of the many classes that it knows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True, allow_inf_nan=False)

    formerly: ClassVar[Mapping[str, Any]] = {}
    """What the absence of keys meant before they existed, where their defaults are otherwise.

    A package, and the recipe in a run folder, of an earlier version of seqlab or a plugin lacks such a key,
    and gets this value. It counts for the settings of a component or of `train`, not for those inside them.
    """

    @field_validator("*")
    @classmethod
    def has_64_bits(cls, value: Any) -> Any:
        """Refuse integers that torch and numpy have no room for."""
        if (wrong := _too_large(value)) is not None:
            bound = f"at most {LARGEST_INTEGER}" if wrong > 0 else f"at least {SMALLEST_INTEGER}"
            # Python refuses to write thousands of digits.
            shown = wrong if wrong.bit_length() <= SHOWN_BITS else f"an integer of {wrong.bit_length()} bits"
            raise ValueError(f"must be {bound}, got {shown}")
        return value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Put the documentation of the fields into the JSON Schema."""
        described = handler(schema)
        properties = handler.resolve_ref_schema(described).get("properties", {})
        for name, text in documentation(cls).items():
            key = cls.model_fields[name].alias or name
            if text and key in properties:
                properties[key].setdefault("description", text)
        return described


C = TypeVar("C", bound=Config)


def built(config: type[C]) -> type[C]:
    """Return a class of settings ready to check values in any thread; raises what pydantic has against it."""
    with BUILDING:
        config.model_rebuild()
    return config


def documentation(config: type[Config]) -> dict[str, str]:
    """Return what is said of each field: its description, or else the string below it."""
    classes = [each for each in reversed(config.__mro__) if issubclass(each, Config)]
    found = {name: text for each in classes for name, text in field_docs(each).items()}
    return {name: field.description or found.get(name, "") for name, field in config.model_fields.items()}


def _too_large(value: Any) -> int | None:
    """Return an integer of more than 64 bits in a value, if there is one."""
    if isinstance(value, int):
        return None if SMALLEST_INTEGER <= value <= LARGEST_INTEGER else value
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, list | tuple):
        return next((wrong for each in value if (wrong := _too_large(each)) is not None), None)
    return None


class SGD(Config):
    """Stochastic gradient descent with optional momentum (`torch.optim.SGD`)."""

    name: Literal["sgd"] = "sgd"
    """Selects this optimizer."""
    lr: float = Field(default=0.1, gt=0)
    """Learning rate at the schedule's factor 1."""
    momentum: float = Field(default=0.0, ge=0, lt=1)
    """Momentum factor."""
    nesterov: bool = False
    """Nesterov's momentum; needs `momentum` above 0."""
    weight_decay: float = Field(default=0.0, ge=0)
    """L2 penalty added to the gradient."""

    @field_validator("nesterov")
    @classmethod
    def needs_momentum(cls, value: bool, info: ValidationInfo) -> bool:
        """Refuse what torch refuses; a momentum that is wrong itself has a problem of its own."""
        if value and info.data.get("momentum") == 0:
            raise ValueError("needs momentum above 0")
        return value


DecayRate = Annotated[float, Field(ge=0, lt=1)]


class Adam(Config):
    """Adam (Kingma and Ba 2015, `torch.optim.Adam`)."""

    name: Literal["adam"] = "adam"
    """Selects this optimizer."""
    lr: float = Field(default=1e-3, gt=0)
    """Learning rate at the schedule's factor 1."""
    betas: Annotated[tuple[DecayRate, DecayRate], Field(strict=False)] = (0.9, 0.999)
    """Decay rates of the running mean and of the running square of the gradient."""
    eps: float = Field(default=1e-8, gt=0)
    """Added to the denominator for numerical stability."""
    weight_decay: float = Field(default=0.0, ge=0)
    """L2 penalty added to the gradient."""


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, `torch.optim.AdamW`)."""

    name: Literal["adamw"] = "adamw"  # type: ignore[assignment]
    """Selects this optimizer."""
    weight_decay: float = Field(default=1e-2, ge=0)
    """Share of each weight that is taken off per step, times the learning rate."""


OptimizerSettings = Annotated[SGD | Adam | AdamW, Field(discriminator="name")]


class ConstantSchedule(Config):
    """The learning rate stays as it is, after an optional linear warm-up."""

    name: Literal["constant"] = "constant"
    """Selects this schedule."""
    warmup_steps: int = Field(default=0, ge=0)
    """Optimizer steps over which the rate rises linearly from 0."""


class LinearSchedule(Config):
    """Linear warm-up, then a linear fall to `final_factor` at the last step."""

    name: Literal["linear"] = "linear"
    """Selects this schedule."""
    warmup_steps: int = Field(default=0, ge=0)
    """Optimizer steps over which the rate rises linearly from 0."""
    final_factor: float = Field(default=0.0, ge=0, le=1)
    """Share of the learning rate left at the end."""


class CosineSchedule(Config):
    """Linear warm-up, then half a cosine down to `final_factor` (Loshchilov and Hutter 2017, no restarts)."""

    name: Literal["cosine"] = "cosine"
    """Selects this schedule."""
    warmup_steps: int = Field(default=0, ge=0)
    """Optimizer steps over which the rate rises linearly from 0."""
    final_factor: float = Field(default=0.0, ge=0, le=1)
    """Share of the learning rate left at the end."""


class OneCycleSchedule(Config):
    """Up from `start_factor` to 1, then down to `final_factor`, by half cosines (Smith and Topin 2018)."""

    name: Literal["one_cycle"] = "one_cycle"
    """Selects this schedule."""
    rise: float = Field(default=0.3, gt=0, lt=1)
    """Share of all steps spent rising."""
    start_factor: float = Field(default=0.04, gt=0, le=1)
    """Share of the learning rate at the first step."""
    final_factor: float = Field(default=1e-4, ge=0, le=1)
    """Share of the learning rate at the last step."""


class PlateauSchedule(Config):
    """The rate is cut each time the monitored dev metric has stopped improving; needs a dev split."""

    name: Literal["plateau"] = "plateau"
    """Selects this schedule."""
    factor: float = Field(default=0.5, gt=0, lt=1)
    """The rate is multiplied by this."""
    patience: int = Field(default=2, ge=0)
    """Evaluations without improvement that are let pass before a cut."""
    min_lr: float = Field(default=0.0, ge=0)
    """The rate never falls below this."""


ScheduleSettings = Annotated[
    ConstantSchedule | LinearSchedule | CosineSchedule | OneCycleSchedule | PlateauSchedule,
    Field(discriminator="name"),
]


Precision: TypeAlias = Literal["auto", "fp32", "bf16"]
"""Arithmetic of matrix products; `auto` is bf16 where the device computes it in hardware, else fp32."""


class EarlyStopping(Config):
    """Stop when the monitored dev metric has not improved for `patience` evaluations."""

    patience: int = Field(default=5, ge=1)
    """Evaluations without improvement before training stops."""
    min_delta: float = Field(default=0.0, ge=0)
    """An improvement smaller than this does not count."""


class TrainSettings(Config):
    """How the engine trains: batches, optimizer, schedule, precision, seeds and when to stop."""

    formerly: ClassVar[Mapping[str, Any]] = {"length_jitter": 0.0}

    epochs: int = Field(default=10, ge=1)
    """Passes over the training split."""
    batch_tokens: int = Field(default=1000, ge=1)
    """Most tokens (or frames) in one batch; an item longer than this makes a batch of its own."""
    batch_items: int | None = Field(default=None, ge=1)
    """Most sequences in one batch; no limit when null."""
    length_jitter: float = Field(default=0.05, ge=0, lt=1)
    """By up to which share of itself a length is changed, at random, before examples are sorted by length.

    Batches hold examples of similar lengths; with 0, most would meet the same ones in every epoch.
    """
    optimizer: OptimizerSettings = Adam()
    """The optimizer and its learning rate."""
    schedule: ScheduleSettings = ConstantSchedule()
    """How the learning rate moves over the run."""
    clip_norm: float | None = Field(default=None, gt=0)
    """Gradients are scaled down to this total L2 norm; no clipping when null."""
    accumulate: int = Field(default=1, ge=1)
    """Batches per optimizer step; the gradient is that of one big batch."""
    ema: float | None = Field(default=None, gt=0, lt=1)
    """Decay of the exponential moving average of the weights; evaluation and the package use the average."""
    bptt: int | None = Field(default=None, ge=1)
    """Truncated BPTT: time steps per chunk, one optimizer step each; whole sequences when null."""
    lanes: int | None = Field(default=None, ge=1)
    """Read the training split as one stream, in its order, cut into so many lanes of equal length.

    They are read side by side, chunk by chunk of `bptt`, and carry their state across the ends of examples:
    a batch is the lanes, so `batch_tokens` and `batch_items` do not count.
    """
    lane_reset: float = Field(default=0.02, ge=0, lt=1)
    """Probability with which a lane begins a chunk from the first state, hardly seen in training otherwise.

    A model that was trained without it may lose its way in a text that begins as none of its lanes did.
    """
    precision: Precision = "fp32"
    """Arithmetic of the matrix products; weights and optimizer stay fp32. `auto`: bf16 where in hardware."""
    seed: int = Field(default=1, ge=0, lt=2**63)
    """Seed of initial weights, data order, dropout and augmentation."""
    deterministic: bool = False
    """Refuse operations without a deterministic implementation (matters on a GPU; CPU runs repeat anyway)."""
    nonfinite: Literal["stop", "skip"] = "stop"
    """What a loss or gradient that is not finite does: stop the run, or skip the step and count it."""
    evaluate_every: int = Field(default=1, ge=1)
    """Epochs between evaluations on the dev split; the last epoch is always evaluated."""
    monitor: str | None = None
    """Dev metric that picks the best weights; the head's first metric when null.

    Of equal figures the one with the lower dev loss is the better.
    """
    early_stopping: EarlyStopping | None = None
    """When to stop before the last epoch; never when null."""

    @model_validator(mode="after")
    def _lanes_are_cut_into_chunks(self) -> Self:
        if self.lanes is not None and self.bptt is None:
            raise ValueError(
                "lanes are as long as the data: bptt must say how many steps a chunk of them has"
            )
        if self.lanes is not None and self.accumulate > 1:
            raise ValueError("the lanes are one batch: there is nothing to accumulate; take more lanes")
        return self


def schedule_fault(train: TrainSettings, total_steps: int | None = None) -> str:
    """Say why the schedule cannot do what it is for in so many optimizer steps; empty where it can.

    Without their number, which follows from the data, it is what the settings alone show.
    """
    schedule = train.schedule
    if isinstance(schedule, PlateauSchedule):
        evaluations = -(-train.epochs // train.evaluate_every)
        if schedule.patience + 1 < evaluations:
            return ""
        return (
            f"plateau can never cut the rate: with patience {schedule.patience} it needs at least"
            f" {schedule.patience + 2} evaluations, epochs and evaluate_every come to {evaluations}"
        )
    if total_steps is None:
        return ""
    if isinstance(schedule, OneCycleSchedule):
        short = schedule.rise * (total_steps - 1) < 1
        return f"one_cycle cannot rise: a training of {total_steps} steps is too short" if short else ""
    if schedule.warmup_steps < total_steps:
        return ""
    return (
        f"{schedule.name} never leaves its warm-up: warmup_steps is {schedule.warmup_steps}, the training has"
        f" {total_steps} steps in all"
    )

"""Whether the built-in augmenters have a place in a recipe and something to do, as far as its text tells.

What plugins bring is not known by its settings: such parts are looked at once they are built
(`seqlab.augmentation`), by the same rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seqlab.builtin.speech.featurizers.components import COMPONENTS
from seqlab.recipe.placement import Neighbours, misplacement

__all__ = ["Features", "KnownChange", "known_change", "known_features", "misplaced"]

STAGES = {"gain": "audio", "noise": "audio", "reverb": "audio", "spec_augment": "features", "speed": "audio"}

WORDS = ("char_lstm", "embedding", "one_hot")
"""Built-in featurizers of words."""

SOUND = {component.name: component.config for component in COMPONENTS}

MASKED = (("time_masks", "time_mask", "time_share"), ("freq_masks", "freq_mask", "freq_share"))
"""Settings of `spec_augment` by what they mask; with any of them at 0, that is nothing."""

ALIGNED_HEADS = ("tagging",)
"""Built-in heads that need one state for each label."""


@dataclass(frozen=True, kw_only=True)
class KnownChange:
    """What a built-in augmenter does."""

    stage: str
    keeps_length: bool


@dataclass(frozen=True, kw_only=True)
class Features:
    """What a built-in featurizer makes: of which kind of field, and how many features a frame has.

    `bands` of them repeat, in derivatives and in joined frames; both numbers are 0 where it makes no frames.
    """

    reads: str
    bands: int = 0
    size: int = 0


def misplaced(recipe: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the dotted path of a key of a resolved recipe, and what is wrong with it."""
    features = [known_features(each) for each in recipe["features"]]
    among = _neighbours(recipe, features)
    for number, settings in enumerate(recipe.get("augment", ())):
        change = known_change(settings)
        if change and (reason := misplacement(change, among)):
            yield f"augment.{number}", f"augmenter {settings['name']} {reason}"
        elif settings["name"] == "spec_augment":
            yield from _masks_nothing(f"augment.{number}", settings)
            for place, each in enumerate(features):
                yield from _wrong_bands(f"augment.{number}", settings, f"features.{place}", each)


def known_change(settings: Mapping[str, Any]) -> KnownChange | None:
    """Return what the augmenter of these settings does, None where it is a plugin's."""
    name = settings["name"]
    if name not in STAGES:
        return None
    return KnownChange(stage=STAGES[name], keeps_length=name != "speed" or set(settings["factors"]) == {1.0})


def known_features(settings: Mapping[str, Any]) -> Features | None:
    """Return what the featurizer of these settings makes, None where it is a plugin's."""
    name = settings["name"]
    if name in WORDS:
        return Features(reads="tokens")
    if name not in SOUND:
        return None
    config = SOUND[name].model_validate({key: value for key, value in settings.items() if key != "name"})
    return Features(reads="audio", bands=config.bands, size=config.frame_size)


def _neighbours(recipe: Mapping[str, Any], features: Sequence[Features | None]) -> Neighbours:
    heads = recipe["head"] if isinstance(recipe["head"], list) else [recipe["head"]]
    return Neighbours(
        reads=[each.reads if each else None for each in features],
        frames=[each.size > 0 if each else None for each in features],
        bptt=recipe["train"]["bptt"] is not None,
        aligned=next((_named(head) for head in heads if head["name"] in ALIGNED_HEADS), None),
    )


def _named(head: Mapping[str, Any]) -> str:
    return head["name"] if head["target"] is None else f"{head['name']} of {head['target']!r}"


def _masks_nothing(path: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield that `spec_augment`, at `path`, masks neither time nor frequency."""
    zeros = [next((key for key in keys if settings[key] == 0), "") for keys in MASKED]
    if all(zeros):
        yield path, f"augmenter spec_augment masks nothing: {' and '.join(zeros)} are 0"


def _wrong_bands(
    path: str, settings: Mapping[str, Any], where: str, features: Features | None
) -> Iterator[tuple[str, str]]:
    """Yield what of `spec_augment`, at `path`, does not fit the features made at `where`."""
    if features is None or not features.size:
        return
    bands, widest = settings["bands"], settings["freq_mask"]
    if bands is not None and features.size % bands:
        reason = f"the {features.size} features of {where} are no multiple of {bands}"
        yield f"{path}.bands", f"{reason}; they are made of {features.bands} bands"
    if bands is None and widest is not None and widest > features.size:
        yield f"{path}.freq_mask", f"must be at most {features.size}, the features of {where}, got {widest}"

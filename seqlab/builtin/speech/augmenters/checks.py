"""Whether the masks of `spec_augment` fit the frames that featurizers of speech make, by their settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from seqlab.builtin.speech.featurizers.components import COMPONENTS

__all__ = ["Frame", "known_frame", "misfits"]

SOUND = {component.name: component.config for component in COMPONENTS}

MASKED = (("time_masks", "time_mask", "time_share"), ("freq_masks", "freq_mask", "freq_share"))
"""Settings of `spec_augment` by what they mask; with any of them at 0, that is nothing."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """How many features a frame has; `bands` of them repeat, in derivatives and in joined frames."""

    bands: int
    size: int


def misfits(recipe: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the dotted path of a key of a resolved recipe, and what of `spec_augment` does not fit."""
    frames = [known_frame(each) for each in recipe["features"]]
    for number, settings in enumerate(recipe.get("augment", ())):
        if settings["name"] == "spec_augment":
            yield from _masks_nothing(f"augment.{number}", settings)
            for place, frame in enumerate(frames):
                yield from _wrong_bands(f"augment.{number}", settings, f"features.{place}", frame)


def known_frame(settings: Mapping[str, Any]) -> Frame | None:
    """Return what frames the featurizer of these settings makes, None where it is none of speech."""
    name = settings["name"]
    if name not in SOUND:
        return None
    config = SOUND[name].model_validate({key: value for key, value in settings.items() if key != "name"})
    return Frame(bands=config.bands, size=config.frame_size)


def _masks_nothing(path: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield that `spec_augment`, at `path`, masks neither time nor frequency."""
    zeros = [next((key for key in keys if settings[key] == 0), "") for keys in MASKED]
    if all(zeros):
        yield path, f"augmenter spec_augment masks nothing: {' and '.join(zeros)} are 0"


def _wrong_bands(
    path: str, settings: Mapping[str, Any], where: str, frame: Frame | None
) -> Iterator[tuple[str, str]]:
    """Yield what of `spec_augment`, at `path`, does not fit the features made at `where`."""
    if frame is None:
        return
    bands, widest = settings["bands"], settings["freq_mask"]
    if bands is not None and frame.size % bands:
        reason = f"the {frame.size} features of {where} are no multiple of {bands}"
        yield f"{path}.bands", f"{reason}; they are made of {frame.bands} bands"
    if bands is None and widest is not None and widest > frame.size:
        yield f"{path}.freq_mask", f"must be at most {frame.size}, the features of {where}, got {widest}"

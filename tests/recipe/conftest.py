"""A small catalogue of components, and recipes to change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, model_validator

from seqlab.errors import RecipeError
from seqlab.filepath import FilePath
from seqlab.recipe import Recipe, Surroundings, load_recipe
from seqlab.settings import Config


class Conllu(Config):
    text: str = "form"
    """Column of the tokens."""
    label: str = "upos"
    """Column of the labels."""


class Embedding(Config):
    embedding_dim: int = Field(default=100, ge=1)
    """Size of the vectors."""
    lowercase: bool = False
    """Whether case is ignored."""


class Recurrent(Config):
    hidden_size: int = Field(default=256, ge=1)
    """Size of the state."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of outputs dropped."""


class Left(Config):
    size: int
    """Size."""


class Right(Config):
    size: float
    """Size."""


class Bounded(Config):
    units: int = Field(ge=1)
    """Size of the state."""
    sizes: Annotated[tuple[int, ...], Field(strict=False, max_length=2)] = ()
    """Sizes of layers."""
    rates: Annotated[tuple[Annotated[float, Field(ge=0.5, le=2)], ...], Field(strict=False, min_length=2)] = (
        1.0,
        1.0,
    )
    """At least two rates."""
    code: str = Field(default="a", min_length=1, pattern="^[a-z]*$")
    """A code."""
    choice: int | Literal["auto"] = "auto"
    """A number or a word."""
    many: float | list[float] = 1.0
    """A number or several."""
    weights: dict[str, float] = Field(default_factory=dict)
    """Weight of each label."""
    part: Left | Right | None = None
    """One of two mappings that need the same key."""

    @model_validator(mode="after")
    def check(self) -> Bounded:
        if self.units == 13:
            raise ValueError("units must not be 13 where code is 'a'")
        return self


class Plain(Config):
    pass


class Room(Config):
    response: FilePath
    """A recording of it."""


class Noise(Config):
    snr: float = 10.0
    """Decibels."""
    files: Annotated[tuple[FilePath, ...], Field(strict=False)] = ()
    """Recordings of noise."""
    room: Room | None = None
    """Where it sounds."""


CATALOGUE: dict[str, dict[str, type[Config]]] = {
    "reader": {"conllu": Conllu},
    "featurizer": {"embedding": Embedding, "one_hot": Plain},
    "encoder": {"bilstm": Recurrent, "gru": Recurrent, "bounded": Bounded},
    "augmenter": {"noise": Noise},
    "head": {"tagging": Plain},
    "metric": {"accuracy": Plain},
    "observer": {"console": Plain, "jsonl": Plain, "checkpoints": Plain},
}

WHOLE = """\
data:
  reader: conllu
  train: train.conllu
features:
  - embedding
encoder: bilstm
head: tagging
"""


@pytest.fixture
def catalogue() -> dict[str, dict[str, type[Config]]]:
    return CATALOGUE


@pytest.fixture
def surroundings() -> Surroundings:
    return Surroundings(CATALOGUE)


@pytest.fixture
def whole() -> str:
    """The shortest recipe without mistakes; its data file is `train.conllu`."""
    return WHOLE


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which holds `recipes/` with a data file, and one for a dev split."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/train.conllu").touch()
    (tmp_path / "dev.conllu").touch()
    return tmp_path


@pytest.fixture
def load(folder: Path) -> Callable[..., Recipe]:
    """Write a text to `recipes/pos.yaml` and load it."""

    def write_and_load(text: str, *overrides: str, **surroundings: Any) -> Recipe:
        path = Path("recipes/pos.yaml")
        path.write_text(text, encoding="utf-8")
        return load_recipe(path, Surroundings(CATALOGUE, **surroundings), overrides=overrides)

    return write_and_load


@pytest.fixture
def lines(load: Callable[..., Recipe]) -> Callable[..., list[str]]:
    """Load a text that has mistakes and return its problems as lines."""

    def problems_of(text: str, *overrides: str, **surroundings: Any) -> list[str]:
        with pytest.raises(RecipeError) as caught:
            load(text, *overrides, **surroundings)
        return str(caught.value).splitlines()

    return problems_of

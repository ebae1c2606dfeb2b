"""Every recipe that comes with seqlab passes its check and runs, shortened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seqlab import Lab, Recipe
from seqlab.assembly import Assembly
from seqlab.run import RunOptions

RECIPES = Path(__file__).parents[1] / "recipes"
MAX_EXAMPLES = 60
"""Examples of each split that a shortened run reads."""


def cases() -> list[object]:
    """Return the recipes; those that need the real data sets carry the mark `data`."""
    return [
        pytest.param(path, id=path.stem, marks=pytest.mark.data if needs_data(path) else ())
        for path in sorted(RECIPES.rglob("*.yaml"))
    ]


def needs_data(path: Path) -> bool:
    return "${SEQLAB_DATA}" in path.read_text()


def shortened(recipe: Recipe, lab: Lab, folder: Path) -> list[str]:
    """Return the overrides that make the run short: the beginning of every split, and one epoch."""
    reader = Assembly(recipe, lab.registry).reader
    labels = [name for name, kind in reader.fields.items() if kind == "token_labels"]
    changes = ["train.epochs=1"]
    for split, files in recipe.paths.items():
        beginning = folder / f"{split}{reader.suffixes[0]}"
        examples = zip(reader.read(files[0]), range(MAX_EXAMPLES), strict=False)
        beginning.write_text(
            "".join(
                reader.write(example, {name: example.fields[name] for name in labels})
                for example, _ in examples
            )
        )
        changes.append(f"data.{split}={beginning}")
    return changes


def test_there_are_recipes() -> None:
    assert cases()


@pytest.mark.parametrize("path", cases())
def test_a_recipe_passes_its_check_and_runs_shortened(path: Path, lab: Lab, tmp_path: Path) -> None:
    if needs_data(path) and not os.environ.get("SEQLAB_DATA"):
        pytest.skip("needs the data sets under SEQLAB_DATA")
    recipe = lab.check(path)
    changes = shortened(recipe, lab, tmp_path)
    report = lab.run(path, changes, RunOptions(out=tmp_path / "run", device="cpu"))
    assert set(report["metrics"]) == set(recipe.paths) - {"train"}
    (answer,) = lab.open(tmp_path / "run/model", device="cpu").predict([["The", "dog", "barks"]])
    assert all(len(labels) == 3 for labels in answer.labels.values())

"""Every recipe that comes with seqlab passes its check and runs, shortened."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

from seqlab import Lab, Recipe
from seqlab.api import Reader
from seqlab.assembly import Assembly
from seqlab.run import RunOptions

RECIPES = Path(__file__).parents[1] / "recipes"
MAX_EXAMPLES = 60
"""Examples of each split that a shortened run reads, evenly spread: data may be sorted by class."""
MAX_UTTERANCES = 12
"""The same where they are speech: the models are larger, and sound is longer than text."""


def cases() -> list[object]:
    """Return the recipes; those that need the real data sets carry the mark `data`."""
    return [
        pytest.param(path, id=path.stem, marks=pytest.mark.data if needs_data(path) else ())
        for path in sorted(RECIPES.rglob("*.yaml"))
    ]


def needs_data(path: Path) -> bool:
    text = path.read_text()
    if base := re.search(r"^extends: (.*)$", text, re.MULTILINE):
        text += (path.parent / base[1]).read_text()
    return "${SEQLAB_DATA}" in text or "dataset:" in text


def shortened(recipe: Recipe, lab: Lab, folder: Path) -> list[str]:
    """Return the overrides that make the run short: the beginning of every split, and one epoch."""
    reader = Assembly(recipe, lab.registry).reader
    changes = ["train.epochs=1"]
    for split, files in recipe.paths.items():
        beginning = folder / f"{split}{reader.suffixes[0]}"
        beginning.write_text(
            manifest(files[0], folder) if ".jsonl" in reader.suffixes else written(files[0], reader)
        )
        changes.append(f"data.{split}={beginning}")
    return changes


def manifest(file: Path, folder: Path) -> str:
    """Return the beginning of a manifest; the folders of its sound are linked into `folder`."""
    for sounds in (path for path in file.parent.iterdir() if path.is_dir()):
        if not (folder / sounds.name).exists():
            (folder / sounds.name).symlink_to(sounds)
    return "".join(file.read_text().splitlines(keepends=True)[:MAX_UTTERANCES])


def written(file: Path, reader: Reader) -> str:
    """Return some examples of a file as its reader writes them, or its first lines."""
    if not hasattr(reader, "write"):
        return "".join(file.read_text().splitlines(keepends=True)[:MAX_EXAMPLES])
    examples = list(reader.read(file))
    step = len(examples) // MAX_EXAMPLES | 1  # odd, since two classes may alternate
    header = reader.header(examples[0], {}) if hasattr(reader, "header") else ""
    return header + "".join(reader.write(each, {}) for each in examples[::step])


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
    assert not [notice for notice in report["notices"] if "no gradient" in notice]
    answers(lab, tmp_path / "run/model")


def answers(lab: Lab, package: Path) -> None:
    """Let the model answer a sentence or a second of noise, whichever it reads."""
    model = lab.open(package, device="cpu")
    if [kind.name for kind in model.inputs.values()] == ["audio"]:
        noise = np.random.default_rng(1).normal(scale=0.1, size=16_000)
        found = model(noise, 16_000)
        assert "text" not in found.answers or found.duration == 1
    else:
        for target, answer in model(["The", "dog", "barks"]).answers.items():
            assert model.answered[target].along != "tokens" or len(answer.value) == 3

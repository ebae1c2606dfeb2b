"""The sample set `order`: only the order of the words tells the class, and models show it."""

from __future__ import annotations

import importlib.resources
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from seqlab import Lab
from seqlab.run import RunOptions

ROOT = Path(__file__).parents[4]
FOLDER = importlib.resources.files("seqlab.builtin.text.samples") / "order"
SPLITS = ["train", "dev", "test"]


def read(split: str) -> list[tuple[str, str]]:
    header, *lines = (FOLDER / f"{split}.tsv").read_text(encoding="utf-8").splitlines()
    assert header == "label\ttext"
    return [(label, text) for label, text in (line.split("\t") for line in lines)]


@pytest.mark.parametrize("split", SPLITS)
def test_every_sentence_has_a_partner_of_the_other_class_with_the_same_words(split: str) -> None:
    classes: dict[str, Counter[str]] = {"positive": Counter(), "negative": Counter()}
    for label, text in read(split):
        classes[label][" ".join(sorted(text.split()))] += 1
    assert classes["positive"] == classes["negative"]


def test_no_sentence_stands_twice_be_it_in_one_split_or_in_two() -> None:
    texts = Counter(text for split in SPLITS for _, text in read(split))
    assert [text for text, count in texts.items() if count > 1] == []


def test_every_word_is_seen_in_training() -> None:
    known = {word for _, text in read("train") for word in text.split()}
    assert {word for split in SPLITS for _, text in read(split) for word in text.split()} <= known


def test_the_readme_states_the_true_counts() -> None:
    counts = " | ".join(str(len(read(split))) for split in SPLITS)
    assert f"| sentences | {counts} |" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_script_writes_the_same_again(tmp_path: Path) -> None:
    script = ROOT / "benchmarks" / "order_set.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True)
    for split in SPLITS:
        assert (tmp_path / f"{split}.tsv").read_bytes() == (FOLDER / f"{split}.tsv").read_bytes()


@pytest.mark.slow
def test_order_is_what_tells_the_class(lab: Lab, tmp_path: Path) -> None:
    """One override shows what order adds: a bag or a mean of vectors is right about half of them."""
    recipe = ROOT / "recipes" / "sentiment.yaml"
    found = {}
    for encoder, changes in {
        "recurrent": [],
        "bag": ["encoder=bag", "train.epochs=2"],
        "mean": ["encoder=mean", "train.epochs=2"],
    }.items():
        report = lab.run(recipe, changes, RunOptions(out=tmp_path / encoder, device="cpu"))
        found[encoder] = report["metrics"]["test"]["accuracy"]
    assert found["recurrent"] > 0.95
    assert found["bag"] == found["mean"] == 0.5

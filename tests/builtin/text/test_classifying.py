"""A classifier of texts from a table to a package and back: run, evaluate, predict in two ways."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from seqlab import DataError, Lab
from seqlab.cli.main import seqlab
from seqlab.run import RunOptions

ROWS = [
    ("good", "A fine phone, really."),
    ("bad", "No good at all!"),
    ("good", "Fine."),
    ("bad", "At all no phone."),
]

RECIPE = """
name: toy
data:
  on_error: skip
  reader:
    name: tsv
    fields:
      tokens: {kind: tokens, column: text, split: words, lowercase: true}
      label: label
  train: train.tsv
features: [{name: ngrams, weights: naive_bayes}]
encoder: bag
head: classify
metrics: [accuracy, f1, confusion, calibration, {name: recall_of, label: bad}]
train: {epochs: 30, batch_tokens: 30, optimizer: {name: adam, lr: 0.1}}
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classified")
    lines = ["label\ttext", *(f"{label}\t{text}" for label, text in ROWS), "\tno label here", "a row of one"]
    (folder / "train.tsv").write_text("\n".join(lines) + "\n")
    (folder / "toy.yaml").write_text(RECIPE)
    report = Lab(entry_points=False).run(
        folder / "toy.yaml", [], RunOptions(out=folder / "run", device="cpu")
    )
    assert len(report["skipped_examples"]["train"]) == 1
    assert report["missing_labels"] == {"train": {"label": 1}}
    return folder / "run/model"


def predicted(package: Path, *arguments: str, text: str = "") -> str:
    command = [sys.executable, "-m", "seqlab", "predict", str(package), *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return done.stdout


def test_a_text_is_split_and_spelt_as_in_the_data(package: Path, lab: Lab) -> None:
    model = lab.open(package, device="cpu")
    found = model("FINE phone.")
    assert found.label == "good"
    assert found.label == model(["FINE", "phone", "."]).label
    assert found.score == pytest.approx(model(["fine", "phone", "."]).score)
    first, empty = model.predict(["no good at all", ""])
    assert first.label == "bad"
    assert empty.label in ("bad", "good")


def test_the_command_reads_lines_and_tables_and_writes_rows_back(package: Path, tmp_path: Path) -> None:
    lines = predicted(package, "-", "--to", "jsonl", text="A fine phone.\n")
    (record,) = map(json.loads, lines.splitlines())
    assert record["tokens"] == ["A", "fine", "phone", "."]
    assert record["label"] == "good"
    table = tmp_path / "new.tsv"
    table.write_text("id\ttext\n1\tno good at all\n2\tfine\n")
    written = predicted(package, str(table), "--to", "data")
    assert written == "id\ttext\tlabel\n1\tno good at all\tbad\n2\tfine\tgood\n"


def test_tables_go_below_one_header_and_other_columns_are_named(package: Path, tmp_path: Path) -> None:
    """The first row is left out, and with it goes nothing that the others need."""
    names = []
    tables = {"a": "id\ttext\n1", "b": "id\ttext\n2\tfine", "c": "text\tid\nfine\t3"}
    for name, table in tables.items():
        (tmp_path / f"{name}.tsv").write_text(f"{table}\n4\tfine\n")
        names.append(str(tmp_path / f"{name}.tsv"))
    command = [sys.executable, "-m", "seqlab", "predict", str(package), "--to", "data", "--on-error", "skip"]
    done = subprocess.run([*command, *names], capture_output=True, text=True, check=False)
    assert done.returncode == DataError.exit_code
    rows = ["id\ttext\tlabel", "4\tfine\tgood", "2\tfine\tgood", "4\tfine\tgood"]
    assert done.stdout.splitlines() == rows
    told = "belongs below the header 'text\\tid\\tlabel', but the output has 'id\\ttext\\tlabel'"
    assert f"c.tsv:2: {told}" in done.stderr


def test_an_evaluation_has_all_figures_and_lists_the_mistakes(package: Path, tmp_path: Path) -> None:
    data, errors = tmp_path / "test.tsv", tmp_path / "errors.txt"
    data.write_text("label\ttext\nbad\tfine\ngood\tfine\n\tfine\n")
    found = CliRunner().invoke(seqlab, ["evaluate", str(package), str(data), "--errors", str(errors)])
    for figure in ("accuracy           0.5000", "f1_macro", "errors", "calibration_error", "bad_recall"):
        assert figure in found.stdout
    assert f"{data}:2  bad -> good" in errors.read_text()
    assert "rows: gold, columns: answered" in errors.read_text()

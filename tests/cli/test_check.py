"""`seqlab check`: all mistakes at once, each with its place, and nothing heavy imported."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from seqlab.cli.main import main

Process = Callable[..., "subprocess.CompletedProcess[str]"]

SEVEN = """\
name: seven
data:
  reader: {name: conlu, label: upos}
  train: gone.conllu
features:
  - {name: embedding, embeding_dim: 8, min_count: 2}
  - {name: char_lstm, hidden_size: 0}
encoder: {name: bilstm, hidden_size: big}
head: taging
train:
  epochs: 3
  optimiser: {name: adam}
"""


def seven_lines(folder: Path) -> list[str]:
    return [
        "seven.yaml:3:18: data.reader: unknown reader 'conlu'; did you mean 'conllu'?;"
        " one of: audio_folder, common_voice, conllu, copy_memory, csv, joined_speech, jsonl, kaldi,"
        " librispeech, speech, spoken_digits, text, tsv",
        f"seven.yaml:4:10: data.train: no such file: {folder}/gone.conllu",
        "seven.yaml:6:23: features.0: unknown key 'embeding_dim'; did you mean 'embedding_dim'?",
        "seven.yaml:7:36: features.1.hidden_size: must be at least 1, got 0",
        "seven.yaml:8:38: encoder.hidden_size: expected an integer, got 'big'",
        "seven.yaml:9:7: head: unknown head 'taging'; did you mean 'tagging'?; one of: classify, ctc,"
        " language_model, tagging",
        "seven.yaml:12:3: train: unknown key 'optimiser'; did you mean 'optimizer'?",
    ]


def test_seven_mistakes_are_seven_lines_with_place_and_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "seven.yaml").write_text(SEVEN)
    monkeypatch.chdir(tmp_path)
    for command in ("check", "run"):
        assert main([command, "seven.yaml"]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.splitlines() == seven_lines(tmp_path)
    assert not (tmp_path / "runs").exists()


def test_a_recipe_without_mistakes(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(toy), "train.epochs=3"]) == 0
    assert capsys.readouterr().out == f"{toy}: no problems\n"


def test_a_mistake_on_the_command_line_has_its_place_too(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(toy), "train.epoch=3"]) == 2
    assert capsys.readouterr().err == ("command line: train: unknown key 'epoch'; did you mean 'epochs'?\n")


def test_resolved_prints_a_recipe_that_is_equal(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(toy), "train.epochs=3", "--resolved"]) == 0
    printed = capsys.readouterr().out
    (tmp_path / "resolved.yaml").write_text(printed)
    assert main(["check", str(tmp_path / "resolved.yaml"), "--resolved"]) == 0
    assert capsys.readouterr().out == printed
    assert "epochs: 3" in printed


AUGMENTED = """\
data: {reader: speech, train: train.jsonl}
features: [log_mel]
augment:
  - {name: speed, factors: [0, 5]}
  - {name: speed, factors: [1.1], continuous: true}
  - {name: spec_augment, bands: 40, freq_mask: 80}
encoder: bilstm
head: ctc
"""


def test_augmenters_that_can_do_nothing_are_told_with_their_places(
    tmp_path: Path, seqlab_process: Process
) -> None:
    (tmp_path / "train.jsonl").touch()
    (tmp_path / "wrong.yaml").write_text(AUGMENTED)
    right = AUGMENTED.replace("[0, 5]", "[0.9, 1.1]").replace("[1.1]", "[1.1, 1]").replace("80", "8")
    (tmp_path / "bands.yaml").write_text(right.replace("bands: 40", "bands: 30"))
    (tmp_path / "words.yaml").write_text(right.replace("log_mel", "embedding"))
    code = """
import sys
from seqlab.cli.main import main
print(*(main(["check", name]) for name in ("wrong.yaml", "bands.yaml", "words.yaml")))
print(sorted({"torch", "numpy"} & set(sys.modules)))
"""
    done = seqlab_process(code=code)
    assert done.stdout.splitlines() == ["2 2 2", "[]"], done.stderr
    assert done.stderr.splitlines() == [
        "wrong.yaml:4:29: augment.0.factors.0: must be at least 0.5, got 0",
        "wrong.yaml:4:32: augment.0.factors.1: must be at most 2, got 5",
        "wrong.yaml:5:5: augment.1: factors: nothing lies between 1.1 and itself;"
        " with continuous at least two that differ are needed",
        "wrong.yaml:6:5: augment.2: freq_mask: must be at most the number of bands, 40, got 80",
        "bands.yaml:6:33: augment.2.bands: the 40 features of features.0 are no multiple of 30;"
        " they are made of 40 bands",
        "words.yaml:2:12: features.0: featurizer embedding reads field 'tokens', which the reader does not"
        " deliver; one of: audio, text",
        *(
            f"words.yaml:{line}:5: augment.{line - 4}: augmenter speed changes audio,"
            " but no featurizer reads any"
            for line in (4, 5)
        ),
        "words.yaml:6:5: augment.2: augmenter spec_augment changes frames of features,"
        " but no featurizer makes any",
    ]


def test_no_such_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "gone.yaml")]) == 2
    assert "gone.yaml" in capsys.readouterr().err


def test_checking_imports_neither_torch_nor_numpy(toy: Path, seqlab_process: Process) -> None:
    code = """
import sys
from seqlab.cli.main import main
codes = [main(["--help"]), main(["check", sys.argv[1]]), main(["check", sys.argv[1], "head=x"])]
print(sorted({"torch", "numpy"} & set(sys.modules)), codes)
"""
    done = seqlab_process(str(toy), code=code)
    assert done.stdout.splitlines()[-1] == "[] [0, 0, 2]", done.stderr

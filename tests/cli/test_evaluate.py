"""`seqlab evaluate`: the figures of a package, on its own splits or on other files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sounds import manifest

from seqlab.cli.main import main


@pytest.fixture
def evaluate(package: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*args: object) -> tuple[int, str, str]:
        code = main(["evaluate", str(package), *map(str, args), "--device", "cpu"])
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("split", ["dev", "test"])
def test_the_figures_are_those_of_the_report(
    split: str, evaluate: Callable[..., tuple[int, str, str]], finished: Path
) -> None:
    report = json.loads((finished / "report.json").read_text())["metrics"][split]
    code, printed, errors = evaluate("--split", split, "--json")
    assert (code, errors) == (0, "")
    assert json.loads(printed) == pytest.approx(report, abs=1e-6)
    _, table, _ = evaluate("--split", split)
    assert [line.split() for line in table.splitlines()] == [
        [name, f"{value:.4f}"] for name, value in report.items()
    ]


def test_several_files_count_as_one(
    evaluate: Callable[..., tuple[int, str, str]], finished: Path, tmp_path: Path
) -> None:
    files = [finished.parent / f"{split}.conllu" for split in ("dev", "test")]
    (tmp_path / "both.conllu").write_text("".join(file.read_text() for file in files))
    assert evaluate(*files, "--json") == evaluate(tmp_path / "both.conllu", "--json")


def test_the_figures_can_be_those_of_bf16(evaluate: Callable[..., tuple[int, str, str]]) -> None:
    full, same, half = (
        json.loads(evaluate("--json", *options)[1])
        for options in ([], ["--precision", "fp32"], ["--precision", "bf16"])
    )
    assert same == full
    assert half["loss"] != full["loss"]
    assert half["loss"] == pytest.approx(full["loss"], rel=0.02)
    assert evaluate("--precision", "int8")[0] == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1\tword\n\n", "{}:1: expected 10 columns separated by tabs, found 2"),
        ("2\tx\t_\tX" + "\t_" * 6 + "\n\n", "{}:1: id 2 where 1 is expected"),
        (None, "{}: cannot read: No such file or directory"),
    ],
)
def test_bad_data_is_exit_code_four(
    content: str | None, message: str, evaluate: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    file = tmp_path / "data.conllu"
    if content is not None:
        file.write_text(content)
    code, _, errors = evaluate(file)
    assert code == 4
    assert errors.startswith("error: " + message.format(file))


# --- errors ----------------------------------------------------------------------------------------------

GOLD = "1\tla\t_\tDET" + "\t_" * 6 + "\n2\tkatos\t_\tPUNCT" + "\t_" * 6 + "\n\n"
"""A sentence whose second label no model that has learned anything gives."""


def test_errors_are_written_beside_the_figures(
    evaluate: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    data, out = tmp_path / "wrong.conllu", tmp_path / "errors.txt"
    data.write_text(GOLD)
    assert evaluate(data, "--errors", out) == evaluate(data)
    text = out.read_text()
    assert "1 of 2 labels are wrong (50.00%), in 1 of 1 sentences\n" in text
    assert f"\n{data}:1  1 of 2 labels wrong\nla katos\n     2  katos  PUNCT -> NOUN\n" in text
    assert text.endswith("\n")
    assert not list(tmp_path.glob("*.partial"))


def test_an_old_file_of_errors_is_kept(evaluate: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    out = tmp_path / "errors.txt"
    out.write_text("precious")
    code, _, errors = evaluate("--errors", out)
    assert code == 2
    assert f"--errors {out}: exists already; choose another name or remove it" in errors
    assert out.read_text() == "precious"


def test_errors_that_cannot_be_listed_leave_no_file(
    evaluate: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    out = tmp_path / "errors.txt"
    code, _, errors = evaluate(tmp_path / "none.conllu", "--errors", out)
    assert (code, list(tmp_path.iterdir())) == (4, [])
    assert errors == f"error: {tmp_path}/none.conllu: cannot read: No such file or directory\n"


def test_a_dash_lists_the_errors_behind_the_figures(
    evaluate: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = tmp_path / "wrong.conllu", tmp_path / "errors.txt"
    data.write_text(GOLD)
    code, figures, _ = evaluate(data, "--errors", out)
    (folder := tmp_path / "empty").mkdir()
    monkeypatch.chdir(folder)
    assert evaluate(data, "--errors", "-") == (code, f"{figures}\n{out.read_text()}", "")
    assert not list(folder.iterdir()), "no file is named -"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--errors", ""],
            "'--errors': expected the name of a new file, or - for standard output, got nothing",
        ),
        (
            ["--errors", "-", "--json"],
            "--json and --errors - would both be on standard output; give --errors",
        ),
    ],
)
def test_where_errors_cannot_go_is_said(
    evaluate: Callable[..., tuple[int, str, str]], options: list[str], message: str
) -> None:
    code, printed, errors = evaluate(*options)
    assert (code, printed) == (2, "")
    assert message in errors


# --- speech ----------------------------------------------------------------------------------------------


def spoken_by(hearing: Path, file: Path, speakers: int) -> Path:
    """Write the test split of toy speech as if so many speakers had taken turns."""
    records = [json.loads(line) for line in (hearing / "test.jsonl").read_text().splitlines()]
    for number, record in enumerate(records):
        record |= {"audio": str(hearing / record["audio"]), "speaker": f"s{number % speakers}"}
    return manifest(file, records)


@pytest.mark.parametrize("speakers", [2, 12])
def test_of_many_speakers_the_worst_are_shown_and_all_are_in_json(
    hearing: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], speakers: int
) -> None:
    data = spoken_by(hearing, tmp_path / "data.jsonl", speakers)
    command = ["evaluate", str(hearing / "run/model"), str(data), "--device", "cpu"]
    assert main([*command, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    rates = {f"s{number}": figures[f"s{number}.speaker_cer"] for number in range(speakers)}
    assert main(command) == 0
    table = capsys.readouterr().out.splitlines()
    assert not [line for line in table if ".speaker_" in line]
    worst = sorted(rates, key=lambda name: (-rates[name], name))[:5]
    shown = ", ".join(f"{name} {rates[name]:.4f}" for name in worst)
    more = ", ..." if speakers > 5 else ""
    assert table[-1] == f"cer by speaker, {speakers} in all, highest first: {shown}{more}"
    assert table[-2].startswith(f"wer by speaker, {speakers} in all, highest first: ")
    assert len(table) == len(figures) - 2 * speakers + 2


def test_a_folder_is_no_data(
    finished: Path, hearing: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for model in (finished / "model", hearing / "run/model"):
        assert main(["evaluate", str(model), str(tmp_path), "--device", "cpu"]) == 4
        said = capsys.readouterr().err
        assert said.startswith(f"error: {tmp_path}: "), said
        assert "folder" in said

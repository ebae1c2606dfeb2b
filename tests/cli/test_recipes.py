from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from seqlab import Lab
from seqlab.cli.main import main
from seqlab.shipped import recipe_files, recipe_named, recipe_names, recipe_summary, recipes_folder


def needs_data(name: str) -> bool:
    texts = [(recipes_folder() / file).read_text() for file in recipe_files(name)]
    return any("${SEQLAB_DATA}" in text or "dataset:" in text for text in texts)


def test_list_names_every_recipe_with_its_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ", 1)[0] for line in lines] == list(recipe_names())
    assert all(line.endswith(f" {recipe_summary(line.split()[0])}") for line in lines)
    assert main(["recipes", "list", "--json"]) == 0
    assert [each["name"] for each in json.loads(capsys.readouterr().out)] == list(recipe_names())


def test_show_prints_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "show", "pos"]) == 0
    assert capsys.readouterr().out == recipe_named("pos").read_text()


@pytest.mark.parametrize("command", ["show", "copy"])
@pytest.mark.parametrize("name", ["poss", "../recipes/pos"])
def test_an_unknown_name_gets_the_nearest_and_nothing_is_written(
    command: str,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["recipes", command, name]) == 2
    assert f"unknown recipe {name!r}" in (said := capsys.readouterr().err)
    assert ("did you mean 'pos'?" in said) == (name == "poss")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.data if needs_data(name) else ()) for name in recipe_names()],
)
def test_a_copied_recipe_needs_nothing_of_where_it_came_from(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if needs_data(name) and not os.environ.get("SEQLAB_DATA"):
        pytest.skip("needs the data sets under SEQLAB_DATA")
    monkeypatch.chdir(tmp_path)
    assert main(["recipes", "copy", name]) == 0
    *files, last = capsys.readouterr().out.splitlines()
    assert files == [str(file) for file in recipe_files(name)]
    program, run, recipe = shlex.split(last.removeprefix("run it: "))
    assert (program, run, recipe) == ("seqlab", "run", f"{name}.yaml")
    checked = Lab(entry_points=False).check(recipe)
    assert checked.name == name
    used = [path for paths in checked.paths.values() for path in paths]
    assert not [path for path in used if path.is_relative_to(recipes_folder())]


def test_what_is_there_already_stays_and_a_second_recipe_shares_its_base(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a folder"
    assert main(["recipes", "copy", "long_lag_gru", "--to", str(folder)]) == 0
    capsys.readouterr()
    assert main(["recipes", "copy", "long_lag_rnn", "--to", str(folder)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{folder}/long_lag_rnn.yaml",
        f"{folder}/long_lag.yaml is there already",
        f"{folder}/long_lag/dev.copy is there already",
        f"{folder}/long_lag/train.copy is there already",
        f"run it: seqlab run '{folder}/long_lag_rnn.yaml'",
    ]


@pytest.mark.parametrize("way", ["changed", "folder", "fifo", "dangling"])
def test_what_differs_is_never_written_over_and_nothing_is_copied(
    way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = tmp_path / "long_lag.yaml"
    if way == "changed":
        base.write_text("name: mine\n")
    elif way == "folder":
        base.mkdir()
    elif way == "fifo":
        os.mkfifo(base)
    else:
        base.symlink_to(tmp_path / "elsewhere")
    assert main(["recipes", "copy", "long_lag_gru", "--to", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"error: {base}: exists and differs from what comes with seqlab; nothing is copied."
        " Rename it, or name another folder with --to\n"
    )
    assert list(tmp_path.iterdir()) == [base]
    assert way != "changed" or base.read_text() == "name: mine\n"


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["recipes", "copy", "pos", "--to", str(tmp_path / "file/below")]) == 1
    assert capsys.readouterr().err == f"error: {tmp_path}/file/below: cannot be written: not a directory\n"

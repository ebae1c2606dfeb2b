"""`seqlab run`: what it says, and which exit code it ends with."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from seqlab import Lab, SeqlabError
from seqlab.cli.main import main
from seqlab.run import RunOptions

Command = Callable[..., "subprocess.CompletedProcess[bytes]"]

OBSERVED = "observers=[console, jsonl, checkpoints]"


def run(recipe: Path, folder: Path, *args: str, before: Sequence[str] = ()) -> int:
    return main(
        [*before, "run", str(recipe), "--out", str(folder), "--device", "cpu", "--threads", "1", *args]
    )


def test_from_a_recipe_to_a_model_that_predicts(
    toy: Path, tmp_path: Path, seqlab_command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    done = seqlab_command("run", "toy.yaml", OBSERVED, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = done.stdout.decode().splitlines()
    assert re.fullmatch(r"dev: loss 0\.\d{4}  accuracy [01]\.\d{4}  accuracy_unknown .*", said[0])
    assert said[1].startswith("test: loss ")
    assert said[2] == "test: examples that stand in the training split, too: 1"
    assert re.fullmatch(r"8 epochs in \d+ s, [\d,]+ tokens/s in training, peak memory [\d,]+ MB", said[3])
    assert said[4] == "model: runs/toy/model    report: runs/toy/report.json"
    line = json.loads((tmp_path / "runs/toy/report.json").read_text())["trial"]["line"]
    assert said[5] == f"try it: echo {shlex.quote(line)} | seqlab predict runs/toy/model -"
    rows = (tmp_path / "dev.conllu").read_text()
    assert all(f"\t{word}\t" in rows for word in line.split())
    progress = done.stderr.decode().splitlines()
    assert re.match(r"training: 60 sequences, \d+ rows, [\d,]+ parameters, \d+ steps an epoch", progress[0])
    assert [line.split("  ")[0] for line in progress[1:]] == [f"epoch {number}/8" for number in range(1, 9)]
    assert sorted(path.name for path in (tmp_path / "runs/toy").iterdir()) == [
        "checkpoints",
        "metrics.jsonl",
        "model",
        "recipe.yaml",
        "report.json",
        "run.json",
    ]
    (tmp_path / "in").write_text("la luma luma\n")
    assert main(["predict", str(tmp_path / "runs/toy/model"), str(tmp_path / "in")]) == 0
    assert capsys.readouterr().out == "la\tDET\nluma\tNOUN\nluma\tVERB\n\n"


@pytest.mark.parametrize(
    "odd",
    [
        {"metrics": 3},
        {"metrics": {"dev": {"accuracy": "high"}}},
        {"seconds": None},
        {"short_of_states": {"dev": []}},
    ],
    ids=str,
)
def test_a_report_that_no_run_has_written_is_refused_in_words(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], odd: dict[str, object]
) -> None:
    report = json.loads((finished / "report.json").read_text())
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run/report.json").write_text(json.dumps(report | odd))
    assert run(finished.parent / "toy.yaml", tmp_path / "run", "--resume") == 5
    assert f"error: {tmp_path}/run/report.json: not the report of a run: " in capsys.readouterr().err


def test_the_report_of_an_older_seqlab_is_still_told(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = json.loads((finished / "report.json").read_text())
    shutil.copytree(finished, tmp_path / "run")
    del report["missing_labels"], report["also_in_train"]
    (tmp_path / "run/report.json").write_text(json.dumps(report))
    assert run(finished.parent / "toy.yaml", tmp_path / "run", "--resume") == 0
    assert "test: loss " in capsys.readouterr().out


def test_missing_labels_are_told_with_the_figures_that_leave_them_out(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = json.loads((finished / "report.json").read_text())
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run/report.json").write_text(json.dumps(report | {"missing_labels": {"dev": {"upos": 3}}}))
    assert run(finished.parent / "toy.yaml", tmp_path / "run", "--resume") == 0
    said = capsys.readouterr().out.splitlines()
    assert "dev: 3 labels of upos are missing, and left out of loss and figures" in said


def test_what_to_try_fits_a_model_that_reads_sound(
    hearing: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, folder = hearing / "toy-speech.yaml", tmp_path / "a run"
    # A text of the test split that holds a letter which training does not.
    text = (hearing / "test.jsonl").read_text().replace('"text": "', '"text": "x', 1)
    (tmp_path / "test.jsonl").write_text(text.replace('"audio": "', f'"audio": "{hearing}/'))
    assert run(recipe, folder, "train.epochs=1", f"data.test={tmp_path}/test.jsonl") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1] == "test: 1 units of text are ones that training never saw"
    assert re.match(r"1 epochs in \d+ s, [\d,]+ frames/s in training", said[2])
    *command, sound = shlex.split(said[-1])
    assert command == ["try", "it:", "seqlab", "predict", f"{folder}/model"]
    assert Path(sound) in hearing.glob("test-*.wav")
    assert main(shlex.split(said[-1].removeprefix("try it: seqlab "))) == 0


OWN_READER = """\
from seqlab.api import Component, hookimpl
from seqlab.builtin.speech.readers.components import JoinedSpeechConfig, build_joined_speech

@hookimpl
def seqlab_register_readers():
    return [Component(name="own", config=JoinedSpeechConfig, build=build_joined_speech, summary="joined")]
"""


def test_what_to_try_works_as_it_is_copied_whatever_the_names(
    hearing: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin, data = tmp_path / "my plugin.py", tmp_path / "the test's.jsonl"
    plugin.write_text(OWN_READER)
    sounds = (hearing / "test.jsonl").read_text().replace('"audio": "', f'"audio": "{hearing}/')
    data.write_text(sounds)
    # Sound that is made of several files has none of its own: all the data is named.
    changes = ["data.reader.name=own", f"data.train=['{hearing}/train.jsonl']", f'data.test=["{data}"]']
    folder = tmp_path / "a run"
    assert run(hearing / "toy-speech.yaml", folder, "train.epochs=1", *changes, "--plugin", str(plugin)) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    command = ["predict", "--plugin", str(plugin), str(folder / "model"), "--from", "data", str(data)]
    assert shlex.split(last.removeprefix("try it: seqlab ")) == command
    assert main(command) == 0
    assert capsys.readouterr().out


def test_a_closed_terminal_ends_a_run_as_ctrl_c_does(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin = tmp_path / "hang_up.py"
    plugin.write_text(
        "import os, signal\n"
        "from seqlab.api import hookimpl\n"
        "@hookimpl\n"
        "def seqlab_run_started(run):\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
    )
    before = signal.getsignal(signal.SIGHUP)
    assert run(toy, tmp_path / "run", "train.epochs=2", "--plugin", str(plugin)) == 130
    assert signal.getsignal(signal.SIGHUP) is before
    assert "stopping after this step, once the state is saved" in capsys.readouterr().err
    assert run(toy, tmp_path / "run", "train.epochs=2", "--resume") == 0
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        assert run(toy, tmp_path / "other", "train.epochs=1", "--plugin", str(plugin)) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
def test_training_goes_on_when_nobody_reads_its_progress(
    toy: Path, tmp_path: Path, seqlab_command: Command
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = seqlab_command(
        "run", toy, OBSERVED, "--resume", cwd=tmp_path, stdout=writing, stderr=subprocess.STDOUT
    )
    os.close(writing)
    assert done.returncode == 0
    assert json.loads((tmp_path / "runs/toy/report.json").read_text())["epochs"] == 8
    assert (tmp_path / "runs/toy/model/package.json").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.slow
def test_training_goes_on_when_its_progress_cannot_be_written(
    toy: Path, tmp_path: Path, seqlab_command: Command
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = seqlab_command("run", toy, OBSERVED, cwd=tmp_path, stdout=subprocess.PIPE, stderr=full)
    assert done.returncode == 0
    assert done.stdout.startswith(b"dev: loss")


def test_resume_says_when_there_is_nothing_to_resume(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    assert run(toy, folder, "train.epochs=1", "--resume") == 0
    first = capsys.readouterr()
    assert first.err == f"nothing to resume in {folder} yet: starting from the beginning\n"
    assert run(toy, folder, "train.epochs=1", "--resume") == 0
    again = capsys.readouterr()
    assert again == (first.out, "")


def test_labels_never_seen_in_training_are_reported(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dev = tmp_path / "dev.conllu"
    dev.write_text(dev.read_text().replace("PUNCT", "SYM", 3))
    assert run(toy, tmp_path / "run", "train.epochs=1") == 0
    assert "dev: 3 labels of upos are ones that training never saw\n" in capsys.readouterr().out


def test_several_heads_are_all_shown(toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heads = "head=[{name: tagging, target: upos}, {name: tagging, target: xpos}]"
    reader = "data.reader={name: conllu, label: [upos, xpos]}"
    assert (
        run(toy, tmp_path / "run", "train.epochs=1", "metrics=[accuracy, label_scores]", heads, reader) == 0
    )
    dev = capsys.readouterr().out.splitlines()[0].split("  ")
    assert [part.rpartition(" ")[0] for part in dev] == [
        "dev: loss",
        "upos.loss",
        "upos.accuracy",
        "upos.f1_macro",
        "xpos.loss",
        "xpos.accuracy",
        "xpos.f1_macro",
    ]


def test_a_notice_about_the_data_is_shown_at_the_end(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin = tmp_path / "near.py"
    plugin.write_text(
        "from seqlab.api import Located, hookimpl\n"
        "@hookimpl\n"
        "def seqlab_locate(uri, base):\n"
        "    return Located(base / uri.removeprefix('near:'), 'data: from nearby')\n"
    )
    toy.write_text(toy.read_text().replace("train: train.conllu", "train: near:train.conllu"))
    assert run(toy, tmp_path / "run", "train.epochs=1", "--plugin", str(plugin)) == 0
    assert "\ndata: from nearby\nmodel: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("split", "damage", "message"),
    [
        ("train", "1\tword\n\n", "expected 10 columns separated by tabs, found 2"),
        ("train", "1\t\t_\t_" + "\t_" * 6 + "\n\n", "empty form; a word without characters"),
        ("dev", "2\tx\t_\tX" + "\t_" * 6 + "\n\n", "id 2 where 1 is expected"),
        ("test", "1\tx\t_\tX" + "\t_" * 6 + "\n", "the last sentence, starting at line"),
    ],
)
def test_bad_data_ends_with_exit_code_four_and_its_place(
    split: str, damage: str, message: str, toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"{split}.conllu"
    line = len(file.read_text().splitlines()) + 1
    with file.open("a") as stream:
        stream.write(damage)
    assert run(toy, tmp_path / "run", "train.epochs=1") == 4
    assert capsys.readouterr().err.startswith(f"error: {file}:{line}: {message}")


def test_an_empty_split_is_exit_code_four(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dev.conllu").write_text("")
    assert run(toy, tmp_path / "run") == 4
    assert capsys.readouterr().err == f"error: {tmp_path}/dev.conllu: no sentences\n"


def test_the_command_that_continues_repeats_every_option(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugin = tmp_path / "a plugin.py"
    plugin.write_text(
        "import os, signal\n"
        "from seqlab.api import hookimpl\n"
        "@hookimpl\n"
        "def seqlab_run_started(run):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
    )
    before = signal.getsignal(signal.SIGINT)
    assert (
        run(toy, tmp_path / "run", "train.epochs=2", "--plugin", str(plugin), before=["--strict-plugins"])
        == 130
    )
    assert signal.getsignal(signal.SIGINT) is before
    said = capsys.readouterr().err
    wanted = ["seqlab", "--strict-plugins", "run", str(toy), "train.epochs=2", "--out", str(tmp_path / "run")]
    wanted += ["--device", "cpu", "--threads", "1", "--plugin", str(plugin), "--resume"]
    assert said.endswith(f"error: interrupted after step 1 (epoch 1); continue with: {shlex.join(wanted)}\n")


def test_a_resume_with_another_torch_says_so_and_the_package_holds_both(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    stopped = RunOptions(out=folder, device="cpu", threads=1, cancelled=lambda: True)
    with pytest.raises(SeqlabError, match="interrupted"):
        Lab(entry_points=False).run(toy, options=stopped)
    begun = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(begun | {"torch": "1.0"}))
    assert run(toy, folder, "--resume") == 0
    notice = (
        f"resumed with torch {begun['torch']} (the run began with 1.0): the result may differ from that of an"
        " uninterrupted run"
    )
    assert f"warning: {notice}\n" in capsys.readouterr().err
    assert json.loads((folder / "report.json").read_text())["notices"] == [notice]
    manifest = json.loads((folder / "model/package.json").read_text())
    assert (manifest["torch"], manifest["resumed_with"][0]["torch"]) == ("1.0", begun["torch"])

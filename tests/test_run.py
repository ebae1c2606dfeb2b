"""Runs that are killed, interrupted or out of disk, in real processes, and what a resume makes of them."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from processes import Mishap, Started, Warm
from toy_language import Outcome, outcome, write_toy

from seqlab import Lab, PluginError, RecipeError, SeqlabError, hookimpl
from seqlab.api import Component, Declaration
from seqlab.engine.checkpoint import CheckpointFolder, load_state
from seqlab.run import RunOptions

FORCED_WRITES = 40
"""Writes forced to the disk in the first part of the toy run: a run has more than that."""

DISK_FULL = 60_000
"""Bytes of the largest file on the full disk: more than the best weights of the toy, less than its state."""

SLEEPER = """
import time
from seqlab.api import Component, Config, Observer, hookimpl

class Settings(Config):
    '''No keys.'''

class Sleeper(Observer):
    def __init__(self, folder):
        self.sign = folder / "asleep"

    def step_finished(self, trainer, record):
        self.sign.touch()
        time.sleep(600)

@hookimpl
def seqlab_register_observers():
    build = lambda config, context: Sleeper(context.run.folder)
    return [Component(name="sleeper", config=Settings, build=build, summary="sleeps in the first step")]
"""


@dataclass(frozen=True)
class Uninterrupted:
    """A run that nothing happened to: its recipe and what it came to."""

    recipe: Path
    outcome: Outcome


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Uninterrupted:
    folder = tmp_path_factory.mktemp("uninterrupted")
    recipe, out = write_toy(folder), folder / "run"
    run = warm("run", recipe, "--threads", 1, "--out", out)
    assert run.wait() == 0, run.stderr
    return Uninterrupted(recipe, outcome(out))


@pytest.fixture
def start(warm: Warm, uninterrupted: Uninterrupted, tmp_path: Path) -> Callable[..., Started]:
    """Start or resume the same run in the test's own folder `run`."""

    def start(*args: object, mishap: Mishap = Mishap()) -> Started:  # noqa: B008 - frozen
        where = ("--threads", 1, "--out", tmp_path / "run")
        return warm("run", uninterrupted.recipe, *where, *args, mishap=mishap)

    return start


def seen(started: Started, sign: Callable[[], bool]) -> bool:
    """Wait for the sign; False where the command ended before it."""
    return any(sign() for _ in started.ticks())


def kill(started: Started) -> bool:
    """Return whether SIGKILL was what ended the command."""
    started.process.kill()
    return started.wait() == -signal.SIGKILL


def assert_checkpoint_whole(folder: Path) -> None:
    checkpoints = CheckpointFolder(folder / "checkpoints")
    if checkpoints.last.exists():
        checkpoints.load()


# --- kill -9 -------------------------------------------------------------------------------------------


SEEDS = [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 6))]


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_seeded_moments_and_resumed_a_run_ends_the_same_to_the_bit(
    seed: int, start: Callable[..., Started], uninterrupted: Uninterrupted, tmp_path: Path
) -> None:
    """Each kill falls into the writing of some file: run.json, metrics, best, last, package or report."""
    rng = random.Random(seed)
    for _ in range(3):
        run = start("--resume", mishap=Mishap(killed_at_sync=rng.randint(1, FORCED_WRITES)))
        run.wait()
        assert_checkpoint_whole(tmp_path / "run")
    last = start("--resume")
    assert last.wait() == 0, last.stderr
    assert outcome(tmp_path / "run") == uninterrupted.outcome


@pytest.mark.parametrize("name", ["last", "best"])
def test_killed_while_a_checkpoint_is_written(
    name: str, start: Callable[..., Started], uninterrupted: Uninterrupted, tmp_path: Path
) -> None:
    checkpoints = tmp_path / "run/checkpoints"
    for at in range(1, FORCED_WRITES):
        run = start("--resume", mishap=Mishap(killed_at_sync=at))
        assert run.wait() == -signal.SIGKILL
        assert_checkpoint_whole(tmp_path / "run")
        if list(checkpoints.glob(f"{name}*.partial")) and (checkpoints / "last.safetensors").exists():
            break
    else:
        pytest.fail(f"no kill fell into the writing of {name}")
    final = start("--resume")
    assert final.wait() == 0, final.stderr
    assert outcome(tmp_path / "run") == uninterrupted.outcome
    assert not list(checkpoints.glob("*.partial"))


OTHER_FILES = ["recipe.yaml", "run.json", "/model.", "report.json"]
FILES = ["metrics.jsonl", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHER_FILES)]


@pytest.mark.parametrize("name", FILES)
def test_killed_while_a_file_of_the_run_is_written(
    name: str, start: Callable[..., Started], uninterrupted: Uninterrupted, tmp_path: Path
) -> None:
    run = start(mishap=Mishap(killed_at_sync=1, writing=name))
    assert run.wait() == -signal.SIGKILL
    last = start("--resume")
    assert last.wait() == 0, last.stderr
    assert outcome(tmp_path / "run") == uninterrupted.outcome


# --- Ctrl-C --------------------------------------------------------------------------------------------


def test_ctrl_c_saves_and_names_the_command_that_continues(
    start: Callable[..., Started], warm: Warm, uninterrupted: Uninterrupted, tmp_path: Path
) -> None:
    last = tmp_path / "run/checkpoints/last.safetensors"
    run = start()
    assert seen(run, last.exists)
    os.kill(run.process.pid or 0, signal.SIGINT)
    assert run.wait() == 130
    said = re.search(r"error: interrupted after step (\d+) \(epoch \d\); continue with: (.*)\n", run.stderr)
    assert said, run.stderr
    assert "Traceback" not in run.stderr
    assert load_state(last)["progress"]["step"] == int(said[1])
    program, *args = shlex.split(said[2])
    assert program == "seqlab"
    resumed = warm(*args)
    assert resumed.wait() == 0, resumed.stderr
    assert outcome(tmp_path / "run") == uninterrupted.outcome


def test_a_second_ctrl_c_ends_at_once_and_meanwhile_nobody_else_runs_there(
    toy: Path, warm: Warm, tmp_path: Path
) -> None:
    plugin = tmp_path / "sleeper.py"
    plugin.write_text(SLEEPER)
    command = ("run", toy, "--out", tmp_path / "run", "--plugin", plugin)
    run = warm(*command, "observers=[sleeper]")
    assert seen(run, (tmp_path / "run/asleep").exists), run.stderr
    for resume in ((), ("--resume",)):
        other = warm("run", toy, "--out", tmp_path / "run", *resume)
        assert other.wait() == 1
        assert other.stderr.endswith(f"error: run folder {tmp_path}/run: another process is running in it\n")
    os.kill(run.process.pid or 0, signal.SIGINT)
    assert seen(run, lambda: "again: stop at once" in run.stderr)
    os.kill(run.process.pid or 0, signal.SIGINT)
    assert run.wait() == 130
    assert "Traceback" not in run.stderr


def test_ctrl_c_where_nothing_is_saved_says_so_and_keeps_what_was_begun(
    toy: Path, warm: Warm, tmp_path: Path
) -> None:
    plugin = tmp_path / "sleeper.py"
    plugin.write_text(
        SLEEPER.replace("time.sleep(600)", "os.kill(os.getpid(), signal.SIGINT)").replace(
            "import time", "import os, signal"
        )
    )
    run = warm("run", toy, "--out", tmp_path / "run", "--plugin", plugin, "observers=[sleeper]")
    assert run.wait() == 130
    unsaved = "nothing is saved: the recipe has no observer 'checkpoints'"
    assert run.stderr == (
        f"stopping after this step, {unsaved} (again: stop at once)\n"
        f"error: interrupted after step 1 (epoch 1); {unsaved}\n"
    )
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"asleep", "recipe.yaml", "run.json"}


# --- a full disk, a folder in the way ------------------------------------------------------------------


def test_a_full_disk_leaves_the_last_checkpoint_whole(
    start: Callable[..., Started], uninterrupted: Uninterrupted, tmp_path: Path
) -> None:
    last = tmp_path / "run/checkpoints/last.safetensors"
    first = start()
    assert seen(first, last.exists)
    assert kill(first)
    before = last.read_bytes()
    full = start("--resume", mishap=Mishap(file_limit=DISK_FULL))
    assert full.wait() == 5
    assert full.stderr == (
        f"error: {last}: cannot be written: File too large; what was saved before is intact\n"
    )
    assert last.read_bytes() == before
    assert_checkpoint_whole(tmp_path / "run")
    resumed = start("--resume")
    assert resumed.wait() == 0, resumed.stderr
    assert outcome(tmp_path / "run") == uninterrupted.outcome


def test_a_disk_that_is_full_from_the_start_leaves_an_empty_folder(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    full = start(mishap=Mishap(file_limit=1000))
    assert full.wait() == 5
    assert re.fullmatch(r"error: .*/recipe.yaml: cannot be written: File too large; .*\n", full.stderr)
    assert list((tmp_path / "run").iterdir()) == []


def options(folder: Path, *, resume: bool = False) -> RunOptions:
    return RunOptions(out=folder, resume=resume, device="cpu", threads=1)


def test_a_run_folder_that_is_a_file(lab: Lab, toy: Path) -> None:
    with pytest.raises(SeqlabError) as caught:
        lab.run(toy, options=options(toy))
    assert str(caught.value) == f"run folder {toy}: cannot be made: File exists"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_that_is_not_writable(lab: Lab, toy: Path, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(SeqlabError, match="cannot be made: Permission denied"):
        lab.run(toy, options=options(tmp_path / "locked/run"))


# --- what is there already -----------------------------------------------------------------------------


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file's time and content."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    before = snapshot(folder)
    yield
    assert snapshot(folder) == before


def test_an_existing_run_is_never_overwritten(lab: Lab, finished: Path) -> None:
    with unchanged(finished), pytest.raises(SeqlabError) as caught:
        lab.run(finished.parent / "toy.yaml", options=options(finished))
    assert str(caught.value) == (
        f"run folder {finished}: exists and is not empty; continue it with --resume, choose another with"
        " --out, or remove it"
    )


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_something_else_is_never_touched(
    lab: Lab, toy: Path, tmp_path: Path, *, resume: bool
) -> None:
    other = tmp_path / "other"
    (other / "model").mkdir(parents=True)
    (other / "model/thesis.txt").touch()
    with unchanged(other), pytest.raises(SeqlabError) as caught:
        lab.run(toy, options=options(other, resume=resume))
    assert str(caught.value) == (
        f"run folder {other}: exists and is not empty; it holds no run of seqlab; choose another with --out"
    )


def test_resuming_a_finished_run_returns_its_report_and_changes_nothing(lab: Lab, finished: Path) -> None:
    with unchanged(finished):
        report = lab.run(finished.parent / "toy.yaml", options=options(finished, resume=True))
    assert report["epochs"] == 8


def test_resuming_with_another_recipe_or_other_data_is_refused(lab: Lab, toy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    lab.run(toy, ["train.epochs=1"], options(folder))
    with unchanged(folder), pytest.raises(SeqlabError) as caught:
        lab.run(toy, ["train.epochs=2", "encoder.hidden_size=4"], options(folder, resume=True))
    assert str(caught.value) == (
        f"run folder {folder}: the recipe differs from the one that the run began with in:"
        " encoder.hidden_size, train.epochs; resume with the same recipe, or choose another --out"
    )
    train = tmp_path / "train.conllu"
    train.write_text(train.read_text().replace("hundos", "hundoj"))
    with unchanged(folder), pytest.raises(SeqlabError) as caught:
        lab.run(toy, ["train.epochs=1"], options(folder, resume=True))
    assert str(caught.value) == (
        f"run folder {folder}: the data has changed since the run began: train.{train}"
    )


def test_a_run_that_never_trained_can_be_started_again(lab: Lab, toy: Path, tmp_path: Path) -> None:
    dev = tmp_path / "dev.conllu"
    whole = dev.read_text()
    dev.write_text(whole + "1\tword\n\n")
    with pytest.raises(SeqlabError, match="expected 10 columns"):
        lab.run(toy, ["train.epochs=1"], options(tmp_path / "run"))
    dev.write_text(whole)
    assert lab.run(toy, ["train.epochs=1"], options(tmp_path / "run"))["epochs"] == 1


class Unwilling:
    """Refuses to see a run start or end."""

    @hookimpl
    def seqlab_run_started(self) -> None:
        raise ValueError("not today")

    @hookimpl
    def seqlab_run_finished(self) -> None:
        raise KeyError("gone")


def test_the_error_that_ended_a_run_is_not_hidden_by_a_plugin_that_fails_on_it(
    toy: Path, tmp_path: Path
) -> None:
    unwilling = Lab([Unwilling()], entry_points=False)
    with pytest.raises(PluginError, match=r"seqlab_run_started: .* ValueError: not today") as caught:
        unwilling.run(toy, options=options(tmp_path / "run"))
    assert "seqlab_run_finished: the hook raised KeyError: 'gone'" in caught.value.__notes__[0]
    assert list((tmp_path / "run").iterdir()) == []


def test_a_monitor_that_no_metric_reports(lab: Lab, toy: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        lab.run(toy, ["train.monitor=acuracy"], options(tmp_path / "run"))
    assert str(caught.value) == (
        "command line: train.monitor: no figure 'acuracy'; did you mean 'accuracy'?; one of: accuracy,"
        " accuracy_unknown, f1_macro, loss, sentence_accuracy"
    )


def test_settings_that_do_not_fit_the_model_are_mistakes_of_the_recipe(
    lab: Lab, toy: Path, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=r"train.bptt: encoder bilstm carries no state from one chunk"):
        lab.run(toy, ["train.bptt=5"], options(tmp_path / "run"))


@pytest.mark.parametrize(
    ("override", "place", "part"),
    [
        ("features.0.embedding_dim=100000000000000", "8:5", "featurizer embedding"),
        (f"features.0.embedding_dim={2**63 - 1}", "8:5", "featurizer embedding"),
        ("features.1.hidden_size=100000000000000", "9:5", "featurizer char_lstm"),
        ("encoder.hidden_size=100000000000000", "10:10", "encoder bilstm"),
    ],
)
def test_sizes_for_which_no_machine_has_memory_are_mistakes_of_the_recipe(
    override: str, place: str, part: str, lab: Lab, toy: Path, tmp_path: Path
) -> None:
    message = rf"{place}: \S+ {part} would have at least [\d,]+ GiB of weights, this machine has \d+; make it"
    with pytest.raises(RecipeError, match=message):
        lab.run(toy, [override], options(tmp_path / "run"))


@pytest.mark.parametrize(
    ("size", "asked"), [(10**14, r"[\d,]{17,} bytes"), (2**63 - 1, "more bytes than 64 bits can count")]
)
def test_sizes_that_a_plugin_does_not_declare_are_mistakes_of_the_recipe(
    size: int, asked: str, toy: Path, tmp_path: Path
) -> None:
    class Mine:
        @hookimpl
        def seqlab_register_encoders(self) -> list[Component[Any]]:
            part = Lab(entry_points=False).registry.get("encoder", "bilstm")
            return [replace(part, name="mine", declares=lambda _: Declaration())]

    message = rf"encoder 'mine' needs more memory than there is \({asked} for one tensor\); make it smaller"
    overrides = ["encoder.name=mine", f"encoder.hidden_size={size}"]
    with pytest.raises(RecipeError, match=message):
        Lab([Mine()], entry_points=False).run(toy, overrides, options(tmp_path / "run"))


def test_labels_that_training_never_saw_are_counted_and_cost_nothing(
    lab: Lab, toy: Path, tmp_path: Path
) -> None:
    reports = []
    for name, label in (("known", "DET"), ("unseen", "X")):
        dev = tmp_path / "dev.conllu"
        dev.write_text(dev.read_text().replace("1\tla\t_\tDET", f"1\tla\t_\t{label}", 1))
        reports.append(lab.run(toy, ["train.epochs=1"], options(tmp_path / name)))
    known, unseen = reports
    assert known["unseen_labels"] == {"dev": {}, "test": {}}
    assert unseen["unseen_labels"] == {"dev": {"upos": 1}, "test": {}}
    assert unseen["metrics"]["test"] == known["metrics"]["test"]
    assert unseen["metrics"]["dev"]["accuracy"] <= known["metrics"]["dev"]["accuracy"]


def test_a_cancelled_run_stops_after_its_window_and_resumes_to_the_same_weights(
    lab: Lab, toy: Path, tmp_path: Path, finished: Path
) -> None:
    asked = iter([False] * 20 + [True])
    stopped = RunOptions(out=tmp_path / "run", device="cpu", threads=1, cancelled=lambda: next(asked))
    with pytest.raises(SeqlabError, match=r"^interrupted after step 21 \(epoch \d\)$"):
        lab.run(toy, options=stopped)
    lab.run(toy, options=options(tmp_path / "run", resume=True))
    assert outcome(tmp_path / "run").weights == outcome(finished).weights


# --- variables of the environment ------------------------------------------------------------------------


def test_the_value_of_a_variable_in_a_path_is_told_nowhere(
    lab: Lab, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "s3cr3t"
    secret.mkdir()
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.conllu").rename(secret / f"{split}.conllu")
    monkeypatch.setenv("CORPUS", str(secret))
    folder = tmp_path / "run"
    overrides = [f"data.{split}=${{CORPUS}}/{split}.conllu" for split in ("train", "dev", "test")]
    overrides.append("train.epochs=1")
    lab.run(toy, overrides, options(folder))
    written = [path for path in folder.rglob("*") if path.suffix in (".json", ".yaml", ".jsonl")]
    assert {path.name for path in written} >= {"run.json", "package.json", "report.json", "recipe.yaml"}
    assert not [path for path in written if "s3cr3t" in path.read_text()]
    assert list(json.loads((folder / "run.json").read_text())["data"]["dev"]) == ["${CORPUS}/dev.conllu"]

    (folder / "report.json").unlink()
    secret.rename(tmp_path / "moved")
    monkeypatch.setenv("CORPUS", str(tmp_path / "moved"))
    assert lab.run(toy, overrides, options(folder, resume=True))["epochs"] == 1  # the data is the same
    assert lab.evaluate(folder / "model", device="cpu")["accuracy"] >= 0

    (tmp_path / "moved/dev.conllu").write_text("1\tx\n")
    messages = []
    for change in ([], ["data.dev=${CORPUS}/*.txt"], ["data.dev=${CORPUS}/dev", "extends=${CORPUS}/a.yaml"]):
        with pytest.raises(SeqlabError) as caught:
            lab.run(toy, [*overrides, *change], options(tmp_path / "other"))
        messages.append(str(caught.value))
    assert messages[0].startswith("${CORPUS}/dev.conllu:1: ")
    assert "no file matches '${CORPUS}/*.txt'" in messages[1]
    assert not [message for message in messages if "moved" in message]

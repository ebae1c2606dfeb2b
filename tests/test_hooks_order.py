"""The order in which a whole run calls hooks and observers: plugins and observers rely on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from seqlab import Component, Lab, RecipeError, SeqlabError, hookimpl
from seqlab.api import Located, Observer, ObserverContext, RunInfo
from seqlab.cli.main import seqlab
from seqlab.cli.options import Session
from seqlab.run import RunOptions
from seqlab.settings import Config

SETTINGS = ["train.epochs=2", "train.batch_tokens=150", "observers=[recorder, checkpoints]"]

TOLD = (
    "training_started",
    "epoch_started",
    "step_finished",
    "evaluated",
    "epoch_finished",
    "savepoint",
    "training_finished",
    "close",
)


class Recorder:
    """A plugin whose hooks, and whose observer `recorder`, write down that they were called."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.run: RunInfo | None = None
        self.finished: tuple[Mapping[str, Any] | None, BaseException | None] | None = None
        self.findings: list[tuple[str, str]] = []

    @hookimpl
    def seqlab_register_observers(self) -> list[Component[Any]]:
        def build(config: Config, context: ObserverContext) -> Observer:
            self.calls.append("observer built")
            return recording(self.calls)

        return [Component(name="recorder", config=Config, build=build, summary="records")]

    @hookimpl
    def seqlab_locate(self, uri: str, base: Path) -> Located | None:
        self.calls.append(f"locate {uri}")
        return Located(base / uri.removeprefix("toy:")) if uri.startswith("toy:") else None

    @hookimpl
    def seqlab_recipe_checked(self, recipe: Mapping[str, Any]) -> list[tuple[str, str]]:
        self.calls.append(f"recipe_checked {recipe['name']}")
        return self.findings

    @hookimpl
    def seqlab_run_started(self, run: RunInfo) -> None:
        self.calls.append("run_started")
        self.run = run
        assert (run.folder / "recipe.yaml").exists()

    @hookimpl
    def seqlab_run_finished(
        self, run: RunInfo, report: Mapping[str, Any] | None, error: BaseException | None
    ) -> None:
        self.calls.append("run_finished")
        assert run is self.run
        self.finished = (report, error)


def recording(calls: list[str]) -> Observer:
    """Return an observer that writes down every call, with the reason of a savepoint."""

    def noted(event: str) -> Callable[..., None]:
        def note(trainer: object, *facts: object) -> None:
            calls.append(f"{event} {facts[0]}" if event == "savepoint" else event)

        return note

    observer = Observer()
    for event in TOLD:
        setattr(observer, event, noted(event))
    observer.state = lambda: calls.append("state") or {"seen": len(calls)}  # type: ignore[method-assign, func-returns-value]
    observer.restore = lambda state: calls.append("restore")  # type: ignore[method-assign]
    return observer


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def recorded(recorder: Recorder) -> Lab:
    return Lab([recorder], entry_points=False)


@pytest.fixture
def recipe(toy: Path) -> Path:
    """The toy recipe with its data behind URIs that the plugin knows."""
    text = toy.read_text()
    for split in ("train", "dev", "test"):
        text = text.replace(f" {split}.conllu", f" toy:{split}.conllu")
    toy.write_text(text)
    return toy


def options(folder: Path, **more: Any) -> RunOptions:
    return RunOptions(out=folder / "run", device="cpu", threads=1, **more)


WINDOW = ["step_finished", "savepoint window"]
EPOCH = ["epoch_started", *WINDOW * 3, "evaluated", "epoch_finished", "savepoint epoch", "state"]
BEFORE = [
    "locate toy:train.conllu",
    "locate toy:dev.conllu",
    "locate toy:test.conllu",
    "recipe_checked toy",
    "run_started",
    "observer built",
]


def test_the_order_of_all_calls_of_a_whole_run(
    recorder: Recorder, recorded: Lab, recipe: Path, tmp_path: Path
) -> None:
    report = recorded.run(recipe, SETTINGS, options(tmp_path))
    assert recorder.calls == [
        *BEFORE,
        "training_started",
        *EPOCH,
        *EPOCH,
        "training_finished",
        "close",
        "run_finished",
    ]
    assert recorder.finished == (report, None)


def test_the_command_line_calls_no_hook_twice(
    recorder: Recorder, recorded: Lab, recipe: Path, tmp_path: Path
) -> None:
    arguments = ["run", str(recipe), *SETTINGS, "--out", str(tmp_path / "run"), "--device", "cpu"]
    seqlab.main(arguments, standalone_mode=False, obj=Session(made=recorded))
    assert recorder.calls[: len(BEFORE)] == BEFORE
    once = ("recipe_checked toy", "run_started", "observer built", "training_started", "run_finished")
    assert {call: recorder.calls.count(call) for call in (*BEFORE, *once)} == dict.fromkeys(
        (*BEFORE, *once), 1
    )


def test_an_observer_of_the_caller_does_not_take_the_place_of_one_of_the_recipe(
    recorder: Recorder, recorded: Lab, recipe: Path, tmp_path: Path
) -> None:
    taken = options(tmp_path, observers={"recorder": Observer(), "mine": Observer()})
    with pytest.raises(SeqlabError) as caught:
        recorded.run(recipe, SETTINGS, taken)
    assert str(caught.value) == (
        "options.observers: the recipe has observers of these names, too: recorder; choose others"
    )
    assert not (tmp_path / "run").exists()
    recorded.run(recipe, SETTINGS, options(tmp_path, observers={"mine": recording(recorder.calls)}))
    assert recorder.calls.count("close") == 2


def test_the_order_of_calls_when_a_run_is_interrupted_and_resumed(
    recorder: Recorder, recorded: Lab, recipe: Path, tmp_path: Path
) -> None:
    asked = iter([False] * 3 + [True])
    with pytest.raises(SeqlabError, match="interrupted after step 4") as caught:
        recorded.run(recipe, SETTINGS, options(tmp_path, cancelled=lambda: next(asked)))
    interrupted = ["epoch_started", *WINDOW, "savepoint interrupted", "state", "close", "run_finished"]
    assert recorder.calls == [*BEFORE, "training_started", *EPOCH, *interrupted]
    assert recorder.finished == (None, caught.value)
    recorder.calls.clear()
    recorded.run(recipe, SETTINGS, options(tmp_path, resume=True))
    rest = ["epoch_started", *WINDOW * 2, *EPOCH[-4:]]
    assert recorder.calls == [
        *BEFORE,
        "restore",
        "training_started",
        *rest,
        "training_finished",
        "close",
        "run_finished",
    ]


def test_hook_run_started(recorder: Recorder, recorded: Lab, recipe: Path, tmp_path: Path) -> None:
    recorded.run(recipe, SETTINGS, options(tmp_path))
    run = recorder.run
    assert run is not None
    assert (run.name, run.folder, run.resumed, run.notices) == ("toy", tmp_path / "run", False, ())
    assert run.recipe == recorded.check(recipe, SETTINGS).resolved()


def test_hook_run_finished(recorder: Recorder, recorded: Lab, recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "dev.conllu").write_text("nonsense\n\n")
    with pytest.raises(SeqlabError) as caught:
        recorded.run(recipe, SETTINGS, options(tmp_path))
    assert recorder.finished == (None, caught.value)
    assert recorder.calls == [*BEFORE[:-1], "run_finished"]


def test_hook_recipe_checked(recorder: Recorder, recorded: Lab, recipe: Path, tmp_path: Path) -> None:
    recorder.findings = [("encoder.hidden_size", "too small"), ("name", "dull")]
    with pytest.raises(RecipeError) as caught:
        recorded.run(recipe, [], options(tmp_path))
    assert str(caught.value) == f"{recipe}:1:7: name: dull\n{recipe}:10:38: encoder.hidden_size: too small"
    assert not (tmp_path / "run").exists()


def test_hook_locate(recorder: Recorder, recorded: Lab, recipe: Path, tmp_path: Path) -> None:
    checked = recorded.check(recipe)
    assert checked.paths["dev"] == (tmp_path / "dev.conllu",)
    assert checked.resolved()["data"]["dev"] == "toy:dev.conllu"
    recipe.write_text(recipe.read_text().replace("toy:dev", "toi:dev"))
    with pytest.raises(RecipeError, match=r"data.dev: nothing installed knows the scheme 'toi:'"):
        recorded.check(recipe)
    assert recorder.calls[-2] == "locate toi:dev.conllu"

"""Labs: what they own, and what they leave alone in the program around them."""

from __future__ import annotations

import json
import logging
import os
import random
import re
import shutil
import signal
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

import seqlab
from seqlab import Component, DataError, Lab, PluginError, RecipeError, SeqlabError, hookimpl
from seqlab.api import Example, Observer, StepRecord, Trainer
from seqlab.builtin.core.metrics.learns_nothing import LearnsNothing
from seqlab.manifest import sealed
from seqlab.run import RunOptions
from seqlab.settings import Config


class Settings(Config):
    """No keys."""


class Brings:
    """Registers one encoder."""

    def __init__(self, name: str) -> None:
        self.name = name

    @hookimpl
    def seqlab_register_encoders(self) -> list[Component[Any]]:
        return [Component(name=self.name, config=Settings, build=lambda config, context: None, summary="")]


class Count(LearnsNothing):
    """A metric that counts examples and lists nothing."""

    higher_is_better = True

    def reset(self) -> None:
        self.examples = 0

    def update(self, example: Example, gold: Any, predicted: Any) -> None:
        self.examples += 1

    def compute(self) -> dict[str, float]:
        return {"count": self.examples}


class BringsCount:
    """Registers one metric."""

    @hookimpl
    def seqlab_register_metrics(self) -> list[Component[Any]]:
        return [Component(name="count", config=Settings, build=lambda config, context: Count(), summary="")]


def options(folder: Path, **more: Any) -> RunOptions:
    return RunOptions(out=folder, device="cpu", threads=1, **more)


def test_two_labs_in_one_process_do_not_see_each_others_components(toy: Path) -> None:
    mine, yours = (Lab([Brings(name)], entry_points=False) for name in ("mine", "yours"))
    assert "mine" in mine.registry.names("encoder")
    assert "mine" not in yours.registry.names("encoder")
    assert mine.check(toy, ["encoder={name: mine}"]).encoders[0].name == "mine"
    with pytest.raises(RecipeError, match="unknown encoder 'mine'"):
        yours.check(toy, ["encoder={name: mine}"])
    assert yours.check(toy, ["encoder={name: yours}"]).encoders[0].name == "yours"


def surroundings() -> dict[str, Any]:
    """What belongs to the program that seqlab runs in."""
    signals = [number for number in signal.valid_signals() if number not in (signal.SIGKILL, signal.SIGSTOP)]
    return {
        "threads": torch.get_num_threads(),
        "torch random": torch.get_rng_state().tolist(),
        "random": random.getstate(),
        "folder": Path.cwd(),
        "environment": dict(os.environ),
        "arguments": list(sys.argv),
        "path": list(sys.path),
        "log handlers": list(logging.root.handlers),
        "log level": logging.root.level,
        "warnings": list(warnings.filters),
        "signals": [signal.getsignal(number) for number in signals],
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "floats": (torch.get_default_dtype(), torch.get_float32_matmul_precision()),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32),
    }


def test_a_run_leaves_the_program_around_it_as_it_was(lab: Lab, toy: Path, tmp_path: Path) -> None:
    changes = ["train.epochs=1", "train.deterministic=true"]
    lab.run(toy, changes, options(tmp_path / "first"))  # torch's own first imports change a few things
    before = surroundings()
    lab.run(toy, changes, options(tmp_path / "second"))
    lab.open(tmp_path / "second/model", device="cpu").predict([["la", "katos"]])
    lab.evaluate(tmp_path / "second/model", device="cpu")
    with pytest.raises(SeqlabError, match="interrupted"):
        lab.run(toy, changes, options(tmp_path / "third", cancelled=lambda: True))
    assert surroundings() == before


def test_a_recipe_may_be_a_mapping(lab: Lab, toy: Path, tmp_path: Path) -> None:
    recipe = lab.check(toy, ["train.epochs=1"]).resolved()
    report = lab.run(recipe, options=options(tmp_path / "run"))
    assert report["epochs"] == 1
    assert sorted(report["metrics"]) == ["dev", "test"]


def test_the_resolved_recipe_of_a_run_runs_again_unchanged(lab: Lab, finished: Path, tmp_path: Path) -> None:
    lab.run(finished / "recipe.yaml", options=options(tmp_path / "again"))
    weights = [folder / "model/model.safetensors" for folder in (finished, tmp_path / "again")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert (finished / "recipe.yaml").read_text() == (tmp_path / "again/recipe.yaml").read_text()


def test_evaluate_gives_the_figures_of_the_report(lab: Lab, finished: Path) -> None:
    figures = lab.evaluate(finished / "model", device="cpu")
    again = lab.evaluate(finished / "model", [finished.parent / "test.conllu"], device="cpu")
    manifest = seqlab.open(finished / "model", device="cpu").info
    assert figures == again == pytest.approx(manifest["metrics"]["test"], abs=1e-6)
    dev = lab.evaluate(finished / "model", split="dev", device="cpu")
    assert dev == pytest.approx(manifest["metrics"]["dev"], abs=1e-6)


def test_errors_are_listed_beside_the_figures(lab: Lab, finished: Path) -> None:
    listed = lab.list_errors(finished / "model", split="dev", device="cpu")
    assert listed.figures == lab.evaluate(finished / "model", split="dev", device="cpu")
    assert listed.text.startswith("accuracy, sentence_accuracy, label_scores\n")


def test_metrics_that_list_no_errors_are_named(toy: Path, tmp_path: Path) -> None:
    lab = Lab([BringsCount()], entry_points=False)
    lab.run(toy, ["train.epochs=1", "metrics=[count]"], options(tmp_path / "run"))
    with pytest.raises(RecipeError, match=r"metrics: none of the metrics lists errors: count$"):
        lab.list_errors(tmp_path / "run/model", [tmp_path / "not-read.conllu"], device="cpu")
    lab.run(toy, ["train.epochs=1", "metrics=[count, accuracy]"], options(tmp_path / "both"))
    assert lab.list_errors(tmp_path / "both/model", device="cpu").text.startswith("accuracy\n====")


def test_evaluate_on_a_split_that_the_recipe_lacks(lab: Lab, toy: Path, tmp_path: Path) -> None:
    lab.run(toy, ["data.test=null", "train.epochs=1"], options(tmp_path / "run"))
    with pytest.raises(RecipeError) as caught:
        lab.evaluate(tmp_path / "run/model", device="cpu")
    assert str(caught.value).endswith(
        "data: the recipe has no test split, only: train, dev; name one with --split, or data files"
    )


def test_training_without_dev_and_test_keeps_the_last_weights(lab: Lab, toy: Path, tmp_path: Path) -> None:
    changes = ["data.test=null", "data.dev=null", "train.epochs=1"]
    report = lab.run(toy, changes, options(tmp_path / "run"))
    assert report["metrics"] == {}
    assert report["best_epoch"] == 1


def test_a_device_that_is_not_there(lab: Lab, package: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(SeqlabError, match="device cuda: this machine has no usable CUDA device"):
        lab.open(package, device="cuda")


def test_vocabularies_come_from_the_training_split_alone(lab: Lab, finished: Path) -> None:
    learned = lab.open(finished / "model", device="cpu").info["learned"]
    assert "katos" in learned["features"][0]["words"]
    assert "stelos" not in str(learned)


def test_faults_of_the_test_split_are_found_before_training(lab: Lab, toy: Path, tmp_path: Path) -> None:
    (tmp_path / "test.conllu").write_text("not a treebank\n\n")
    with pytest.raises(DataError, match=r"test.conllu:1: "):
        lab.run(toy, ["train.epochs=1"], options(tmp_path / "run"))
    assert list((tmp_path / "run").iterdir()) == []


def test_a_checked_recipe_is_run_as_it_is(lab: Lab, toy: Path, tmp_path: Path) -> None:
    checked = lab.check(toy, ["train.epochs=1"])
    toy.unlink()
    assert lab.run(checked, options=options(tmp_path / "run"))["epochs"] == 1
    with pytest.raises(ValueError, match="a checked recipe takes no overrides"):
        lab.run(checked, ["train.epochs=2"], options(tmp_path / "other"))


def test_a_fault_of_a_plugins_observer_names_the_plugin(toy: Path, tmp_path: Path) -> None:
    class Faulty(Observer):
        def __init__(self, error: Exception) -> None:
            self.error = error

        def step_finished(self, trainer: Trainer, record: StepRecord) -> None:
            raise self.error

    class Watches:
        """Registers observers that fail."""

        @hookimpl
        def seqlab_register_observers(self) -> list[Component[Any]]:
            errors = {"fault": KeyError("gone"), "refusal": SeqlabError("enough")}
            return [
                Component(
                    name=name,
                    config=Settings,
                    build=lambda config, context, error=error: Faulty(error),
                    summary="",
                )
                for name, error in errors.items()
            ]

    watched = Lab([Watches()], entry_points=False)
    with pytest.raises(PluginError) as caught:
        watched.run(toy, ["observers=[fault]"], options(tmp_path / "fault"))
    assert str(caught.value).startswith(
        "plugin 'Watches': observer 'fault': step_finished raised KeyError: 'gone' ("
    )
    assert f"{Path(__file__).name}:" in str(caught.value)
    with pytest.raises(SeqlabError, match=r"^enough$"):
        watched.run(toy, ["observers=[refusal]"], options(tmp_path / "refusal"))
    assert (tmp_path / "fault/run.json").exists(), "it had begun to train"


def test_evaluate_needs_no_plugin_of_training_alone(lab: Lab, finished: Path, tmp_path: Path) -> None:
    model = shutil.copytree(finished / "model", tmp_path / "model")
    manifest = json.loads((model / "package.json").read_text())
    manifest["recipe"] |= {"observers": [{"name": "gone"}], "requires": ["seqlab-gone"]}
    (model / "package.json").write_text(json.dumps(sealed(manifest)))
    assert lab.evaluate(model, device="cpu") == lab.evaluate(finished / "model", device="cpu")


def test_evaluate_says_when_the_data_has_changed(
    lab: Lab, toy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lab.run(toy, ["train.epochs=1"], options(tmp_path / "run"))
    lab.evaluate(tmp_path / "run/model", device="cpu")
    assert caplog.messages == []
    changed = tmp_path / "test.conllu"
    changed.write_text(changed.read_text().replace("katos", "katoj"))
    lab.evaluate(tmp_path / "run/model", split="dev", device="cpu")
    assert caplog.messages == []
    lab.evaluate(tmp_path / "run/model", device="cpu")
    assert caplog.messages == [f"the test data has changed since training: {changed}"]


def test_trainings_in_two_threads_end_as_each_alone(toy: Path, tmp_path: Path) -> None:
    def weights(name: str) -> bytes:
        options = RunOptions(out=tmp_path / name, device="cpu", threads=1)
        Lab(entry_points=False).run(toy, ["train.epochs=2"], options)
        return (tmp_path / name / "model" / "model.safetensors").read_bytes()

    alone = weights("alone")
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(weights, ("one", "other"))) == [alone, alone]


def test_an_opened_package_judges_as_the_run_did(toy: Path, tmp_path: Path) -> None:
    lab = Lab(entry_points=False)
    options = RunOptions(out=tmp_path / "run", device="cpu")
    report = lab.run(toy, ["head.class_weights=balanced", "train.epochs=1"], options)
    found = lab.evaluate(tmp_path / "run" / "model", split="dev", device="cpu")
    assert found == pytest.approx(report["metrics"]["dev"])


def test_labels_that_training_never_saw_are_told(
    toy: Path, package: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    strange = tmp_path / "strange.conllu"
    strange.write_text((tmp_path / "dev.conllu").read_text().replace("\tDET\t", "\tNOTHING\t"))
    Lab(entry_points=False).evaluate(package, [strange], device="cpu")
    assert "targets upos of the data are not among those that training saw" in caplog.text


def test_a_label_that_is_everywhere_the_same_is_refused(toy: Path, tmp_path: Path) -> None:
    overrides = ["data.reader.label=misc.Rolle"]
    with pytest.raises(
        RecipeError, match=r"every 'misc.Rolle' of the training split is '_': nothing to learn"
    ):
        Lab(entry_points=False).run(toy, overrides, RunOptions(out=tmp_path / "run", device="cpu"))


@pytest.mark.parametrize("size", [999999999, 2**62, 2**63 - 1])
def test_a_layer_that_no_memory_holds_is_a_mistake_of_the_recipe(
    size: int, toy: Path, tmp_path: Path
) -> None:
    overrides = [f"encoder.hidden_size={size}"]
    with pytest.raises(RecipeError, match=r"would have at least [\d,]+ GiB of weights, this machine has"):
        Lab(entry_points=False).run(toy, overrides, RunOptions(out=tmp_path / "run", device="cpu"))


def test_paths_may_be_strings(toy: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "feat.py"
    plugin.write_text(
        "from seqlab.api import hookimpl\n@hookimpl\ndef seqlab_register_heads():\n    return []\n"
    )
    lab = Lab(plugin_files=[str(plugin)], entry_points=False)
    lab.run(toy, ["train.epochs=1"], RunOptions(out=str(tmp_path / "run"), device="cpu", threads=1))
    model = str(tmp_path / "run/model")
    test = tmp_path / "test.conllu"
    assert lab.evaluate(model, [str(test)], device="cpu") == lab.evaluate(model, [test], device="cpu")


def test_settings_that_a_plugins_own_code_cannot_check_are_named_with_it(toy: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "odd.py"
    plugin.write_text(
        "from pydantic import field_validator\n"
        "from seqlab.api import Component, Config, hookimpl\n"
        "class Odd(Config):\n"
        "    size: int = 1\n"
        "    @field_validator('size')\n"
        "    @classmethod\n"
        "    def _even(cls, size):\n"
        "        return size + 'one'\n"
        "@hookimpl\n"
        "def seqlab_register_encoders():\n"
        "    return [Component(name='odd', config=Odd, build=print, summary='odd')]\n"
    )
    lab = Lab(plugin_files=[plugin], entry_points=False)
    where = rf"TypeError: unsupported operand .* \({re.escape(str(plugin))}:8\)$"
    with pytest.raises(PluginError, match=rf"^plugin 'odd': encoder 'odd': config raised {where}"):
        lab.check(toy, ["encoder={name: odd, size: 3}"])


def test_one_string_is_no_list(lab: Lab, toy: Path, package: Path) -> None:
    with pytest.raises(TypeError, match=r"^overrides is the string 'train.epochs=1'; give a list: "):
        lab.check(toy, "train.epochs=1")
    with pytest.raises(TypeError, match=r"^data is the string 'x.conllu'; give a list: "):
        lab.evaluate(package, "x.conllu", device="cpu")
    with pytest.raises(TypeError, match=r"^plugin_files is the string 'feat.py'; give a list: "):
        Lab(plugin_files="feat.py")


def test_what_is_no_recipe_is_refused(lab: Lab) -> None:
    with pytest.raises(TypeError, match=r"^a recipe is a path or a mapping, not NoneType$"):
        lab.check(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, -1])
def test_no_threads_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"^threads must be at least 1, .* got {count}$"):
        RunOptions(threads=count)

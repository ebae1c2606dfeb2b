"""Heads, kinds of field and writers of strangers, written against `seqlab.api` alone, are used as any other.

Each plugin is a file of `tests/strangers`; nothing of seqlab knows of any of them.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest
from stranger_cases import STRANGE, STRANGERS, Stranger
from toy_language import outcome

from seqlab import Lab, PackageError, RecipeError
from seqlab.cli.main import main
from seqlab.predict.predictor import Predictor
from seqlab.run import RunOptions
from seqlab.testing import check_featurizer, check_head, check_metric

Command = Callable[..., "subprocess.CompletedProcess[bytes]"]

XML = STRANGERS / "xml_writer.py"


@dataclass(frozen=True)
class Trained:
    """A stranger's plugin with a finished run."""

    stranger: Stranger
    folder: Path
    report: dict[str, Any]

    @property
    def package(self) -> Path:
        return self.folder / "run/model"

    @property
    def predictor(self) -> Predictor:
        return opened(self.stranger).open(self.package, device="cpu")


def opened(stranger: Stranger) -> Lab:
    return Lab(plugin_files=stranger.files, entry_points=False)


def options(folder: Path, **more: Any) -> RunOptions:
    return RunOptions(out=folder, device="cpu", threads=1, **more)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trained]:
    return {}


@pytest.fixture(params=STRANGE)
def trained(
    request: pytest.FixtureRequest, finished: dict[str, Trained], tmp_path_factory: pytest.TempPathFactory
) -> Trained:
    name = request.param
    if name not in finished:
        folder, stranger = tmp_path_factory.mktemp("stranger"), STRANGE[name]
        recipe = stranger.write(folder)
        report = opened(stranger).run(recipe, options=options(folder / "run"))
        finished[name] = Trained(stranger, folder, report)
    return finished[name]


def values(model: Predictor, stranger: Stranger) -> list[Any]:
    """Return the lines as values, made by the kind of field that the model reads."""
    (kind,) = model.inputs.values()
    return [kind.parse(line) for line in stranger.lines]


def said(found: Any) -> Any:
    """Return the answer of a prediction as JSON data."""
    ((target, answer),) = found.answers.items()
    return found.kinds[target].to_json(answer.value)


@pytest.fixture
def predicted(trained: Trained, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Any:
    def run(*args: object, code: int = 0) -> str:
        capfdbinary.readouterr()
        assert main(["predict", str(trained.package), *map(str, args), *trained.stranger.options]) == code
        return capfdbinary.readouterr().out.decode()

    return run


# --- what strangers need of seqlab -----------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(STRANGERS.glob("*.py")), ids=lambda path: path.stem)
def test_they_import_nothing_of_seqlab_but_its_api(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    assert {module for module in modules if str(module).startswith("seqlab")} == {"seqlab.api"}


def test_seqlab_names_none_of_them() -> None:
    names = {path.stem for path in STRANGERS.glob("*.py")} - {"columns", "forecast"}
    sources = "".join(path.read_text() for path in (Path(__file__).parents[1] / "seqlab").rglob("*.py"))
    assert not [name for name in names if re.search(f"[\"']{name}[\"']", sources)]


def module_of(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, STRANGERS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# --- training and judging --------------------------------------------------------------------------------


def test_it_is_trained_and_judged(trained: Trained) -> None:
    (target,) = trained.report["answers"]
    assert trained.report["metrics"]["dev"]["loss"] > 0
    assert trained.report["epochs"] == 2
    assert trained.report["missing_labels"]["train"].get(target, 0) == trained.stranger.data.count("\t?")
    figures = opened(trained.stranger).evaluate(trained.package, split="dev", device="cpu")
    assert figures == pytest.approx(trained.report["metrics"]["dev"])


@pytest.mark.parametrize("trained", ["generated text"], indirect=True)
def test_the_command_trains_it_in_a_process(
    trained: Trained, seqlab_command: Command, tmp_path: Path
) -> None:
    recipe = trained.stranger.write(tmp_path)
    done = seqlab_command(
        "run", recipe, "--out", tmp_path / "run", "--device", "cpu", "--threads", 1, *trained.stranger.options
    )
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert report["metrics"] == trained.report["metrics"]


def test_it_learns(trained: Trained) -> None:
    longer = ["train.epochs=12", "train.optimizer.lr=0.1", "observers=[jsonl]", "encoder.output_dropout=0"]
    recipe = trained.folder / "recipe.yaml"
    report = opened(trained.stranger).run(recipe, longer, options(trained.folder / "longer"))
    assert report["metrics"]["dev"]["loss"] < 0.95 * trained.report["metrics"]["dev"]["loss"]


def test_an_interrupted_run_resumes_to_the_same_model(trained: Trained) -> None:
    folder, lab = trained.folder / "resumed", opened(trained.stranger)
    asked = iter([False, True])
    recipe = trained.folder / "recipe.yaml"
    with pytest.raises(Exception, match="interrupted after"):
        lab.run(recipe, options=options(folder, cancelled=lambda: next(asked, True)))
    lab.run(recipe, options=options(folder, resume=True))
    assert outcome(folder) == outcome(trained.folder / "run")


def test_bptt_works_or_is_refused_by_name(trained: Trained) -> None:
    lab, recipe = opened(trained.stranger), trained.folder / "recipe.yaml"
    folder = trained.folder / "chunked"
    if trained.stranger.bptt:
        assert lab.run(recipe, ["train.bptt=2"], options(folder))["metrics"]["dev"]["loss"] > 0
        return
    name = opened(trained.stranger).check(recipe).heads[0].name
    with pytest.raises(
        RecipeError, match=f"train.bptt: head {name} has targets that cannot be cut along with the states"
    ):
        lab.run(recipe, ["train.bptt=2"], options(folder))


# --- prediction ------------------------------------------------------------------------------------------


def test_the_answers_are_the_same_however_they_are_asked_for(trained: Trained) -> None:
    model = trained.predictor
    given = values(model, trained.stranger)
    found = [said(each) for each in model.predict(given)]
    assert len(found) == len(given)
    assert alike([said(model(value)) for value in given], found)
    assert alike([said(each) for each in model.stream(iter(given), window=1)], found)
    assert alike([said(each) for each in model.predict(given[::-1])], found[::-1])


def test_batch_mates_never_change_an_answer(trained: Trained) -> None:
    model = trained.predictor
    first, *others = values(model, trained.stranger)
    alone = model(first)
    for mates in ([first, *others], [*others * 5, first, first]):
        together = model.predict(mates)[mates.index(first)]
        assert alike(said(together), said(alone))
        one, other = (each.answer.score for each in (together, alone))
        assert other is None or one == pytest.approx(other, abs=1e-5)


def alike(one: Any, other: Any) -> bool:
    """Compare JSON data, numbers within the rounding of fp32."""
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == (pytest.approx(other, rel=1e-5) if isinstance(one, float) else other))


def test_the_command_answers_files_and_standard_input(
    trained: Trained, predicted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "".join(f"{line}\n" for line in trained.stranger.lines)
    (tmp_path / "in.txt").write_text(lines)
    table = predicted(tmp_path / "in.txt")
    assert table.count("\n") >= len(trained.stranger.lines)
    with (tmp_path / "in.txt").open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert predicted("-") == table
    records = [json.loads(line) for line in predicted(tmp_path / "in.txt", "--to", "jsonl").splitlines()]
    (field,) = trained.report["reads"]
    model = trained.predictor
    found = model.predict(values(model, trained.stranger))
    (kind,) = model.inputs.values()
    assert [record[field] for record in records] == [
        kind.to_json(each.example.fields[field]) for each in found
    ]
    assert alike([record[answer_key(trained)] for record in records], [said(each) for each in found])


def answer_key(trained: Trained) -> str:
    (target,) = trained.report["answers"]
    return f"{target}_answer" if target in trained.report["reads"] else target


def test_the_command_answers_data_of_its_reader(trained: Trained, predicted: Any) -> None:
    data = trained.folder / f"dev{trained.stranger.suffix}"
    count = len(data.read_text().splitlines())
    assert len(predicted(data, "--to", "jsonl").splitlines()) == count


def test_a_writer_of_a_stranger_writes_every_kind(trained: Trained, predicted: Any, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text((trained.stranger.lines[0] + "\n") * 2)
    (target,) = trained.report["answers"]
    root = ElementTree.fromstring(predicted(tmp_path / "in.txt", "--to", "xml", "--plugin", XML))
    assert root.tag == "answers"
    assert [element.tag for element in root] == [target] * 2


# --- packages --------------------------------------------------------------------------------------------


def test_without_its_plugin_the_package_names_what_is_missing(trained: Trained) -> None:
    head = opened(trained.stranger).check(trained.folder / "recipe.yaml").heads[0].name
    with pytest.raises(
        PackageError, match=f"needs plugins that are not loaded: (?s:.*)unknown head '{head}'"
    ):
        Lab(entry_points=False).open(trained.package)


# --- the contract ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("sentence_class", "label"),
        ("label_sets", "label_set"),
        ("forecast", "number"),
        ("forecast", "series"),
        ("next_token", "tokens"),
        ("nbest", "labels"),
        ("reply", "text"),
        ("colours", "colour"),
    ],
)
def test_it_keeps_the_contract_of_heads(name: str, target: str) -> None:
    module = module_of(name)
    check_head(module.HEAD, getattr(module, "FIELD_KINDS", ()), target=target)


def registered(module: ModuleType, kind: str, name: str) -> Any:
    components = getattr(module, f"seqlab_register_{kind}s")()
    return next(component for component in components if component.name == name)


@pytest.mark.parametrize(
    ("name", "metric", "target"),
    [
        ("sentence_class", "right", "label"),
        ("forecast", "coverage", "number"),
        ("forecast", "coverage", "series"),
    ],
)
def test_it_keeps_the_contract_of_metrics(name: str, metric: str, target: str) -> None:
    check_metric(registered(module_of(name), "metric", metric), target=target)


@pytest.mark.parametrize(
    ("name", "featurizer", "config"), [("colours", "lights", {}), ("columns", "values", {"field": "series"})]
)
def test_it_keeps_the_contract_of_featurizers(name: str, featurizer: str, config: dict[str, Any]) -> None:
    module = module_of(name)
    kinds = getattr(module, "FIELD_KINDS", ())
    check_featurizer(registered(module, "featurizer", featurizer), kinds, **config)

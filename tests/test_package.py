"""Packages: they come back as they were saved, or say what is wrong, and never run code."""

from __future__ import annotations

import errno
import hashlib
import json
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from toy_language import sentences

from seqlab import Component, Lab, PackageError, hookimpl
from seqlab.package import FORMAT, save_package
from seqlab.predict.predictor import Predictor
from seqlab.predict.recognizer import Recognizer
from seqlab.run import RunOptions
from seqlab.settings import Config

GOLDEN = Path(__file__).parent / "golden"

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture
def copy(package: Path, tmp_path: Path) -> Path:
    """A copy of the trained package to damage."""
    return shutil.copytree(package, tmp_path / "model")


def edit_manifest(package: Path, edit: Edit) -> None:
    path = package / "package.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))


def complaint(lab: Lab, package: Path) -> str:
    """Return the message of the PackageError that opening it raises."""
    with pytest.raises(PackageError) as caught:
        lab.open(package, device="cpu")
    return str(caught.value)


# --- round trip ----------------------------------------------------------------------------------------


def test_saved_and_opened_again_it_predicts_the_same(
    lab: Lab, package: Path, tagger: Predictor, tmp_path: Path
) -> None:
    own = {"format", "recipe", "learned", "files"}
    facts = {key: value for key, value in tagger.info.items() if key not in own}
    save_package(tmp_path / "again", tagger.assembly, tagger.model, facts)
    inputs = sentences(40, seed=9)
    assert lab.open(tmp_path / "again", device="cpu").predict(inputs) == tagger.predict(inputs)
    again, first = (folder / "model.safetensors" for folder in (tmp_path / "again", package))
    assert again.read_bytes() == first.read_bytes()


def test_saving_replaces_an_older_package_as_a_whole(tagger: Predictor, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/left-over").touch()
    save_package(tmp_path / "model", tagger.assembly, tagger.model, {})
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"model.safetensors", "package.json"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_older_package_is_kept_until_the_new_one_is_in_its_place(
    tagger: Predictor, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = shutil.copytree(package, tmp_path / "model")
    rename = Path.rename

    def full(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(PackageError, match=r"model: cannot be written: No space left on device$"):
        save_package(model, tagger.assembly, tagger.model, {})
    for file in ("model.safetensors", "package.json"):
        assert (model / file).read_bytes() == (package / file).read_bytes()


def test_the_manifest_says_what_the_model_is_and_comes_from(package: Path, finished: Path) -> None:
    manifest = json.loads((package / "package.json").read_text())
    weights = (package / "model.safetensors").read_bytes()
    assert manifest["format"] == FORMAT
    assert manifest["files"] == {
        "model.safetensors": {"sha256": hashlib.sha256(weights).hexdigest(), "bytes": len(weights)}
    }
    assert manifest["metrics"] == json.loads((finished / "report.json").read_text())["metrics"]
    train = finished.parent / "train.conllu"
    assert manifest["data"]["train"] == {str(train): hashlib.sha256(train.read_bytes()).hexdigest()}
    assert manifest["components"]["encoder.bilstm"] == "seqlab"
    assert manifest["seed"] == 1


# --- damage --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 9, 5_000, -1])
def test_one_damaged_byte_is_found(place: int, lab: Lab, copy: Path) -> None:
    weights = copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[place] ^= 1
    weights.write_bytes(content)
    assert complaint(lab, copy).startswith(f"{weights}: damaged: sha256 is ")


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("package.json", "{}: not a model package (there is no package.json in it)"),
        ("model.safetensors", "{}/model.safetensors: cannot be read: No such file or directory"),
    ],
)
def test_a_missing_file_is_named(missing: str, message: str, lab: Lab, copy: Path) -> None:
    (copy / missing).unlink()
    assert complaint(lab, copy) == message.format(copy)


def test_a_folder_that_is_not_there(lab: Lab, tmp_path: Path) -> None:
    assert complaint(lab, tmp_path / "gone") == f"{tmp_path}/gone: does not exist"


def test_a_run_folder_is_told_where_its_model_is(lab: Lab, finished: Path) -> None:
    assert complaint(lab, finished) == (
        f"{finished}: not a model package but the folder of a run; its model is {finished}/model"
    )


def test_a_file_in_the_place_of_a_package(lab: Lab, package: Path) -> None:
    file = package / "package.json"
    assert complaint(lab, file) == f"{file}: not a model package but a file; give the folder that holds it"


@pytest.mark.parametrize("depth", [100, 900, 100_000])
@pytest.mark.parametrize("key", ["", "recipe", "learned", "files"])
def test_a_manifest_nested_too_deep(key: str, depth: int, lab: Lab, copy: Path) -> None:
    nested = '{"a":' * depth + "1" + "}" * depth
    manifest = json.loads((copy / "package.json").read_text())
    rest = json.dumps({name: value for name, value in manifest.items() if name != key})[1:]
    (copy / "package.json").write_text(f'{{"{key}": {nested}, {rest}' if key else nested)
    assert complaint(lab, copy).startswith(str(copy))


def set_format(number: object) -> Edit:
    return lambda manifest: manifest.update(format=number)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            set_format(FORMAT + 1),
            f"format {FORMAT + 1} is newer than {FORMAT}, the newest that this seqlab reads",
        ),
        (set_format("one"), "not a manifest of a model package: it has no format number"),
        (set_format(True), "not a manifest of a model package: it has no format number"),
        (set_format(0), "not a manifest of a model package: it has no format number"),
        (lambda manifest: manifest.pop("format"), "not a manifest of a model package"),
        (lambda manifest: manifest.pop("learned"), "damaged: 'learned' is missing"),
        (lambda manifest: manifest.update(recipe=[]), "damaged: 'recipe' is missing"),
        (lambda manifest: manifest["files"].clear(), "damaged: sha256 is"),
        (lambda manifest: manifest["files"].update({"model.safetensors": 1}), "damaged: sha256 is"),
        (lambda manifest: manifest["recipe"].update(colour="red"), "unknown key 'colour'"),
        (lambda manifest: manifest["learned"]["heads"].clear(), "do not fit together"),
        (lambda manifest: manifest["learned"]["features"].pop(), "do not fit together"),
        (lambda manifest: manifest["learned"]["heads"]["upos"]["labels"].pop(), "do not fit together"),
        (lambda manifest: manifest["recipe"]["encoder"].update(hidden_size=5), "do not fit together"),
        (lambda manifest: manifest["recipe"].update(encoder={"name": "crf"}), "unknown encoder 'crf'"),
        (lambda manifest: manifest["learned"].update(features=1), "do not fit together"),
        (lambda manifest: manifest["learned"]["heads"].update(upos=[]), "do not fit together"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_why(edit: Edit, message: str, lab: Lab, copy: Path) -> None:
    edit_manifest(copy, edit)
    found = complaint(lab, copy)
    assert message in found
    assert found.startswith(str(copy))


def test_a_recipe_in_a_package_has_no_base(lab: Lab, copy: Path) -> None:
    edit_manifest(copy, lambda manifest: manifest["recipe"].update(extends="/no/such/file"))
    lab.open(copy, device="cpu")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_a_manifest_that_is_no_json_object(content: bytes, lab: Lab, copy: Path) -> None:
    (copy / "package.json").write_bytes(content)
    assert complaint(lab, copy).startswith(f"{copy}/package.json: ")


# --- plugins -------------------------------------------------------------------------------------------


class Doubling:
    """Registers an encoder of its own, and an observer."""

    @hookimpl
    def seqlab_register_encoders(self) -> list[Component[Any]]:
        def build(config: Config, context: Any) -> Any:
            from seqlab.builtin.encoders.recurrent import RecurrentEncoder
            from seqlab.engine import RecurrentSpec

            spec = RecurrentSpec(cell="gru", input_size=context.input_size, hidden_size=4)
            return RecurrentEncoder(spec, input_dropout=0.0, output_dropout=0.0)

        return [Component(name="doubling", config=Config, build=build, summary="an encoder")]


class Watching:
    """Registers an observer."""

    @hookimpl
    def seqlab_register_observers(self) -> list[Component[Any]]:
        def build(config: Config, context: Any) -> Any:
            from seqlab.engine import Observer

            return Observer()

        return [Component(name="watching", config=Config, build=build, summary="an observer")]


def test_a_package_whose_plugin_is_missing_names_it(lab: Lab, toy: Path, tmp_path: Path) -> None:
    options = RunOptions(out=tmp_path / "run", device="cpu", threads=1)
    Lab([Doubling()], entry_points=False).run(toy, ["encoder={name: doubling}", "train.epochs=1"], options)
    found = complaint(lab, tmp_path / "run/model")
    assert found.startswith(f"{tmp_path}/run/model: it needs plugins that are not loaded: Doubling; ")
    assert "unknown encoder 'doubling'" in found
    Lab([Doubling()], entry_points=False).open(tmp_path / "run/model", device="cpu")


def test_a_package_opens_without_what_only_training_needed(lab: Lab, toy: Path, tmp_path: Path) -> None:
    options = RunOptions(out=tmp_path / "run", device="cpu", threads=1)
    watched = Lab([Watching()], entry_points=False)
    watched.run(toy, ["observers=[watching]", "train.epochs=1"], options)
    model = tmp_path / "run/model"
    edit_manifest(model, lambda manifest: manifest["recipe"].update(requires=["seqlab-watching"]))
    lab.open(model, device="cpu")


# --- code that a package could name --------------------------------------------------------------------


class Trap:
    """Unpickled, it leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.trace,))


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The trace that a module `trap_module` on the path would leave when imported."""
    trace = tmp_path / "trace"
    (tmp_path / "trap_module.py").write_text(f"open({str(trace)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield trace
    sys.modules.pop("trap_module", None)


def test_opening_imports_nothing_that_the_package_names(lab: Lab, copy: Path, trap: Path) -> None:
    def name_it_everywhere(manifest: dict[str, Any]) -> None:
        manifest["plugins"] = {"trap_module": "1.0"}
        manifest["components"]["encoder.bilstm"] = "trap_module"
        manifest["recipe"]["requires"] = ["trap_module"]
        manifest["recipe"]["observers"] = [{"name": "trap_module"}]
        manifest["recipe"]["data"]["train"] = "trap_module:train"

    edit_manifest(copy, name_it_everywhere)
    before = set(sys.modules)
    lab.open(copy, device="cpu")
    edit_manifest(copy, lambda manifest: manifest["recipe"].update(encoder={"name": "trap_module"}))
    assert "unknown encoder 'trap_module'" in complaint(lab, copy)
    assert set(sys.modules) == before
    assert not trap.exists()


def test_opening_unpickles_nothing(lab: Lab, copy: Path, trap: Path) -> None:
    weights = pickle.dumps(Trap(trap))
    (copy / "model.safetensors").write_bytes(weights)
    digest = hashlib.sha256(weights).hexdigest()
    edit_manifest(copy, lambda manifest: manifest["files"]["model.safetensors"].update(sha256=digest))
    assert "do not fit together" in complaint(lab, copy)
    assert not trap.exists()
    pickle.loads(weights)  # the trap works
    assert trap.exists()


# --- packages of earlier versions ----------------------------------------------------------------------


def golden(kind: str) -> pytest.MarkDecorator:
    """Run a test on every golden package of a kind."""
    return pytest.mark.parametrize("folder", sorted(GOLDEN.glob(f"{kind}-v*/")), ids=lambda each: each.name)


@golden("tagger")
def test_a_golden_tagger_still_opens_and_predicts_the_same(folder: Path, lab: Lab) -> None:
    tagger = lab.open(folder, device="cpu")
    expected = json.loads((folder / "expected.json").read_text())
    assert expected
    for answer, known in zip(tagger.predict([each["tokens"] for each in expected]), expected, strict=True):
        assert {name: list(labels) for name, labels in answer.labels.items()} == known["labels"]
        for name, probabilities in answer.probabilities.items():
            assert probabilities == pytest.approx(known["probabilities"][name], abs=1e-4)


@golden("recognizer")
def test_a_golden_recognizer_still_opens_and_hears_the_same(folder: Path, lab: Lab) -> None:
    recognizer = lab.open(folder, device="cpu")
    assert isinstance(recognizer, Recognizer)
    expected = json.loads((folder / "expected.json").read_text())
    assert expected
    for known in expected:
        answer = recognizer(folder / known["audio"])
        assert answer.texts == known["texts"]
        assert answer.probabilities == pytest.approx(known["probabilities"], abs=1e-4)

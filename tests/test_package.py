"""Packages: they come back as they were saved, or say what is wrong, and never run code."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from toy_language import sentences

import seqlab
from seqlab import Component, Lab, PackageError, hookimpl
from seqlab.manifest import FORMAT, sealed
from seqlab.package import save_package
from seqlab.predict.predictor import Predictor
from seqlab.run import RunOptions
from seqlab.settings import Config

GOLDEN = Path(__file__).parent / "golden"

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture
def copy(package: Path, tmp_path: Path) -> Path:
    """A copy of the trained package to damage."""
    return shutil.copytree(package, tmp_path / "model")


def edit_manifest(package: Path, edit: Edit) -> None:
    """Change the manifest as somebody does who knows its checksum."""
    path = package / "package.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(sealed(manifest) if isinstance(manifest.get("format"), int) else manifest))


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
    assert complaint(lab, copy).startswith(f"{weights}: damaged: ")


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
        (lambda manifest: manifest.update(recipe=[]), "damaged: 'recipe' is no object"),
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


# --- damage anywhere ---------------------------------------------------------------------------------------

FLIPS = 1000


@pytest.mark.slow
def test_any_flipped_bit_is_refused_or_harmless(lab: Lab, package: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(package, tmp_path / "model")
    inputs = sentences(5, seed=3)
    expected = lab.open(copy, device="cpu").predict(inputs)
    whole = {path: path.read_bytes() for path in copy.iterdir()}
    generator = random.Random(11)
    refused = 0
    for number in range(FLIPS):
        path = sorted(whole)[number % len(whole)]
        content = bytearray(whole[path])
        content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        path.write_bytes(content)
        try:
            assert lab.open(copy, device="cpu").predict(inputs) == expected
        except PackageError:
            refused += 1
        path.write_bytes(whole[path])
    assert refused > 0.9 * FLIPS  # most of the rest is white space of the manifest


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda manifest: manifest["learned"]["heads"]["upos"]["labels"].reverse(),
            "damaged: the sha256 of its content is ",
        ),
        (lambda manifest: manifest.pop("sha256"), "but it says None"),
        (lambda manifest: manifest.update(format=2), "damaged: the sha256 of its content is "),
        (lambda manifest: manifest.update(metrics={}), "damaged: the sha256 of its content is "),
    ],
)
def test_an_edit_of_the_manifest_is_noticed(edit: Edit, message: str, lab: Lab, copy: Path) -> None:
    path = copy / "package.json"
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))
    found = complaint(lab, copy)
    assert found.startswith(f"{path}: damaged: ")
    assert message in found


def test_the_manifest_may_be_indented_otherwise(lab: Lab, copy: Path) -> None:
    path = copy / "package.json"
    path.write_text(json.dumps(json.loads(path.read_text()), sort_keys=True, indent=8))
    lab.open(copy, device="cpu")


# --- what a stranger may have written --------------------------------------------------------------------


def labels(*names: object) -> Edit:
    def edit(manifest: dict[str, Any]) -> None:
        learned = manifest["learned"]["heads"]["upos"]
        learned["labels"][: len(names)] = names

    return edit


def test_what_metrics_have_learned_is_looked_at_when_something_is_scored(
    lab: Lab, copy: Path, finished: Path
) -> None:
    dev = finished.parent / "dev.conllu"
    edit_manifest(copy, lambda manifest: manifest["learned"].update(metrics=[{"known": 1}] * 4))
    assert lab.open(copy, device="cpu").predict([["la"]]), "prediction needs no metric"
    with pytest.raises(PackageError, match="the metrics of the package do not fit together"):
        lab.evaluate(copy, [dev], device="cpu")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (labels(1), "do not fit together: 'labels' holds 1 (int), which is no string"),
        (labels(None), "do not fit together: 'labels' holds None, which is no string"),
        (labels(["A"]), "do not fit together: 'labels' holds list of 1, which is no string"),
        (labels("A", "A"), "do not fit together: 'labels' holds 'A' (str) twice"),
        (labels("\ud800"), "damaged: 'learned' holds a lone surrogate, U+D800"),
        (lambda m: m["recipe"]["head"].update(target="\udfff"), "damaged: 'recipe' holds a lone surrogate"),
        (
            lambda m: m["learned"]["heads"]["upos"].update(labels={"A": 1}),
            "where a list of strings is",
        ),
        (lambda m: m["learned"]["heads"]["upos"].update(labels="ABCDE"), "where a list of strings is"),
        (lambda m: m["learned"]["heads"]["upos"].update(labels=[], weights=[]), "there is no label"),
        (
            lambda m: m["learned"]["heads"]["upos"].update(weights=[None] * 5),
            "where a list of numbers is",
        ),
        (lambda m: m["learned"]["features"][0].update(words=[1, 2]), "'words' holds 1 (int), which is no"),
        (lambda m: m["learned"].update(heads=[]), "do not fit together"),
        (lambda m: m["learned"].update(metrics={}), "do not fit together"),
        (lambda m: m.update(data=[]), "damaged: 'data' is no object"),
        (lambda m: m.update(data={"test": 1}), "damaged: 'data' holds no object of files for a split"),
        (lambda m: m.update(components=1), "damaged: 'components' is no object"),
    ],
)
def test_what_was_learned_must_be_of_the_right_type(edit: Edit, message: str, lab: Lab, copy: Path) -> None:
    edit_manifest(copy, edit)
    found = complaint(lab, copy)
    assert message in found
    assert found.startswith(str(copy))


@pytest.mark.parametrize("name", ["package.json", "model.safetensors"])
def test_a_device_or_a_fifo_is_not_opened(name: str, lab: Lab, copy: Path) -> None:
    for make, what in ((lambda path: path.symlink_to("/dev/zero"), "a device"), (os.mkfifo, "a FIFO")):
        (copy / name).unlink()
        make(copy / name)
        message = f"{copy}/{name}: cannot be read: it is {what}, and only regular files are read"
        assert complaint(lab, copy) == message


ATTACKS: dict[str, Callable[[Path], None]] = {
    "a wide embedding": lambda copy: edit_manifest(
        copy, lambda m: m["recipe"]["features"][0].update(embedding_dim=2_000_000)
    ),
    "a deep encoder": lambda copy: edit_manifest(
        copy, lambda m: m["recipe"]["encoder"].update(num_layers=1_000_000)
    ),
    "an encoder deeper than memory": lambda copy: edit_manifest(
        copy, lambda m: m["recipe"]["encoder"].update(num_layers=10**12)
    ),
    "a wide encoder": lambda copy: edit_manifest(
        copy, lambda m: m["recipe"]["encoder"].update(hidden_size=1_000_000)
    ),
    "a number without end": lambda copy: edit_manifest(
        copy, lambda m: m["recipe"]["encoder"].update(hidden_size=99999999999999999999)
    ),
    "many lists": lambda copy: (copy / "package.json").write_text("[" + "[]," * 10_000_000 + "[]]"),
    "a large manifest": lambda copy: (copy / "package.json").write_bytes(b'{"a":"' + b"x" * 10**8 + b'"}'),
    "a manifest of a terabyte": lambda copy: os.truncate(copy / "package.json", 1 << 40),
    "weights of a terabyte": lambda copy: os.truncate(copy / "model.safetensors", 1 << 40),
    "a header of a gigabyte": lambda copy: (copy / "model.safetensors").write_bytes(
        (1 << 30).to_bytes(8, "little")
    ),
    "a tensor of a terabyte": lambda copy: write_header(copy, {"dtype": "F32", "shape": [1 << 38]}),
    "many dimensions": lambda copy: write_header(copy, {"dtype": "F32", "shape": [1 << 62] * 100_000}),
}
"""What a package of some kilobytes can do to ask for all the memory; /dev/zero is tried above."""

CAP_MB = 150
"""Memory that a package which asks for too much may take beyond that of opening an honest one."""

OPENER = """
import json, os, resource, sys
from seqlab import Lab, PackageError
lab, peak = Lab(entry_points=False), lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
lab.open(sys.argv[1], device="cpu")
slow = {"torch._dynamo", "sympy"} & set(sys.modules)  # an answer would wait for them
if not os.fork():  # the peak of this process is that of the one that started it, if that was larger
    print(json.dumps([peak(), ", ".join(sorted(slow))]), flush=True)
    os._exit(0)
os.wait()
for package in sys.argv[2:]:
    if not os.fork():  # each in a process of its own, which need not import torch again
        try:
            lab.open(package, device="cpu")
        except PackageError as error:
            print(json.dumps([peak(), str(error)]), flush=True)
        os._exit(0)
    os.wait()
"""


def write_header(copy: Path, tensor: dict[str, Any]) -> None:
    header = json.dumps({"w": {**tensor, "data_offsets": [0, 4]}}).encode()
    (copy / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"0000")


def test_a_small_package_cannot_ask_for_all_the_memory(package: Path, tmp_path: Path) -> None:
    packages = [Path(shutil.copytree(package, tmp_path / name / "model")) for name in ATTACKS]
    for attack, copy in zip(ATTACKS.values(), packages, strict=True):
        attack(copy)
    environment = os.environ | {"PYTHONPATH": str(Path(seqlab.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", OPENER, str(package), *map(str, packages)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300, env=environment)
    (honest, slow), *refused = map(json.loads, done.stdout.splitlines())
    assert not slow
    assert len(refused) == len(ATTACKS)
    for name, copy, (peak, message) in zip(ATTACKS, packages, refused, strict=True):
        assert peak - honest < CAP_MB, name
        assert message.startswith(str(copy)), name
        assert len(message) < 2000, name


def test_a_filter_bank_that_would_take_gigabytes_is_not_made(lab: Lab, tmp_path: Path) -> None:
    copy = shutil.copytree(GOLDEN / "recognizer-v3", tmp_path / "model")
    edit_manifest(copy, lambda m: m["recipe"]["features"][0].update(n_mels=30_000, n_fft=65_536))
    found = complaint(lab, copy)
    assert "n_mels: 30000 bands for n_fft 65536 are a filter bank of 983,070,000 numbers" in found


# --- plugins -------------------------------------------------------------------------------------------


class Doubling:
    """Registers an encoder of its own, and an observer."""

    @hookimpl
    def seqlab_register_encoders(self) -> list[Component[Any]]:
        def build(config: Config, context: Any) -> Any:
            from seqlab.builtin.core.encoders.recurrent import RecurrentEncoder
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
    assert found.startswith(
        f"{tmp_path}/run/model: it says that it needs plugins that are not loaded: Doubling; check that you"
        " trust them before you install them; "
    )
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
    assert "model.safetensors: damaged: its header does not fit" in complaint(lab, copy)
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
        assert {name: list(each.value) for name, each in answer.answers.items()} == known["labels"]
        for name, each in answer.answers.items():
            assert each.score == pytest.approx(known["probabilities"][name], abs=1e-4)


@golden("recognizer")
def test_a_golden_recognizer_still_opens_and_hears_the_same(folder: Path, lab: Lab) -> None:
    recognizer = lab.open(folder, device="cpu")
    expected = json.loads((folder / "expected.json").read_text())
    assert expected
    for known in expected:
        answers = recognizer(folder / known["audio"]).answers
        assert {name: each.value for name, each in answers.items()} == known["texts"]
        sure = {name: each.score for name, each in answers.items()}
        assert sure == pytest.approx(known["probabilities"], abs=1e-4)


def respelt(learned: Any, letters: dict[int, str]) -> Any:
    """Return what was learned with other letters in all that stands in lists."""
    if isinstance(learned, dict):
        return {key: respelt(value, letters) for key, value in learned.items()}
    if isinstance(learned, list):
        return [
            each.translate(letters) if isinstance(each, str) else respelt(each, letters) for each in learned
        ]
    return learned


@pytest.mark.parametrize("before", ["tagger-v1", "tagger-v2"])
def test_words_learned_before_there_was_a_normal_form_are_known_as_they_were_written(
    before: str, lab: Lab, tmp_path: Path
) -> None:
    copy = shutil.copytree(GOLDEN / before, tmp_path / "model")
    decomposed = str.maketrans({"t": "\u0301"})
    edit_manifest(copy, lambda m: m["learned"].update(features=respelt(m["learned"]["features"], decomposed)))
    expected = json.loads((copy / "expected.json").read_text())
    tokens = [[token.translate(decomposed) for token in known["tokens"]] for known in expected]
    for answer, known in zip(lab.open(copy, device="cpu").predict(tokens), expected, strict=True):
        for name, each in answer.answers.items():
            assert each.score == pytest.approx(known["probabilities"][name], abs=1e-4)

"""Every fault of every component that can be planted is named: plugin, component, method, example; exit 3.

`docs/reference/faults.md` holds what each of them prints, a row each. After a change of messages
`python tests/test_calling.py` writes the page anew.
"""

from __future__ import annotations

import contextlib
import copy
import io
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import soundfile
import torch

sys.path.insert(0, str(Path(__file__).parent))

from faulty import PARTS, PLANTED

from seqlab import Component, DataError, Lab, PluginError, RecipeError, hookimpl
from seqlab.api import Example, Place, SeqlabError
from seqlab.audio import AudioFile
from seqlab.calling import ModelParts, called
from seqlab.cli.main import main
from seqlab.errors import ContractError
from seqlab.plugin import Part
from seqlab.run import RunOptions

PLUGIN = Path(__file__).with_name("faulty.py")
KINDS = Lab(entry_points=False).registry.field_kinds()
PAGE = Path(__file__).parents[1] / "docs/reference/faults.md"

DATA = """\
la/D domo/N brulas/V
la/D arbo/N
katos/N kuras/V
la/D granda/A hundo/N dormas/V
"""

RECIPE = """\
name: planted
data: {reader: words, train: train.words, dev: dev.words}
features: [lengths]
augment: [shaking]
encoder: rows
head: tags
observers: [watching, checkpoints]
train: {epochs: 1, batch_tokens: 6}
"""

COMMANDS = {
    "run": "run planted.yaml --out run --device cpu",
    "evaluate": "evaluate model dev.words --device cpu",
    "evaluate --errors": "evaluate model dev.words --errors errors.txt --device cpu",
    "predict": "predict model dev.words --device cpu",
    "predict --to data": "predict model dev.words --to data --device cpu",
}

ELSEWHERE = {
    "reader: write raises": ["predict --to data"],
    "reader: write returns bytes": ["predict --to data"],
    "reader: read raises at the second example": ["run", "evaluate", "predict"],
    "reader: read yields a dict": ["run", "evaluate", "predict"],
    "reader: read omits a field": ["run", "predict"],
    "featurizer: restore raises": ["predict"],
    "featurizer: encode raises at one example": ["run", "evaluate", "predict", "Python"],
    "featurizer: encode returns too few items": ["run", "predict"],
    "featurizer: module.forward raises": ["run", "evaluate", "predict"],
    "encoder: forward raises": ["run", "evaluate", "predict", "Python"],
    "encoder: forward returns no tuple": ["run", "evaluate", "predict"],
    "encoder: forward returns rows of another size": ["run", "evaluate", "predict"],
    "head: restore raises": ["predict"],
    "encoder: final raises": ["run", "evaluate", "predict", "Python"],
    "head: module.answer raises": ["run", "evaluate", "predict"],
    "head: answers raises": ["run", "evaluate", "predict", "Python"],
    "head: answers returns too few labels": ["run", "evaluate", "predict", "Python"],
    "metric: restore raises": ["evaluate"],
    "metric: update raises": ["run", "evaluate"],
    "metric: compute returns a float": ["run", "evaluate"],
    "metric: listing raises": ["evaluate --errors"],
    "metric: listing returns None": ["evaluate --errors"],
}
"""Where faults show that are not (or not only) tried in a run."""

CASES = [
    (f"{kind}: {fault}", command)
    for kind, faults in PARTS.items()
    for fault in faults
    for command in ELSEWHERE.get(f"{kind}: {fault}", ["run"])
]

NO_FAULTS = {"encoder: forward detaches its output", "encoder: a parameter is not used"}
"""What a run can live with: it warns after the first step."""


def write_planted(folder: Path) -> None:
    """Write the data, the recipe and, trained with sound components, the package `model`."""
    for split in ("train", "dev"):
        (folder / f"{split}.words").write_text(DATA)
    (folder / "planted.yaml").write_text(RECIPE)
    assert command(folder, "run", "")[0] == 0
    (folder / "run/model").rename(folder / "model")


def command(folder: Path, name: str, fault: str) -> tuple[int, str]:
    """Run one of the commands with a fault planted; return its exit code and what it said of errors."""
    shutil.rmtree(folder / "run", ignore_errors=True)
    (folder / "errors.txt").unlink(missing_ok=True)
    said = io.StringIO()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.chdir(folder))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv(PLANTED, fault)
        patch.setenv("SEQLAB_DISABLE_PLUGINS", "all")
        stack.enter_context(contextlib.redirect_stderr(said))
        stack.enter_context(contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())))
        if name == "Python":
            return called_from_python()
        code = main([*COMMANDS[name].split(), "--plugin", str(PLUGIN)])
    return code, said.getvalue()


def called_from_python() -> tuple[int, str]:
    """Predict with the package in Python; return the error's exit code and message."""
    model = Lab(plugin_files=[PLUGIN]).open("model", device="cpu")
    with pytest.raises(PluginError) as caught:
        model.predict([["la", "domo"], ["arbo"]])
    assert caught.value.__cause__, "the traceback of the plugin's own code"
    return caught.value.exit_code, f"error: {caught.value}\n"


def plain(message: str) -> str:
    """Return the line of a message without what changes from machine to machine and edit to edit."""
    (line,) = (line for line in message.splitlines() if "faulty" in line)
    line = re.sub(r"[^\s(]*/faulty\.py:\d+", "faulty.py:LINE", line.removeprefix("error: "))
    line = re.sub(r": \[torch.*?\.py:\d+\)", " ...", line)  # torch's own words
    return re.sub(r"/\S*/(?=\w+\.words)", "", line)


def row(fault: str, name: str, code: int, message: str) -> str:
    shown = message.replace("|", "\\|")
    return f"| {fault.partition(': ')[2]} | {name} | {code} | {shown} |"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("planted")
    write_planted(made)
    return made


@pytest.mark.parametrize(("fault", "name"), CASES)
def test_a_planted_fault_is_named_as_the_page_says(folder: Path, fault: str, name: str) -> None:
    code, said = command(folder, name, fault)
    assert "Traceback" not in said
    message = plain(said)
    expected = (0, "warning: ") if fault in NO_FAULTS else (3, "plugin 'faulty': ")
    assert (code, message[: len(expected[1])]) == expected
    assert row(fault, name, code, message) in PAGE.read_text().splitlines()


def test_the_page_has_no_other_rows() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    assert len([line for line in rows if not line.startswith("| fault |")]) == len(CASES)


# --- what is not of a plugin, and what is more than a method --------------------------------------------


def failing(error: BaseException) -> Callable[..., Any]:
    def method(*_facts: Any, **_more: Any) -> Any:
        raise error

    return method


@pytest.mark.parametrize(
    ("target", "note"),
    [
        ("text.heads.tagging.Tagger.loss", "head 'tagging': loss; at "),
        ("core.encoders.recurrent.RecurrentEncoder.forward", "encoder 'bilstm': forward; at "),
        ("text.heads.tagging.TaggingHead.encode", ""),
    ],
)
def test_a_mistake_of_seqlab_keeps_its_traceback(
    target: str, note: str, lab: Lab, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ZeroDivisionError("ours")
    monkeypatch.setattr(f"seqlab.builtin.{target}", failing(error))
    with pytest.raises(ZeroDivisionError) as caught:
        lab.run(toy, options=RunOptions(out=tmp_path / "run", device="cpu", threads=1))
    assert caught.value is error
    assert [each[: len(note)] for each in getattr(error, "__notes__", [])] == [note] * bool(note)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), DataError("damaged")], ids=repr)
@pytest.mark.parametrize("method", ["loss", "encode"])
def test_what_is_nobodys_mistake_passes_through_parts_of_plugins(
    error: BaseException, method: str, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = "Tagger" if method == "loss" else "TaggingHead"
    monkeypatch.setattr(f"seqlab.builtin.text.heads.tagging.{owner}.{method}", failing(error))
    lab = Lab([Borrowed()], entry_points=False)
    with pytest.raises(type(error)) as caught:
        lab.run(toy, ["head=borrowed"], RunOptions(out=tmp_path / "run", device="cpu", threads=1))
    assert caught.value is error


class Borrowed:
    """A plugin whose head and whose reader of sound are seqlab's own under other names."""

    def __init__(self, samples: Callable[[], Any] | None = None) -> None:
        self.samples = samples
        self.registry = Lab(entry_points=False).registry

    @hookimpl
    def seqlab_register_heads(self) -> list[Component[Any]]:
        return [replace(self.registry.get("head", "tagging"), name="borrowed")]

    @hookimpl
    def seqlab_register_readers(self) -> list[Component[Any]]:
        speech = self.registry.get("reader", "speech")

        def build(config: Any, context: Any) -> Any:
            reader = speech.build(config, context)
            read = reader.read
            reader.read = lambda path, *, labelled=True: map(self.sounding, read(path, labelled=labelled))
            return reader

        return [replace(speech, name="sounding", build=build)]

    def sounding(self, example: Example) -> Example:
        audio = Humming(example.fields["audio"], self.samples)
        return replace(example, fields={**example.fields, "audio": audio})


class Humming:
    """A plugin's own kind of sound."""

    fingerprint = None

    def __init__(self, audio: Any, samples: Callable[[], Any] | None) -> None:
        self.sample_rate, self.duration = audio.sample_rate, audio.duration
        self.samples = samples or audio.samples


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (failing(OSError("gone")), r"raised OSError: gone \(.*test_calling\.py:\d+\)"),
        (lambda: [0.0] * 9, "returned list of 9 where an array of float32 and shape \\(time\\) is expected"),
        (lambda: np.zeros(9), "returned an array of float64 and shape \\(9\\) where an array of float32 .*"),
        (lambda: np.full(9, np.nan, np.float32), "returned numbers that are not finite"),
    ],
)
def test_a_sound_of_a_plugin_is_named_where_a_featurizer_of_seqlab_reads_it(
    samples: Callable[[], Any], reason: str, spoken: Path, tmp_path: Path
) -> None:
    changes = ["data.reader.name=sounding", "augment=[]"]
    with pytest.raises(PluginError) as caught:
        Lab([Borrowed(samples)], entry_points=False).run(spoken, changes, RunOptions(out=tmp_path / "run"))
    name = r"plugin 'Borrowed': reader 'sounding': Humming\.samples"
    assert re.fullmatch(rf"{name} {reason}; at .*train\.jsonl:\d+", str(caught.value))


class Spoken:
    """A plugin's own kind of sound, which knows who speaks."""

    sample_rate, duration, fingerprint, speaker = 16000, 1.0, None, "ann"

    def samples(self) -> Any:
        return np.zeros(16000, np.float32)


class FileOfMine(AudioFile):
    """A file of a plugin's own."""


class Recordings:
    """A reader that needs its own sounds back as they were."""

    fields: ClassVar = {"audio": "audio", "text": "text"}

    def __init__(self, audio: Any) -> None:
        self.audio = audio

    def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
        yield Example({"audio": self.audio, "text": "a"}, Place(str(path), 1))

    def normalize(self, example: Example) -> Example:
        assert type(example.fields["audio"]) is type(self.audio)
        return example

    def write(self, example: Example, _answers: Any) -> str:
        assert type(example.fields["audio"]) is type(self.audio)
        return str(example.fields["audio"].speaker)


def test_a_plugin_has_all_of_its_own_sounds() -> None:
    reader = called(Recordings(Spoken()), Part("reader", "r", "mine", "mine"), KINDS)
    (example,) = map(reader.normalize, reader.read(Path("f")))
    assert reader.write(example, {}) == "ann"
    audio = example.fields["audio"]
    assert audio.speaker == "ann", "a featurizer of the same plugin may ask, too"
    assert copy.copy(audio).speaker == "ann"
    assert not hasattr(audio, "loudness")


def test_a_plugins_file_of_sound_can_still_be_read_block_by_block(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(900), 16000)
    audio = FileOfMine(tmp_path / "a.wav")
    reader = called(Recordings(audio), Part("reader", "r", "mine", "mine"), KINDS)
    (example,) = reader.read(Path("f"))
    assert example.fields["audio"] is audio


@pytest.mark.parametrize("of_torch", [False, True])
def test_a_backward_pass_is_a_plugins_where_its_code_fails_or_torch_alone_complains(of_torch: bool) -> None:
    parts = {"encoder": Part("encoder", "e", "seqlab"), "heads.0": Part("head", "h", "mine", "nobody")}
    fail = torch.zeros(()).backward if of_torch else failing(RuntimeError("a kernel's own"))
    with pytest.raises(RuntimeError, match=r"element 0|kernel") as caught:
        fail()
    found = ModelParts(parts).fault("", "backward", caught.value, ["a:1"])
    if of_torch:
        assert str(found).startswith("plugin 'mine': head 'h': backward raised RuntimeError: element 0 of")
    else:
        assert found is caught.value
        assert found.__notes__ == ["model: backward; at a:1"]


def test_a_wrong_result_of_a_part_of_seqlab_is_told_in_words() -> None:
    parts = {"encoder": Part("encoder", "e", "seqlab"), "heads.0": Part("head", "h", "seqlab")}
    error = ContractError("returned a number without a gradient")
    found = ModelParts(parts).fault("heads.0", "loss", error, ["a:1"])
    assert type(found) is SeqlabError
    assert str(found) == "head 'h': loss returned a number without a gradient; at a:1"


def test_sounds_of_a_plugin_are_trained_on_and_recognised(spoken: Path, tmp_path: Path) -> None:
    lab = Lab([Borrowed()], entry_points=False)
    changes = ["data.reader.name=sounding", "train.epochs=1"]
    lab.run(spoken, changes, RunOptions(out=tmp_path / "run", device="cpu", threads=1))
    model = lab.open(tmp_path / "run/model", device="cpu")
    examples = model.assembly.reader.read(spoken.parent / "dev.jsonl", labelled=False)
    assert len(list(model.answer(examples))) == 3


def test_the_chain_names_the_encoder_that_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLANTED, "encoder: forward raises")
    monkeypatch.chdir(folder)
    lab = Lab(plugin_files=[PLUGIN], entry_points=False)
    shutil.rmtree("run", ignore_errors=True)
    with pytest.raises(PluginError, match=r"^plugin 'faulty': encoder 'rows': forward raised ValueError"):
        lab.run("planted.yaml", ["encoder=[lstm, rows]"], RunOptions(out="run", device="cpu"))


def test_figures_of_one_name_are_refused_before_training(folder: Path, tmp_path: Path) -> None:
    class Twice:
        @hookimpl
        def seqlab_register_metrics(self) -> list[Component[Any]]:
            return [replace(lab.registry.get("metric", "share"), name="again")]

    lab = Lab(plugin_files=[PLUGIN], entry_points=False)
    lab.plugins.add(Twice())
    with pytest.raises(RecipeError, match="metrics: share and again both give a figure 'share'; leave one"):
        lab.run(folder / "planted.yaml", ["metrics=[share, again]"], RunOptions(out=tmp_path / "run"))


def test_featurizers_that_make_unequally_many_rows_are_told_apart(
    lab: Lab, spoken: Path, tmp_path: Path
) -> None:
    features = "features=[log_mel, {name: mfcc, hop: 20}]"
    with pytest.raises(
        RecipeError, match=r"features\.1: featurizer 'mfcc' makes \d+ rows of .*:1, featurizer"
    ):
        lab.run(spoken, [features, "augment=[]"], RunOptions(out=tmp_path / "run", device="cpu"))


def written_page() -> str:
    """Return the page with a table of each kind, made anew."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_planted(folder)
        parts = [PAGE.read_text().partition("## ")[0].rstrip()]
        for kind in PARTS:
            parts += [
                "",
                f"## {kind.capitalize()}",
                "",
                "| fault | command | exit | message |",
                "|---|---|---|---|",
            ]
            for fault, command_name in CASES:
                if fault.startswith(f"{kind}: "):
                    code, said = command(folder, command_name, fault)
                    parts.append(row(fault, command_name, code, plain(said)))
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(written_page())

"""What a run makes of its data: labels that are missing or unknown, forms of Unicode, what stands twice."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seqlab import Lab, PluginError, RecipeError
from seqlab.api import Component, Config, Example, FieldKind, Place, hookimpl
from seqlab.run import RunOptions

ACCENTS = str.maketrans({"k": "k\u0327", "l": "\u013c", "e": "\u00e9", "o": "\u00f4\u0323"})
"""Letters of the toy language with accents, in no normal form."""


def options(folder: Path) -> RunOptions:
    return RunOptions(out=folder, device="cpu", threads=1)


def rewritten(path: Path, before: str, after: str, count: int = -1) -> None:
    path.write_text(path.read_text().replace(before, after, count))


def known_figures(metrics: dict[str, float]) -> dict[str, float]:
    return {
        name: value for name, value in metrics.items() if not name.endswith(("precision", "recall", "f1"))
    }


def test_missing_labels_are_counted_apart_from_unseen_ones_and_nowhere_else(
    lab: Lab, toy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rewritten(tmp_path / "train.conllu", "\tPUNCT\t", "\t_\t", 2)
    rewritten(tmp_path / "dev.conllu", "\tPUNCT\t", "\t_\t", 3)
    rewritten(tmp_path / "dev.conllu", "\tPUNCT\t", "\tSYM\t", 1)
    rewritten(tmp_path / "test.conllu", "\tPUNCT\t", "\t_\t")
    report = lab.run(toy, ["train.epochs=1"], options(tmp_path / "run"))
    assert report["missing_labels"] == {"train": {"upos": 2}, "dev": {"upos": 3}, "test": {"upos": 15}}
    assert report["unseen_labels"] == {"dev": {"upos": 1}, "test": {}}
    figures = lab.evaluate(tmp_path / "run/model", device="cpu")
    assert "15 targets upos are missing in the data: no loss and no figure counts them" in caplog.text
    assert figures == pytest.approx(report["metrics"]["test"])
    assert "PUNCT.recall" not in figures
    text = lab.list_errors(tmp_path / "run/model", device="cpu").text
    assert "None" not in text


def test_a_split_without_labels_has_no_figures(lab: Lab, toy: Path, tmp_path: Path) -> None:
    blind = tmp_path / "test.conllu"
    for label in ("DET", "NOUN", "VERB", "ADJ", "PUNCT"):
        rewritten(blind, f"\t{label}\t", "\t_\t")
    report = lab.run(toy, ["train.epochs=1"], options(tmp_path / "run"))
    assert report["metrics"]["test"] == {}
    with pytest.raises(RecipeError, match=r"head tagging: no token of the training split has a label 'upos'"):
        lab.run(toy, [f"data.train={blind}", "data.test=null"], options(tmp_path / "none"))
    with pytest.raises(RecipeError, match=r"no dev metric 'accuracy'.*parts of the targets are missing"):
        lab.run(
            toy,
            [f"data.dev={blind}", "data.test=null", "train.monitor=accuracy"],
            options(tmp_path / "monitor"),
        )


UNWATCHED = (
    "data.dev: training has seen no part of its targets: there is no dev loss to watch: the last weights are"
    " kept as the best ones, and neither early stopping nor the plateau schedule ever acts"
)


@pytest.mark.parametrize(
    "more",
    [
        [],
        ["train.early_stopping={patience: 1}"],
        ["train.schedule={name: plateau, patience: 1}"],
    ],
)
def test_without_a_known_label_there_is_no_loss_to_be_the_best(
    more: list[str],
    lab: Lab,
    toy: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    word = "1\tcat\t_\tMARTIAN" + "\t_" * 6 + "\n\n"
    (tmp_path / "dev.conllu").write_text(word)
    report = lab.run(toy, ["train.monitor=loss", "train.epochs=4", *more], options(tmp_path / "run"))
    assert UNWATCHED in caplog.text
    assert report["notices"] == [UNWATCHED]
    assert (report["epochs"], report["best_epoch"]) == (4, 4)
    assert "loss" not in report["metrics"]["dev"]
    assert "loss" in report["metrics"]["test"]
    told = capsys.readouterr().err
    assert "dev loss" not in told
    assert "best so far" not in told


def test_a_count_that_leaves_no_word_is_in_the_report(lab: Lab, toy: Path, tmp_path: Path) -> None:
    report = lab.run(toy, ["features.0.min_count=10000", "train.epochs=1"], options(tmp_path / "run"))
    (notice,) = report["notices"]
    assert notice.startswith("min_count 10000 leaves none of the training split's ")


def test_text_in_another_normal_form_is_answered_alike(lab: Lab, toy: Path, tmp_path: Path) -> None:
    reports: dict[str, Any] = {}
    for form in ("NFC", "NFD"):
        for split in ("train", "dev", "test"):
            path = tmp_path / f"{split}.conllu"
            text = path.read_text() if form == "NFD" else accented(path.read_text())
            path.write_text(unicodedata.normalize(form, text))  # type: ignore[arg-type]
        reports[form] = lab.run(toy, ["train.epochs=2"], options(tmp_path / form))
    assert reports["NFD"]["metrics"] == reports["NFC"]["metrics"]
    tagger = lab.open(tmp_path / "NFC/model", device="cpu")
    assert lab.evaluate(tmp_path / "NFC/model", [tmp_path / "test.conllu"], device="cpu") == pytest.approx(
        reports["NFC"]["metrics"]["test"]
    )
    tokens = accented("la katos kuras .").split()
    spelt = [[unicodedata.normalize(form, token) for token in tokens] for form in ("NFC", "NFD")]  # type: ignore[arg-type]
    composed, decomposed = tagger.predict(spelt)
    assert composed.score == decomposed.score
    assert decomposed.tokens == tuple(spelt[1]), "what a user gave comes back as it was"


def accented(conllu: str) -> str:
    return (
        "\n".join(
            "\t".join([*cells[:1], cells[1].translate(ACCENTS), *cells[2:]]) if len(cells) > 1 else line
            for line in conllu.split("\n")
            for cells in [line.split("\t")]
        )
        if "\t" in conllu
        else conllu.translate(ACCENTS)
    )


def test_what_stands_in_train_too_is_counted(lab: Lab, toy: Path, tmp_path: Path) -> None:
    train, dev = (tmp_path / f"{split}.conllu" for split in ("train", "dev"))
    blocks = dict.fromkeys(block for block in train.read_text().split("\n\n") if block)
    copied = list(blocks)[:4]
    words = "".join(f"{number}\tmu\t_\tNOUN" + "\t_" * 6 + "\n" for number in (1, 2, 3))
    dev.write_text("\n\n".join([*copied, words.rstrip(), ""]) + "\n")
    report = lab.run(toy, ["train.epochs=1", "data.test=null"], options(tmp_path / "run"))
    assert report["also_in_train"] == {"dev": 4}


def test_on_error_skip_leaves_out_sentences_counted_and_listed(lab: Lab, toy: Path, tmp_path: Path) -> None:
    train = tmp_path / "train.conllu"
    rewritten(train, "1\tla\t", "1\t\t", 1)
    rewritten(train, "2\tkatos\t", "7\tkatos\t", 1)
    report = lab.run(toy, ["data.on_error=skip", "train.epochs=1"], options(tmp_path / "run"))
    (first, second) = report["skipped_examples"]["train"]
    assert "empty form; a word without characters cannot be read" in first + second
    assert "id 7 where 2 is expected" in first + second


class Numbers:
    """A plugin with a reader of lines of numbers; of odd ones the parity is missing."""

    def __init__(self, normalize: Callable[[Example], Any]) -> None:
        self.normalize = normalize

    @hookimpl
    def seqlab_register_readers(self) -> list[Component[Config]]:
        reader = self

        class Reader:
            suffixes = (".txt",)
            fields: Mapping[str, FieldKind] = {"tokens": "tokens", "parity": "labels"}

            def read(self, path: Path, *, labelled: bool = True) -> Iterator[Example]:
                for number, line in enumerate(path.read_text().splitlines(), 1):
                    labels = [None if int(token) % 2 else f"even{int(token) % 4}" for token in line.split()]
                    fields = {"tokens": line.split(), **({"parity": labels} if labelled else {})}
                    yield Example(fields, Place(str(path), number))

            def write(self, example: Example, answers: Mapping[str, Any]) -> str:
                return ""

            def normalize(self, example: Example) -> Any:
                return reader.normalize(example)

        return [Component(name="numbers", config=Config, build=lambda *_: Reader(), summary="numbers")]


def number_recipe(folder: Path) -> dict[str, Any]:
    (folder / "numbers.txt").write_text("1 2 3 4\n5 6 8\n" * 5)
    return {
        "data": {"reader": {"name": "numbers"}, "train": str(folder / "numbers.txt")},
        "features": [{"name": "one_hot"}],
        "encoder": {"name": "lstm", "hidden_size": 4},
        "head": {"name": "tagging"},
        "train": {"epochs": 1},
    }


def test_readers_of_plugins_may_lack_labels_too(tmp_path: Path) -> None:
    lab = Lab([Numbers(lambda example: example)], entry_points=False)
    report = lab.run(number_recipe(tmp_path), options=options(tmp_path / "run"))
    assert report["missing_labels"] == {"train": {"parity": 15}}


@pytest.mark.parametrize(
    ("normalize", "message"),
    [
        (lambda _: None, r"normalize.* returned None where an Example is expected"),
        (
            lambda example: replace(example, fields={**example.fields, "tokens": ["1"]}),
            r"returned 1 items in the field 'tokens', which had 4",
        ),
        (lambda example: replace(example, fields={}), r"returned an Example without the field 'tokens'"),
    ],
)
def test_a_normal_form_that_loses_something_is_a_fault_of_its_plugin(
    normalize: Callable[[Example], Any], message: str, tmp_path: Path
) -> None:
    lab = Lab([Numbers(normalize)], entry_points=False)
    with pytest.raises(PluginError, match=message):
        lab.run(number_recipe(tmp_path), options=options(tmp_path / "run"))


def test_on_error_skip_is_refused_of_a_reader_that_leaves_nothing_out(tmp_path: Path) -> None:
    recipe = number_recipe(tmp_path)
    recipe["data"]["on_error"] = "skip"
    lab = Lab([Numbers(lambda example: example)], entry_points=False)
    with pytest.raises(RecipeError, match=r"data.on_error: reader 'numbers' leaves out no single examples"):
        lab.check(recipe)

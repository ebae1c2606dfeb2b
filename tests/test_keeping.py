"""Components' own files travel in the package, each with its checksum, and nothing else is read there."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from toy_language import write_toy

from seqlab import Component, Lab, PackageError, PluginError, hookimpl
from seqlab.api import Config, HeadContext
from seqlab.builtin.text.heads.tagging import TaggingHead
from seqlab.engine.seeding import seeded
from seqlab.manifest import sealed
from seqlab.run import RunOptions


class Lexical(TaggingHead):
    """A tagger that keeps a lexicon beside its labels; it counts what it has read."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.lexicon: list[str] = []

    def fit(self, values: Iterable[Any]) -> None:
        """Learn the labels, and a word that needs no JSON."""
        super().fit(values)
        self.lexicon = ["dog", "cat"]

    def save(self, folder: Path) -> None:
        """Write the lexicon, in a folder of its own."""
        (folder / "words").mkdir()
        (folder / "words/lexicon.txt").write_text("\n".join(["dog", "cat"]))

    def load(self, folder: Path) -> None:
        """Read it."""
        self.lexicon = (folder / "words/lexicon.txt").read_text().split("\n")


class Plugin:
    """A plugin with that head."""

    @hookimpl
    def seqlab_register_heads(self) -> list[Component[Any]]:
        """Return it."""

        def build(config: Config, context: HeadContext) -> Lexical:
            return Lexical("upos")

        return [Component(name="lexical", config=Config, build=build, summary="with a lexicon")]


NAME = "components/heads.0/words/lexicon.txt"


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab([Plugin()], entry_points=False)


@pytest.fixture(scope="module")
def trained(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package whose head keeps a file."""
    folder = tmp_path_factory.mktemp("lexical")
    options = RunOptions(out=folder / "run", device="cpu", threads=1)
    lab.run(write_toy(folder), ["head=lexical", "train.epochs=1"], options)
    return folder / "run/model"


@pytest.fixture
def package(trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained, tmp_path / "model")


def test_files_come_back_to_the_component_that_wrote_them(lab: Lab, package: Path) -> None:
    opened = lab.open(package, device="cpu")
    head: Any = opened.assembly.heads["upos"]
    assert head.lexicon == ["dog", "cat"]
    files: Mapping[str, Any] = json.loads((package / "package.json").read_text())["files"]
    assert files[NAME]["bytes"] == len("dog\ncat")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_text("dog\ncats"), r"lexicon\.txt: damaged: sha256 is "),
        (lambda path: path.unlink(), r"lexicon\.txt: is missing$"),
        (
            lambda path: path.with_name("more.txt").write_text("x"),
            r"more\.txt: the manifest does not know this",
        ),
        (
            lambda path: (path.rename(path.with_name("moved")), path.symlink_to("moved")),
            r"lexicon\.txt: is no regular file$",
        ),
    ],
)
def test_what_is_damaged_missing_or_unknown_is_refused(
    lab: Lab, package: Path, damage: Any, message: str
) -> None:
    damage(package / NAME)
    with pytest.raises(PackageError, match=message):
        lab.open(package, device="cpu")


def test_neither_a_link_nor_a_fifo_is_given_to_a_component(lab: Lab, package: Path, tmp_path: Path) -> None:
    own = package / "components"
    os.mkfifo(own / "heads.0/pipe")
    with pytest.raises(PackageError, match=r"pipe: is no regular file$"):
        lab.open(package, device="cpu")
    (own / "heads.0/pipe").unlink()
    own.rename(tmp_path / "outside")
    own.symlink_to(tmp_path / "outside")
    with pytest.raises(PackageError, match=r"components: is no regular file$"):
        lab.open(package, device="cpu")


def test_a_name_that_leads_out_of_the_package_is_refused(lab: Lab, package: Path) -> None:
    path = package / "package.json"
    manifest = json.loads(path.read_text())
    manifest["files"]["components/../../secret"] = {"sha256": "0" * 64, "bytes": 1}
    path.write_text(json.dumps(sealed(manifest)))
    (package.parent / "secret").write_text("x")
    with pytest.raises(PackageError, match=r"secret: is missing$"):
        lab.open(package, device="cpu")


def test_a_component_that_cannot_read_its_files_is_named(lab: Lab, package: Path) -> None:
    class Broken(Plugin):
        @hookimpl
        def seqlab_register_heads(self) -> list[Component[Any]]:
            def build(config: Config, context: HeadContext) -> Lexical:
                head = Lexical("upos")
                head.load = lambda folder: {}[folder]  # type: ignore[method-assign,assignment]
                return head

            return [Component(name="lexical", config=Config, build=build, summary="broken")]

    with pytest.raises(PluginError, match=r"head 'lexical': load raised KeyError"):
        Lab([Broken()], entry_points=False).open(package, device="cpu")


def test_a_package_opens_while_another_thread_has_the_generators(lab: Lab, package: Path) -> None:
    opened = threading.Event()

    def open_it() -> None:
        lab.open(package, device="cpu")
        opened.set()

    with seeded(1):  # as a training does from its beginning to its end
        thread = threading.Thread(target=open_it, daemon=True)
        thread.start()
        assert opened.wait(timeout=60), "it waits for the training to end"
    thread.join()

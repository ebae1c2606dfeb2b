"""One whole run whose every part comes from a stranger's plugin: each hook is called, each part is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy_language import write_toy

from seqlab import Lab
from seqlab.api import Component, DataError, RunInfo, hookimpl
from seqlab.run import RunOptions

PARTS = (
    "data.reader={name: own, label: upos}",
    "features=[{name: own, embedding_dim: 4, min_count: 2}]",
    "encoder={name: own, hidden_size: 4}",
    "head=own",
    "metrics=[own]",
    "observers=[own]",
    "train.epochs=1",
)


class Stranger:
    """Registers built-in parts once more, named `own`, and notes in order what is built and what it sees."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def own(self, kind: str, name: str) -> list[Component[Any]]:
        part = Lab(entry_points=False).registry.get(kind, name)

        def build(config: Any, context: Any) -> Any:
            self.events.append(("built", kind))
            return part.build(config, context)

        return [replace(part, name="own", build=build)]

    @hookimpl
    def seqlab_register_readers(self) -> Iterable[Component[Any]]:
        return self.own("reader", "conllu")

    @hookimpl
    def seqlab_register_featurizers(self) -> Iterable[Component[Any]]:
        return self.own("featurizer", "embedding")

    @hookimpl
    def seqlab_register_encoders(self) -> Iterable[Component[Any]]:
        return self.own("encoder", "lstm")

    @hookimpl
    def seqlab_register_heads(self) -> Iterable[Component[Any]]:
        return self.own("head", "tagging")

    @hookimpl
    def seqlab_register_metrics(self) -> Iterable[Component[Any]]:
        return self.own("metric", "accuracy")

    @hookimpl
    def seqlab_register_observers(self) -> Iterable[Component[Any]]:
        return self.own("observer", "jsonl")

    @hookimpl
    def seqlab_run_started(self, run: RunInfo) -> None:
        self.events.append(("started", run, sorted(path.name for path in run.folder.glob("*.yaml"))))

    @hookimpl
    def seqlab_run_finished(
        self, run: RunInfo, report: Mapping[str, Any] | None, error: BaseException | None
    ) -> None:
        self.events.append(("finished", run, report, error))

    def run(self, recipe: Path, out: Path) -> dict[str, Any]:
        options = RunOptions(out=out, device="cpu", threads=1)
        return Lab(plugins=[self], entry_points=False).run(recipe, PARTS, options)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def stranger(recipe: Path) -> Stranger:
    stranger = Stranger()
    report = stranger.run(recipe, recipe.parent / "run")
    stranger.events.append(("returned", report))
    return stranger


def test_hook_register_readers(stranger: Stranger) -> None:
    assert ("built", "reader") in stranger.events


def test_hook_register_featurizers(stranger: Stranger) -> None:
    assert ("built", "featurizer") in stranger.events


def test_hook_register_encoders(stranger: Stranger) -> None:
    assert ("built", "encoder") in stranger.events


def test_hook_register_heads(stranger: Stranger) -> None:
    assert ("built", "head") in stranger.events


def test_hook_register_metrics(stranger: Stranger) -> None:
    assert ("built", "metric") in stranger.events


def test_hook_register_observers(stranger: Stranger) -> None:
    assert ("built", "observer") in stranger.events


def test_hook_run_started(stranger: Stranger, recipe: Path) -> None:
    """It comes first: the resolved recipe is there, and no part is built yet."""
    event, run, files = stranger.events[0]
    assert (event, run.name, run.folder, run.resumed) == ("started", "toy", recipe.parent / "run", False)
    assert run.recipe["encoder"]["name"] == "own"
    assert files == ["recipe.yaml"]


def test_hook_run_finished(stranger: Stranger) -> None:
    (finished, run, report, error), (_, returned) = stranger.events[-2:]
    assert (finished, run, error) == ("finished", stranger.events[0][1], None)
    assert report == returned
    assert report["metrics"]["dev"]


def test_hook_run_finished_is_told_the_error_of_a_failed_run(tmp_path: Path) -> None:
    recipe, stranger = write_toy(tmp_path), Stranger()
    (tmp_path / "train.conllu").write_text("1\tluma\n\n")
    with pytest.raises(DataError) as caught:
        stranger.run(recipe, tmp_path / "run")
    event, _, report, error = stranger.events[-1]
    assert (event, report) == ("finished", None)
    assert error is caught.value

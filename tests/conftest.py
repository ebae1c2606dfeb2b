"""The toy language of `toy.py`, a package trained on it, and the command line as a process.

Tests compute with one thread, as do the processes that they start: several workers of pytest-xdist share the
cores, and a result does not depend on how many there are.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported, which what follows does

from guarded import Guarded, guarding
from processes import Warm
from spoken_words import augmentation, write_spoken
from toy_language import write_toy
from toy_speech import write_toy_speech

import seqlab
from seqlab import Lab
from seqlab.augmentation import Augmentation
from seqlab.predict.predictor import Predictor

SOURCES = str(Path(seqlab.__file__).parents[1])

Command = Callable[..., "subprocess.CompletedProcess[bytes]"]

MOST_WORKERS = 8
"""How many workers `pytest -n auto` starts at most: each takes up to a gigabyte of memory."""


def pytest_configure() -> None:
    """Take back what a shell does to a command in the background: it makes it ignore Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # as nohup leaves it
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the number of workers that `-n auto` stands for."""
    return min(len(os.sched_getaffinity(0)), MOST_WORKERS)


@pytest.fixture(autouse=True, scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep what tests cache out of the user's own cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQLAB_CACHE", str(folder))
        yield folder


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A recipe of the toy language beside its data, in the test's own folder."""
    return write_toy(tmp_path)


@pytest.fixture
def lab() -> Lab:
    """A Lab with the built-in components only."""
    return Lab(entry_points=False)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a complete run of the toy recipe, for reading only."""
    from seqlab.run import RunOptions

    folder = tmp_path_factory.mktemp("toy")
    options = RunOptions(out=folder / "run", device="cpu", threads=1)
    Lab(entry_points=False).run(write_toy(folder), options=options)
    return folder / "run"


@pytest.fixture(scope="session")
def package(finished: Path) -> Path:
    """A trained package of the toy language, for reading only."""
    return finished / "model"


@pytest.fixture
def tagger(lab: Lab, package: Path) -> Predictor:
    return lab.open(package, device="cpu")


@pytest.fixture(scope="session")
def hearing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a complete run (`run`) of the recipe of toy speech, beside its data, for reading only."""
    from seqlab.run import RunOptions

    folder = tmp_path_factory.mktemp("speech")
    options = RunOptions(out=folder / "run", device="cpu", threads=1)
    Lab(entry_points=False).run(write_toy_speech(folder), options=options)
    return folder


@pytest.fixture
def recognizer(lab: Lab, hearing: Path) -> Predictor:
    return lab.open(hearing / "run/model", device="cpu")


@pytest.fixture(scope="session")
def seqlab_command() -> Command:
    """Run `python -m seqlab` in a process of its own, with a clean environment."""

    def run(*args: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
        names = ("PATH", "HOME", "LANG", "SEQLAB_CACHE", "OMP_NUM_THREADS")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        done: subprocess.CompletedProcess[bytes] = subprocess.run(
            [sys.executable, "-W", "error", "-m", "seqlab", *map(str, args)],
            capture_output="stdout" not in options,
            check=False,
            timeout=300,
            env=kept | {"PYTHONPATH": SOURCES, "SEQLAB_DISABLE_PLUGINS": "all"},
            **options,
        )
        return done

    return run


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """Start commands in warm processes; whatever is left of them ends with the tests."""
    warm = Warm(tmp_path_factory.mktemp("warm"))
    yield warm
    warm.end()


@pytest.fixture(scope="session")
def guarded() -> Iterator[Guarded]:
    """Open what a stranger brings in a process of its own."""
    with guarding() as guarded:
        yield guarded


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    """A recipe of spoken words beside its sound, in the test's own folder."""
    return write_spoken(tmp_path)


@pytest.fixture
def augment(spoken: Path) -> Callable[..., Augmentation]:
    """Make the augmentation of that recipe with overrides, by a Lab with plugins."""

    def made(*overrides: str, plugins: Iterable[object] = ()) -> Augmentation:
        return augmentation(Lab(plugins, entry_points=False), spoken, *overrides)

    return made

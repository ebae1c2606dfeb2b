"""Folders in which the blocks of a page run: recipes, data, and a tiny model where the page uses one."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import seqlab
from seqlab import Lab

PACKAGE = Path(seqlab.__file__).parent
ROOT = PACKAGE.parent
SAMPLES = PACKAGE / "builtin" / "text" / "samples" / "english"

TINY = ("train.epochs=1", "train.batch_tokens=1000")
"""Overrides with which a page's recipe trains in seconds."""

COMMAND = f"""#!/bin/sh
exec {shlex.quote(sys.executable)} -W error -m seqlab "$@"
"""

Folder = Callable[[str], Path]


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short run of recipes/pos.yaml."""
    from seqlab.run import RunOptions

    out = tmp_path_factory.mktemp("docs") / "pos"
    options = RunOptions(out=out, device="cpu", threads=1)
    Lab(entry_points=False).run(ROOT / "recipes" / "pos.yaml", TINY, options)
    return out


@pytest.fixture
def page_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Folder:
    """Make the folder for a page's text and work in it; the command `seqlab` is on the path."""

    def make(text: str) -> Path:
        shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
        shutil.copytree(SAMPLES, tmp_path / "data")
        shutil.copytree(SAMPLES, tmp_path / SAMPLES.relative_to(ROOT))
        command = tmp_path / "bin" / "seqlab"
        command.parent.mkdir()
        command.write_text(COMMAND)
        command.chmod(0o755)
        if "runs/pos" in text and "$ seqlab run recipes/pos.yaml\n" not in text:
            shutil.copytree(request.getfixturevalue("tiny_run"), tmp_path / "runs" / "pos")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        monkeypatch.setenv("SEQLAB_DISABLE_PLUGINS", "all")
        monkeypatch.setenv("SEQLAB_DATA", str(tmp_path / "data"))
        monkeypatch.setenv("SEQLAB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        return tmp_path

    return make

"""What importing seqlab costs and changes; each check runs in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import seqlab

LIGHT = """
import logging, os, signal, sys, warnings

def surroundings():
    return (dict(os.environ), os.getcwd(), list(sys.argv), list(warnings.filters), logging.root.level,
            list(logging.root.handlers), [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)])

before = surroundings()
import seqlab, seqlab.api, seqlab.errors, seqlab.lab, seqlab.plugin, seqlab.recipe, seqlab.settings
import seqlab.suggest, seqlab.cli.main
from seqlab import *
lab = Lab()
for name in ("reader", "featurizer", "augmenter", "encoder", "head", "metric", "observer"):
    assert lab.registry.names(name), name
heavy = {"torch", "numpy", "rich", "librosa", "torchaudio", "safetensors"} & set(sys.modules)
assert not heavy, heavy
assert surroundings() == before
"""

ENGINE = """
import sys, types
package = sys.modules["seqlab"] = types.ModuleType("seqlab")  # without what its __init__ imports
package.__path__ = [sys.argv[1]]
from seqlab.engine import SequenceModel, Trainer
above = {"pluggy", "yaml", "click", "rich", "seqlab.plugin", "seqlab.recipe", "seqlab.cli", "seqlab.lab"}
assert not above & set(sys.modules), above & set(sys.modules)
"""


def run(code: str) -> None:
    source = Path(seqlab.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, source / "seqlab"],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(source), "PATH": "", "SEQLAB_DISABLE_PLUGINS": "all"},
    )
    assert done.returncode == 0, done.stderr


def test_seqlab_and_its_lab_load_without_torch_and_change_nothing() -> None:
    run(LIGHT)


def test_the_engine_knows_nothing_of_what_stands_above_it() -> None:
    run(ENGINE)

"""What importing seqlab costs and changes; each check runs in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
import sys
from seqlab.engine import SequenceModel, Trainer
above = {"pluggy", "yaml", "click", "rich", "seqlab.plugin", "seqlab.recipe", "seqlab.cli", "seqlab.lab"}
assert not above & set(sys.modules), above & set(sys.modules)
"""


HELP = """
import sys
from seqlab.cli.main import main
code = main(sys.argv[1:])
heavy = {"pydantic", "yaml", "pluggy", "requests", "pooch", "rich", "numpy", "torch"} & set(sys.modules)
assert not code and not heavy, heavy
"""

CHECK = """
import sys
from seqlab.cli.main import main
from seqlab.settings import AdamW, TrainSettings
code = main(["check", sys.argv[1]])
heavy = {"requests", "pooch", "urllib3", "rich", "numpy", "torch", "tarfile", "http"} & set(sys.modules)
assert not code and not heavy, heavy
assert TrainSettings.__pydantic_complete__ and not AdamW.__pydantic_complete__, "no more than is used"
"""

MODULES = """
import sys, seqlab
assert seqlab.errors.SeqlabError is seqlab.SeqlabError
assert seqlab.lab.Lab is seqlab.Lab and seqlab.recipe.Recipe and seqlab.settings.Config
assert not hasattr(seqlab, "nothing") and not hasattr(seqlab, "_nothing")
assert "torch" not in sys.modules
"""

SHADOWS = ("click", "json", "numpy", "os", "pathlib", "pluggy", "pydantic", "typing", "yaml")


def run(code: str, *args: str) -> None:
    source = Path(seqlab.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *args],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(source), "PATH": "", "SEQLAB_DISABLE_PLUGINS": "all"},
    )
    assert done.returncode == 0, done.stderr


def test_seqlab_and_its_lab_load_without_torch_and_change_nothing() -> None:
    run(LIGHT)


def test_importing_seqlab_alone_loads_no_other_module_and_all_its_names_are_there_on_use() -> None:
    run(
        "import sys; before = set(sys.modules); import seqlab\n"
        "assert set(sys.modules) - before <= {'seqlab', '__future__'}, set(sys.modules)\n"
        "assert set(seqlab.__all__) <= set(dir(seqlab))\n"
        "assert all(getattr(seqlab, name).__module__ for name in seqlab.__all__)\n"
        "assert not hasattr(seqlab, 'Labs')"
    )


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["recipes", "list"]])
def test_what_needs_no_recipe_and_no_plugin_loads_neither(args: list[str]) -> None:
    run(HELP, *args)


def test_a_check_loads_and_builds_no_more_than_it_needs() -> None:
    run(CHECK, str(Path(__file__).parents[1] / "recipes/pos.yaml"))


def test_python_m_imports_nothing_from_the_current_folder(tmp_path: Path) -> None:
    for name in SHADOWS:
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name} of the current folder')")
    (tmp_path / "broken.yaml").write_text("name: x\n")
    for args, code in ((["--help"], 0), (["check", "broken.yaml"], 2), (["components", "encoder"], 0)):
        done = subprocess.run(
            [sys.executable, "-m", "seqlab", *args],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={"PYTHONPATH": str(Path(seqlab.__file__).parents[1]), "SEQLAB_DISABLE_PLUGINS": "all"},
        )
        assert done.returncode == code, done.stderr
        assert "of the current folder" not in done.stderr


def test_the_engine_knows_nothing_of_what_stands_above_it() -> None:
    run(ENGINE)


def test_modules_are_attributes_before_anything_imports_them() -> None:
    run(MODULES)

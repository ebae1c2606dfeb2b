"""The process of the command: Ctrl-C ends it without a word; garbage is looked for when it is at work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import seqlab

CODE = """\
import os, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored in the background of a shell
sys.argv = ["seqlab", *sys.argv[2:]]

class Interrupting:
    def __init__(self, name):
        self.name = name

    def find_spec(self, name, path=None, target=None):
        if name == self.name:
            os.kill(os.getpid(), signal.SIGINT)

from seqlab.__main__ import command

sys.meta_path.insert(0, Interrupting({name!r}))
command()
"""


@pytest.mark.parametrize(
    "name", ["seqlab.cli.main", "click", "pydantic", "pluggy", "yaml", "seqlab.lab", "torch", "numpy"]
)
def test_ctrl_c_while_a_module_is_imported_is_exit_code_130(name: str, toy: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE.replace("{name!r}", repr(name)), "-", "run", str(toy)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=toy.parent,
        env=os.environ
        | {"PYTHONPATH": str(Path(seqlab.__file__).parents[1]), "SEQLAB_DISABLE_PLUGINS": "all"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


COLLECTING = """
import gc
from seqlab.api import hookimpl

print("loaded", gc.isenabled())

def searched(*classes):
    return any(each in classes for each in gc.get_objects())

@hookimpl
def seqlab_recipe_checked():
    from seqlab.lab import Lab
    print("checked", gc.isenabled(), searched(Lab))

@hookimpl
def seqlab_run_started(run):
    from torch.nn import Module
    print("run", gc.isenabled(), searched(Module))
    raise SystemExit
"""


def test_garbage_is_not_looked_for_while_plugins_and_torch_are_imported(toy: Path) -> None:
    (toy.parent / "collecting.py").write_text(COLLECTING)
    command = [sys.executable, "-m", "seqlab", "run", str(toy), "--plugin", "collecting.py"]
    environment = os.environ | {"PYTHONPATH": str(Path(seqlab.__file__).parents[1])}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, cwd=toy.parent, env=environment
    )
    told = ["loaded False", "checked True False", "run True False"]
    assert done.stdout.splitlines() == told, done.stderr

"""Whatever strangers bring is refused in words or used: no traceback, no hang, bounded memory."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import fuzzing
import pytest

import seqlab

PEAK = 250
"""Most MiB that all inputs of a door may add to the process that opens them."""

HANG = 1800
"""Seconds after which a door counts as hung: many times what it needs on a slow machine."""

FEW = {"recipes": 100, "packages": 25, "treebanks": 400, "manifests": 200, "sounds": 200}
MANY = {"recipes": 3000, "packages": 400, "treebanks": 6000, "manifests": 3000, "sounds": 3000}
"""Inputs by door."""


def fed(door: str, seed: int, count: int, folder: Path) -> None:
    """Feed inputs in a process of its own; print their number, fail where one has a traceback."""
    done = subprocess.run(
        [sys.executable, fuzzing.__file__, door, str(seed), str(count), str(folder)],
        env=os.environ | {"PYTHONPATH": str(Path(seqlab.__file__).parents[1]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    ends = ", ".join(f"{number} {name or 'used'}" for name, number in report["ends"].items())
    print(f"{door}: {report['inputs']:,} inputs from seed {seed}: {ends}; {report['peak']} MiB")  # noqa: T201
    assert not report["faults"], json.dumps(report["faults"][:3], indent=1)
    assert report["peak"] < PEAK


@pytest.mark.parametrize("door", fuzzing.DOORS)
def test_mutated_inputs_are_used_or_refused_in_words(door: str, tmp_path: Path) -> None:
    fed(door, 0, FEW[door], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("door", fuzzing.DOORS)
def test_many_mutated_inputs_are_used_or_refused_in_words(door: str, tmp_path: Path) -> None:
    fed(door, 1_000_000, MANY[door], tmp_path)


@pytest.mark.parametrize("door", fuzzing.DOORS)
def test_a_seed_makes_the_same_input_again(
    door: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # fuzzing leaves it

    def made() -> dict[str, bytes]:
        fuzzing.DOORS[door](random.Random(f"{door} 7"), tmp_path)
        return {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    assert made() == made()

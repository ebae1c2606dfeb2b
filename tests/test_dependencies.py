"""What is required, what `constraints.txt` holds, and sound without torchaudio."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from seqlab.cli.remedies import TORCH_BESIDE

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]

SPEECH = (
    "audio",
    "builtin/speech/augmenters",
    "builtin/speech/featurizers",
    "builtin/speech/heads",
    "builtin/speech/test_fields.py",
    "cli/test_predict_sound.py",
    "predict/test_cutting.py",
    "predict/test_sources.py",
    "testing/test_augmenters.py",
    "testing/test_featurizers.py",
)
"""The tests of sound, which run again with torchaudio blocked."""


def required(*extras: str) -> Iterator[Requirement]:
    lists = (PROJECT["dependencies"], *(EXTRAS[extra] for extra in extras))
    return (Requirement(line) for lines in lists for line in lines)


def constrained() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pins}


def test_the_constraints_hold_every_requirement_at_a_version_within_its_range() -> None:
    pins = constrained()
    for requirement in required(*EXTRAS):
        version = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} is constrained to {version}"
    assert "seqlab" not in pins


def test_everyone_who_runs_seqlab_has_what_neither_torchaudio_nor_librosa_brings() -> None:
    names = {requirement.name for requirement in required(*(extra for extra in EXTRAS if extra != "dev"))}
    assert not names & {"torchaudio", "librosa", "numba", "scipy"}


def test_the_torchaudio_of_developers_imports_beside_every_torch_of_the_range() -> None:
    needs = {requirement.name: requirement.specifier for requirement in required("dev")}
    (torchaudio,) = needs["torchaudio"]
    assert torchaudio.operator == "=="
    tried = sorted({series for beside in TORCH_BESIDE.values() for series in beside}, key=Version)
    assert (
        tuple(series for series in tried if needs["torch"].contains(f"{series}.0"))
        == (TORCH_BESIDE[torchaudio.version])
    )


def test_installing_as_the_pages_say_uses_the_constraints() -> None:
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", ".ci/run")]
    pages += (ROOT / "docs/tutorial").glob("*.md")
    lines = [line for page in pages for line in page.read_text().splitlines() if "-e " in line]
    found = [line for line in lines if "pip install" in line and "freeze" not in line]
    assert len(found) >= 5
    assert not [line for line in found if "-c constraints.txt" not in line]


def test_the_torch_without_cuda_of_the_readme_is_that_of_the_constraints() -> None:
    (version,) = re.findall(r"pip install torch==(\S+)", (ROOT / "README.md").read_text())
    assert version == constrained()["torch"]


@pytest.mark.slow
def test_the_tests_of_sound_pass_without_torchaudio(tmp_path: Path) -> None:
    for name in ("torchaudio", "librosa"):
        (tmp_path / f"{name}.py").write_text(f"raise OSError('{name} is blocked')\n")
    paths = [str(ROOT / "tests" / path) for path in SPEECH]
    options = ["-q", "-rs", "-m", "not slow", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *paths],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    skipped = re.findall(r"^SKIPPED \[\d+\] \S+: (.*)$", done.stdout, re.MULTILINE)
    assert "torchaudio cannot be imported (OSError: torchaudio is blocked)" in skipped
    known = ("needs a CUDA device", "SEQLAB_DATA", "is blocked")
    assert not [reason for reason in skipped if not any(one in reason for one in known)]

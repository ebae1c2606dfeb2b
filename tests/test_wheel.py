"""A wheel is enough: built, installed into an environment of its own and used where no checkout is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import seqlab

ROOT = Path(__file__).parents[1]
PACKAGE = Path(seqlab.__file__).parent

Installed = Callable[..., str]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.iterdir()
    return built


def test_a_wheel_holds_the_package_with_samples_and_recipes_and_no_more(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    recipes = ROOT / "recipes"
    inside = {
        f"seqlab/builtin/recipes/{file.relative_to(recipes)}" for file in recipes.rglob("*") if file.is_file()
    }
    package = {
        str(file.relative_to(ROOT))
        for file in PACKAGE.rglob("*")
        if file.is_file() and file.suffix != ".pyc" and not file.is_relative_to(PACKAGE / "builtin/recipes")
    }
    assert names == package | inside


def test_an_sdist_holds_every_page_of_the_top_level_that_the_readme_links(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = tmp_path.iterdir()
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    linked = set(re.findall(r"\]\(([A-Z]+(?:\.md)?)\)", (ROOT / "README.md").read_text()))
    assert {"CONTRIBUTING.md", "SECURITY.md"} <= linked <= names


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Install the wheel beside the packages of this environment; run its commands in an empty folder."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv/bin"
    install = [programs / "python", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel]
    subprocess.run(install, check=True, capture_output=True)
    (site,) = (folder / "venv/lib").glob("python*/site-packages")
    # Without their .pth files, by which this environment knows the checkout.
    others = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (site / "others.pth").write_text("\n".join(others))
    work = folder / "work"
    work.mkdir()
    surroundings = {"PATH": f"{programs}:{os.defpath}", "HOME": str(folder), "OMP_NUM_THREADS": "1"}

    def run(line: str) -> str:
        done = subprocess.run(
            ["bash", "-c", line], cwd=work, env=surroundings, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    found = run("python -c 'import seqlab; print(seqlab.__file__)'")
    assert Path(found.strip()).is_relative_to(site), "it is the wheel that is tried"
    return run


@pytest.mark.slow
def test_the_main_job_prediction_and_doctor_run_from_a_wheel(installed: Installed) -> None:
    assert "long_lag_gru" in installed("seqlab recipes list")
    assert installed("seqlab recipes copy pos").splitlines()[-1] == "run it: seqlab run pos.yaml"
    short = "train.epochs=2 --device cpu --threads 1"
    assert "model: runs/pos/model" in installed(f"seqlab run pos.yaml {short}")
    rows = installed('echo "The dog barks" | seqlab predict runs/pos/model -').splitlines()
    assert [row.split("\t")[0] for row in rows] == ["The", "dog", "barks", ""]
    assert "BROKEN" not in installed("seqlab doctor")


@pytest.mark.slow
def test_a_recipe_with_data_beside_it_runs_from_a_wheel(installed: Installed) -> None:
    installed("seqlab recipes copy long_lag_gru --to lags")
    short = "train.epochs=1 train.batch_tokens=20000 observers=[] --device cpu --threads 1"
    assert "model: runs/long_lag_gru/model" in installed(f"seqlab run lags/long_lag_gru.yaml {short}")

"""The example plugin as its users meet it: installed by pip, used by the command line, then missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "plugins" / "seqlab-window"
RECIPE = PLUGIN / "window.yaml"
VERSION = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]["version"]


def python(
    *args: str | Path, path: tuple[Path, ...] = (), stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python with the sources of seqlab on its path; plugins are those in the folders `path` alone."""
    here = {
        "PYTHONPATH": os.pathsep.join(map(str, (*path, ROOT))),
        "SEQLAB_DISABLE_PLUGINS": "" if path else "all",
    }
    return subprocess.run(
        [sys.executable, *map(str, args)],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | here | environment,
    )


def seqlab(*args: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return python("-W", "error", "-m", "seqlab", *args, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that pip has installed the plugin into."""
    target = tmp_path_factory.mktemp("site")
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")
    done = python(*pip, "--no-build-isolation", "--target", target, PLUGIN)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="module")
def model(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the plugin's own recipe, trained for one epoch."""
    run = tmp_path_factory.mktemp("runs") / "window"
    done = seqlab("run", RECIPE, "train.epochs=1", "--out", run, "--threads", "1", path=(site,))
    assert done.returncode == 0, done.stderr
    return run / "model"


def test_pip_brings_it_into_the_list_of_plugins(site: Path) -> None:
    done = seqlab("plugins", path=(site,))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"\nwindow (seqlab-window {VERSION}, entry point)\n  encoders: window\n" in done.stdout


def test_disabled_it_is_left_out(site: Path) -> None:
    done = seqlab("plugins", path=(site,), SEQLAB_DISABLE_PLUGINS="window")
    assert (done.returncode, done.stderr) == (0, "")
    assert "seqlab-window" not in done.stdout
    assert done.stdout.endswith("\ndisabled: window\n")


def test_its_keys_are_documented(site: Path) -> None:
    done = seqlab("components", "encoder", "window", "--json", path=(site,))
    keys = {key["key"]: key for key in json.loads(done.stdout)["keys"]}
    assert list(keys) == ["size", "hidden_size"]
    assert (keys["size"]["type"], keys["size"]["default"]) == ("integer >= 0", 2)
    assert all(key["documentation"] for key in keys.values())


def test_reading_its_recipe_imports_neither_torch_nor_numpy(site: Path) -> None:
    code = f"""
import sys
from seqlab.cli.main import main
assert main(["check", {str(RECIPE)!r}]) == 0
print(sorted({{"torch", "numpy"}} & set(sys.modules)))
"""
    done = python("-c", code, path=(site,))
    assert done.stdout == f"{RECIPE}: no problems\n[]\n", done.stderr


def test_without_it_its_recipe_says_what_to_install() -> None:
    done = seqlab("check", RECIPE)
    assert done.returncode == 2
    first = done.stderr.splitlines()[0]
    claim = "the recipe says that it needs a plugin of seqlab-window, and none is loaded"
    advice = "check that you trust it before you install it: pip install seqlab-window"
    assert first == f"{RECIPE}:3:12: requires.0: {claim} (see: seqlab plugins); {advice}"


def test_its_model_predicts(site: Path, model: Path) -> None:
    done = seqlab("predict", model, "-", path=(site,), stdin="The dog barks\n")
    assert done.returncode == 0, done.stderr
    assert [line.split("\t")[0] for line in done.stdout.splitlines() if line] == ["The", "dog", "barks"]


def test_without_it_its_model_names_the_missing_plugin(model: Path) -> None:
    done = seqlab("predict", model, "-", stdin="The dog barks\n")
    assert (done.returncode, done.stdout) == (5, "")
    claim = "it says that it needs plugins that are not loaded: seqlab-window"
    advice = "check that you trust them before you install them"
    assert done.stderr.startswith(f"error: {model}: {claim}; {advice}; ")


@pytest.mark.slow
def test_its_own_tests_pass(site: Path) -> None:
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", PLUGIN / "tests", path=(site,))
    assert done.returncode == 0, done.stdout + done.stderr

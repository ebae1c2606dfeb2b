"""The generated pages are up to date, and the check would notice if they were not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from seqlab.recipe.schema import DATA_KEYS, RECIPE_KEYS

ROOT = Path(__file__).parents[2]


def generate(docs: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, docs / "generate.py", *options],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def test_the_pages_are_up_to_date() -> None:
    done = generate(ROOT / "docs", "--check")
    assert done.returncode == 0, done.stderr


def test_a_changed_and_a_missing_page_are_named_and_written_again(tmp_path: Path) -> None:
    docs = shutil.copytree(ROOT / "docs", tmp_path / "docs")
    assert generate(docs).returncode == 0
    changed, missing = docs / "reference" / "settings.md", docs / "reference" / "cli.md"
    before = changed.read_text()
    changed.write_text(before.replace("`epochs`", "`epoch`"))
    missing.unlink()
    done = generate(docs, "--check")
    assert done.returncode == 1
    assert [line.partition(" ")[0] for line in done.stderr.splitlines()] == [
        "docs/reference/cli.md",
        "docs/reference/settings.md",
    ]
    assert not missing.exists()
    assert generate(docs).returncode == 0
    assert changed.read_text() == before
    assert generate(docs, "--check").returncode == 0


def test_the_page_on_recipes_has_a_row_for_every_key() -> None:
    page = (ROOT / "docs" / "reference" / "recipe.md").read_text()
    for key in [*RECIPE_KEYS, *(f"data.{key}" for key in DATA_KEYS)]:
        assert f"\n| `{key}` |" in page

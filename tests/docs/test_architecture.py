"""The page of the architecture shows the layers that `lint-imports` holds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def contract() -> list[set[str]]:
    """Return the modules of each layer, from the top down."""
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    layers = next(each["layers"] for each in tool["importlinter"]["contracts"] if each["type"] == "layers")
    return [{module.strip().removeprefix("seqlab.") for module in layer.split("|")} for layer in layers]


def test_the_page_shows_the_layers_of_the_contract() -> None:
    page = (ROOT / "docs/explanation/architecture.md").read_text()
    block = page.partition("```text\n")[2].partition("```")[0]
    # A line that begins with `|` goes on with the layer of the line above.
    columns = re.split(r"\n(?!\|)", "\n".join(re.split(r"\s{2,}", line)[0] for line in block.splitlines()))
    shown = [{module.strip() for module in layer.removeprefix("seqlab.").split("|")} for layer in columns]
    assert shown == contract()

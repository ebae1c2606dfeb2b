"""Every block of README.md and docs/ that is code runs, and prints what the page says that it prints.

    python      runs; the blocks of a page share their names
    sh          runs with bash and must succeed
    console     `$ ` lines run with bash; the other lines are their output, `...` stands for anything
    yaml        passes `seqlab check`: a whole recipe as it is, a part of one laid over recipes/pos.yaml,
                or over the one that `<!-- part of FILE -->` names on the line before
    cpp         stands in the sources of the native loops, line by line

A block with a title is written to a file of that name for those below it. `<!-- no-run -->` on the line
before leaves a block out, as does `<!-- run: NAME -->`, which marks what installs seqlab. The models here are
tiny, so figures and labels in the output of commands that use one are not compared.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from seqlab import Lab
from seqlab.engine.device import threads
from seqlab.recipe import dump_recipe, load_plain

ROOT = Path(__file__).parents[2]
ELSEWHERE = ("docs/how-to/write-a-plugin.md", "docs/reference/hooks.md")
"""Pages with tests of their own."""
PAGES = sorted(
    name
    for file in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    if (name := str(file.relative_to(ROOT))) not in ELSEWHERE
)

FENCE = re.compile(r"(?:^<!-- (?P<mark>[^\n]*) -->\n)?^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.M | re.S)
TITLE = re.compile(r'title="([^"]*)"')
USES_A_MODEL = re.compile(r"seqlab (run|evaluate|predict)")
VARYING = re.compile(r"\b\d[\d,.]*\b|\b[A-Z]+\b")
"""Figures and part-of-speech tags."""

TRAINING = re.compile(r"(seqlab run (?!\S*broken)\S+\.yaml)(?P<rest>[^\n|;]*)")
TINY = " train.epochs=1 train.batch_tokens=1000"


def test_the_c_of_a_page_is_that_of_the_sources() -> None:
    """Line by line; how far a line is indented does not matter."""
    sources = "".join(file.read_text() for file in (ROOT / "seqlab/engine/recurrent/native/src").glob("*.*"))
    lines = {line.strip() for line in sources.splitlines()}
    page = (ROOT / "docs/explanation/native-loops.md").read_text()
    blocks = [found["text"] for found in FENCE.finditer(page) if found["info"] == "cpp"]
    assert len(blocks) == 3
    assert {line.strip() for block in blocks for line in block.splitlines()} <= lines


def trains(page: str) -> bool:
    return TRAINING.search((ROOT / page).read_text()) is not None


RUN = [pytest.param(page, marks=[pytest.mark.slow] if trains(page) else []) for page in PAGES]
"""Pages that train take 20 to 110 seconds each."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, title and mark (empty where there is none), and the line of its text."""

    language: str
    title: str
    mark: str
    line: int
    text: str


def blocks_of(page: str) -> Iterator[Block]:
    for found in FENCE.finditer(page):
        language, _, rest = found["info"].partition(" ")
        title = TITLE.search(rest)
        line = page.count("\n", 0, found.start("text")) + 1
        yield Block(language, title[1] if title else "", found["mark"] or "", line, found["text"])


def run_python(block: Block, page: str, names: dict[str, Any]) -> None:
    code = "\n" * (block.line - 1) + block.text
    exec(compile(code, page, "exec"), names)


def run_shell(block: Block, page: str) -> None:
    bash(TRAINING.sub(lambda found: found[1] + found["rest"] + TINY, block.text), f"{page}:{block.line}", 0)


def run_console(block: Block, page: str) -> None:
    lines = block.text.splitlines()
    commands = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    expected = "\n".join(line for line in lines if not line.startswith("$ "))
    script = TRAINING.sub(lambda found: found[1] + found["rest"] + TINY, "\n".join(commands))
    output = bash(script, f"{page}:{block.line}", None)
    if USES_A_MODEL.search(script) and not expected.startswith("error: "):
        output, expected = VARYING.sub("#", output), VARYING.sub("#", expected)
    assert matches(expected, output), f"{page}:{block.line}: prints\n{output}"


def matches(expected: str, output: str) -> bool:
    """Compare outputs; `...` in the expected one stands for any text; alone on a line, also for no line."""
    pattern = re.escape(expected.strip() + "\n")
    pattern = re.sub(r"^\\\.\\\.\\\.\\\n", "(?:.*\n)?", pattern, flags=re.M)
    pattern = pattern.replace(r"\.\.\.", ".*")
    return re.fullmatch(pattern, output.strip() + "\n", re.S) is not None


def run_yaml(block: Block, page: str) -> None:
    file = Path(f"block-{block.line}.yaml")
    file.write_text(block.text)
    recipe = load_plain(file)
    if not {"data", "features", "encoder", "head"} <= recipe.keys() and "extends" not in recipe:
        whole = block.mark.removeprefix("part of ") or "recipes/pos.yaml"
        file.write_text(dump_recipe({"extends": whole, **recipe}))
    Lab(entry_points=False).check(file)


def bash(script: str, place: str, status: int | None) -> str:
    """Return what a script prints on both streams; check its exit status, if one is given."""
    done = subprocess.run(
        ["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert status is None or done.returncode == status, (
        f"{place}: exit status {done.returncode}\n{done.stdout}"
    )
    return done.stdout


@pytest.mark.parametrize("page", RUN)
def test_the_blocks_of_a_page_run(page: str, page_folder: Callable[[str], Path]) -> None:
    text = (ROOT / page).read_text()
    names: dict[str, Any] = {"__name__": "__main__"}
    folder = page_folder(text) if FENCE.search(text) else ROOT
    with torch.random.fork_rng(), threads(1):
        for block in blocks_of(text):
            if block.title:
                folder.joinpath(block.title).write_text(block.text)
            if block.mark == "no-run" or block.mark.startswith("run: ") or block.title.endswith(".py"):
                continue
            if block.language == "python":
                run_python(block, page, names)
            elif block.language == "sh":
                run_shell(block, page)
            elif block.language == "console":
                run_console(block, page)
            elif block.language == "yaml" and "broken" not in block.title:
                run_yaml(block, page)
            else:
                assert block.language in ("text", "yaml", "cpp"), (
                    f"{page}:{block.line}: no way to run {block.language!r}"
                )


def test_the_readme_shows_the_recipe_as_it_is() -> None:
    recipe = (ROOT / "recipes" / "pos.yaml").read_text()
    shown = next(
        block.text for block in blocks_of((ROOT / "README.md").read_text()) if block.language == "yaml"
    )
    assert shown == re.sub("^#.*\n", "", recipe, flags=re.M)


def test_what_a_page_prints_is_compared() -> None:
    assert matches("a\n...\nb\n", "a\nb\n")
    assert matches("a\n...\nb ... c\n", "a\nx\ny\nb 1 c\n")
    assert not matches("a\n...\nb\n", "a\nx\nc\n")
    assert not matches("a.b\n", "a+b\n")


@pytest.mark.parametrize("page", PAGES)
def test_every_fence_of_a_page_is_read(page: str) -> None:
    text = (ROOT / page).read_text()
    assert len(re.findall("^```", text, re.M)) == 2 * len(list(blocks_of(text)))
    assert not re.search("^ +```", text, re.M), "an indented fence is not found"

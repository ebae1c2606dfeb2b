"""The framework names no task and no kind of data: what is said of one is said in its component."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import seqlab

ROOT = Path(seqlab.__file__).parent

FRAMEWORK = (
    "assembly.py",
    "augmentation.py",
    "building.py",
    "chain.py",
    "figures.py",
    "keeping.py",
    "lab.py",
    "measuring.py",
    "overlap.py",
    "package.py",
    "run.py",
    "scoring.py",
    "cli",
    "engine",
    "predict",
    "testing",
)

WORDS = re.compile(
    r"tagg(er|ing)|\btags?\b|_tags?\b|speech|sounds?\b|(?<!torch)audio|transcri|recogni[sz]|utterance|speaker|sentence|"
    r"token|label|\bwords?\b|_words?\b|conllu|\bwer\b|\bctc\b",
    re.IGNORECASE,
)
"""What tasks and kinds of data are called."""

ALLOWED = {
    "batch_tokens": "a setting of training that recipes have had from the beginning: rows of a batch",
    "tokens": "rows of a budget, and of the progress that checkpoints hold",
    "tokens_per_second": "a key of reports and of metrics.jsonl",
    "total_tokens": "a key of checkpoints",
    "missing_labels": "a key of reports",
    "tag": "of a wheel: what it can be installed on",
    "unseen_labels": "a key of reports",
    "labelled": "data with the answers that people gave, of whatever kind",
    "token_hex": "a function of Python's",
    "seqlab.builtin.speech.plugin": "the composition root says what seqlab ships",
}
"""Names that stay, and why."""


def sources() -> Iterator[Path]:
    for name in FRAMEWORK:
        path = ROOT / name
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def named(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the identifiers and the strings of a file, docstrings left out, with their lines."""
    tree = ast.parse(path.read_text())
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.alias(name=name):
                yield line, name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.keyword(arg=str(name)):
                yield line, name
            case ast.Constant(value=str(text)) if id(node) not in prose:
                yield line, text
            case _:
                pass


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_framework_names_no_task(path: Path) -> None:
    found = [(line, name) for line, name in named(path) if WORDS.search(name) and name not in ALLOWED]
    assert not found

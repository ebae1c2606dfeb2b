"""Files stay short enough to be read, functions short enough to be seen whole."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import seqlab

ROOT = Path(seqlab.__file__).parent
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
LONG_FUNCTIONS: frozenset[str] = frozenset()
"""Functions (`path:name`) that may be longer; every entry needs its reason beside it."""

SOURCES = sorted(ROOT.rglob("*.py"))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno
            yield f"{path.relative_to(ROOT)}:{node.name}", node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_and_no_function_is_too_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_FILE_LINES
    assert {name for name, lines in functions(path) if lines > MAX_FUNCTION_LINES} <= LONG_FUNCTIONS


def test_every_exception_is_needed() -> None:
    lengths = dict(pair for path in SOURCES for pair in functions(path))
    assert all(lengths[name] > MAX_FUNCTION_LINES for name in LONG_FUNCTIONS)

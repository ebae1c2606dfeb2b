"""Every hook has a heading with its exact signature and docstring, and a test of its own."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from seqlab.plugin import hookspecs

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "hooks.md").read_text()
# Read from the source: at run time an annotation of a signature would be a string in quotes.
HOOKS = {
    node.name: node
    for node in ast.parse(Path(hookspecs.__file__).read_text()).body
    if isinstance(node, ast.FunctionDef)
}


def sections() -> dict[str, str]:
    """Return the text under each heading."""
    parts = re.split(r"^#+ (.+)$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_headings_are_the_hooks() -> None:
    assert HOOKS
    assert sorted(name for name in sections() if name.startswith("seqlab_")) == sorted(HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_the_section_holds_signature_and_docstring(name: str) -> None:
    hook = HOOKS[name]
    assert hook.returns
    signature = f"def {name}({ast.unparse(hook.args)}) -> {ast.unparse(hook.returns)}"
    assert sections()[name].startswith(f"\n\n```python\n{signature}\n```\n\n{ast.get_docstring(hook)}\n")


@pytest.mark.parametrize("name", HOOKS)
def test_the_hook_has_a_test_of_its_own(name: str) -> None:
    wanted = f"def test_hook_{name.removeprefix('seqlab_')}("
    assert any(wanted in file.read_text() for file in (ROOT / "tests").rglob("test_*.py")), wanted

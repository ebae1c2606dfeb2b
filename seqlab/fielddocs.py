"""The strings below the fields of a settings class, which document them, read from the source on demand.

pydantic can read them, too (`use_attribute_docstrings`), but does so when a class is defined: a fifth of the
time that `seqlab check` takes, for texts that it does not show.
"""

from __future__ import annotations

import ast
import functools
import inspect

__all__ = ["field_docs"]


@functools.cache
def field_docs(cls: type) -> dict[str, str]:
    """Return the documentation of the fields that a class itself defines; nothing where it has no source."""
    try:
        source = inspect.getsource(cls)
    except (OSError, TypeError):
        return {}
    # A class within a function is indented; dedenting it would change the strings.
    tree = ast.parse(f"if True:\n{source}" if source[0].isspace() else source)
    node = next(each for each in ast.walk(tree) if isinstance(each, ast.ClassDef))
    pairs = zip(node.body, node.body[1:], strict=False)
    found = {_name(field): _text(below) for field, below in pairs}
    return {name: text for name, text in found.items() if name and text}


def _name(node: ast.stmt) -> str:
    """Return the name that an annotated assignment defines, empty for every other statement."""
    return node.target.id if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) else ""


def _text(node: ast.stmt) -> str:
    """Return a string that stands alone, without the indentation of its lines; empty for everything else."""
    value = node.value if isinstance(node, ast.Expr) else None
    alone = isinstance(value, ast.Constant) and isinstance(value.value, str)
    return inspect.cleandoc(value.value) if alone else ""  # type: ignore[union-attr]

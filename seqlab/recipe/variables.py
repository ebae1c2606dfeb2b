"""Environment variables in a recipe: what they stand for is used, and told to nobody."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from seqlab.errors import Place, Problem, SeqlabError
from seqlab.filepath import VARIABLE, as_written
from seqlab.recipe.tree import Node

__all__ = ["paths_as_written", "variables_of"]

LOGGER = "seqlab"
"""The logger above those of all modules."""


def variables_of(root: Node) -> frozenset[str]:
    """Return the names of the environment variables that the strings of a recipe hold as `${NAME}`."""
    names: set[str] = set()
    waiting, seen = [root], {id(root)}  # an alias stands for one node in many places
    while waiting:
        content = waiting.pop().content
        if isinstance(content, str):
            names.update(VARIABLE.findall(content))
        inner = content.values() if isinstance(content, dict) else content
        for child in inner if isinstance(inner, Iterable) and not isinstance(inner, str) else ():
            if id(child) not in seen:
                seen.add(id(child))
                waiting.append(child)
    return frozenset(names)


@contextmanager
def paths_as_written(variables: Collection[str]) -> Iterator[None]:
    """Show paths in errors, and in what seqlab logs, as the recipe says them: `${NAME}` for a value."""

    def rewrite(record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except Exception:  # a call that does not fit its own message: the handler tells that, and goes on
            return True
        record.msg, record.args = as_written(message, variables), ()
        return True

    handlers = tuple(logging.getLogger(LOGGER).handlers)
    for handler in handlers:
        handler.addFilter(rewrite)
    try:
        yield
    except SeqlabError as error:
        # In place, so that cause, notes and traceback stay with it.
        error.args = _as_written(error.args, variables)
        vars(error).update({name: _as_written(value, variables) for name, value in vars(error).items()})
        raise
    finally:
        for handler in handlers:
            handler.removeFilter(rewrite)


def _as_written(value: Any, variables: Collection[str]) -> Any:
    """Return what an error holds with paths as written: text, places, problems, and lists of these."""
    if isinstance(value, str):
        return as_written(value, variables)
    if isinstance(value, Place):
        return replace(value, file=as_written(value.file, variables))
    if isinstance(value, Problem):
        place = _as_written(value.place, variables)
        return replace(value, place=place, message=as_written(value.message, variables))
    if type(value) in (list, tuple):
        return type(value)(_as_written(each, variables) for each in value)
    return value

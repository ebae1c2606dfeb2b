"""Environment variables in a recipe: what they stand for is used, and told to nobody."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from seqlab.errors import DataError, Problem, RecipeError, SeqlabError
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
        record.msg, record.args = as_written(record.getMessage(), variables), ()
        return True

    handlers = tuple(logging.getLogger(LOGGER).handlers)
    for handler in handlers:
        handler.addFilter(rewrite)
    try:
        yield
    except RecipeError as error:
        if not variables:
            raise
        raise RecipeError([_as_written(problem, variables) for problem in error.problems]) from None
    except SeqlabError as error:
        error.args = tuple(as_written(str(part), variables) for part in error.args)
        if isinstance(error, DataError) and error.place:
            error.place = replace(error.place, file=as_written(error.place.file, variables))
        raise
    finally:
        for handler in handlers:
            handler.removeFilter(rewrite)


def _as_written(problem: Problem, variables: Collection[str]) -> Problem:
    place = replace(problem.place, file=as_written(problem.place.file, variables))
    return replace(problem, place=place, message=as_written(problem.message, variables))

"""Paths in the settings of components: a type of their own, so that recipes know them among other strings."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from seqlab.errors import SeqlabError

__all__ = ["VARIABLE", "FilePath", "as_written", "data_as_written", "expand"]

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class FilePath(str):
    """The path of a file or a folder, as the type of a setting.

    In a recipe a relative one starts from the folder of the recipe, which is made part of it when the recipe
    is read, and it must be there before anything runs; elsewhere it starts from the current folder. `${NAME}`
    stands for an environment variable.
    """

    __slots__ = ()

    @property
    def local(self) -> Path:
        """The path with its variables replaced; SeqlabError where one is unset or empty."""
        try:
            return Path(expand(self))
        except ValueError as error:
            raise SeqlabError(f"{str(self)!r}: {error}") from error

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Say how pydantic validates and writes it: as a string that is not empty."""
        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.str_schema(strict=True, min_length=1),
            # YAML knows strings and no classes of them.
            serialization=core_schema.plain_serializer_function_ser_schema(str.__str__),
        )


def expand(text: str, *, pattern: bool = False) -> str:
    """Put environment variables in for `${NAME}`; ValueError where one is unset or empty.

    In a `pattern` their values are escaped: only what the recipe itself says is a glob.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in os.environ:
            hint = f"set it to the path meant, e.g. export {name}=/path/to/folder"
            raise ValueError(f"environment variable {name} is not set; {hint}")
        if not os.environ[name]:
            raise ValueError(f"environment variable {name} is empty; set it to the path meant")
        return glob.escape(os.environ[name]) if pattern else os.environ[name]

    return VARIABLE.sub(value, text)


def as_written(text: str, names: Iterable[str]) -> str:
    """Put `${NAME}` back in for the values of environment variables, where they are whole parts of a path.

    A relative value may be any word: it is only taken for one where a path begins with it, the current folder
    before it or not.
    So a message and a file that is shared say what the recipe says: the value may be nobody else's business.
    """
    values = {os.environ.get(name, "").rstrip("/"): name for name in sorted(names)}
    for value in sorted(values, key=len, reverse=True):
        if value:
            part = re.escape(value)
            if value[0] == "/":
                whole = rf"(?<![\w.-]){part}(?![\w.-])"
            else:
                here = re.escape(os.path.join(os.getcwd(), value))  # noqa: PTH109, PTH118 - text, not a path
                whole = rf"(?<![\w./}}-])(?:{here}(?![\w.-])|{part}(?=/))"
            text = re.sub(whole, f"${{{values[value]}}}", text)
    return text


def data_as_written(data: Any, names: Iterable[str]) -> Any:
    """Return plain JSON data with every string, keys included, `as_written`."""
    if isinstance(data, str):
        return as_written(data, names)
    if isinstance(data, Mapping):
        return {data_as_written(key, names): data_as_written(value, names) for key, value in data.items()}
    return [data_as_written(each, names) for each in data] if isinstance(data, list | tuple) else data

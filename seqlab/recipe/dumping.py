"""Plain data as YAML that this reader, and those of YAML 1.1, read back identically."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import yaml

from seqlab.recipe.composing import CORE_TAG
from seqlab.recipe.scalars import plain_scalar

__all__ = ["dump_recipe"]

LINE_BREAK = re.compile(r"[\n\r\x85\u2028\u2029]")


class _Dumper(yaml.SafeDumper):
    """Quotes every string that this reader, or one of YAML 1.1, would take for something else."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> Any:
        """Return the tag an unquoted scalar would get; one that is not a string's makes a string quoted."""
        tag = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]
        if kind is yaml.ScalarNode and implicit[0] and tag == CORE_TAG + "str":
            return tag if isinstance(plain_scalar(value), str) else CORE_TAG + "float"
        return tag

    def represent_scalar(self, tag: str, value: Any, style: str | None = None) -> yaml.ScalarNode:
        """Escape every line break: PyYAML folds U+0085 and its like when they stand in other quotes."""
        return super().represent_scalar(tag, value, '"' if LINE_BREAK.search(value) else style)

    def ignore_aliases(self, data: Any) -> bool:
        """Write every value out where it stands."""
        return True


def dump_recipe(data: Mapping[str, Any]) -> str:
    """Write plain data as block-style YAML, keys in their order; reading it gives the same data back."""
    text = yaml.dump(
        dict(data),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=math.inf,
    )
    return str(text)

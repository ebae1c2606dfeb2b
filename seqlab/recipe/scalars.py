"""What an unquoted scalar means by the core schema of YAML 1.2, and which scalars no recipe may hold."""

from __future__ import annotations

import math
import re

from seqlab.recipe.tree import Scalar

__all__ = ["plain_scalar", "unfit"]

MAX_DIGITS = 100
"""Longest integer, in whatever base: more than any setting means, far from the 4300 digits of Python."""

LONGEST = 400
"""Longest integer that is converted: MAX_DIGITS in base 8 and then some."""

TOO_LARGE: int = 10**MAX_DIGITS
"""Stands for every longer one; `unfit` refuses it as it does them."""

NULL = re.compile(r"null|Null|NULL|~|")
TRUE = re.compile(r"true|True|TRUE")
FALSE = re.compile(r"false|False|FALSE")
INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
INFINITY = re.compile(r"([-+]?)(\.inf|\.Inf|\.INF)")
NAN = re.compile(r"\.nan|\.NaN|\.NAN")
SURROGATE = re.compile(r"[\ud800-\udfff]")


def plain_scalar(text: str) -> Scalar:
    """Resolve an unquoted scalar by the core schema of YAML 1.2; whatever is nothing else is a string."""
    if NULL.fullmatch(text):
        return None
    if TRUE.fullmatch(text) or FALSE.fullmatch(text):
        return text.lower() == "true"
    if INTEGER.fullmatch(text):
        if len(text) > LONGEST:
            return TOO_LARGE
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if FLOAT.fullmatch(text):
        return float(text)
    if match := INFINITY.fullmatch(text):
        return -math.inf if match[1] == "-" else math.inf
    return math.nan if NAN.fullmatch(text) else text


def unfit(value: Scalar, text: str) -> str:
    """Say why no recipe may hold this scalar, which was written as `text`; empty where it may.

    A long integer cannot be written in decimals again, a lone surrogate not in any encoding.
    """
    if isinstance(value, str):
        found = SURROGATE.search(value)
        return f"the string holds U+{ord(found[0]):04X}, half of a character" if found else ""
    if isinstance(value, int) and not -(10**MAX_DIGITS) < value < 10**MAX_DIGITS:
        return f"the number is too large; an integer has at most {MAX_DIGITS} digits"
    if isinstance(value, float) and math.isinf(value) and FLOAT.fullmatch(text):
        return f"the number is too large; at most 1.8e308, or {'-' if value < 0 else ''}.inf"
    return ""

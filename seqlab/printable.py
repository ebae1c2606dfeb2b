"""Text of strangers made fit for a terminal, which would obey the control characters in it."""

from __future__ import annotations

import re

__all__ = ["printable"]

CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but for tab and line feed, delete, C1
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks and overrides of the direction of writing
    r"\u2028\u2029"  # separators, at which some terminals break the line
    r"\ud800-\udfff]"  # lone surrogates, which no encoding has: bytes of a name that is not UTF-8
)


def printable(text: str) -> str:
    r"""Return a text with `\u001b` for ESC, and so on: it can no longer move, colour or hide anything.

    These are also the escapes of JSON: a JSON text stays one, and means the same.
    """
    return CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)

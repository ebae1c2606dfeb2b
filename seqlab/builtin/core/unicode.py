"""The normal forms of Unicode."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["UnicodeForm"]

UnicodeForm: TypeAlias = Literal["NFC", "NFD", "NFKC", "NFKD"]
"""Names of UAX 15, as `unicodedata.normalize` takes them."""

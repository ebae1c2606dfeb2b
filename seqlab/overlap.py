"""How many examples stand in the training split, too: a model may know the answers to these by heart."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable

from seqlab.api import Example

__all__ = ["fingerprint", "repeated"]


def fingerprint(example: Example, fields: Iterable[str]) -> bytes | None:
    """Return what names the content of these fields; None where it is drawn anew each time.

    A value that has a `fingerprint` of its own, as an `Audio` has, is named by that.
    """
    facts = []
    for field in fields:
        value = example.fields[field]
        named = hasattr(value, "fingerprint")
        content = value.fingerprint if named else value
        if named and content is None:
            return None
        facts.append(content)
    return hashlib.blake2b(repr(facts).encode(errors="surrogatepass"), digest_size=16).digest()


def repeated(examples: Iterable[Example], known: Collection[bytes | None], fields: Collection[str]) -> int:
    """Count the examples whose fingerprint is among those `known`."""
    prints = (fingerprint(example, fields) for example in examples)
    return sum(each is not None and each in known for each in prints)

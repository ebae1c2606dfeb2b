"""`package.json`, the manifest of a model package: what it must hold, how large it may be, its checksum.

The checksum is that of the manifest's content, so that it may be indented otherwise, and neither a flipped
bit nor an edit goes unnoticed. It is no signature: whoever writes a package can compute it (decision 0021).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqlab.errors import PackageError
from seqlab.openfile import open_regular

__all__ = ["FORMAT", "MANIFEST", "manifest_bytes", "read_manifest", "sealed"]

MANIFEST = "package.json"

FORMAT = 3
"""The format that this version writes, and the newest that it reads.

1: recurrent weights are named by the stack's layers (`layers.1.weight_ih_l0`), which it still accepts.
2: they are named as torch names them (`weight_ih_l1`).
3: the manifest holds its own checksum.
"""

SEALED = 3
"""The first format with a checksum of the manifest."""

CHECKSUM = "sha256"

MAX_BYTES = (32 << 20, 256 << 20)
"""Bytes that a manifest may have beside few weights, and beside as many weights as that, or more.

A word of a vocabulary has a vector among the weights, which takes more than its name.
"""

MAX_CONTAINERS = 1 << 20
"""Lists and objects in a manifest: empty ones take 20 times the memory of their text."""

STRING_OR_OPENING = re.compile(rb'"[^"]*"?|[\[{]+')

PARTS: Mapping[str, tuple[type, bool]] = {
    "recipe": (dict, True),
    "learned": (dict, True),
    "files": (dict, True),
    "components": (dict, False),
    "data": (dict, False),
}
"""The type of what is read of a manifest, and whether it must be there."""


def sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest, plain JSON data, with its checksum."""
    plain = json.loads(json.dumps({key: value for key, value in manifest.items() if key != CHECKSUM}))
    return {"format": plain["format"], CHECKSUM: _checksum(plain), **plain}


def manifest_bytes(manifest: Mapping[str, Any], weights: int) -> bytes:
    """Return the content of the file; PackageError where it is larger than what is read again."""
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    content = text.encode(errors="backslashreplace")  # names that are not UTF-8 as JSON escapes
    if fault := _excess(content, weights):
        raise PackageError(f"{MANIFEST}: {fault}; a component has learned more than a manifest can hold")
    return content


def read_manifest(folder: Path, weights: int) -> dict[str, Any]:
    """Read the manifest of a package whose weights have so many bytes; PackageError where it is amiss."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(_content(path, weights))
    except (FileNotFoundError, NotADirectoryError):
        raise PackageError(f"{folder}: {_no_package(folder)}") from None
    except OSError as error:
        raise PackageError(f"{path}: cannot be read: {error.strerror}") from error
    except (RecursionError, ValueError) as error:
        raise PackageError(f"{path}: cannot be read: {error}") from error
    number = manifest.get("format") if isinstance(manifest, dict) else None
    if type(number) is not int or number < 1:  # a bool is an int, too
        raise PackageError(f"{path}: not a manifest of a model package: it has no format number")
    if number > FORMAT:
        raise PackageError(
            f"{path}: format {number} is newer than {FORMAT}, the newest that this seqlab reads;"
            " upgrade it with: pip install --upgrade seqlab"
        )
    if fault := _fault(manifest):
        raise PackageError(f"{path}: damaged: {fault}")
    return dict(manifest)


def _content(path: Path, weights: int) -> bytes:
    with open_regular(path) as file:
        content = file.read(_allowed(weights) + 1)
    if fault := _excess(content, weights):
        raise ValueError(fault)
    return content


def _allowed(weights: int) -> int:
    least, most = MAX_BYTES
    return min(max(least, weights), most)


def _excess(content: bytes, weights: int) -> str:
    """Return in which respect a manifest is too large to be read."""
    if len(content) > _allowed(weights):
        return f"more than {_allowed(weights):,} bytes beside {weights:,} bytes of weights"
    if content.count(b"[") + content.count(b"{") > MAX_CONTAINERS and _containers(content) > MAX_CONTAINERS:
        return f"more than {MAX_CONTAINERS:,} lists and objects"
    return ""


def _containers(content: bytes) -> int:
    """Return how many lists and objects JSON holds: brackets inside strings are none."""
    unescaped = content.replace(b"\\\\", b"").replace(b'\\"', b"")
    found = (match.group() for match in STRING_OR_OPENING.finditer(unescaped))
    return sum(len(each) for each in found if not each.startswith(b'"'))


def _fault(manifest: Mapping[str, Any]) -> str:
    """Return what is wrong with a manifest of a format that is known."""
    if CHECKSUM in manifest or manifest["format"] >= SEALED:
        rest = {key: value for key, value in manifest.items() if key != CHECKSUM}
        found, stated = _checksum(rest), manifest.get(CHECKSUM)
        if found != stated:
            return f"the sha256 of its content is {found}, but it says {stated}"
    for key, (kind, needed) in PARTS.items():
        if key in manifest and not isinstance(manifest[key], kind):
            return f"{key!r} is no object"
        if needed and key not in manifest:
            return f"{key!r} is missing"
    if not all(isinstance(split, dict) for split in manifest.get("data", {}).values()):
        return "'data' holds no object of files for a split"
    return _lone_surrogate(manifest)


def _lone_surrogate(manifest: Mapping[str, Any]) -> str:
    """Return where a name or a label holds half a character, which no output could hold; paths may."""
    recipe = {key: value for key, value in manifest["recipe"].items() if key != "data"}
    for key, value in (("recipe", recipe), ("learned", manifest["learned"])):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            return f"{key!r} holds a lone surrogate, U+{ord(error.object[error.start]):04X}"
    return ""


def _checksum(manifest: Mapping[str, Any]) -> str:
    """Return the sha256 of a manifest as compact JSON in ASCII, keys sorted."""
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _no_package(folder: Path) -> str:
    """Say what stands where a package was expected."""
    if not folder.exists():
        return "does not exist"
    if not folder.is_dir():
        return "not a model package but a file; give the folder that holds it"
    if (folder / "model" / MANIFEST).exists():
        return f"not a model package but the folder of a run; its model is {folder / 'model'}"
    return f"not a model package (there is no {MANIFEST} in it)"

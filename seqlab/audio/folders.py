"""The sound below a folder, and what there is no sound though its name says so, which is told in one line."""

from __future__ import annotations

import logging
from pathlib import Path

from seqlab.audio.containers import OTHER_SUFFIXES, conversion
from seqlab.audio.settings import SUFFIXES
from seqlab.errors import Place
from seqlab.suggest import shortened

__all__ = ["is_named_like_sound", "sounds_below"]


def is_named_like_sound(path: Path) -> bool:
    """Return whether a file is named like sound; notes that macOS writes beside it, `._a.wav`, are not."""
    return path.name.lower().endswith(SUFFIXES) and not path.name.startswith("._")


def sounds_below(folder: Path) -> list[Path]:
    """Return the files below a folder that are named like sound, sorted; a warning tells what is left out."""
    found: list[Path] = []
    left_out: dict[Path, str] = {}
    for path in sorted(folder.rglob("*")):
        reason = _reason(path)
        if reason:
            left_out[path] = reason
        elif reason is not None:
            found.append(path)
    if left_out:
        logging.getLogger(__name__).warning("%s", _told(folder, left_out))
    return found


def _reason(path: Path) -> str | None:
    """Say why what is named like sound is left out, an empty string where it is not; None for other names."""
    name = path.name.lower()
    if not name.endswith(SUFFIXES + OTHER_SUFFIXES) or path.is_dir():
        return None
    if name.startswith("._"):
        return "a note of macOS"
    if not path.exists():
        return "a link to nothing"
    if not path.is_file():
        return "no regular file"
    return "" if name.endswith(SUFFIXES) else "not read"


def _told(folder: Path, left_out: dict[Path, str]) -> str:
    names = (f"{Place(str(path.relative_to(folder)))} ({reason})" for path, reason in left_out.items())
    line = f"{folder}: left out are {shortened(names)}"
    foreign = next((path for path, reason in left_out.items() if reason == "not read"), None)
    return f"{line}; {conversion(str(foreign))}" if foreign else line

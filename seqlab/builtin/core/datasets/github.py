"""Files of a repository on GitHub, as entries of the catalogue name them."""

from __future__ import annotations

from collections.abc import Mapping

from seqlab.api import Download

__all__ = ["github"]


def github(repository: str, commit: str, files: Mapping[str, tuple[str, str]]) -> tuple[Download, ...]:
    """Return the downloads of files of a repository at a commit: name to (path, sha256)."""
    base = f"https://raw.githubusercontent.com/{repository}/{commit}"
    return tuple(
        Download(name=name, urls=(f"{base}/{path}",), sha256=sha256) for name, (path, sha256) in files.items()
    )

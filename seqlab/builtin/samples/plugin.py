"""The built-in sample data, for a first run on a fresh machine: `sample:english/train.conllu`."""

from __future__ import annotations

from pathlib import Path

from seqlab.api import Located, hookimpl

__all__ = ["seqlab_locate"]

SCHEME = "sample:"
ROOT = Path(__file__).parent

NOTICES = {
    "english": "data: the small English sample treebank that comes with seqlab; it shows how things work, not"
    " how good they are. For a real treebank: seqlab recipes show pos_ewt"
}


@hookimpl
def seqlab_locate(uri: str) -> Located | None:
    """Find a sample file by the path behind `sample:`."""
    if not uri.startswith(SCHEME):
        return None
    path = uri.removeprefix(SCHEME)
    return Located(ROOT / path, NOTICES.get(path.split("/")[0], ""))

"""Manifests of speech as the prepared sets hold them: JSON Lines, one utterance each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["timing", "write_manifest"]


def write_manifest(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one utterance per line, keys in their order."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def timing(frames: int, sample_rate: int) -> dict[str, Any]:
    """Return what a manifest says of an utterance's length: samples per second, samples, seconds."""
    return {"sample_rate": sample_rate, "frames": frames, "duration": round(frames / sample_rate, 4)}

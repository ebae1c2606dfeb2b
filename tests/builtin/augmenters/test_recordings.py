"""Which files augmenters find in a folder."""

from __future__ import annotations

from pathlib import Path

from sounds import tone, write

from seqlab.api import FilePath
from seqlab.audio.settings import SUFFIXES
from seqlab.builtin.augmenters.recordings import find_recordings


def test_a_folder_gives_what_prediction_takes_of_it(tmp_path: Path) -> None:
    whole = write(tmp_path / "sound.wav", tone(0.5), 8_000)
    for suffix in SUFFIXES:
        (tmp_path / f"noise{suffix}").write_bytes(whole.read_bytes())
    (tmp_path / "sound.wav").unlink()
    (tmp_path / "notes.txt").write_text("no sound")
    found = find_recordings([FilePath(tmp_path)], "augmenter noise")
    assert sorted(Path(source.name).suffix for source in found) == sorted(SUFFIXES)

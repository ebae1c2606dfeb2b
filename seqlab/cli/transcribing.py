"""What `seqlab predict` does with a model that reads sound: files, folders, lists of sound in, text out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from seqlab.cli.options import tell
from seqlab.errors import DataError

if TYPE_CHECKING:
    from seqlab.predict.recognizer import Recognizer

__all__ = ["Transcribing"]


@dataclass(kw_only=True)
class Transcribing:
    """How sound is transcribed: as the options of the command say; counts what is done and left out."""

    data: bool
    target: str
    max_segment: float | None
    skip: bool
    written: int = 0
    left_out: int = 0

    def __call__(self, recognizer: Recognizer, paths: Sequence[Path], stream: BinaryIO) -> int:
        """Write the transcripts of all paths to a stream; return the exit code."""
        from seqlab.predict.recognizer import MAX_SEGMENT
        from seqlab.predict.sounds import SoundFinder
        from seqlab.predict.transcript_formats import TRANSCRIPT_WRITERS

        write = TRANSCRIPT_WRITERS[self.target]
        find = SoundFinder(recognizer, self.refuse, data=self.data)
        examples = (example for path in paths for example in find(path))
        longest = MAX_SEGMENT if self.max_segment is None else self.max_segment
        found = recognizer.transcribe(examples, max_segment=longest, refuse=self.refuse)
        for example, transcript in found:
            stream.write(write(example, transcript).encode())
            self.written += 1
        if not self.left_out:
            return 0
        tell(f"{self.left_out} of {self.written + self.left_out} sounds left out")
        return DataError.exit_code

    def refuse(self, error: DataError) -> None:
        """Raise the error, or tell of it and go on."""
        if not self.skip:
            raise error
        tell(f"left out: {error}")
        self.left_out += 1

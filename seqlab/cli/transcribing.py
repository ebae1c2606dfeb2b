"""What `seqlab predict` does with a model that reads sound: files, folders, lists of sound in, text out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from seqlab.cli.arriving import answer_arriving
from seqlab.cli.options import tell
from seqlab.errors import DataError

if TYPE_CHECKING:
    from seqlab.api import Example, Reader
    from seqlab.predict.recognizer import Recognizer

__all__ = ["Transcribing"]

WINDOW_SOUNDS = 256
"""Sounds of a list on standard input that are collected at most before they are recognised."""


@dataclass(kw_only=True)
class Transcribing:
    """How sound is transcribed: as the options of the command say; counts what is done and left out."""

    data: bool
    target: str
    folder: Path
    """Where paths in the output start from."""
    max_segment: float | None
    skip: bool
    written: int = 0
    left_out: int = 0

    def __call__(self, recognizer: Recognizer, paths: Sequence[Path], stream: BinaryIO) -> int:
        """Write the transcripts of all paths, of standard input as it arrives; return the exit code."""
        from seqlab.builtin.core.lines import is_standard_input
        from seqlab.predict.sounds import SoundFinder
        from seqlab.predict.transcript_formats import transcript_writer

        if self.data:
            refuse_sound(paths, recognizer.assembly.reader)
        write = transcript_writer(self.target, self.folder)
        find = SoundFinder(recognizer, self.refuse, data=self.data)
        examples = (example for path in paths for example in find(path))

        def answer(examples: Iterable[Example]) -> None:
            found = recognizer.transcribe(examples, max_segment=self.max_segment, refuse=self.refuse)
            for example, transcript in found:
                try:
                    line = write(example, transcript)
                except DataError as error:
                    self.refuse(error)
                    continue
                stream.write(line.encode(errors="surrogateescape"))  # of names that are not UTF-8
                self.written += 1
            stream.flush()

        if any(map(is_standard_input, paths)):
            answer_arriving(examples, answer, size=lambda _: 1, limit=WINDOW_SOUNDS)
        else:
            answer(examples)
        if not self.left_out:
            return 0
        tell(f"{self.left_out} left out, {self.written} transcribed")
        return DataError.exit_code

    def refuse(self, error: DataError) -> None:
        """Raise the error, or tell of it and go on."""
        if not self.skip:
            raise error
        tell(f"left out: {error}")
        self.left_out += 1


def refuse_sound(paths: Sequence[Path], reader: Reader) -> None:
    """Refuse what is named like sound where data is asked for, of another kind than the reader's."""
    from seqlab.predict.sounds import is_sound

    for path in paths:
        if is_sound(path) and not path.name.endswith(tuple(reader.suffixes)):
            raise click.UsageError(f"{path}: this is named like sound, not like data; leave out --from data")

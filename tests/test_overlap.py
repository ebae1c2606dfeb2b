from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from seqlab.api import Example, FieldKind, Place
from seqlab.audio import AudioFile
from seqlab.builtin.core.fields import Label, Tokens
from seqlab.builtin.speech.fields import AudioKind
from seqlab.overlap import Known


@dataclass(frozen=True)
class Named:
    """A value that says itself what it holds."""

    fingerprint: str | None


class NamedKind(FieldKind[Named]):
    """Its kind."""

    name = "named"
    summary = "something with a name of its own"

    def outline(self, value: Named) -> Any:
        return None

    def fingerprint(self, value: Named) -> Any:
        return value.fingerprint


KINDS = {"input": Tokens()}


def example(value: Any, label: str = "A") -> Example:
    return Example({"input": value, "label": label}, Place("t", 1))


def test_what_stands_in_both_is_counted_by_its_content_in_any_order() -> None:
    train = [example(["a", "b"]), example(["c"]), example(["c"])]
    others = [example(["c"], label="B"), example(["b", "a"]), example(["a", "b"]), example(["ab"])]
    known = Known(train, KINDS)
    assert known.repeated(others) == known.repeated(others[::-1]) == 2
    assert Known(train, {**KINDS, "label": Label()}).repeated(others) == 1


def test_a_value_with_a_fingerprint_is_named_by_it_and_one_that_is_drawn_anew_by_nothing() -> None:
    known = Known([example(Named("x")), example(Named(None))], {"input": NamedKind()})
    assert known.repeated([example(Named("x")), example(Named("y")), example(Named(None))]) == 1


def test_sounds_are_read_for_their_content_only_where_others_are_as_long(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    noise = {name: generator.uniform(-0.5, 0.5, size) for name, size in (("a", 900), ("b", 901), ("c", 900))}
    for name, samples in noise.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, 16000)
    soundfile.write(tmp_path / "longer.wav", generator.uniform(-0.5, 0.5, 902), 16000)
    (tmp_path / "again.wav").write_bytes((tmp_path / "a.wav").read_bytes())
    train = [AudioFile(tmp_path / f"{name}.wav") for name in "ab"]
    others = [AudioFile(tmp_path / f"{name}.wav") for name in ("again", "c", "longer")]
    known = Known(map(example, train), {"input": AudioKind()})
    assert known.repeated([]) == 0
    assert not any("digest" in vars(audio.source) for audio in train)
    assert known.repeated(map(example, others)) == 1
    assert ["digest" in vars(audio.source) for audio in (*train, *others)] == [
        True,
        False,
        True,
        True,
        False,
    ]

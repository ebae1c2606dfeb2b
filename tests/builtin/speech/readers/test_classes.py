"""Classes of utterances: the manifest's column `label` as a field of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pydantic import ValidationError

from seqlab.api import DataError, ReaderContext
from seqlab.builtin.speech.readers.components import (
    COMPONENTS,
    JoinedSpeechConfig,
    SpeechManifestConfig,
    build_speech,
)


def manifest(folder: Path, *labels: Any) -> Path:
    noise = np.random.default_rng(1).normal(scale=0.1, size=8_000)
    soundfile.write(folder / "a.wav", noise, 16_000)
    rows = [
        {"audio": "a.wav", "id": f"u{n}", "text": "one", "digit": label} for n, label in enumerate(labels)
    ]
    path = folder / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def config() -> SpeechManifestConfig:
    return SpeechManifestConfig.model_validate({"columns": {"label": "digit"}})


def test_a_class_is_a_field_and_a_missing_one_is_none(tmp_path: Path) -> None:
    reader = build_speech(config(), ReaderContext())
    assert reader.fields == {"audio": "audio", "text": "text", "label": "label"}
    found = [example.fields["label"] for example in reader.read(manifest(tmp_path, 7, "seven", None, ""))]
    assert found == ["7", "seven", None, None]


def test_without_the_setting_there_is_no_such_field(tmp_path: Path) -> None:
    reader = build_speech(SpeechManifestConfig(), ReaderContext())
    (example,) = reader.read(manifest(tmp_path, 7))
    assert set(example.fields) == set(reader.fields) == {"audio", "text"}


def test_a_class_is_written_where_it_stood(tmp_path: Path) -> None:
    reader = build_speech(config(), ReaderContext())
    (example,) = reader.read(manifest(tmp_path, 7), labelled=False)
    assert "label" not in example.fields
    assert json.loads(reader.write(example, {"label": "8"}))["digit"] == "8"


def test_what_is_no_name_is_refused_with_its_line(tmp_path: Path) -> None:
    reader = build_speech(config(), ReaderContext())
    with pytest.raises(DataError, match=r"data\.jsonl:1: 'digit' must be a string or an integer, got 0\.5"):
        list(reader.read(manifest(tmp_path, 0.5)))


def test_joined_clips_have_no_class() -> None:
    with pytest.raises(ValidationError, match="no class in common"):
        JoinedSpeechConfig.model_validate({"columns": {"label": "digit"}})


def test_the_readers_declare_what_they_deliver() -> None:
    (speech,) = (each for each in COMPONENTS if each.name == "speech")
    assert speech.declares is not None
    declared = speech.declares(config())
    assert declared.fields == build_speech(config(), ReaderContext()).fields

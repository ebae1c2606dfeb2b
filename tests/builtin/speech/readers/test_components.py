from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sounds import ALPHABET, DAMAGED, ODD, damaged_folder, manifest, tone, write

from seqlab.api import DataError, ReaderContext, RecipeError
from seqlab.audio import AudioSettings, Limits
from seqlab.builtin.speech.plugin import seqlab_register_readers
from seqlab.builtin.speech.readers.joined_speech import JoinedReader, Joining
from seqlab.builtin.speech.readers.manifests import ManifestLayout
from seqlab.builtin.speech.readers.transcripts import Normalizer
from seqlab.builtin.speech.readers.utterances import SpeechReader, Utterance
from seqlab.lab import Lab
from seqlab.run import RunOptions

COMPONENTS = {component.name: component for component in seqlab_register_readers()}


def build(name: str, refused: list[DataError] | None = None, **settings: Any) -> SpeechReader:
    context = ReaderContext() if refused is None else ReaderContext(refused.append)
    built = COMPONENTS[name].build(COMPONENTS[name].config(**settings), context)
    assert isinstance(built, SpeechReader)
    return built


@pytest.mark.parametrize("name", sorted(COMPONENTS.keys() - {"joined_speech"}))
def test_every_reader_delivers_sound_and_text(name: str) -> None:
    reader = build(name)
    assert reader.fields == {"audio": "audio", "text": "text"}
    assert reader.suffixes
    assert reader.settings == AudioSettings(sample_rate=16_000, limits=Limits(max_duration=60.0))
    assert reader.normalizer == Normalizer()
    assert reader.check


def test_every_setting_arrives() -> None:
    reader = build(
        "speech",
        sample_rate=8000,
        channel=1,
        normalize={"unicode": None, "case": "upper", "replace": {"&": "and"}, "remove": "."},
        alphabet="AB ",
        min_duration=0.2,
        max_duration=None,
        min_level=None,
        max_clipped=0.5,
        min_file_rate=8000,
        max_file_rate=48_000,
        check=False,
        columns={"text": "norm", "speaker": "who"},
    )
    limits = Limits(
        min_duration=0.2, min_sample_rate=8000, max_sample_rate=48_000, min_level=None, max_clipped=0.5
    )
    assert reader.settings == AudioSettings(sample_rate=8000, channel=1, limits=limits)
    assert reader.normalizer == Normalizer(
        unicode=None, case="upper", replace={"&": "and"}, remove=".", alphabet="AB "
    )
    assert not reader.check
    assert isinstance(reader.layout, ManifestLayout)
    assert (reader.layout.columns.text, reader.layout.columns.speaker) == ("norm", "who")


def test_sound_of_which_only_the_class_is_known_has_no_text(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", tone(1.0))
    path = manifest(tmp_path / "m.jsonl", [{"audio": "a.wav", "mood": "glad"}])
    reader = build("speech", columns={"text": None, "label": "mood"})
    (example,) = reader.read(path)
    assert set(example.fields) == set(reader.fields) == {"audio", "label"}
    assert example.fields["label"] == "glad"
    assert json.loads(reader.write(example, {"label": "sad"})) == {"audio": "a.wav", "mood": "sad"}
    alone = reader.take(tmp_path / "a.wav")
    assert json.loads(reader.write(alone, {"label": "sad"})) == {"audio": f"{tmp_path}/a.wav", "mood": "sad"}
    with pytest.raises(DataError, match=r"missing key 'text'; .*columns: \{text: null\} reads sound without"):
        list(build("speech", columns={"label": "mood"}).read(path))


def test_every_setting_of_joined_speech_arrives() -> None:
    component = COMPONENTS["joined_speech"]
    config = component.config(
        clips=[2, 3],
        pause=[0, 1],
        uses=7,
        seed=5,
        sample_rate=8000,
        columns={"text": "norm"},
    )
    reader = component.build(config, ReaderContext())
    assert isinstance(reader, JoinedReader)
    assert (reader.joining, reader.seed) == (Joining(clips=(2, 3), pause=(0, 1), uses=7), 5)
    assert reader.clips.settings.sample_rate == 8000
    assert reader.clips.layout.columns.text == "norm"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("joined_speech", {"pause": [0.5, 0.1]}, "the first number is the lower one, got [0.5, 0.1]"),
        ("joined_speech", {"clips": [0, 1]}, "Input should be greater than or equal to 1"),
        ("joined_speech", {"uses": 0}, "Input should be greater than or equal to 1"),
        (
            "joined_speech",
            {"columns": {"text": None}},
            "text: clips that are joined have texts; take the reader speech",
        ),
        ("speech", {"alphabet": "abca"}, "character 'a' stands twice in the alphabet"),
        (
            "kaldi",
            {"min_duration": 3, "max_duration": 2},
            "nothing would pass: min_duration is 3, max_duration 2",
        ),
        ("kaldi", {"min_duration": 90}, "nothing would pass: min_duration is 90, max_duration 60"),
        (
            "speech",
            {"min_file_rate": 50_000, "max_file_rate": 20_000},
            "nothing would pass: min_file_rate is 50000, max_file_rate 20000",
        ),
        (
            "audio_folder",
            {"min_file_rate": 500_000},
            "nothing would pass: min_file_rate is 500000, max_file_rate 384000",
        ),
        ("speech", {"channel": -1}, "Input should be greater than or equal to 0"),
        ("speech", {"channel": "left"}, "Input should be 'mix'"),
        ("speech", {"normalize": {"replace": {"": "x"}}}, "String should have at least 1 character"),
        ("audio_folder", {"text_suffix": "txt"}, r"String should match pattern '^\.[^/]+$'"),
        ("librispeech", {"columns": {}}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_settings(name: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        COMPONENTS[name].config.model_validate(values)
    assert message in [problem["msg"].removeprefix("Value error, ") for problem in caught.value.errors()]


@pytest.mark.parametrize("values", [{"min_file_rate": 8000, "max_file_rate": 8000}, {"max_file_rate": 4000}])
def test_one_rate_of_files_may_be_all_that_passes(values: dict[str, Any]) -> None:
    COMPONENTS["speech"].config.model_validate(values)


def test_a_recipe_that_refuses_every_file_is_told_with_the_place_before_any_is_read(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").touch()
    (tmp_path / "r.yaml").write_text(
        "data:\n  reader:\n    name: speech\n    min_file_rate: 50000\n    max_file_rate: 20000\n"
        "  train: train.jsonl\nfeatures: [log_mel]\nencoder: bilstm\nhead: ctc\n"
    )
    message = (
        r"r\.yaml:5:20: data\.reader\.max_file_rate: nothing would pass: min_file_rate is 50000, max_file"
    )
    with pytest.raises(RecipeError, match=message):
        Lab(entry_points=False).check(tmp_path / "r.yaml")


@pytest.mark.parametrize("reader", ["speech", "kaldi", "joined_speech"])
def test_check_finds_keys_that_can_never_match(tmp_path: Path, reader: str) -> None:
    (tmp_path / "train.jsonl").touch()
    text = (
        f"data:\n  reader:\n    name: {reader}\n    normalize:\n      case: lower\n"
        "      replace: {I: \u0131, \u0130: i}\n"
        "  train: train.jsonl\nfeatures: [log_mel]\nencoder: bilstm\nhead: ctc\n"
    )
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        Lab(entry_points=False).check(tmp_path / "r.yaml")
    told = str(caught.value)
    assert "r.yaml:6:" in told
    assert "data.reader.normalize.replace: 'I' can never match: it holds what `case: lower` changes" in told
    assert "case_of: {I: \u0131}" in told
    (tmp_path / "r.yaml").write_text(text.replace("replace:", "case_of:"))
    Lab(entry_points=False).check(tmp_path / "r.yaml")
    (tmp_path / "r.yaml").write_text(
        text.replace("replace:", "case_of:").replace("case: lower", "case: null")
    )
    with pytest.raises(RecipeError, match="case_of: changes nothing without `case`"):
        Lab(entry_points=False).check(tmp_path / "r.yaml")
    (tmp_path / "r.yaml").write_text(text.replace("replace: {I", "case_of: {\u212a: q, K: K, I"))
    with pytest.raises(RecipeError) as caught:
        Lab(entry_points=False).check(tmp_path / "r.yaml")
    second, first = str(caught.value).splitlines()
    assert "r.yaml:6:" in first
    assert (
        "data.reader.normalize.case_of: '\u212a' can never match: it is '\u212a' (U+212A, kelvin sign)"
        in first
    )
    assert "case_of: 'K' becomes 'K', and `case: lower` makes that 'k'; write letters in lower" in second


def test_settings_survive_the_recipe_that_a_run_saves() -> None:
    config = COMPONENTS["speech"].config(
        normalize={"replace": {"ß": "ss"}}, columns={"speaker": "who"}, alphabet=" a"
    )
    assert COMPONENTS["speech"].config.model_validate(config.model_dump(mode="json")) == config


def test_settings_need_neither_torch_nor_numpy_and_reading_no_torch(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", tone(1.0, 8000), 8000)
    path = manifest(tmp_path / "m.jsonl", [{"audio": "a.wav", "text": "yes"}])
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from seqlab.api import ReaderContext\n"
        "from seqlab.builtin.speech.plugin import seqlab_register_readers\n"
        "component = next(each for each in seqlab_register_readers() if each.name == 'speech')\n"
        "config = component.config()\n"
        "assert not {'torch', 'numpy', 'soundfile'} & set(sys.modules)\n"
        "(example,) = component.build(config, ReaderContext()).read(Path(sys.argv[1]))\n"
        "assert len(example.fields['audio'].samples()) == 16_000\n"
        "assert not {'torch', 'librosa', 'torchaudio', 'scipy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script, path], check=True)


# --- a run on damaged sound --------------------------------------------------------------------------------


def recipe(path: Path, on_error: str) -> dict[str, Any]:
    return {
        "name": "damaged",
        "data": {
            "reader": {"name": "speech", "alphabet": ALPHABET},
            "on_error": on_error,
            "train": str(path),
        },
        "features": [{"name": "log_mel", "cache": False}],
        "encoder": {"name": "lstm", "hidden_size": 4},
        "head": "ctc",
        "observers": [],
        "train": {"epochs": 1},
    }


def test_skip_trains_on_the_rest_and_lists_each_damaged_sound_in_the_report(lab: Lab, tmp_path: Path) -> None:
    path = damaged_folder(tmp_path)
    options = RunOptions(out=tmp_path / "run", device="cpu", threads=1)
    skipped = lab.run(recipe(path, "skip"), options=options)["skipped_examples"]["train"]
    assert len(skipped) == len(DAMAGED) + 1
    lines = range(2 + len(ODD), 2 + len(ODD) + len(skipped))
    reasons = [*DAMAGED.values(), "text needs at least 1999 states, but the encoder makes 98 of 98 rows"]
    for message, line, reason in zip(skipped, lines, reasons, strict=True):
        assert message.startswith(f"{path}:{line}: ")
        assert reason in message


def test_fail_ends_with_the_first_damaged_sound(lab: Lab, tmp_path: Path) -> None:
    path = damaged_folder(tmp_path)
    with pytest.raises(DataError) as caught:
        lab.run(recipe(path, "fail"), options=RunOptions(out=tmp_path / "run", device="cpu", threads=1))
    assert str(caught.value) == f"{path}:6: {tmp_path}/truncated.wav: {DAMAGED['truncated']}"


def test_what_is_not_checked_cannot_be_skipped_and_check_says_so(lab: Lab, tmp_path: Path) -> None:
    path = damaged_folder(tmp_path)
    for reader in ("speech", "joined_speech"):
        given = recipe(path, "skip")
        given["data"]["reader"] = {"name": reader, "check": False}
        with pytest.raises(RecipeError, match=r"data\.reader\.check: .* on_error: skip needs check: true"):
            lab.check(given)
        given["data"]["on_error"] = "fail"
        lab.check(given)


# --- real sets ---------------------------------------------------------------------------------------------

REAL = {
    "speech_an4/train.jsonl": (849, 66),
    "speech_an4/dev.jsonl": (99, 8),
    "speech_fsdd/test.jsonl": (300, 6),
    "speech_fsdd/spk_dev.jsonl": (500, 1),
    "speech_kathleen/dev.jsonl": (147, 1),
}
"""Utterances and speakers."""


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_real_manifests_are_read_whole(name: str) -> None:
    if "SEQLAB_DATA" not in os.environ:
        pytest.skip("SEQLAB_DATA is not set")
    path = Path(os.environ["SEQLAB_DATA"]) / name
    refused: list[DataError] = []
    columns = {"text": "norm"} if "kathleen" in name else {}
    reader = build("speech", refused, columns=columns, alphabet=" abcdefghijklmnopqrstuvwxyz'")
    examples = list(reader.read(path))
    assert [str(error) for error in refused] == []
    speakers = {example.origin.speaker for example in examples if isinstance(example.origin, Utterance)}
    assert (len(examples), len(speakers)) == REAL[name]
    for example, line in zip(examples, path.read_text().splitlines(), strict=True):
        record = json.loads(line)
        assert example.fields["text"] == record[columns.get("text", "text")]
        assert abs(example.fields["audio"].duration - record["frames"] / record["sample_rate"]) < 1e-9

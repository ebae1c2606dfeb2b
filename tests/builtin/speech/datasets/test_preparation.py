"""Small archives in the layouts of the published ones, prepared."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from seqlab.builtin.speech.datasets.preparation import prepare_an4, prepare_fsdd, prepare_kathleen
from seqlab.datasets.checksums import tree_sha256
from seqlab.errors import DataError

Samples = NDArray[np.int16]


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    (tmp_path / "downloads").mkdir()
    return tmp_path / "downloads"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "new").mkdir()
    return tmp_path / "new"


def noise(seed: int, length: int) -> Samples:
    return np.random.default_rng(seed).integers(-9000, 9000, length).astype(np.int16)


def sphere(path: Path, samples: Samples) -> None:
    """Write a SPHERE file as AN4's are: 16 kHz, 16 bits, high byte first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, 16_000, format="NIST", subtype="PCM_16", endian="BIG")


def pack(tree: Path, archive: Path) -> None:
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tree, tree.name)


def manifest(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# --- AN4 -----------------------------------------------------------------------------------------------

TRAIN = {
    "an2-fash-b": "<s> TWO </s> (an2-fash-b)",
    "an1-fash-b": "<s> ENTER  FIVE </s> (an1-fash-b)",
    "cen1-mjjs2-b": "<s> O'CLOCK </s> (cen1-mjjs2-b)",
}
TEST = {"an3-mblw-b": "GO AWAY (an3-mblw-b)", "an4-mblw-b": "NO (an4-mblw-b)"}


@pytest.fixture
def an4(tmp_path: Path, downloads: Path) -> Path:
    """The tree of a small AN4, and its archive among the downloads."""
    tree = tmp_path / "an4"
    (tree / "etc").mkdir(parents=True)
    for part, lines, sounds in (("train", TRAIN, "an4_clstk"), ("test", TEST, "an4test_clstk")):
        (tree / f"etc/an4_{part}.transcription").write_text("\n".join(lines.values()) + "\n")
        for seed, name in enumerate(lines):
            sphere(tree / "wav" / sounds / name.split("-")[1] / f"{name}.sph", noise(seed, 1600 * (seed + 1)))
    (tree / "etc/an4.dic").write_text("TWO  T UW\n")
    pack(tree, downloads / "an4_sphere.tar.gz")
    return tree


def test_the_samples_of_an4_go_over_unchanged(an4: Path, downloads: Path, folder: Path) -> None:
    prepare_an4(downloads, folder)
    for name in (*TRAIN, *TEST):
        (original,) = an4.rglob(f"{name}.sph")
        samples, rate = soundfile.read(folder / f"flac/{name}.flac", dtype="int16")
        assert rate == 16_000
        np.testing.assert_array_equal(samples, soundfile.read(original, dtype="int16")[0])
    assert {path.name for path in folder.iterdir()} == {"flac", "an4.dic", *(f"{s}.jsonl" for s in SPLITS)}


SPLITS = ("train", "dev", "test")


def test_the_dev_speakers_of_an4_are_taken_out_of_train(an4: Path, downloads: Path, folder: Path) -> None:
    prepare_an4(downloads, folder)
    ids = {split: [row["id"] for row in manifest(folder / f"{split}.jsonl")] for split in SPLITS}
    assert ids == {
        "train": ["an1-fash-b", "an2-fash-b"],
        "dev": ["cen1-mjjs2-b"],
        "test": ["an4-mblw-b", "an3-mblw-b"],
    }


def test_a_row_of_an4_says_what_is_there(an4: Path, downloads: Path, folder: Path) -> None:
    prepare_an4(downloads, folder)
    assert (folder / "train.jsonl").read_text().splitlines()[0] == (
        '{"audio": "flac/an1-fash-b.flac", "text": "enter five", "speaker": "fash", "id": "an1-fash-b",'
        ' "sample_rate": 16000, "frames": 3200, "duration": 0.2}'
    )
    texts = [row["text"] for split in SPLITS for row in manifest(folder / f"{split}.jsonl")]
    assert texts == ["enter five", "two", "o'clock", "no", "go away"]


def test_other_samples_than_those_known_are_found_out(an4: Path, downloads: Path, folder: Path) -> None:
    with pytest.raises(
        DataError, match=r"sha256 of the samples in its archive is [0-9a-f]{64}, expected 0000"
    ):
        prepare_an4(downloads, folder, samples_sha256="0" * 64)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda tree: (tree / "wav/an4_clstk/fash/an1-fash-b.sph").unlink(), r"an1-fash-b\.sph is missing"),
        (
            lambda tree: (tree / "wav/an4_clstk/fash/an1-fash-b.sph").write_bytes(b"no sound"),
            r"an1-fash-b\.sph: .*[Ff]ormat",
        ),
        (
            lambda tree: (tree / "etc/an4_train.transcription").write_text("HELLO\n"),
            r"an4_train\.transcription:1: expected 'TEXT \(utterance\)', got 'HELLO'",
        ),
        (
            lambda tree: soundfile.write(
                tree / "wav/an4_clstk/fash/an1-fash-b.sph", np.zeros((99, 2)), 16_000, format="NIST"
            ),
            "has 2 channels, expected 1",
        ),
    ],
)
def test_damage_to_an4_is_named(an4: Path, downloads: Path, folder: Path, damage: Any, message: str) -> None:
    damage(an4)
    pack(an4, downloads / "an4_sphere.tar.gz")
    with pytest.raises(DataError, match=message):
        prepare_an4(downloads, folder)


# --- FSDD ----------------------------------------------------------------------------------------------


def fsdd(tmp_path: Path, downloads: Path, *names: str) -> None:
    recordings = tmp_path / "free-spoken-digit-dataset-1/recordings"
    recordings.mkdir(parents=True)
    for seed, name in enumerate(names):
        soundfile.write(recordings / name, noise(seed, 800), 8_000, subtype="PCM_16")
    (recordings.parent / "README.md").touch()
    pack(recordings.parent, downloads / "fsdd.tar.gz")


def test_the_digits_are_split_by_take_and_by_speaker(tmp_path: Path, downloads: Path, folder: Path) -> None:
    names = ["7_theo_4.wav", "7_theo_5.wav", "0_george_10.wav", "1_george_9.wav", "0_george_9.wav"]
    fsdd(tmp_path, downloads, *names, "3_yweweler_0.wav")
    prepare_fsdd(downloads, folder)
    found = {path.stem: [row["audio"] for row in manifest(path)] for path in folder.glob("*.jsonl")}
    george = ["wav/0_george_9.wav", "wav/1_george_9.wav", "wav/0_george_10.wav"]
    assert found == {
        "train": [*george, "wav/7_theo_5.wav"],
        "test": ["wav/7_theo_4.wav", "wav/3_yweweler_0.wav"],
        "spk_train": george,
        "spk_dev": ["wav/7_theo_4.wav", "wav/7_theo_5.wav"],
        "spk_test": ["wav/3_yweweler_0.wav"],
    }
    assert {path.name for path in folder.iterdir()} == {"wav", *(f"{split}.jsonl" for split in found)}
    assert manifest(folder / "spk_test.jsonl") == [
        {
            "audio": "wav/3_yweweler_0.wav",
            "text": "three",
            "label": 3,
            "speaker": "yweweler",
            "index": 0,
            "sample_rate": 8000,
            "frames": 800,
            "duration": 0.1,
        }
    ]


def test_a_recording_with_another_name_is_named(tmp_path: Path, downloads: Path, folder: Path) -> None:
    fsdd(tmp_path, downloads, "seven.wav")
    with pytest.raises(DataError, match=r"named like 7_jackson_32\.wav, found seven\.wav"):
        prepare_fsdd(downloads, folder)


def test_an_archive_without_recordings_is_named(tmp_path: Path, downloads: Path, folder: Path) -> None:
    (tmp_path / "other").mkdir()
    pack(tmp_path / "other", downloads / "fsdd.tar.gz")
    with pytest.raises(DataError, match=r"expected one folder \*/recordings"):
        prepare_fsdd(downloads, folder)


# --- Kathleen ------------------------------------------------------------------------------------------


@pytest.fixture
def kathleen(tmp_path: Path, downloads: Path) -> Path:
    data = tmp_path / "dataset-voice-kathleen-1/data"
    data.mkdir(parents=True)
    time = np.arange(48_001) / 48_000
    for name, text in (("a0001_1", "Red-Eye's turn, 1."), ("a0010_2", "Go."), ("b0005_3", "Stop.\n")):
        tone = np.sin(2 * np.pi * 440 * time)
        # The mean of both channels is a quarter of a tone of full scale.
        soundfile.write(data / f"arctic_{name}.wav", np.stack([0.5 * tone, 0 * tone], axis=1), 48_000)
        (data / f"arctic_{name}.txt").write_text(text)
    pack(data.parent, downloads / "kathleen.tar.gz")
    return data


def test_kathleen_is_split_by_the_last_digit_of_the_prompt(
    kathleen: Path, downloads: Path, folder: Path
) -> None:
    prepare_kathleen(downloads, folder, source_sha256=tree_sha256(kathleen))
    prompts = {split: [row["prompt"] for row in manifest(folder / f"{split}.jsonl")] for split in SPLITS}
    assert prompts == {"train": ["a0001"], "dev": ["b0005"], "test": ["a0010"]}
    (row,) = manifest(folder / "train.jsonl")
    assert (row["text"], row["norm"]) == ("Red-Eye's turn, 1.", "red eye's turn")


def test_kathleen_becomes_one_channel_at_16_khz_of_the_same_sound(
    kathleen: Path, downloads: Path, folder: Path
) -> None:
    prepare_kathleen(downloads, folder)
    (row,) = manifest(folder / "train.jsonl")
    samples, rate = soundfile.read(folder / row["audio"])
    assert (rate, len(samples), samples.ndim) == (16_000, row["frames"], 1)
    assert row["frames"] == 16_001  # a third of 48,001, rounded up
    tone = 0.25 * np.sin(2 * np.pi * 440 * np.arange(16_001) / 16_000)
    # Vorbis is not lossless; in the middle it is as near as this.
    np.testing.assert_allclose(samples[2000:14_000], tone[2000:14_000], atol=0.02)


def test_other_recordings_than_those_known_are_found_out(
    kathleen: Path, downloads: Path, folder: Path
) -> None:
    with pytest.raises(DataError, match="sha256 of the folder data in its archive is"):
        prepare_kathleen(downloads, folder, source_sha256="0" * 64)

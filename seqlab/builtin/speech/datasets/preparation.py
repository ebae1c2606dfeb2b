"""How the speech sets are made from what is published: sound in one format, manifests, fixed splits."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from seqlab.api import DataError
from seqlab.builtin.speech.datasets.manifests import timing, write_manifest
from seqlab.datasets.archives import unpack_beside
from seqlab.datasets.checksums import tree_sha256

__all__ = ["AN4_DEV_SPEAKERS", "prepare_an4", "prepare_fsdd", "prepare_kathleen"]

AN4_UNPACKED = FSDD_UNPACKED = 500_000_000
"""Most bytes in these archives: the sound has about 100 MB and 30 MB, and nobody publishes a checksum."""

KATHLEEN_UNPACKED = 2_000_000_000
"""The same; here the sound has 945 MB."""

Row = dict[str, Any]

# --- AN4 -----------------------------------------------------------------------------------------------

AN4_DEV_SPEAKERS = frozenset({"fejs", "fjmd", "fkdo", "mcfl", "mdcs2", "mjjs2", "mmap", "msmn"})
"""Eight of the 74 training speakers, three female and five male, drawn by lot: the dev split."""

AN4_PARTS = {"train": "an4_clstk", "test": "an4test_clstk"}
"""The official split to its folder of sound."""

AN4_LINE = re.compile(r"(?P<text>.*)\((?P<id>[a-z0-9]+-(?P<speaker>[a-z0-9]+)-b)\)")
"""`<s> ERASE C Q Q F SEVEN </s> (an1-mblw-b)`; the test transcripts have no `<s>`."""


def prepare_an4(downloads: Path, folder: Path, *, samples_sha256: str = "") -> None:
    """Make FLAC files and manifests of AN4's SPHERE archive, its training part divided into train and dev.

    `samples_sha256` is the checksum of all samples, empty for none: of lines `<sha256>  <utterance>`,
    sorted by utterance, each with that of its samples as 16-bit integers, low byte first.
    """
    source = unpack_beside(downloads / "an4_sphere.tar.gz", max_bytes=AN4_UNPACKED) / "an4"
    (folder / "flac").mkdir()
    digests: dict[str, str] = {}
    train = sorted(_an4_rows(source, "train", folder, digests), key=itemgetter("speaker", "id"))
    test = sorted(_an4_rows(source, "test", folder, digests), key=_an4_test_order)
    listed = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    if samples_sha256 and (found := hashlib.sha256(listed.encode()).hexdigest()) != samples_sha256:
        raise DataError(f"sha256 of the samples in its archive is {found}, expected {samples_sha256}")
    write_manifest(folder / "train.jsonl", [row for row in train if row["speaker"] not in AN4_DEV_SPEAKERS])
    write_manifest(folder / "dev.jsonl", [row for row in train if row["speaker"] in AN4_DEV_SPEAKERS])
    write_manifest(folder / "test.jsonl", test)
    shutil.copyfile(source / "etc" / "an4.dic", folder / "an4.dic")
    if (source / "LICENSE").is_file():
        shutil.copyfile(source / "LICENSE", folder / "LICENSE")


def _an4_test_order(row: Row) -> tuple[int, str, str]:
    """Sort short utterances first: so stand those of the manifest whose checksum is known."""
    return len(row["text"].split()), row["speaker"], row["id"]


def _an4_rows(source: Path, part: str, folder: Path, digests: dict[str, str]) -> Iterator[Row]:
    """Convert the utterances of one part and yield their rows; enter the sha256 of their samples."""
    transcripts = source / "etc" / f"an4_{part}.transcription"
    for number, line in enumerate(transcripts.read_text(encoding="latin-1").splitlines(), 1):
        match = AN4_LINE.fullmatch(line.strip())
        if not match:
            raise DataError(f"{transcripts}:{number}: expected 'TEXT (utterance)', got {line!r}")
        words = match["text"].replace("<s>", " ").replace("</s>", " ").lower().split()
        sound = source / "wav" / AN4_PARTS[part] / match["speaker"] / f"{match['id']}.sph"
        name = f"flac/{match['id']}.flac"
        converted = _convert(sound, folder / name, "FLAC", "PCM_16")
        digests[match["id"]] = converted.sha256
        about = {"audio": name, "text": " ".join(words), "speaker": match["speaker"], "id": match["id"]}
        yield about | timing(converted.frames, converted.rate)


# --- FSDD ----------------------------------------------------------------------------------------------

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

FSDD_NAME = re.compile(r"(?P<digit>[0-9])_(?P<speaker>[a-z]+)_(?P<take>[0-9]+)\.wav")

FSDD_TEST_TAKES = range(5)
"""The official test split: the first takes of every digit by every speaker."""

FSDD_SPEAKERS = {"theo": "spk_dev", "yweweler": "spk_test"}
"""Speakers of the speaker-disjoint dev and test splits; the other four are for training."""


def prepare_fsdd(downloads: Path, folder: Path) -> None:
    """Take the recordings out of the repository and write manifests of both ways to split them."""
    source = unpack_beside(
        downloads / "fsdd.tar.gz", lambda name: "/recordings/" in name, max_bytes=FSDD_UNPACKED
    )
    recordings = _only(source, "*/recordings")
    recordings.rename(folder / "wav")
    rows = sorted(map(_fsdd_row, (folder / "wav").glob("*.wav")), key=_fsdd_order)
    splits: dict[str, list[Row]] = {}
    for row in rows:
        official = "test" if row["index"] in FSDD_TEST_TAKES else "train"
        for split in (official, FSDD_SPEAKERS.get(row["speaker"], "spk_train")):
            splits.setdefault(split, []).append(row)
    for split, chosen in splits.items():
        write_manifest(folder / f"{split}.jsonl", chosen)


def _fsdd_row(path: Path) -> Row:
    match = FSDD_NAME.fullmatch(path.name)
    if not match:
        raise DataError(f"expected recordings named like 7_jackson_32.wav, found {path.name}")
    digit = int(match["digit"])
    frames, rate = _length(path)
    return {
        "audio": f"wav/{path.name}",
        "text": DIGITS[digit],
        "label": digit,
        "speaker": match["speaker"],
        "index": int(match["take"]),
    } | timing(frames, rate)


def _fsdd_order(row: Row) -> tuple[str, int, int]:
    return row["speaker"], row["index"], row["label"]


# --- Kathleen ------------------------------------------------------------------------------------------

KATHLEEN_RATE = 16_000
"""Samples per second of the prepared set, a third of the original's."""

KATHLEEN_FOLD = {"0": "test", "5": "dev"}
"""Last digit of a prompt's number to its split: no sentence is in two."""


def prepare_kathleen(downloads: Path, folder: Path, *, source_sha256: str = "") -> None:
    """Bring the recordings to one channel and 16 kHz as OGG Vorbis; write manifests split by prompt.

    `source_sha256` is the checksum of the repository's folder `data`, empty for none.
    """
    source = unpack_beside(
        downloads / "kathleen.tar.gz", lambda name: "/data/" in name, max_bytes=KATHLEEN_UNPACKED
    )
    recordings = _only(source, "*/data")
    if source_sha256 and (found := tree_sha256(recordings)) != source_sha256:
        raise DataError(f"sha256 of the folder data in its archive is {found}, expected {source_sha256}")
    (folder / "ogg").mkdir()
    splits: dict[str, list[Row]] = {}
    for sound in sorted(recordings.glob("*.wav")):
        row = _kathleen_row(sound, folder)
        splits.setdefault(row["split"], []).append(row)
    for split, rows in splits.items():
        write_manifest(folder / f"{split}.jsonl", rows)


def _kathleen_row(sound: Path, folder: Path) -> Row:
    text = sound.with_suffix(".txt").read_text(encoding="utf-8").strip()
    prompt = sound.stem.split("_")[1]
    name = f"ogg/{sound.stem}.ogg"
    converted = _convert(sound, folder / name, "OGG", "VORBIS", rate=KATHLEEN_RATE)
    about = {
        "audio": name,
        "text": text,
        "norm": " ".join(re.sub("[^a-z']", " ", text.lower()).split()),
        "speaker": "kathleen",
        "prompt": prompt,
    }
    length = timing(converted.frames, converted.rate)
    return about | length | {"split": KATHLEEN_FOLD.get(prompt[-1], "train")}


# --- sound ---------------------------------------------------------------------------------------------


def _only(source: Path, pattern: str) -> Path:
    """Return the one path that matches; DataError for none and for several."""
    found = sorted(source.glob(pattern))
    if len(found) != 1:
        raise DataError(f"expected one folder {pattern} in its archive, found {len(found)}")
    return found[0]


def _length(path: Path) -> tuple[int, int]:
    """Return the frames and the sample rate of a sound file; DataError where it is none."""
    import soundfile

    try:
        info = soundfile.info(str(path))
    except soundfile.SoundFileError as error:
        raise DataError(f"{path}: {error}") from error
    return info.frames, info.samplerate


@dataclass(frozen=True)
class Converted:
    """What became of a sound: its frames, its sample rate in Hz, and the sha256 of its samples."""

    frames: int
    rate: int
    sha256: str


def _convert(
    source: Path, target: Path, container: str, coding: str, *, rate: int | None = None
) -> Converted:
    """Write a sound file in another format, one channel, at `rate` if given.

    Without `rate` its 16-bit samples go over unchanged.
    """
    import soundfile

    samples, own = _read(source, "float32" if rate else "int16")
    if rate:
        samples = _resampled(samples.mean(axis=1), own, rate)
    elif samples.shape[1] != 1:
        raise DataError(f"{source}: has {samples.shape[1]} channels, expected 1")
    # Encoded in memory: what a full disk does to libsndfile has no message.
    encoded = io.BytesIO()
    soundfile.write(encoded, samples, rate or own, format=container, subtype=coding)
    target.write_bytes(encoded.getvalue())
    little_endian = samples.astype(samples.dtype.newbyteorder("<"), copy=False).tobytes()
    return Converted(len(samples), rate or own, hashlib.sha256(little_endian).hexdigest())


def _read(source: Path, dtype: str) -> tuple[Any, int]:
    """Return the samples (time, channels) and the sample rate of a sound file; DataError where it is none."""
    import soundfile

    if not source.is_file():
        raise DataError(f"{source} is missing")
    try:
        samples, rate = soundfile.read(str(source), dtype=dtype, always_2d=True)
    except soundfile.SoundFileError as error:
        raise DataError(f"{source}: {error}") from error
    return samples, rate


def _resampled(samples: Any, own: int, rate: int) -> Any:
    """Return samples at another rate; their number is the time's share, rounded up."""
    import numpy as np

    from seqlab.audio import resample

    wanted = -(-len(samples) * rate // own)
    found = resample(samples, own, rate)[:wanted]
    return np.pad(found, (0, wanted - len(found)))

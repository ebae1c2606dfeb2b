"""How the text sets are made from what is published: members picked, splits drawn by fixed rules, UTF-8."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from seqlab.api import DataError
from seqlab.datasets.archives import unpack_beside

__all__ = [
    "prepare_clinc150",
    "prepare_cmudict",
    "prepare_conll2000",
    "prepare_movie_reviews",
    "prepare_rt_polarity",
    "prepare_tinyshakespeare",
]

DEV_EVERY = 10
"""Of the training sentences of CoNLL-2000, every so many is one of the dev split."""

FOLD = {9: "test", 8: "dev"}
"""Last digit of a line's or a document's number to its split; the other eight are for training."""

CMUDICT_PARTS = 20
"""Words of the dictionary are dealt into so many parts by their hash: 0 is test, 1 dev, the others train."""

SHAKESPEARE_SHARES = (0.90, 0.95)
"""Where the dev and the test split begin, as shares of the text."""


def prepare_conll2000(downloads: Path, folder: Path) -> None:
    """Take a dev split out of the training data of CoNLL-2000."""
    source = unpack_beside(downloads / "conll2000.zip") / "conll2000"
    text = (source / "train.txt").read_text(encoding="latin-1")
    sentences = [sentence.strip("\n") + "\n\n" for sentence in re.split(r"\n\s*\n", text.strip("\n"))]
    dev = sentences[DEV_EVERY - 1 :: DEV_EVERY]
    train = [one for number, one in enumerate(sentences, 1) if number % DEV_EVERY]
    for name, part in (("train.txt", train), ("dev.txt", dev)):
        (folder / name).write_text("".join(part), encoding="latin-1")
    shutil.copyfile(source / "train.txt", folder / "train_official.txt")
    for name in ("test.txt", "README"):
        shutil.copyfile(source / name, folder / name)


def prepare_rt_polarity(downloads: Path, folder: Path) -> None:
    """Pair the sentences of both classes and split them by the number of their line."""
    source = unpack_beside(downloads / "sentence_polarity.zip") / "sentence_polarity"
    classes = {
        label: (source / f"rt-polarity.{label}").read_text(encoding="utf-8").split("\n")
        for label in ("neg", "pos")
    }
    rows = (
        (FOLD.get(number % 10, "train"), label, " ".join(lines[number].split()))
        for number in range(max(map(len, classes.values())))
        for label, lines in classes.items()
        if number < len(lines) and lines[number].strip()
    )
    _write_splits(folder, rows)
    shutil.copyfile(source / "README.txt", folder / "README.txt")


def prepare_movie_reviews(downloads: Path, folder: Path) -> None:
    """Put every review on one line and split them by the customary folds, the first digit of `cvNNN`."""
    source = unpack_beside(downloads / "movie_reviews.zip") / "movie_reviews"
    paths = sorted(source.glob("*/cv*.txt"), key=lambda path: path.name)
    rows = (
        (
            FOLD.get(int(path.name[2]), "train"),
            path.parent.name,
            " ".join(path.read_text(encoding="latin-1").split()),
        )
        for path in paths
    )
    _write_splits(folder, rows)
    shutil.copyfile(source / "README", folder / "README")


def prepare_clinc150(downloads: Path, folder: Path) -> None:
    """Write each part of the JSON file as lines of label and text."""
    try:
        parts = json.loads((downloads / "data_full.json").read_bytes())
    except ValueError as error:
        raise DataError(f"data_full.json: {error}") from error
    rows = ((part, label, " ".join(text.split())) for part, found in parts.items() for text, label in found)
    _write_splits(folder, rows)
    for name in ("LICENSE", "domains.json"):
        shutil.copyfile(downloads / name, folder / name)


def prepare_cmudict(downloads: Path, folder: Path) -> None:
    """Split the dictionary by a hash of the word, so that all its pronunciations are on one side."""
    lines = (downloads / "cmudict.dict").read_text(encoding="utf-8").splitlines()
    rows = []
    for line in lines:
        word, _, phonemes = line.partition("#")[0].strip().partition(" ")
        word = re.sub(r"\(\d+\)$", "", word)
        if re.fullmatch("[a-z']+", word):
            rows.append((_part(word), word, phonemes))
    _write_splits(folder, sorted(rows, key=lambda row: row[1]))
    for name in ("cmudict.dict", "cmudict.phones", "cmudict.symbols", "LICENSE", "README"):
        shutil.copyfile(downloads / name, folder / name)


def _part(word: str) -> str:
    number = int(hashlib.sha1(word.encode(), usedforsecurity=False).hexdigest(), 16) % CMUDICT_PARTS
    return {0: "test", 1: "dev"}.get(number, "train")


def prepare_tinyshakespeare(downloads: Path, folder: Path) -> None:
    """Split the text by position."""
    text = (downloads / "input.txt").read_text(encoding="utf-8")
    dev, test = (int(share * len(text)) for share in SHAKESPEARE_SHARES)
    for split, part in (("train", text[:dev]), ("dev", text[dev:test]), ("test", text[test:])):
        (folder / f"{split}.txt").write_text(part, encoding="utf-8")
    shutil.copyfile(downloads / "input.txt", folder / "input.txt")


def _write_splits(folder: Path, rows: Iterable[tuple[str, str, str]]) -> None:
    """Write `FIRST<tab>SECOND` lines to the file of each split."""
    lines: dict[str, list[str]] = {}
    for split, first, second in rows:
        lines.setdefault(split, []).append(f"{first}\t{second}\n")
    for split, found in lines.items():
        (folder / f"{split}.tsv").write_text("".join(found), encoding="utf-8")

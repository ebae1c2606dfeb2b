"""Small files in the form of the published ones, prepared."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from seqlab.builtin.text.datasets.preparation import (
    prepare_clinc150,
    prepare_cmudict,
    prepare_conll2000,
    prepare_movie_reviews,
    prepare_rt_polarity,
    prepare_tinyshakespeare,
)
from seqlab.errors import DataError


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    (tmp_path / "downloads").mkdir()
    return tmp_path / "downloads"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "new").mkdir()
    return tmp_path / "new"


def zipped(path: Path, files: dict[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_every_tenth_sentence_of_conll2000_is_for_dev(downloads: Path, folder: Path) -> None:
    sentences = [f"word{number} NN B-NP\n. . O\n" for number in range(1, 24)]
    official = "\n".join(sentences) + "\n"
    texts = {"train.txt": official, "test.txt": "a DT B-NP\n\n", "README": "r"}
    zipped(downloads / "conll2000.zip", {f"conll2000/{name}": text for name, text in texts.items()})
    prepare_conll2000(downloads, folder)
    dev = (folder / "dev.txt").read_text()
    assert dev == "".join(sentences[number - 1] + "\n" for number in (10, 20))
    assert (folder / "train.txt").read_text() + dev != official
    assert sorted(lines(folder / "train.txt") + lines(folder / "dev.txt")) == sorted(official.splitlines())
    assert (folder / "train_official.txt").read_text() == official
    assert (folder / "test.txt").read_text() == texts["test.txt"]


def test_sentences_are_paired_and_split_by_line(downloads: Path, folder: Path) -> None:
    classes = {
        f"sentence_polarity/rt-polarity.{label}": "".join(f"{label} más  {n} \n" for n in range(20))
        for label in ("neg", "pos")
    }
    zipped(downloads / "sentence_polarity.zip", classes | {"sentence_polarity/README.txt": "r"})
    prepare_rt_polarity(downloads, folder)
    both = [f"{label}\t{label} más {n}" for n in (9, 19) for label in ("neg", "pos")]
    assert lines(folder / "test.tsv") == both
    assert len(lines(folder / "dev.tsv")) == 4
    assert len(lines(folder / "train.tsv")) == 32


def test_reviews_are_split_by_fold(downloads: Path, folder: Path) -> None:
    reviews = {
        f"movie_reviews/{label}/cv{fold}00_1{number}.txt": f"{label} {fold} \nsecond line . \n"
        for number, label in enumerate(("neg", "pos"))
        for fold in range(10)
    }
    zipped(downloads / "movie_reviews.zip", reviews | {"movie_reviews/README": "r"})
    prepare_movie_reviews(downloads, folder)
    assert lines(folder / "test.tsv") == ["neg\tneg 9 second line .", "pos\tpos 9 second line ."]
    assert lines(folder / "dev.tsv") == ["neg\tneg 8 second line .", "pos\tpos 8 second line ."]
    assert len(lines(folder / "train.tsv")) == 16


def test_intents_are_written_part_by_part(downloads: Path, folder: Path) -> None:
    parts = {"train": [["how  far ?", "distance"]], "oos_val": [["a show", "oos"]]}
    (downloads / "data_full.json").write_text(json.dumps(parts))
    for name in ("LICENSE", "domains.json"):
        (downloads / name).touch()
    prepare_clinc150(downloads, folder)
    assert lines(folder / "train.tsv") == ["distance\thow far ?"]
    assert lines(folder / "oos_val.tsv") == ["oos\ta show"]


def test_intents_that_are_no_json_are_named(downloads: Path, folder: Path) -> None:
    (downloads / "data_full.json").write_text("{")
    with pytest.raises(DataError, match=r"data_full\.json: "):
        prepare_clinc150(downloads, folder)


def test_all_pronunciations_of_a_word_are_on_one_side(downloads: Path, folder: Path) -> None:
    words = [f"w{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(200)]
    text = "".join(f"{word} W AH0\n{word}(2) W EY1 # as in {word}\n" for word in words)
    (downloads / "cmudict.dict").write_text(text + "a.m. EY2 EH1 M\n")
    for name in ("cmudict.phones", "cmudict.symbols", "LICENSE", "README"):
        (downloads / name).touch()
    prepare_cmudict(downloads, folder)
    sides = [lines(folder / f"{split}.tsv") for split in ("train", "dev", "test")]
    assert all(sides)
    assert sorted(line for side in sides for line in side) == sorted(
        f"{word}\t{sound}" for word in words for sound in ("W AH0", "W EY1")
    )
    assert not {line.split("\t")[0] for line in sides[0]} & {line.split("\t")[0] for line in sides[2]}


def test_the_text_is_split_by_position(downloads: Path, folder: Path) -> None:
    text = "".join(f"{number:03}\n" for number in range(100))
    (downloads / "input.txt").write_text(text)
    prepare_tinyshakespeare(downloads, folder)
    parts = [(folder / f"{split}.txt").read_text() for split in ("train", "dev", "test")]
    assert "".join(parts) == text
    assert [len(part) for part in parts] == [360, 20, 20]

"""The English sample treebank: valid files, 17 tags, clean splits, and a README that counts them truly."""

from __future__ import annotations

import importlib.resources
from collections import Counter
from typing import NamedTuple

import pytest

FOLDER = importlib.resources.files("seqlab.builtin.text.samples") / "english"
SPLITS = ["train", "dev", "test"]
UPOS = {"ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN"}
UPOS |= {"PUNCT", "SCONJ", "SYM", "VERB", "X"}
FILLED = {0, 1, 3, 9}  # the columns ID, FORM, UPOS and MISC


class Sentence(NamedTuple):
    """One block of a file: its comment lines by key, and the columns of its words."""

    comments: dict[str, str]
    words: list[list[str]]


def parse(block: str) -> Sentence:
    lines = block.split("\n")
    pairs = [line.removeprefix("# ").split(" = ", 1) for line in lines if line.startswith("#")]
    return Sentence(dict(pairs), [line.split("\t") for line in lines if not line.startswith("#")])


def read(split: str) -> list[Sentence]:
    content = (FOLDER / f"{split}.conllu").read_text(encoding="utf-8")
    assert content.endswith("\n\n"), "every sentence, the last one too, is followed by an empty line"
    return [parse(block) for block in content.removesuffix("\n\n").split("\n\n")]


@pytest.mark.parametrize("split", SPLITS)
def test_the_plain_text_is_that_of_the_sentences(split: str) -> None:
    lines = (FOLDER / f"{split}.txt").read_text(encoding="utf-8").splitlines()
    assert lines == [sentence.comments["text"] for sentence in read(split)]


def count_rows(split: str) -> dict[str, int]:
    """Count what the README states: sentences, tokens, and each tag by its name."""
    sentences = read(split)
    tags = Counter(word[3] for sentence in sentences for word in sentence.words)
    return {"sentences": len(sentences), "tokens": tags.total(), **tags}


def readme_counts() -> dict[str, list[int]]:
    lines = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return {name: [int(cell) for cell in cells] for name, *cells in rows if name}


def test_there_are_at_least_600_sentences() -> None:
    assert sum(len(read(split)) for split in SPLITS) >= 600


@pytest.mark.parametrize("split", SPLITS)
def test_every_word_has_ten_columns_and_only_the_promised_ones_are_filled(split: str) -> None:
    for sentence in read(split):
        for word in sentence.words:
            assert len(word) == 10, word
            assert all(word), word
            assert {i for i, value in enumerate(word) if value != "_"} <= FILLED, word
            assert word[9] in {"_", "SpaceAfter=No"}, word


@pytest.mark.parametrize("split", SPLITS)
def test_word_ids_start_at_1_and_increase_by_1(split: str) -> None:
    for sentence in read(split):
        assert [word[0] for word in sentence.words] == [str(i + 1) for i in range(len(sentence.words))]


@pytest.mark.parametrize("split", SPLITS)
def test_sentence_ids_name_the_split_and_count_up_from_1(split: str) -> None:
    sentences = read(split)
    ids = [sentence.comments["sent_id"] for sentence in sentences]
    assert ids == [f"seqlab-{split}-{i:04}" for i in range(1, len(sentences) + 1)]


@pytest.mark.parametrize("split", SPLITS)
def test_every_tag_is_one_of_the_17_and_each_split_has_all(split: str) -> None:
    assert {word[3] for sentence in read(split) for word in sentence.words} == UPOS


@pytest.mark.parametrize("split", SPLITS)
def test_the_text_is_the_forms_joined_as_space_after_says(split: str) -> None:
    for sentence in read(split):
        spaced = [word[1] + ("" if word[9] == "SpaceAfter=No" else " ") for word in sentence.words]
        assert sentence.comments["text"] == "".join(spaced).removesuffix(" ")


def test_no_sentence_stands_twice_be_it_in_one_split_or_in_two() -> None:
    texts = Counter(sentence.comments["text"].lower() for split in SPLITS for sentence in read(split))
    assert [text for text, count in texts.items() if count > 1] == []


def test_the_average_length_is_between_8_and_16_tokens() -> None:
    lengths = [len(sentence.words) for split in SPLITS for sentence in read(split)]
    assert 8 <= sum(lengths) / len(lengths) <= 16


def test_the_readme_states_the_true_counts() -> None:
    columns = [count_rows(split) for split in SPLITS]
    true = {name: [column[name] for column in columns] for name in ["sentences", "tokens", *UPOS]}
    assert readme_counts() == {name: [*counts, sum(counts)] for name, counts in true.items()}

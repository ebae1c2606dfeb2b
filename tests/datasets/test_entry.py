from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from seqlab.datasets import DatasetEntry, Download

SHA = "0" * 64
FILE = Download(name="a.txt", urls=("https://example.org/a.txt",), sha256=SHA)
UNCHECKED = Download(name="a.zip", urls=("https://example.org/a.zip",))
WHOLE: dict[str, Any] = {
    "name": "tiny",
    "summary": "a set",
    "licence": "CC0",
    "citation": "nobody",
    "origin": "nowhere",
    "downloads": (FILE,),
}


def prepare(downloads: object, folder: object) -> None:
    pass


def test_the_files_of_a_set_without_preparation_are_its_downloads() -> None:
    assert DatasetEntry(**WHOLE).checksums == {"a.txt": SHA}
    prepared = DatasetEntry(**WHOLE | {"prepare": prepare, "files": {"b.txt": SHA}})
    assert prepared.checksums == {"b.txt": SHA}


def test_the_files_of_all_splits_are_listed() -> None:
    splits = {"train": ("a.txt", "b.txt"), "test": "c.txt"}
    assert DatasetEntry(**WHOLE | {"splits": splits}).split_files == ("a.txt", "b.txt", "c.txt")


def test_an_entry_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        DatasetEntry(**WHOLE).name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "../up"}, "name"),
        ({"name": ".downloads"}, "name"),
        ({"licence": ""}, "licence"),
        ({"reader": {"text": "form"}}, "reader needs a 'name'"),
        ({"splits": {"train": "../train.txt"}}, "is not allowed"),
        ({"splits": {"train": ("a.txt", "/etc/passwd")}}, "is not allowed"),
        ({"splits": {"validation": "a.txt"}}, "validation"),
        ({"files": {"a/../../b": SHA}}, "is not allowed"),
        ({"files": {"a.txt": "abc"}}, "pattern"),
        ({"downloads": ()}, "either downloads or by_hand"),
        ({"by_hand": "ask"}, "either downloads or by_hand"),
        ({"downloads": (FILE, FILE)}, "two downloads have the name a.txt"),
        ({"downloads": (UNCHECKED,)}, "nothing checks a.zip"),
        ({"downloads": (UNCHECKED,), "prepare": prepare}, "nothing checks a.zip"),
        ({"downloads": (), "by_hand": "ask", "prepare": prepare}, "nothing to prepare"),
        (
            {"splits": {"train": ("a.txt", "b.txt")}, "manifest_key": "audio"},
            "nothing checks b.txt: a manifest",
        ),
        ({"splits": {"dev": "b.txt"}, "extras": {"b.txt": SHA}}, "a split cannot be left out"),
        ({"licence_url": "x"}, "licence_url"),
    ],
)
def test_an_entry_that_cannot_work_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DatasetEntry(**WHOLE | change)


@pytest.mark.parametrize(
    "url", ["ftp://example.org/a", "file:///etc/passwd", "example.org/a", "https://a b/c"]
)
def test_only_web_addresses_are_fetched(url: str) -> None:
    with pytest.raises(ValidationError):
        Download(name="a", urls=(url,), sha256=SHA)


@pytest.mark.parametrize("name", ["", "/a", "..", "a/../b", "a//b", ".a", "a b"])
def test_a_download_stays_in_its_folder(name: str) -> None:
    with pytest.raises(ValidationError, match="is not allowed"):
        Download(name=name, urls=("https://example.org/a",), sha256=SHA)


def test_only_downloads_without_a_checksum_have_a_bound_by_default() -> None:
    assert FILE.most_bytes == float("inf")
    assert UNCHECKED.most_bytes == 2 << 30
    assert FILE.model_copy(update={"max_bytes": 5}).most_bytes == 5

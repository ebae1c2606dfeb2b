from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from seqlab.api import DataError, Example, ReaderContext
from seqlab.builtin.synthetic.plugin import seqlab_register_readers
from seqlab.builtin.synthetic.readers.components import CopyMemoryConfig
from seqlab.builtin.synthetic.readers.copy_memory import CopyMemoryReader


def reader(*, symbols: int = 4, length: int = 3, lag: int = 5, seed: int = 1) -> CopyMemoryReader:
    return CopyMemoryReader(symbols, length, lag, seed=seed)


def read(tmp_path: Path, text: str, subject: CopyMemoryReader | None = None) -> list[Example]:
    path = tmp_path / "data.copy"
    path.write_text(text)
    return list((subject or reader()).read(path))


def remembered(examples: list[Example]) -> list[tuple[str, ...]]:
    return [tuple(example.fields["copy"][-3:]) for example in examples]


def test_a_line_of_symbols_is_one_sequence(tmp_path: Path) -> None:
    (example,) = read(tmp_path, "# by hand\n\na3 a0 a3\n")
    assert example.fields["tokens"] == ["a3", "a0", "a3", "_", "_", "_", "_", "go", "_", "_", "_"]
    assert example.fields["copy"] == ["_"] * 8 + ["a3", "a0", "a3"]
    assert str(example.place) == f"{tmp_path}/data.copy:3"


@pytest.mark.parametrize(("length", "lag"), [(1, 1), (3, 5), (10, 100)])
def test_every_symbol_is_asked_for_length_plus_lag_steps_after_it_was_read(
    tmp_path: Path, length: int, lag: int
) -> None:
    for example in read(tmp_path, "generate train 50\n", reader(length=length, lag=lag)):
        tokens, labels = example.fields["tokens"], example.fields["copy"]
        assert len(tokens) == len(labels) == 2 * length + lag
        assert labels[length + lag :] == tokens[:length]
        assert set(labels[: length + lag]) == {"_"}
        assert tokens[length:] == ["_"] * (lag - 1) + ["go"] + ["_"] * length


def test_symbols_are_drawn_evenly(tmp_path: Path) -> None:
    drawn = Counter(symbol for each in remembered(read(tmp_path, "generate train 2000\n")) for symbol in each)
    assert sorted(drawn) == ["a0", "a1", "a2", "a3"]
    assert all(abs(count - 1500) < 150 for count in drawn.values()), drawn  # 4 standard deviations are 134


def test_what_is_drawn_follows_from_the_seed_and_the_name_alone(tmp_path: Path) -> None:
    train, again = (remembered(read(tmp_path, "generate train 200\n")) for _ in range(2))
    dev = remembered(read(tmp_path, "generate dev 200\n"))
    other = remembered(read(tmp_path, "generate train 200\n", reader(seed=2)))
    assert train == again
    assert len({tuple(train), tuple(dev), tuple(other)}) == 3
    both = remembered(read(tmp_path, "generate dev 200\na0 a0 a0\ngenerate train 200\n"))
    assert both == [*dev, ("a0", "a0", "a0"), *train]
    assert remembered(read(tmp_path, "generate train 50\n")) == train[:50], "fewer are the first ones"


def test_the_draw_is_the_same_for_ever(tmp_path: Path) -> None:
    """Data that changed with a version of Python would not be the data of the run any more."""
    examples = read(tmp_path, "generate train 3\n")
    assert remembered(examples) == [("a1", "a3", "a2"), ("a1", "a3", "a3"), ("a2", "a3", "a3")]


def test_without_labels_the_tokens_are_the_same(tmp_path: Path) -> None:
    labelled = read(tmp_path, "generate train 5\n")
    bare = list(reader().read(tmp_path / "data.copy", labelled=False))
    assert [each.fields for each in bare] == [{"tokens": each.fields["tokens"]} for each in labelled]


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    examples = read(tmp_path, "generate train 20\n")
    text = "".join(reader().write(each, {"copy": each.fields["copy"]}) for each in examples)
    assert text == "".join(reader().write(each, {}) for each in examples)
    assert [each.fields for each in read(tmp_path, text)] == [each.fields for each in examples]


def test_wrong_labels_cannot_be_written(tmp_path: Path) -> None:
    (example,) = read(tmp_path, "a0 a1 a2\n")
    with pytest.raises(DataError, match=r"data\.copy:1: a line of symbols cannot hold labels other than"):
        reader().write(example, {"copy": ["_"] * 11})


GENERATE = "'generate NAME COUNT' with a count of at least 1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "data.copy: no sequences"),
        ("# nothing\n", "data.copy: no sequences"),
        ("a0 a1 a2\na0 a1\n", "data.copy:2: expected 3 symbols, found 2"),
        ("a0 a1 a4\n", "data.copy:1: unknown symbol 'a4'; allowed are a0 to a3, or 'generate NAME COUNT'"),
        ("generate 200\n", f"data.copy:1: expected {GENERATE}, got 'generate 200'"),
        ("generate train 0\n", f"data.copy:1: expected {GENERATE}, got 'generate train 0'"),
        ("generate train -2\n", f"data.copy:1: expected {GENERATE}, got 'generate train -2'"),
    ],
)
def test_a_bad_line_is_an_error_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message) + "$"):
        read(tmp_path, text)


@pytest.mark.parametrize("values", [{"symbols": 1}, {"length": 0}, {"lag": 0}, {"seed": -1}])
def test_wrong_settings(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CopyMemoryConfig.model_validate(values)


def test_the_component_builds_the_reader_and_needs_no_torch(tmp_path: Path) -> None:
    (component,) = (each for each in seqlab_register_readers() if each.name == "copy_memory")
    built = component.build(component.config(symbols=4, length=3, lag=5, seed=2), ReaderContext())
    expected = read(tmp_path, "generate train 5\n", reader(seed=2))
    assert list(built.read(tmp_path / "data.copy")) == expected
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from seqlab.builtin.synthetic.readers.copy_memory import CopyMemoryReader\n"
        "list(CopyMemoryReader(4, 3, 5).read(Path(sys.argv[1])))\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "data.copy"], check=True)

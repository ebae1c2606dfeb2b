"""Writing with a trained language model: repeats by seed, whoever writes beside it; ends where it should."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import seqlab
from seqlab import Lab
from seqlab.builtin.text.generation import Sampling, TextGenerator
from seqlab.cli.main import seqlab as command
from seqlab.cli.options import Session
from seqlab.errors import DataError, SeqlabError
from seqlab.predict.predictor import Predictor
from seqlab.run import RunOptions

RECIPE = Path(__file__).parents[3] / "recipes" / "hello.yaml"
TEXT = "to be or not to be\nthat is the question\nwhether it is nobler\nto suffer or to be\n"


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("hello")
    Lab(entry_points=False).run(RECIPE, [], RunOptions(out=out, device="cpu"))
    return out / "model"


@pytest.fixture(scope="module")
def unsure(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A model that has learned little: much may follow."""
    folder = tmp_path_factory.mktemp("unsure")
    (folder / "train.txt").write_text(TEXT)
    recipe: dict[str, Any] = {
        "data": {"reader": {"name": "text", "by": "file"}, "train": str(folder / "train.txt")},
        "features": [{"name": "embedding", "embedding_dim": 8}],
        "encoder": {"name": "lstm", "hidden_size": 12, "num_layers": 2},
        "head": {"name": "language_model", "tied": False},
        "train": {"epochs": 4, "lanes": 4, "bptt": 5},
    }
    Lab(entry_points=False).run(recipe, [], RunOptions(out=folder / "out", device="cpu"))
    return seqlab.open(folder / "out" / "model", device="cpu")


def test_the_first_example_of_the_lectures_is_spelt(hello: Path) -> None:
    generator = TextGenerator(seqlab.open(hello, device="cpu"))
    assert generator.write(["h", "hel", "hello"], Sampling(temperature=0)) == ["ello", "lo", ""]
    assert "".join(generator.stream("h", Sampling(temperature=0))) == "ello"


def test_the_command_writes_what_python_writes(hello: Path) -> None:
    done = CliRunner().invoke(
        command, ["generate", str(hello), "--prompt", "h", "--temperature", "0"], obj=Session()
    )
    assert done.output == "hello\n"
    args = ["generate", str(hello), "--temperature", "0", "--only-new"]
    assert piped(args, b"h\nhel\n").stdout == b"ello\nlo\n"


def piped(args: list[str], given: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own, with this standard input."""
    return subprocess.run(
        [sys.executable, "-m", "seqlab", *args], input=given, capture_output=True, check=False
    )


def test_a_seed_repeats_and_another_does_not(unsure: Predictor) -> None:
    generator = TextGenerator(unsure)
    first, again = (generator.write(["to", "to"], Sampling(length=30)) for _ in "ab")
    assert first == again
    assert first[0] != first[1], "texts from one prompt differ"
    assert generator.write(["to"], Sampling(length=30, seed=1)) != first[:1]
    assert all(len(each) == 30 for each in first)


def test_what_is_written_does_not_depend_on_who_writes_beside(unsure: Predictor) -> None:
    generator, sampling = TextGenerator(unsure), Sampling(length=40)
    alone = generator.write(["to be"], sampling)
    beside = generator.write(["to be", "w", "whether it is nobler to"], sampling)
    assert beside[:1] == alone
    assert "".join(generator.stream("to be", sampling)) == alone[0]


def test_a_carried_state_writes_what_reading_all_anew_would(unsure: Predictor) -> None:
    generator, text = TextGenerator(unsure), "to"
    written = generator.write([text], Sampling(temperature=0, length=12))[0]
    for _ in range(12):
        text += generator.write([text], Sampling(temperature=0, length=1))[0]
    assert text == "to" + written


# --- how a token is drawn ----------------------------------------------------------------------------------

SCORES = torch.tensor([[2.0, 1.0, 0.0, -1.0]])


def probabilities(**options: Any) -> list[float]:
    found: list[float] = Sampling(**options).probabilities(SCORES)[0].tolist()
    return found


def test_without_options_it_is_the_softmax() -> None:
    assert probabilities() == pytest.approx(SCORES[0].softmax(0).tolist())


def test_temperature_sharpens_and_0_takes_the_likeliest() -> None:
    assert probabilities(temperature=0.5) == pytest.approx((SCORES[0] * 2).softmax(0).tolist())
    assert probabilities(temperature=0) == probabilities(temperature=1e-310) == [1, 0, 0, 0]


def test_top_k_and_top_p_leave_the_likeliest() -> None:
    two = SCORES[0, :2].softmax(0).tolist()
    assert probabilities(top_k=2) == pytest.approx([*two, 0, 0])
    whole = SCORES[0].softmax(0)
    assert probabilities(top_p=float(whole[0]) + 0.01) == pytest.approx([*two, 0, 0])
    assert probabilities(top_p=float(whole[0]) - 0.01) == [1, 0, 0, 0]
    assert probabilities(top_k=9) == pytest.approx(whole.tolist())
    assert probabilities(top_k=2, top_p=two[0] - 0.01) == [1, 0, 0, 0], "top_p is of what top_k has left"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -0.1}, "temperature must be a number from 0 on, got -0.1"),
        ({"temperature": float("nan")}, "temperature must be"),
        ({"top_k": 0}, "top_k must be at least 1, got 0"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, got 0.0"),
        ({"length": 0}, "length must be at least 1, got 0"),
    ],
)
def test_numbers_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sampling(**options)


@pytest.mark.parametrize("options", [{"length": 2.5}, {"top_k": 1.5}, {"seed": "a"}, {"temperature": "x"}])
def test_what_is_no_number_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"{next(iter(options))} must be"):
        Sampling(**options)


def test_one_prompt_in_the_place_of_many_is_refused(unsure: Predictor) -> None:
    with pytest.raises(TypeError, match="a list of prompts, got the text 'to'"):
        TextGenerator(unsure).write("to")


def test_prompts_that_are_not_utf8_and_devices_that_are_none_are_refused(hello: Path) -> None:
    args = ["generate", str(hello)]
    refused = piped(args, b"h\n\xff\xfe\n")
    assert refused.returncode == 4
    assert b"<stdin>:2: not UTF-8" in refused.stderr
    done = CliRunner().invoke(command, [*args, "--prompt", "h", "--device", "tpu"], obj=Session())
    assert done.exit_code == 2


def test_a_prompt_without_tokens_is_refused(unsure: Predictor) -> None:
    with pytest.raises(DataError, match="a prompt needs at least one token"):
        TextGenerator(unsure).write([""])


def test_other_models_are_refused(tmp_path: Path) -> None:
    recipe = Path(__file__).parents[3] / "recipes" / "sentiment.yaml"
    options = RunOptions(out=tmp_path, device="cpu")
    Lab(entry_points=False).run(recipe, ["train.epochs=1"], options)
    with pytest.raises(SeqlabError, match="needs the head language_model"):
        TextGenerator(seqlab.open(tmp_path / "model", device="cpu"))

"""Dynamic evaluation: without learning it is the evaluation; with it, what repeats surprises less."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import seqlab
from seqlab import Lab
from seqlab.builtin.text.dynamic_evaluation import dynamic_evaluation
from seqlab.cli.main import seqlab as command
from seqlab.cli.options import Session
from seqlab.errors import SeqlabError
from seqlab.predict.predictor import Predictor
from seqlab.run import RunOptions

TEXT = "to be or not to be\nthat is the question\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    (folder / "train.txt").write_text(TEXT)
    recipe: dict[str, Any] = {
        "data": {"reader": {"name": "text", "by": "file"}, "train": str(folder / "train.txt")},
        "features": [{"name": "embedding", "embedding_dim": 8}],
        "encoder": {"name": "gru", "hidden_size": 12, "output_dropout": 0.3},
        "head": {"name": "language_model"},
        "train": {"epochs": 2},
    }
    Lab(entry_points=False).run(recipe, [], RunOptions(out=folder / "out", device="cpu"))
    return folder / "out" / "model"


@pytest.fixture
def predictor(model: Path) -> Predictor:
    return seqlab.open(model, device="cpu")


@pytest.mark.parametrize("steps", [1, 7, 1000])
def test_without_learning_a_chunk_equals_the_whole(predictor: Predictor, steps: int) -> None:
    found = dynamic_evaluation(predictor, [TEXT], learning_rate=0, steps=steps)
    answer = predictor(TEXT).answer
    assert found.bits == pytest.approx(-answer.details["log_probability"] / math.log(2), rel=1e-5)
    assert found.tokens == answer.details["predicted_tokens"] == len(TEXT) - 1
    assert found.bits_per_character == pytest.approx(found.bits / (len(TEXT) - 1))


def test_what_repeats_becomes_less_surprising_and_the_model_stays(predictor: Predictor) -> None:
    before = {name: each.clone() for name, each in predictor.model.state_dict().items()}
    plain = dynamic_evaluation(predictor, [TEXT * 4], learning_rate=0)
    learned = dynamic_evaluation(predictor, [TEXT * 4], learning_rate=0.5, steps=10)
    assert learned.perplexity < 0.9 * plain.perplexity
    assert all(each.equal(before[name]) for name, each in predictor.model.state_dict().items())


def test_the_command_says_what_python_finds(model: Path, predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    args = [
        "dynamic-evaluation",
        str(model),
        str(tmp_path / "text.txt"),
        "--learning-rate",
        "0.5",
        "--steps",
        "10",
    ]
    done = CliRunner().invoke(command, args, obj=Session())
    found = dynamic_evaluation(predictor, [TEXT], learning_rate=0.5, steps=10)
    assert done.output.splitlines()[0] == f"perplexity          {found.perplexity:.4f}"


@pytest.mark.parametrize("rate", ["inf", "nan", "-1"])
def test_rates_out_of_range_are_errors_of_the_call(model: Path, tmp_path: Path, rate: str) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    args = ["dynamic-evaluation", str(model), str(tmp_path / "text.txt"), "--learning-rate", rate]
    done = CliRunner().invoke(command, args, obj=Session())
    assert done.exit_code == 2
    assert "--learning-rate" in done.output


@pytest.mark.parametrize("options", [{"learning_rate": -1.0}, {"learning_rate": math.nan}, {"steps": 0}])
def test_numbers_out_of_range_are_refused(predictor: Predictor, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
        dynamic_evaluation(predictor, [TEXT], **options)


def test_a_text_of_one_token_is_refused(predictor: Predictor) -> None:
    with pytest.raises(SeqlabError, match="nothing to foretell"):
        dynamic_evaluation(predictor, ["t"])

"""Makes a golden package with the seqlab that is installed: `python make.py NAME`, see README.md."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from sounds import write  # noqa: E402 - these need the line above
from toy_language import sentences, write_toy  # noqa: E402
from toy_speech import RATE, spoken, write_toy_speech  # noqa: E402

from seqlab import Lab  # noqa: E402
from seqlab.api import Prediction  # noqa: E402
from seqlab.run import RunOptions  # noqa: E402


def make(name: str) -> None:
    """Train the toy model that a name begins with, `tagger` or `recognizer`, and note its answers."""
    write_recipe, answers = KINDS[name.split("-")[0]]
    folder = Path(tempfile.gettempdir()) / "toy"
    folder.mkdir()
    lab = Lab(entry_points=False)
    lab.run(write_recipe(folder), options=RunOptions(out=folder / "run", device="cpu", threads=1))
    shutil.copytree(folder / "run/model", HERE / name)
    shutil.rmtree(folder)
    (HERE / name / "expected.json").write_text(json.dumps(answers(lab, HERE / name), indent=1) + "\n")


def tags(lab: Lab, package: Path) -> list[dict[str, Any]]:
    answers = lab.open(package, device="cpu").predict([*sentences(8, seed=7), [], ["zzz", "X"]])
    return [
        {"tokens": each.tokens, "labels": values(each), "probabilities": scores(each)} for each in answers
    ]


def transcripts(lab: Lab, package: Path) -> list[dict[str, Any]]:
    """Write sounds beside the package's files and return what it hears in them."""
    recognizer, heard = lab.open(package, device="cpu"), []
    for text in ("aei", "oo a", "ei ia oo"):
        sound = write(package / f"{text.replace(' ', '-')}.flac", spoken(text, seed=7), RATE)
        answer = recognizer(sound)
        heard.append({"audio": sound.name, "texts": values(answer), "probabilities": scores(answer)})
    return heard


def values(prediction: Prediction) -> dict[str, Any]:
    return {target: answer.value for target, answer in prediction.answers.items()}


def scores(prediction: Prediction) -> dict[str, Any]:
    return {target: answer.score for target, answer in prediction.answers.items()}


KINDS = {"tagger": (write_toy, tags), "recognizer": (write_toy_speech, transcripts)}

if __name__ == "__main__":
    make(sys.argv[1])

"""Makes a golden package with the seqlab that is installed: `python make.py NAME`, see README.md."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from toy_language import sentences, write_toy  # noqa: E402 - needs the line above

from seqlab import Lab  # noqa: E402
from seqlab.run import RunOptions  # noqa: E402


def make(name: str) -> None:
    folder = Path(tempfile.gettempdir()) / "toy"
    folder.mkdir()
    lab = Lab(entry_points=False)
    lab.run(write_toy(folder), options=RunOptions(out=folder / "run", device="cpu", threads=1))
    shutil.copytree(folder / "run/model", HERE / name)
    shutil.rmtree(folder)
    answers = lab.open(HERE / name, device="cpu").predict([*sentences(8, seed=7), [], ["zzz", "X"]])
    expected = [
        {"tokens": answer.tokens, "labels": answer.labels, "probabilities": answer.probabilities}
        for answer in answers
    ]
    (HERE / name / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    make(sys.argv[1])

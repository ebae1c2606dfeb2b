"""Leave one speaker out: `recipes/asr_fsdd.yaml` learns from five speakers and is tested on the sixth.

    python benchmarks/fsdd_speakers.py [--json FILE] [--speakers NAME ...] [KEY=VALUE ...]

For each of the six speakers of the Free Spoken Digit Dataset there is a run of its own: all clips of the
other five, 2,500, are for training, all 500 of this one for the test, whatever official split they belong to.
Printed is the word accuracy, 1 - WER, of each, and the mean. KEY=VALUE changes the recipe, as for `seqlab
run`. Where the data set is not on this machine, it is fetched.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqlab import Lab
from seqlab.run import RunOptions

RECIPE = Path(__file__).parents[1] / "recipes" / "asr_fsdd.yaml"
DATASET = "speech_fsdd"
MANIFESTS = ("train.jsonl", "test.jsonl")
"""The official splits, which together hold every clip once."""

Row = dict[str, Any]


def main() -> int:
    """Run one training per speaker and print the table."""
    args = parse_args()
    lab = Lab(entry_points=False)
    rows = clips(lab.get_dataset(DATASET))
    accuracies = {}
    for speaker in args.speakers or sorted({row["speaker"] for row in rows}):
        with tempfile.TemporaryDirectory() as folder:
            accuracies[speaker] = left_out(lab, rows, speaker, Path(folder), args)
        print(f"{speaker:12}{accuracies[speaker]:8.4f}", flush=True)
    mean = statistics.mean(accuracies.values())
    print(f"{'mean':12}{mean:8.4f}")
    if args.json:
        result = {"word_accuracy": accuracies, "mean": mean, "overrides": args.overrides}
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


def parse_args() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="changes of the recipe")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--speakers", nargs="+", metavar="NAME", help="leave out only these (default: all)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's choice)")
    return parser.parse_args()


def clips(folder: Path) -> list[Row]:
    """Return the rows of all clips, with paths that hold anywhere."""
    lines = [line for name in MANIFESTS for line in (folder / name).read_text().splitlines()]
    return [row | {"audio": str(folder.resolve() / row["audio"])} for row in map(json.loads, lines)]


def left_out(lab: Lab, rows: Sequence[Row], speaker: str, folder: Path, args: argparse.Namespace) -> float:
    """Return the word accuracy on a speaker of a model that has not heard him."""
    splits = {
        "train": [row for row in rows if row["speaker"] != speaker],
        "test": [row for row in rows if row["speaker"] == speaker],
    }
    for name, chosen in splits.items():
        text = "".join(json.dumps(row) + "\n" for row in chosen)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    data = [f"data.{name}={folder / name}.jsonl" for name in splits]
    options = RunOptions(out=folder / "run", threads=args.threads)
    report = lab.run(RECIPE, [*data, "observers=[]", *args.overrides], options)
    return 1 - float(report["metrics"]["test"]["wer"])


if __name__ == "__main__":
    sys.exit(main())

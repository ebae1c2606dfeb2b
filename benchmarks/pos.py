"""Part-of-speech tagging against a hand-written torch script of the same sizes, the two in turn.

    python benchmarks/pos.py [--json FILE] [--check]

Each pair trains the reference (`pos_sides/reference.py`: packed nn.LSTM, length-sorted batches of 32) and
seqlab (`recipes/pos_ewt.yaml`) for the same epochs in a process of its own, then lets both label the text
of the dev split from lists of tokens to lists of tags: seqlab once with a cold cache of word vectors, and
once as in use, the cache filled by the text of the training split. Figures are medians over the pairs,
ratios seqlab / reference pair by pair. Needs SEQLAB_DATA.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqlab import Lab

SIDES = Path(__file__).parent / "pos_sides"
RECIPE = SIDES.parent.parent / "recipes" / "pos_ewt.yaml"
TRAINING_TARGET = 1.5
PREDICTION_TARGET = 4.0
REPEATS = 3
"""Timed predictions per process; the median counts."""


@dataclass(frozen=True)
class Side:
    """What one of the two did in one pair."""

    train_tokens_per_second: float
    predict_tokens_per_second: float
    predict_cold_tokens_per_second: float
    dev_accuracy: float
    train_memory_mb: float
    predict_memory_mb: float


def main() -> int:
    """Run the pairs, print the table and return the exit code."""
    args = parse_args()
    data = Path(os.environ["SEQLAB_DATA"]).resolve() / "pos_ewt"
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(args.pairs):
            reference = run_reference(Path(folder) / f"reference{number}", data, args)
            ours = run_seqlab(Path(folder) / f"seqlab{number}", data, args)
            pairs.append((reference, ours))
            print(f"pair {number + 1}: reference {reference}\n        seqlab    {ours}", flush=True)
    result = summary(pairs)
    print_table(pairs, result, args)
    if args.json:
        args.json.write_text(json.dumps(result | {"machine": machine(args)}, indent=2) + "\n")
    return 1 if args.check and missed(result) else 0


def parse_args() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    parser.add_argument("--pairs", type=int, default=3, help="pairs of runs (default 3)")
    parser.add_argument("--epochs", type=int, default=4, help="epochs of each run (default 4)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of each side (default 2)")
    return parser.parse_args()


def run_reference(out: Path, data: Path, args: argparse.Namespace) -> Side:
    """Train and time the hand-written script with the sizes and rates of the recipe."""
    out.mkdir()
    script = [sys.executable, str(SIDES / "reference.py"), "--threads", str(args.threads)]
    train = [*reference_sizes(), "--schedule", "linear", "--epochs", str(args.epochs)]
    run([*script, "--train", str(data / "train.conllu"), "--dev", str(data / "dev.conllu"), *train,
         "--save", str(out / "model.pt"), "--json", str(out / "train.json")])  # fmt: skip
    run([*script, "--load", str(out / "model.pt"), "--predict", str(data / "dev.conllu"),
         "--repeat", str(REPEATS), "--json", str(out / "predict.json")])  # fmt: skip
    trained, predicted = read(out / "train.json"), read(out / "predict.json")
    return Side(
        statistics.mean(trained["train_tokens_per_second"]),
        statistics.median(predicted["predict_tokens_per_second"]),
        statistics.median(predicted["predict_tokens_per_second"]),  # it keeps nothing from text to text
        max(trained["dev_accuracy"]),
        trained["peak_memory_mb"],
        predicted["peak_memory_mb"],
    )


def reference_sizes() -> list[str]:
    """Return the reference's flags for the sizes that the recipe has."""
    recipe = Lab(entry_points=False).check(RECIPE)
    words, chars = (feature.config for feature in recipe.features)
    sizes = {
        "embedding-dim": words.embedding_dim,  # type: ignore[attr-defined]
        "char-embedding-dim": chars.embedding_dim,  # type: ignore[attr-defined]
        "char-hidden-size": chars.hidden_size,  # type: ignore[attr-defined]
        "hidden-size": recipe.encoder.config.hidden_size,  # type: ignore[attr-defined]
        "num-layers": recipe.encoder.config.num_layers,  # type: ignore[attr-defined]
    }
    return [part for name, value in sizes.items() for part in (f"--{name}", str(value))]


def run_seqlab(out: Path, data: Path, args: argparse.Namespace) -> Side:
    """Train and time the recipe, without its test split."""
    script = [sys.executable, str(SIDES / "framework.py"), str(out / "model"), "--threads", str(args.threads)]
    run([*script, "--recipe", str(RECIPE), "--epochs", str(args.epochs),
         "--json", f"{out}-train.json"])  # fmt: skip
    run([*script, "--predict", str(data / "dev.conllu"), "--warm", str(data / "train.conllu"),
         "--repeat", str(REPEATS), "--json", f"{out}-predict.json"])  # fmt: skip
    trained, predicted = read(Path(f"{out}-train.json")), read(Path(f"{out}-predict.json"))
    return Side(
        statistics.mean(trained["train_tokens_per_second"]),
        statistics.median(predicted["predict_tokens_per_second"]),
        statistics.median(predicted["predict_cold_tokens_per_second"]),
        trained["dev_accuracy"],
        trained["peak_memory_mb"],
        predicted["peak_memory_mb"],
    )


def run(command: Sequence[str]) -> None:
    """Print a command and run it; its own output stays out of the way unless it fails."""
    print("$", " ".join(command), flush=True)
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"failed with {done.returncode}:\n{done.stdout}{done.stderr}")


def read(path: Path) -> Any:
    """Return a JSON file's content."""
    return json.loads(path.read_text())


def summary(pairs: Sequence[tuple[Side, Side]]) -> dict[str, Any]:
    """Return the medians of both sides and of the ratios of each pair."""
    names = list(Side.__annotations__)
    rows = {
        name: {
            "reference": statistics.median(getattr(reference, name) for reference, _ in pairs),
            "seqlab": statistics.median(getattr(ours, name) for _, ours in pairs),
            "ratio": statistics.median(
                getattr(ours, name) / getattr(reference, name) for reference, ours in pairs
            ),
        }
        for name in names
    }
    targets = {"train_tokens_per_second": TRAINING_TARGET, "predict_tokens_per_second": PREDICTION_TARGET}
    return {"rows": rows, "targets": targets | {"dev_accuracy": 1.0}, "pairs": len(pairs)}


def missed(result: Mapping[str, Any]) -> list[str]:
    """Return the figures whose ratio is below its target."""
    return [name for name, target in result["targets"].items() if result["rows"][name]["ratio"] < target]


def print_table(
    pairs: Sequence[tuple[Side, Side]], result: Mapping[str, Any], args: argparse.Namespace
) -> None:
    """Print machine, figures, ratios and targets."""
    print(json.dumps(machine(args)))
    print(
        f"{'':32}{'reference':>12}{'seqlab':>12}{'ratio':>8}{'target':>8}   (medians of {len(pairs)} pairs)"
    )
    for name, row in result["rows"].items():
        target = result["targets"].get(name, "")
        print(f"{name:32}{row['reference']:12,.4g}{row['seqlab']:12,.4g}{row['ratio']:8.2f}{target:>8}")
    for name in missed(result):
        print(f"missed: {name}")


def machine(args: argparse.Namespace) -> dict[str, Any]:
    """Return what the figures were measured on."""
    import torch

    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    cpu = next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "threads": args.threads,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "epochs": args.epochs,
    }


if __name__ == "__main__":
    sys.exit(main())

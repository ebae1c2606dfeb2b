"""Part-of-speech tagging against a hand-written torch script of the same sizes, the two in turn.

    python benchmarks/pos.py [--crf] [--json FILE] [--check]

Each pair trains the reference (`pos_sides/reference.py`: packed nn.LSTM, length-sorted batches of 32) and
seqlab (`recipes/pos_ewt.yaml`) for the same epochs in a process of its own, then lets both label the text
of the dev split in turn, several rounds of a process each, from lists of tokens to lists of tags: seqlab once
with a cold cache of word vectors, and once as in use, the cache filled by the text of the training split.
Figures are medians over pairs or rounds, ratios seqlab / reference pair by pair. Needs SEQLAB_DATA. With
`--crf`, which needs python-crfsuite, a CRF (`pos_sides/crf.py`) labels the same text in every round.
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
class Trained:
    """How one of the two trained in one pair."""

    train_tokens_per_second: float
    dev_accuracy: float
    train_memory_mb: float


@dataclass(frozen=True)
class Predicted:
    """How one of the two labelled text in one round."""

    predict_tokens_per_second: float
    predict_cold_tokens_per_second: float
    predict_tokens_per_cpu_second: float
    predict_memory_mb: float


def main() -> int:
    """Run the pairs, print the table and return the exit code."""
    args = parse_args()
    data = Path(os.environ["SEQLAB_DATA"]).resolve() / "pos_ewt"
    trainings, predictions, crfs = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(args.pairs):
            reference, ours = Path(folder) / f"reference{number}", Path(folder) / f"seqlab{number}"
            trainings.append((train_reference(reference, data, args), train_seqlab(ours, args)))
            show(trainings[-1])
            for _ in range(args.rounds):
                predictions.append(
                    (predict_reference(reference, data, args), predict_seqlab(ours, data, args))
                )
                show(predictions[-1])
                if args.crf:
                    crfs.append((predict_crf(Path(folder), data), predictions[-1][1]))
    result = summary(trainings, predictions)
    print_table(result, args)
    if crfs:
        result["crf"] = beside_crf(crfs)
        print("beside the CRF, one thread: " + json.dumps(result["crf"]))
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
    parser.add_argument("--crf", action="store_true", help="let python-crfsuite label the text, too")
    parser.add_argument("--pairs", type=int, default=3, help="pairs of training runs (default 3)")
    parser.add_argument("--rounds", type=int, default=3, help="pairs of predictions per pair (default 3)")
    parser.add_argument("--epochs", type=int, default=4, help="epochs of each run (default 4)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of each side (default 2)")
    return parser.parse_args()


def show(pair: tuple[object, object]) -> None:
    """Print what the two did."""
    print(f"reference {pair[0]}\nseqlab    {pair[1]}", flush=True)


def train_reference(out: Path, data: Path, args: argparse.Namespace) -> Trained:
    """Train the hand-written script with the sizes and rates of the recipe."""
    out.mkdir()
    flags = [*reference_sizes(), "--schedule", "linear", "--epochs", str(args.epochs)]
    run([*reference(args), "--train", str(data / "train.conllu"), "--dev", str(data / "dev.conllu"), *flags,
         "--save", str(out / "model.pt"), "--json", str(out / "train.json")])  # fmt: skip
    found = read(out / "train.json")
    speed = statistics.mean(found["train_tokens_per_second"])
    return Trained(speed, max(found["dev_accuracy"]), found["peak_memory_mb"])


def predict_reference(out: Path, data: Path, args: argparse.Namespace) -> Predicted:
    """Let the hand-written script label the dev split."""
    run([*reference(args), "--load", str(out / "model.pt"), "--predict", str(data / "dev.conllu"),
         "--repeat", str(REPEATS), "--json", str(out / "predict.json")])  # fmt: skip
    found = read(out / "predict.json")
    speed = statistics.median(found["predict_tokens_per_second"])
    cpu = statistics.median(found["predict_tokens_per_cpu_second"])
    return Predicted(speed, speed, cpu, found["peak_memory_mb"])  # it keeps nothing from text to text


def reference(args: argparse.Namespace) -> list[str]:
    """Return the command that both of its uses begin with."""
    return [sys.executable, str(SIDES / "reference.py"), "--threads", str(args.threads)]


def reference_sizes() -> list[str]:
    """Return the reference's flags for the sizes that the recipe has."""
    recipe = Lab(entry_points=False).check(RECIPE)
    words, chars = (feature.config for feature in recipe.features)
    sizes = {
        "embedding-dim": words.embedding_dim,  # type: ignore[attr-defined]
        "char-embedding-dim": chars.embedding_dim,  # type: ignore[attr-defined]
        "char-hidden-size": chars.hidden_size,  # type: ignore[attr-defined]
        "hidden-size": recipe.encoders[0].config.hidden_size,  # type: ignore[attr-defined]
        "num-layers": recipe.encoders[0].config.num_layers,  # type: ignore[attr-defined]
    }
    return [part for name, value in sizes.items() for part in (f"--{name}", str(value))]


def train_seqlab(out: Path, args: argparse.Namespace) -> Trained:
    """Train the recipe, without its test split."""
    result = Path(f"{out}-train.json")
    run([*seqlab(out, args), "--recipe", str(RECIPE), "--epochs", str(args.epochs),
         "--json", str(result)])  # fmt: skip
    found = read(result)
    speed = statistics.mean(found["train_tokens_per_second"])
    return Trained(speed, found["dev_accuracy"], found["peak_memory_mb"])


def predict_seqlab(out: Path, data: Path, args: argparse.Namespace) -> Predicted:
    """Let the recipe's package label the dev split."""
    result = Path(f"{out}-predict.json")
    run([*seqlab(out, args), "--predict", str(data / "dev.conllu"), "--warm", str(data / "train.conllu"),
         "--repeat", str(REPEATS), "--json", str(result)])  # fmt: skip
    found = read(result)
    kinds = ("tokens_per_second", "cold_tokens_per_second", "tokens_per_cpu_second")
    warm, cold, cpu = (statistics.median(found[f"predict_{kind}"]) for kind in kinds)
    return Predicted(warm, cold, cpu, found["peak_memory_mb"])


def predict_crf(out: Path, data: Path) -> dict[str, float]:
    """Let a CRF label the dev split; the first time it is trained."""
    result = out / "crf.json"
    run([sys.executable, str(SIDES / "crf.py"), str(out / "crf"), "--train", str(data / "train.conllu"),
         "--predict", str(data / "dev.conllu"), "--json", str(result)])  # fmt: skip
    found: dict[str, float] = read(result)
    print(f"crf        {found}", flush=True)
    return found


def beside_crf(rounds: Sequence[tuple[dict[str, float], Predicted]]) -> dict[str, float]:
    """Return the CRF's accuracy, both speeds, and the ratio seqlab / CRF round by round."""
    pairs = [(crf["tokens_per_cpu_second"], ours.predict_tokens_per_cpu_second) for crf, ours in rounds]
    return {
        "accuracy": rounds[0][0]["accuracy"],
        "crf_tokens_per_cpu_second": statistics.median(crf for crf, _ in pairs),
        "seqlab_tokens_per_cpu_second": statistics.median(ours for _, ours in pairs),
        "ratio": statistics.median(ours / crf for crf, ours in pairs),
    }


def seqlab(out: Path, args: argparse.Namespace) -> list[str]:
    """Return the command that both of its uses begin with."""
    return [sys.executable, str(SIDES / "framework.py"), str(out / "model"), "--threads", str(args.threads)]


def run(command: Sequence[str]) -> None:
    """Print a command and run it; its own output stays out of the way unless it fails."""
    print("$", " ".join(command), flush=True)
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"failed with {done.returncode}:\n{done.stdout}{done.stderr}")


def read(path: Path) -> Any:
    """Return a JSON file's content."""
    return json.loads(path.read_text())


def summary(
    trainings: Sequence[tuple[Trained, Trained]], predictions: Sequence[tuple[Predicted, Predicted]]
) -> dict[str, Any]:
    """Return the medians of both sides and of the ratios of each pair."""
    rows = medians(Trained, trainings) | medians(Predicted, predictions)
    targets = {"train_tokens_per_second": TRAINING_TARGET, "predict_tokens_per_second": PREDICTION_TARGET}
    return {"rows": rows, "targets": targets | {"dev_accuracy": 1.0}}


def medians(kind: type, pairs: Sequence[tuple[object, object]]) -> dict[str, dict[str, float]]:
    """Return for each of a kind's figures its medians, and the least and the greatest ratio."""
    rows = {}
    for name in kind.__annotations__:
        sides = [(getattr(reference, name), getattr(ours, name)) for reference, ours in pairs]
        ratios = [ours / reference for reference, ours in sides]
        rows[name] = {
            "reference": statistics.median(reference for reference, _ in sides),
            "seqlab": statistics.median(ours for _, ours in sides),
            "ratio": statistics.median(ratios),
            "least": min(ratios),
            "greatest": max(ratios),
            "pairs": len(pairs),
        }
    return rows


def missed(result: Mapping[str, Any]) -> list[str]:
    """Return the figures whose ratio is below its target."""
    return [name for name, target in result["targets"].items() if result["rows"][name]["ratio"] < target]


def print_table(result: Mapping[str, Any], args: argparse.Namespace) -> None:
    """Print machine, figures, ratios and targets."""
    print(json.dumps(machine(args)))
    print(
        f"{'medians':32}{'reference':>12}{'seqlab':>12}{'ratio':>8}{'target':>8}   least to greatest of pairs"
    )
    for name, row in result["rows"].items():
        target = result["targets"].get(name, "")
        span = f"{row['least']:.2f} to {row['greatest']:.2f} of {row['pairs']}"
        print(
            f"{name:32}{row['reference']:12,.4g}{row['seqlab']:12,.4g}{row['ratio']:8.2f}{target:>8}   {span}"
        )
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

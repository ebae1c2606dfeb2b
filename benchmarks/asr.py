"""Training a speech recogniser against a hand-written torch script and SpeechBrain, in turn.

    python benchmarks/asr.py [--speechbrain PYTHON] [--rounds 5] [--json FILE] [--check]

Digit strings (`asr_sides/digit_strings.py`), 40 log-mel features at 33 and at 100 frames a second, a BiLSTM
of 2 x 256, CTC over characters, batches of 16, Adam. Sides, each a process of its own that sleeps while the
others work: `seqlab`, a recipe's parts under the engine's Trainer; `packed` and `padded`, the same script
with nn.LSTM on packed and on padded batches (`asr_sides/torch_side.py`); `speechbrain`, its own modules and
Brain, padded, under the interpreter that `--speechbrain` names. All train on the same batches in the same
order; features are made before. A speed is audio-seconds trained per second, the median over the rounds; a
ratio is seqlab's speed over the other's, the median of the rounds' ratios.

Then, at 33 frames a second, every side goes on to the same number of epochs and transcribes held-out strings:
word error rate, and the real-time factor from sound files to texts, one and 16 strings at a time, in turn.
Needs SEQLAB_DATA.
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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from seqlab.builtin.core.metrics.alignment import Edits, align
from seqlab.engine import Budget
from seqlab.engine.batching import plan_batches
from seqlab.engine.precision import computes_bf16

SIDES = Path(__file__).parent / "asr_sides"
SAMPLE_RATE = 8000
HOPS = {33: 240, 100: 80}
"""Samples between two frames, by frames a second."""
SHARED = {
    "sample_rate": SAMPLE_RATE, "n_mels": 40, "window": 256, "hidden_size": 256, "num_layers": 2, "lr": 3e-3,
    "clip_norm": 5.0, "batch_items": 16, "seed": 1,
}  # fmt: skip
"""What every side is set up with; 2 x 256 units read in each direction."""
ROUND_BATCHES = {33: 8, 100: 4}
"""Batches that a side trains on per round, long ones and short ones: torch's packed LSTM tells them apart."""
JUDGED = 33
"""Frames a second at which word error rates and real-time factors are compared."""
TEST_STRINGS = 200
"""Strings transcribed, about 1,000 words."""
TRANSCRIBED = (1, 16)
"""Strings transcribed at a time."""
SPEED_HEADER = f"{'frames/s, side':28}{'audio-s/s':>10}{'seqlab/side':>13}   least to greatest"
WER_MARGIN = 0.02
"""Word error rates closer than this are called equal: single runs from different initial weights."""


@dataclass(frozen=True)
class Target:
    """What the ratio of seqlab's speed to the other's must at least be."""

    frames: int
    precision: str
    other: str
    least: float
    goal: float


TARGETS = (
    Target(33, "fp32", "packed", 3.0, 3.0),
    Target(100, "fp32", "packed", 6.0, 6.0),
    *(
        Target(frames, precision, other, least, goal)
        for precision, least, goal in (("fp32", 1.0, 1.25), ("bf16", 1.7, 2.5))
        for frames in HOPS
        for other in ("padded", "speechbrain")
    ),
)


class Side:
    """A process that does what it is told, and sleeps otherwise."""

    def __init__(self, name: str, command: Sequence[str], threads: int) -> None:
        self.name = name
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.facts = self._answer()

    def ask(self, command: str, number: int) -> dict[str, Any]:
        """Give a command and wait for its answer."""
        assert self.process.stdin is not None, "it is a pipe"
        self.process.stdin.write(f"{command} {number}\n")
        self.process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        """Let the process end."""
        self.process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None, "it is a pipe"
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} failed: {' '.join(map(str, self.process.args))}")  # type: ignore[arg-type]
        answer: dict[str, Any] = json.loads(line)
        return answer


def main() -> int:
    """Measure, print and return the exit code."""
    args = parse_args()
    result: dict[str, Any] = {"machine": machine(args), "speeds": [], "quality": []}
    print(f"{result['machine']}\n\n{SPEED_HEADER}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SEQLAB_CACHE"] = f"{folder}/cache"
        data = Path(folder) / "strings"
        make_data(data, args)
        for precision in precisions():
            for frames in args.frames:
                measure(Case(data, frames, precision), args, result)
    print_rest(result)
    verdicts = list(judge(result))
    print("\n" + "\n".join(verdicts))
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    return 1 if args.check and any("MISSED" in verdict for verdict in verdicts) else 0


def parse_args() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--speechbrain", metavar="PYTHON", help="interpreter that has SpeechBrain")
    parser.add_argument("--frames", type=int, nargs="+", choices=HOPS, default=list(HOPS),
                        help="frames a second (default both)")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=5, help="rounds after the first (default 5)")
    parser.add_argument("--epochs", type=int, default=8, help="epochs before word error rates (default 8)")
    parser.add_argument("--strings", type=int, default=800, help="strings to train on (default 800)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of each side (default 2)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    return parser.parse_args()


def machine(args: argparse.Namespace) -> str:
    """Return what the figures were measured on."""
    capability = torch.backends.cpu.get_cpu_capability()
    bf16 = "bf16" in precisions()
    return (
        f"{args.threads} threads each, {os.cpu_count()} cores, {platform.machine()}, {capability}, bf16 in"
        f" hardware: {bf16}, Python {platform.python_version()}, torch {torch.__version__}"
    )


def precisions() -> list[str]:
    """Return the precisions that this CPU computes in hardware."""
    return ["fp32", "bf16"] if computes_bf16(torch.device("cpu")) else ["fp32"]


def make_data(folder: Path, args: argparse.Namespace) -> None:
    """Write the strings."""
    source = Path(os.environ["SEQLAB_DATA"]).resolve() / "speech_fsdd"
    script = [sys.executable, str(SIDES / "digit_strings.py"), str(source), str(folder)]
    subprocess.run([*script, "--train", str(args.strings), "--test", str(TEST_STRINGS)], check=True)


# --- measuring -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """Data, frames a second and precision."""

    data: Path
    frames: int
    precision: str

    def samples(self, split: str) -> list[int]:
        """Return the length of each sound of a split."""
        lines = (self.data / f"{split}.jsonl").read_text().splitlines()
        return [json.loads(line)["frames"] for line in lines]

    def texts(self, split: str) -> list[str]:
        """Return the texts of a split."""
        return [json.loads(line)["text"] for line in (self.data / f"{split}.jsonl").read_text().splitlines()]

    def plan(self, epochs: int) -> list[list[int]]:
        """Return the batches of so many epochs, as the engine plans them."""
        hop, window = HOPS[self.frames], SHARED["window"]
        lengths = torch.tensor([1 + (samples - int(window)) // hop for samples in self.samples("train")])
        budget = Budget(tokens=2**31, items=int(SHARED["batch_items"]))
        return [
            batch.tolist()
            for epoch in range(epochs)
            for batch in plan_batches(lengths, budget, seed=int(SHARED["seed"]), epoch=epoch)
        ]


def measure(case: Case, args: argparse.Namespace, result: dict[str, Any]) -> None:
    """Time the sides on one case, in turn, and add what was found to the result."""
    plan = case.plan(args.epochs)
    if len(plan) <= (args.rounds + 1) * ROUND_BATCHES[case.frames]:
        sys.exit(f"{len(plan)} batches are too few for {args.rounds} rounds; raise --strings or --epochs")
    setup = case.data.with_name(f"setup-{case.frames}-{case.precision}.json")
    sizes = {"hop": HOPS[case.frames], "epochs": args.epochs, "batches": plan}
    choices = {"folder": str(case.data), "precision": case.precision, "threads": args.threads}
    setup.write_text(json.dumps(SHARED | sizes | choices))
    sides = started(setup, args)
    seconds = [samples / SAMPLE_RATE for samples in case.samples("train")]
    audio = [sum(seconds[index] for index in batch) for batch in plan]
    where = {"frames": case.frames, "precision": case.precision}
    done, speeds = rounds(sides, audio, ROUND_BATCHES[case.frames], args.rounds)
    for name, side in sides.items():
        found = ratios(speeds, name)
        epoch = {"epoch_seconds": sum(seconds) / found["speed"]}
        result["speeds"].append(where | {"side": name} | found | epoch | side.facts)
        print(speed_line(result["speeds"][-1]), flush=True)
    if case.frames == JUDGED:
        result["quality"] += [where | row for row in quality(case, sides, len(plan) - done)]
    for side in sides.values():
        side.end()


def started(setup: Path, args: argparse.Namespace) -> dict[str, Side]:
    """Start the sides one after another, each when the one before is ready."""
    torch_side = [sys.executable, str(SIDES / "torch_side.py"), str(setup)]
    commands = {
        "seqlab": [sys.executable, str(SIDES / "seqlab_side.py"), str(setup)],
        "packed": [*torch_side, "packed"],
        "padded": [*torch_side, "padded"],
    }
    if args.speechbrain:
        commands["speechbrain"] = [args.speechbrain, str(SIDES / "speechbrain_side.py"), str(setup)]
    return {name: Side(name, command, args.threads) for name, command in commands.items()}


def rounds(
    sides: Mapping[str, Side], audio: Sequence[float], batches: int, count: int
) -> tuple[int, dict[str, list[float]]]:
    """Train on the next batches, side by side; return how many in all, and the speeds of each round.

    The first round warms up and does not count.
    """
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(count + 1):
        seconds = sum(audio[number * batches : (number + 1) * batches])
        for name, side in sides.items():
            speed = seconds / side.ask("train", batches)["seconds"]
            if number:
                speeds[name].append(speed)
    return (count + 1) * batches, speeds


def ratios(speeds: Mapping[str, Sequence[float]], name: str) -> dict[str, float]:
    """Return a side's median speed, and seqlab's over it: median, least and greatest of the rounds."""
    found = [ours / other for ours, other in zip(speeds["seqlab"], speeds[name], strict=True)]
    return {
        "speed": statistics.median(speeds[name]),
        "ratio": statistics.median(found),
        "least": min(found),
        "greatest": max(found),
    }


def quality(case: Case, sides: Mapping[str, Side], batches: int) -> Iterator[dict[str, Any]]:
    """Train each side to the end, let all transcribe in turn, and yield what each has reached."""
    for side in sides.values():
        side.ask("train", batches)
    gold, audio = case.texts("test"), sum(case.samples("test")) / SAMPLE_RATE
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for size in TRANSCRIBED:
        for number in range(3):
            for name, side in sides.items():
                answer = side.ask("transcribe", size)
                if number:
                    answers[name].append(answer | {"size": size})
    for name, found in answers.items():
        factors = {
            f"rtf_{size}": statistics.median(
                each["seconds"] / audio for each in found if each["size"] == size
            )
            for size in TRANSCRIBED
        }
        yield {"side": name, "wer": word_error_rate(gold, found[-1]["texts"]), "words": words(gold)} | factors


def word_error_rate(gold: Sequence[str], texts: Sequence[str]) -> float:
    """Return the word error rate."""
    edits = (align(reference, text).edits for reference, text in zip(gold, texts, strict=True))
    total = sum(edits, Edits())
    return total.errors / total.size


def words(texts: Sequence[str]) -> int:
    """Return the number of words."""
    return sum(len(text.split()) for text in texts)


# --- tables and verdicts ---------------------------------------------------------------------------------


def print_rest(result: Mapping[str, Any]) -> None:
    """Print what was found besides the speeds."""
    print("\nshare of an epoch that features take: made of the sound files, and read from seqlab's cache")
    for row in result["speeds"]:
        print(label(row) + "".join(f"{share:10.1%}" for share in shares(row)))
    print(f"\n{'frames/s, side':28}{'WER':>10}  of words   real-time factor, 1 and 16 at a time")
    for row in result["quality"]:
        factors = "".join(f"{row[f'rtf_{size}']:10.5f}" for size in TRANSCRIBED)
        print(f"{label(row)}{row['wer']:10.2%}{row['words']:10}{factors}")


def speed_line(row: Mapping[str, Any]) -> str:
    """Return a line of the first table."""
    span = f"{row['least']:.2f} to {row['greatest']:.2f}"
    return f"{label(row)}{row['speed']:10,.1f}{row['ratio']:13.2f}   {span}"


def label(row: Mapping[str, Any]) -> str:
    """Return how a row begins."""
    return f"{row['frames']:8}  {row['precision']}  {row['side']:12}"


def shares(row: Mapping[str, Any]) -> Iterator[float]:
    """Yield the share of an epoch with features made anew, then that with features from the cache."""
    for key in ("features_seconds", "cached_features_seconds"):
        if key in row:
            yield row[key] / (row[key] + row["epoch_seconds"])


def judge(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line per target: what was seen, or that it was not measured."""
    seen = {(row["frames"], row["precision"], row["side"]): row["ratio"] for row in result["speeds"]}
    for target in TARGETS:
        ratio = seen.get((target.frames, target.precision, target.other))
        what = f"{target.frames} frames/s {target.precision}: seqlab/{target.other}"
        asked = f"(at least {target.least}, goal {target.goal})"
        if ratio is None:
            yield f"{what} {asked}: not measured"
            continue
        word = "goal" if ratio >= target.goal else "met" if ratio >= target.least else "MISSED"
        yield f"{what} {ratio:.2f} {asked}: {word}"
    for precision in sorted({row["precision"] for row in result["quality"]}):
        rates = {row["side"]: row["wer"] for row in result["quality"] if row["precision"] == precision}
        best = min(rates.values())
        word = "met" if rates["seqlab"] <= best + WER_MARGIN else "MISSED"
        asked = f"(equal within {WER_MARGIN:.0%})"
        yield f"{precision}: WER {rates['seqlab']:.2%}, best {best:.2%} {asked}: {word}"


if __name__ == "__main__":
    sys.exit(main())

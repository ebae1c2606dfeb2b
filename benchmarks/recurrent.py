"""Seqlab's recurrent layers against torch's own modules: passes, training steps and single steps, in turn.

    python benchmarks/recurrent.py [--shapes abcde] [--cells lstm gru rnn] [--json FILE] [--check]

For every cell and shape the candidates run one after the other, round after round; a figure is the median
over the rounds and a ratio that of the rounds' ratios. `ours` is what seqlab chooses, `without` what it
chooses where the native loops were not compiled. `padded` is what most toolkits do: it computes on padding
and, for the backward reading, on padding first, so its answers depend on the batch. `floor` is the
time of the same matrix products alone, with nothing between them. Then: how the cost grows with the length,
and peak memory, each candidate in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from seqlab.engine import CellKind, RecurrentSpec, RecurrentStack, Sequences
from seqlab.engine.precision import computes_bf16
from seqlab.engine.recurrent import kernels
from seqlab.engine.recurrent.native.library import instructions

CELLS: dict[str, CellKind] = {"lstm": "lstm", "gru": "gru", "rnn": "rnn_tanh"}
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
GROWTH_STEPS = (400, 1600)
OTHERS = ("without", "packed", "padded", "floor")
PASSES = ("forward", "train")
"""Forward passes without gradients, and training steps."""


class Shape(NamedTuple):
    """A batch of sequences and the stack that reads it."""

    batch: int
    shortest: int
    longest: int
    input_size: int
    hidden_size: int
    num_layers: int
    bidirectional: bool


SHAPES = {
    "a": Shape(32, 12, 24, 200, 256, 1, bidirectional=True),
    "b": Shape(128, 12, 24, 200, 256, 1, bidirectional=True),
    "c": Shape(16, 150, 300, 80, 320, 3, bidirectional=True),
    "d": Shape(16, 400, 800, 80, 256, 2, bidirectional=True),
    "e": Shape(1, 1000, 1000, 80, 256, 1, bidirectional=False),
}


@dataclass(frozen=True)
class Target:
    """What a ratio must at least be: `other` / ours, of a pass."""

    cell: str
    shape: str
    precision: str
    other: str
    least: float
    goal: float
    mode: str = "train"


TARGETS = (
    Target("lstm", "a", "fp32", "without", 1.5, 1.7),
    Target("lstm", "b", "fp32", "without", 1.3, 1.4),
    Target("lstm", "c", "fp32", "without", 1.4, 1.6),
    Target("lstm", "e", "fp32", "without", 1.5, 1.5),
    *(Target("lstm", shape, "fp32", "without", 1.5, 1.8, "forward") for shape in "abcde"),
    *(Target(cell, shape, "fp32", "without", 1.3, 1.3) for cell in ("gru", "rnn") for shape in "abcde"),
    Target("lstm", "c", "fp32", "padded", 1.8, 1.8),
    *(
        Target(cell, shape, "fp32", other, 1.0, 1.0, mode)
        for cell in CELLS
        for shape in "abcde"
        for other in ("packed", "padded")
        for mode in PASSES
    ),
    Target("lstm", "c", "bf16", "padded", 1.7, 2.5),
    Target("lstm", "d", "bf16", "padded", 1.7, 2.5),
)
LARGE = 1024
"""Units of a layer whose weights are larger than most caches."""

LEAST_OF_STEPS = 15.0
"""How many times faster a step of the stepper must be than one of the stack on torch.nn.LSTM."""
MOST_GROWTH = 4.4
"""What 1,600 steps may cost, in units of 400."""


class Case(NamedTuple):
    """One row of the table: a cell, a shape, a precision, and the batch."""

    cell: str
    shape: Shape
    precision: str
    lengths: list[int]
    rows: Tensor


Candidate = tuple[Callable[[], object], Callable[[], object]]
"""A forward pass without gradients, and a training step."""


def main() -> int:
    """Measure, print and return the exit code."""
    args = parse_args()
    torch.set_num_threads(args.threads)
    if args.memory:
        print(peak_memory(*args.memory, shape=SHAPES[args.shapes]))
        return 0
    print(f"{machine(args.threads)}\n\n{header()}")
    rows = [measure(cell, name, precision, args.rounds)
            for precision in precisions() for cell in args.cells for name in args.shapes]  # fmt: skip
    result: dict[str, Any] = {"machine": machine(args.threads), "rows": rows}
    if args.extras:
        result["step_us"], result["large_step_us"] = steps(args.rounds), steps(args.rounds, LARGE)
        result["growth"] = {cell: growth(cell, args.rounds) for cell in args.cells}
        result["memory_mb"] = {
            mode: {name: memory(name, mode, args.threads) for name in args.shapes} for mode in PASSES
        }
        print(f"\na step of {LARGE} units, microseconds: {result['large_step_us']}")
        print(f"1,600 steps cost, in units of 400: {result['growth']}")
        for mode, peaks in result["memory_mb"].items():
            print(f"peak memory, {mode}, MB: {peaks}")
    verdicts = list(judge(rows, result))
    print("\n" + "\n".join(verdicts))
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    return 1 if args.check and any("MISSED" in verdict for verdict in verdicts) else 0


def parse_args() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shapes", default="abcde", help="which shapes (default abcde)")
    parser.add_argument(
        "--cells", nargs="+", choices=CELLS, default=list(CELLS), help="which cells (default all)"
    )
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")
    parser.add_argument(
        "--rounds", type=int, default=5, help="rounds, of which the median counts (default 5)"
    )
    parser.add_argument("--no-extras", dest="extras", action="store_false", help="no growth and memory")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    parser.add_argument("--memory", nargs=3, metavar=("CELL", "CANDIDATE", "PASS"), help=argparse.SUPPRESS)
    return parser.parse_args()


def machine(threads: int) -> str:
    """Return what the figures were measured on."""
    capability = torch.backends.cpu.get_cpu_capability()
    bf16 = "bf16" in precisions()
    return (
        f"{threads} threads, {platform.machine()}, {capability}, native loops: {instructions()},"
        f" bf16 in hardware: {bf16}, torch {torch.__version__}"
    )


def precisions() -> list[str]:
    """Return the precisions that this CPU computes in hardware."""
    return ["fp32", "bf16"] if computes_bf16(torch.device("cpu")) else ["fp32"]


# --- the table -------------------------------------------------------------------------------------------


def measure(cell: str, name: str, precision: str, rounds: int) -> dict[str, Any]:
    """Time all candidates on one case, in turn, and print the row."""
    case = make_case(cell, SHAPES[name], precision)
    makers = {"ours": ours, "without": without, "packed": packed, "padded": padded, "floor": floor}
    # A module each, since one that is trained keeps nothing prepared for prediction.
    candidates = {each: (make(case)[0], make(case)[1]) for each, make in makers.items()}
    times: dict[str, list[tuple[float, float]]] = {each: [] for each in candidates}
    for number in range(rounds + 1):  # the first round warms up
        for each, (forward, train) in candidates.items():
            measured = timed(forward), timed(train)
            if number:
                times[each].append(measured)
    row: dict[str, Any] = {"cell": cell, "shape": name, "precision": precision}
    for place, mode in enumerate(PASSES):
        row[mode] = {each: statistics.median(pair[place] for pair in pairs) for each, pairs in times.items()}
        row[f"{mode}_ratios"] = {
            each: statistics.median(
                other[place] / mine[place] for other, mine in zip(pairs, times["ours"], strict=True)
            )
            for each, pairs in times.items()
        }
    print(line(row), flush=True)
    return row


def make_case(cell: str, shape: Shape, precision: str) -> Case:
    """Draw a batch of a shape, the longest sequence first."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(shape.shortest, shape.longest + 1, (shape.batch,), generator=generator)
    lengths = lengths.sort(descending=True).values
    rows = torch.randn(int(lengths.sum()), shape.input_size, generator=generator)
    return Case(cell, shape, precision, lengths.tolist(), rows)


def stack(case: Case) -> RecurrentStack:
    """Make the stack that reads a case."""
    torch.manual_seed(0)
    size = {"input_size": case.shape.input_size, "hidden_size": case.shape.hidden_size}
    layers = {"num_layers": case.shape.num_layers, "bidirectional": case.shape.bidirectional}
    return RecurrentStack(RecurrentSpec(cell=CELLS[case.cell], **size, **layers))  # type: ignore[arg-type]


def torchs_own(case: Case) -> nn.RNNBase:
    """Make torch's module with the weights of the stack."""
    kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[case.cell]
    shape = case.shape
    rnn = kind(shape.input_size, shape.hidden_size, shape.num_layers, bidirectional=shape.bidirectional)
    rnn.load_state_dict(stack(case).state_dict())
    return cast("nn.RNNBase", rnn)


def candidate(case: Case, inputs: Tensor, run: Callable[[], Tensor]) -> Candidate:
    """Return the two passes of a module: `run` maps `inputs` to its output."""
    autocast = torch.autocast("cpu", torch.bfloat16) if case.precision == "bf16" else nullcontext()

    def forward() -> None:
        with torch.inference_mode(), autocast:
            run()

    def train() -> None:
        inputs.requires_grad_()
        with autocast:
            output = run()
        output.float().sum().backward()  # type: ignore[no-untyped-call]

    return forward, train


def ours(case: Case) -> Candidate:
    """Seqlab's stack, as a recipe makes it."""
    module, batch = stack(case), Sequences.from_flat(case.rows, case.lengths)
    batch = batch.with_data(batch.data.clone())
    return candidate(case, batch.data, lambda: module(batch)[0].data)


def without(case: Case) -> Candidate:
    """Take seqlab's stack as where the native loops were not compiled."""
    found = ours(case)

    def switched_off(work: Callable[[], object]) -> Callable[[], object]:
        def run() -> None:
            with mock.patch.object(kernels, "library", return_value=None):
                work()

        return run

    forward, train = map(switched_off, found)
    return forward, train


def packed(case: Case) -> Candidate:
    """Torch's module on a PackedSequence of the same rows."""
    module, batch = torchs_own(case), Sequences.from_flat(case.rows, case.lengths)
    inputs = batch.data.clone()
    sizes = batch.layout.batch_sizes
    return candidate(case, inputs, lambda: module(PackedSequence(inputs, sizes))[0].data)


def padded(case: Case) -> Candidate:
    """Torch's module on the padded batch."""
    module = torchs_own(case)
    inputs = Sequences.from_flat(case.rows, case.lengths).to_padded().transpose(0, 1).contiguous()
    return candidate(case, inputs, lambda: module(inputs)[0])


def floor(case: Case) -> Candidate:
    """Take the matrix products of the same passes, alone."""
    layout = Sequences.from_flat(case.rows, case.lengths).layout
    dtype = torch.bfloat16 if case.precision == "bf16" else torch.float32
    layers = [Products(case, number, layout.steps, dtype) for number in range(case.shape.num_layers)]

    def forward() -> None:
        for layer in layers:
            layer.forward()

    def train() -> None:
        forward()
        for layer in layers:
            layer.backward()

    return forward, train


class Products:
    """One layer's matrix products."""

    def __init__(self, case: Case, number: int, steps: Sequence[int], dtype: torch.dtype) -> None:
        shape = case.shape
        directions, hidden = 1 + shape.bidirectional, shape.hidden_size
        width = GATES[case.cell] * hidden
        size = directions * hidden if number else shape.input_size

        def drawn(*sizes: int) -> Tensor:
            return torch.randn(directions, *sizes, dtype=torch.float32).to(dtype)

        self.steps = steps
        self.inputs, self.states, self.gates = (drawn(sum(steps), each) for each in (size, hidden, width))
        self.w_input, self.w_hidden = drawn(size, width), drawn(hidden, width)
        self.w_input_t, self.w_hidden_t = drawn(width, size), drawn(width, hidden)
        self.forward_out = [torch.empty(directions, step, width, dtype=dtype) for step in steps]
        self.backward_out = [torch.empty(directions, step, hidden, dtype=dtype) for step in steps]

    def forward(self) -> None:
        """Project all inputs; a product per step."""
        torch.bmm(self.inputs, self.w_input)
        for out in self.forward_out:
            torch.bmm(self.states[:, : out.shape[1]], self.w_hidden, out=out)

    def backward(self) -> None:
        """Take a product per step; the gradients of the weights and of the inputs."""
        for out in self.backward_out:
            torch.bmm(self.gates[:, : out.shape[1]], self.w_hidden_t, out=out)
        torch.bmm(self.gates.transpose(1, 2), self.inputs)
        torch.bmm(self.gates.transpose(1, 2), self.states)
        torch.bmm(self.gates, self.w_input_t)


def timed(work: Callable[[], object]) -> float:
    """Return the milliseconds that it takes."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3


def header() -> str:
    """Return the table's first two lines."""
    times = " | ".join(f"{each} ms" for each in ("ours", *OTHERS))
    ratios = " | ".join(f"{each}/ours" for each in OTHERS)
    return f"| cell | shape | precision | pass | {times} | {ratios} |\n|{'---|' * (5 + 2 * len(OTHERS))}"


def line(row: Mapping[str, Any]) -> str:
    """Return the two lines of a case."""
    lines = []
    for mode in PASSES:
        times = " | ".join(f"{row[mode][each]:,.1f}" for each in ("ours", *OTHERS))
        ratios = " | ".join(f"{row[f'{mode}_ratios'][each]:.2f}" for each in OTHERS)
        lines.append(f"| {row['cell']} | {row['shape']} | {row['precision']} | {mode} | {times} | {ratios} |")
    return "\n".join(lines)


# --- single steps ----------------------------------------------------------------------------------------


def steps(rounds: int, size: int = 256) -> dict[str, float]:
    """Return the microseconds of one sequence's step, of an LSTM of this size, by what takes it."""
    stack = RecurrentStack(RecurrentSpec(cell="lstm", input_size=80, hidden_size=size))
    cell, row = nn.LSTMCell(80, size), torch.randn(1, 80)
    batch, hidden = Sequences.from_flat(row, [1]), torch.zeros(1, size)
    with torch.inference_mode():
        state, step, rounded = stack(batch)[1], stack.stepper(), stack.stepper(weights="bf16")

        def unaided() -> None:
            with mock.patch.object(kernels, "choose_kernel", return_value="torch"):
                stack(batch, state)

        takers: dict[str, Callable[[], object]] = {
            "stepper": lambda: step(row),
            "stepper, bf16 weights": lambda: rounded(row),
            "stack on torch.nn.LSTM": unaided,
            "torch.nn.LSTMCell": lambda: cell(row, (hidden, hidden)),
        }
        times: dict[str, list[float]] = {each: [] for each in takers}
        for _ in range(rounds + 1):
            for each, take in takers.items():
                times[each].append(timed(lambda take=take: [take() for _ in range(100)]) * 10)  # type: ignore[misc]
    return {each: round(statistics.median(found[1:]), 1) for each, found in times.items()}


# --- length and memory -----------------------------------------------------------------------------------


def growth(cell: str, rounds: int) -> float:
    """Return what a training step on 1,600 steps costs, in units of one on 400."""
    short, long = (
        ours(make_case(cell, Shape(32, steps, steps, 80, 256, 1, bidirectional=True), "fp32"))[1]
        for steps in GROWTH_STEPS
    )
    pairs = [(timed(short), timed(long)) for _ in range(rounds + 1)][1:]
    return round(statistics.median(after / before for before, after in pairs), 2)


def memory(name: str, mode: str, threads: int) -> dict[str, int]:
    """Return the peak memory of a process that takes such passes over a shape, above its start.

    Training is an LSTM's, prediction a GRU's: an LSTM's is often oneDNN's, by the table of `kernels`.
    """
    cell = {"forward": "gru", "train": "lstm"}[mode]
    script = [sys.executable, __file__, "--shapes", name, "--threads", str(threads), "--memory", cell]
    return {
        each: int(subprocess.run([*script, each, mode], check=True, capture_output=True, text=True).stdout)
        for each in ("ours", "without", "packed")
    }


def peak_memory(cell: str, which: str, mode: str, *, shape: Shape) -> int:
    """Take two passes in this process; return by how many MB they raised its peak."""
    candidates = {"ours": ours, "without": without, "packed": packed}
    work = candidates[which](make_case(cell, shape, "fp32"))[PASSES.index(mode)]
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is that of the imports: begin anew
    before = peak()
    work()
    work()
    return (peak() - before) // 1024


def peak() -> int:
    """Return this process's peak resident memory in kB, as Linux counts it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


# --- verdicts --------------------------------------------------------------------------------------------


def judge(rows: Sequence[Mapping[str, Any]], result: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line per target that was measured."""
    measured = {(row["cell"], row["shape"], row["precision"]): row for row in rows}
    for target in TARGETS:
        row = measured.get((target.cell, target.shape, target.precision))
        if row is None:
            continue
        seen = row[f"{target.mode}_ratios"][target.other]
        word = "goal" if seen >= target.goal else "met" if seen >= target.least else "MISSED"
        facts = asdict(target)
        what = "{cell} {shape} {precision} {mode}: {other}/ours".format(**facts)
        yield f"{what} {seen:.2f} (at least {target.least}, goal {target.goal}): {word}"
    for name, peaks in result.get("memory_mb", {}).get("train", {}).items():
        word = "met" if peaks["ours"] <= peaks["packed"] else "MISSED"
        yield f"lstm {name}: {peaks['ours']} MB, packed {peaks['packed']} MB (at most as much): {word}"
    if found := result.get("step_us"):
        ratio = found["stack on torch.nn.LSTM"] / found["stepper"]
        word = "met" if ratio >= LEAST_OF_STEPS else "MISSED"
        yield f"a single step: {found}, {ratio:.1f} times faster (at least {LEAST_OF_STEPS:g}): {word}"
    for cell, factor in result.get("growth", {}).items():
        word = "met" if factor <= MOST_GROWTH else "MISSED"
        yield f"{cell}: 1,600 steps cost {factor} times 400 (at most {MOST_GROWTH}): {word}"


if __name__ == "__main__":
    sys.exit(main())

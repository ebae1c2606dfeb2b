"""Words wrong in clips, and in the same sound joined and cut: as long as training had it, and otherwise.

    python benchmarks/long_sound.py [--model MODEL] [--pause LOW HIGH] [--longest SECONDS ...] [KEY=VALUE ...]

Without a model one is trained: `recipes/asr_fsdd_strings.yaml` with eight digits to a string, half an
hour of sound, KEY=VALUE changing the recipe as for `seqlab run`. The test sounds of the model's recipe are
recognised one by one, then end to end, those of a speaker as one sound, with a pause after each. `default` is
cut as the package says, with pieces that overlap where there is no pause; a number of seconds is the limit,
once with such pieces and once without, as packages of format 2 and older are cut.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seqlab import Lab
from seqlab.api import Answer, Example, MetricContext, Place
from seqlab.predict.lengths import LENGTHS
from seqlab.predict.predictor import Predictor
from seqlab.run import RunOptions

RECIPE = Path(__file__).parents[1] / "recipes" / "asr_fsdd_strings.yaml"
CHANGES = ("data.reader.clips=[8,8]", "data.reader.uses=1", "train.epochs=12", "observers=[console]")


@dataclass(frozen=True)
class Long:
    """Sounds end to end: samples at `rate` and all that is said."""

    samples: Any
    rate: int
    text: str


def main() -> int:
    """Print a table of word error rates."""
    args = parse_args()
    lab = Lab(entry_points=False)
    with tempfile.TemporaryDirectory() as folder:
        model = args.model or trained(lab, Path(folder), args.overrides)
        recognizer = lab.open(model, device="cpu")
    if recognizer.max_segment is None:
        raise SystemExit(f"{model}: the model does not cut what it reads, so it is no recogniser of sound")
    recipe = lab.check(recognizer.info["recipe"])
    examples = [example for path in recipe.paths["test"] for example in recognizer.assembly.reader.read(path)]
    print(f"training saw: {recognizer.info.get(LENGTHS)}")
    heard = [found.text for found in recognizer.answer(examples, max_segment=1e6)]
    show(lab, "clips, whole", [example.fields["text"] for example in examples], heard)
    sounds = list(joined(examples, args.pause))
    print(f"joined: {', '.join(f'{len(each.samples) / each.rate:.0f}' for each in sounds)} s")
    older = Predictor(
        recognizer.assembly,
        recognizer.model,
        {key: value for key, value in recognizer.info.items() if key != LENGTHS},
    )
    show_cut(lab, f"default, {recognizer.max_segment:g} s", recognizer, sounds, None)
    for longest in args.longest:
        show_cut(lab, f"{longest:g} s", recognizer, sounds, longest)
        show_cut(lab, f"{longest:g} s, no overlap", older, sounds, longest)
    return 0


def parse_args() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="changes of the recipe")
    parser.add_argument("--model", type=Path, help="a model that reads sound (default: train one)")
    parser.add_argument("--pause", type=float, nargs=2, default=(0.1, 0.5), metavar=("LOW", "HIGH"))
    parser.add_argument("--longest", type=float, nargs="+", default=(2, 5, 10, 20), metavar="SECONDS")
    return parser.parse_args()


def trained(lab: Lab, folder: Path, overrides: Sequence[str]) -> Path:
    """Train the model."""
    lab.run(RECIPE, [*CHANGES, *overrides], RunOptions(out=folder / "run", threads=1))
    return folder / "run" / "model"


def joined(examples: Sequence[Example], pause: tuple[float, float]) -> Iterator[Long]:
    """Yield all sounds of a speaker end to end, speaker by speaker."""
    draw = random.Random(1)
    speakers: dict[str | None, list[Example]] = {}
    for example in examples:
        speakers.setdefault(getattr(example.origin, "speaker", None), []).append(example)
    for each in speakers.values():
        rate = each[0].fields["audio"].sample_rate
        parts = []
        for example in each:
            silence = np.zeros(round(draw.uniform(*pause) * rate), dtype=np.float32)
            parts += [example.fields["audio"].samples(), silence]
        yield Long(np.concatenate(parts), rate, " ".join(example.fields["text"] for example in each))


def show_cut(
    lab: Lab, label: str, recognizer: Predictor, sounds: Sequence[Long], longest: float | None
) -> None:
    """Print how many words are wrong in sounds cut so, and how long their pieces are."""
    found = recognizer.predict([(each.samples, each.rate) for each in sounds], max_segment=longest)
    lengths = [piece.end - piece.start for transcript in found for piece in transcript.segments]
    pieces = f"{len(lengths)} pieces of {np.mean(lengths):.1f} s"
    show(lab, label, [each.text for each in sounds], [each.text for each in found], pieces)


def show(lab: Lab, label: str, gold: Sequence[str], heard: Sequence[str], note: str = "") -> None:
    """Print a row of the table."""
    component = lab.registry.get("metric", "wer")
    metric = component.build(component.config(), MetricContext("text", {"text": "text"}))
    metric.fit([])
    metric.reset()
    for right, answer in zip(gold, heard, strict=True):
        metric.update(Example({"text": right}, Place("joined")), right, Answer(answer))
    figures = metric.compute()
    wrong = sum(figures[f"wer_{kind}"] for kind in ("substitutions", "deletions", "insertions"))
    print(
        f"{label:20}{100 * figures['wer']:8.2f}%  {wrong:.0f} of {figures['wer_words']:.0f}  {note}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())

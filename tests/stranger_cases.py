"""What strangers' plugins are tried on: data, a recipe, and values to answer, for each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

STRANGERS = Path(__file__).with_name("strangers")

EMBEDDING = {"name": "embedding", "embedding_dim": 6, "min_count": 2, "word_dropout": 0.1}
CLASSES = (
    "this is good\tyes\nno good\tno\nthis is no good\tno\ngood\tyes\nso good it is\tyes\nbad\tno\n?\t?\n"
)
SETS = "ball and vote\tsport news\nball\tsport\nnothing\t\nvote\tnews\nthe vote today\tnews\nwho knows\t?\n"
NUMBERS = "one\t1\none one\t2\none one one\t3\none two\t3\ntwo\t2\nsome\t?\ntwo two\t4\n"
SERIES = "1,2,3,4,5\n2,3,4,5\n0,1,2,3,4,5\n5,4,3,2\n9,8,7,6,5,4\n"
LANGUAGE = "a b a b a\nb a b\na b a b\nb\na b\n"
TAGS = "the dog barks\tD N V\na cat\tD N\ndogs bark\tN V\nthe cat sleeps\tD N V\n"
REPLIES = "how are you\tfine\nwho are you\tme\nyou\t\nare you fine\tyes\nhow\tso\n"
PAINT = "#ff0000 #00ff00\t#808000\n#0000ff\t#0000ff\n#ff0000 #ff0000 #0000ff\t#aa0055\n#ffffff\t#ffffff\n"


@dataclass(frozen=True)
class Stranger:
    """A head of somebody's own with all that it needs."""

    head: str | Mapping[str, Any]
    plugins: tuple[str, ...]
    reader: str | Mapping[str, Any]
    data: str
    suffix: str
    lines: Sequence[str]
    """Values as they are typed, of unequal lengths."""
    features: str | Mapping[str, Any] = field(default_factory=lambda: EMBEDDING)
    bptt: bool = False
    """Whether its targets can be cut along with the states."""

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(STRANGERS / f"{name}.py" for name in self.plugins)

    @property
    def options(self) -> list[str]:
        return [part for file in self.files for part in ("--plugin", str(file))]

    def write(self, folder: Path) -> Path:
        """Write data and recipe; return the recipe."""
        for split in ("train", "dev"):
            (folder / f"{split}{self.suffix}").write_text(self.data)
        recipe = folder / "recipe.yaml"
        recipe.write_text(yaml.safe_dump(self.recipe))
        return recipe

    @property
    def recipe(self) -> dict[str, Any]:
        files = {split: f"{split}{self.suffix}" for split in ("train", "dev")}
        return {
            "name": "strange",
            "data": {"reader": self.reader, **files},
            "features": [self.features],
            "encoder": {"name": "gru", "hidden_size": 8, "output_dropout": 0.1},
            "head": self.head,
            "observers": [{"name": "checkpoints", "every_steps": 1}, "jsonl"],
            "train": {"epochs": 2, "batch_tokens": 8, "optimizer": {"name": "adam", "lr": 0.02}},
        }


def tab(kind: str) -> dict[str, Any]:
    return {"name": "tab", "answer": kind}


STRANGE: Mapping[str, Stranger] = {
    "class": Stranger(
        "sentence_class",
        ("sentence_class", "columns"),
        tab("label"),
        CLASSES,
        ".tab",
        ("this is good", "no", "so no good it is"),
    ),
    "label set": Stranger(
        "label_sets",
        ("label_sets", "columns"),
        tab("label_set"),
        SETS,
        ".tab",
        ("the ball", "vote", "ball vote and ball"),
    ),
    "number": Stranger(
        "forecast",
        ("forecast", "columns"),
        tab("number"),
        NUMBERS,
        ".tab",
        ("one two", "two", "one one two never"),
    ),
    "series": Stranger(
        {"name": "forecast", "target": "future"},
        ("forecast", "columns"),
        {"name": "csv_numbers", "ahead": 2},
        SERIES,
        ".csv",
        ("1 2 3", "4", "3,2,1,0.5,-1"),
        features="values",
    ),
    "language model": Stranger(
        "next_token",
        ("next_token", "columns"),
        tab("none"),
        LANGUAGE,
        ".tab",
        ("a b", "b", "a b c a b"),
        bptt=True,
    ),
    "n-best tagger": Stranger(
        "nbest",
        ("nbest", "columns"),
        tab("labels"),
        TAGS,
        ".tab",
        ("the cat", "dogs", "a dog barks loudly"),
        bptt=True,
    ),
    "generated text": Stranger(
        "reply",
        ("reply", "columns"),
        tab("text"),
        REPLIES,
        ".tab",
        ("how are you", "you", "who is so fine today"),
    ),
    "colour": Stranger(
        "mix",
        ("colours",),
        "paint",
        PAINT,
        ".paint",
        ("#ff0000 #0000ff", "#00ff00", "#ffffff #000000 #123456"),
        features="lights",
    ),
}

"""Writes the sample set `order`: pairs of sentences of the same words, whose order alone tells the class.

    python benchmarks/order_set.py FOLDER

Every sentence has a partner of the other class with the same words equally often, in the same split: who
counts words cannot tell them apart, whatever the weights. What it writes is what seqlab ships as
`sample:order/*.tsv`.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

PAIRS = {"train": 400, "dev": 60, "test": 100}

THINGS = [
    "phone",
    "laptop",
    "camera",
    "kettle",
    "jacket",
    "novel",
    "film",
    "hotel",
    "restaurant",
    "teacher",
    "garden",
    "bicycle",
    "song",
    "soup",
    "lamp",
    "chair",
    "printer",
    "museum",
    "train",
    "sofa",
]

GOOD = [
    "good",
    "great",
    "fine",
    "lovely",
    "brilliant",
    "reliable",
    "pleasant",
    "superb",
    "charming",
    "solid",
    "wonderful",
    "delightful",
]
BAD = [
    "bad",
    "lousy",
    "terrible",
    "nasty",
    "useless",
    "shoddy",
    "dreadful",
    "poor",
    "horrible",
    "weak",
    "dull",
    "boring",
]

LIKE = ["love", "like", "enjoy", "admire", "recommend"]
DISLIKE = ["hate", "dislike", "regret", "despise", "avoid"]

OPENINGS = ("", "", "", "honestly , ", "after a week , ", "to be fair , ", "my view : ", "in short , ")

SWAPPED = (
    "the {thing} is not {a} , it is {b}",
    "the {thing} is {b} , not {a}",
    "i thought the {thing} was {a} but it is {b}",
    "a {b} {thing} , never {a}",
    "the {thing} was {a} before , now it is {b}",
    "i would not call this {thing} {a} , but {b}",
    "hardly a {a} {thing} : it is {b}",
    "far from {a} , this {thing} is {b}",
    "my old {thing} was {a} , this one is {b}",
    "they promised a {a} {thing} and delivered a {b} one",
    "it looks {a} and yet the {thing} is {b}",
    "is the {thing} {a} ? no , it is {b}",
    "there is nothing {a} about this {thing} , everything is {b}",
    "this {thing} is {b} , whoever told you it was {a} is wrong",
    "you said {a} ? the {thing} is {b}",
)
"""Sentences of the class of `b`, whose partner has `a` and `b` in each other's place."""

VERBS = (
    "i do not {a} this {thing} , i {b} it",
    "i {b} the {thing} , i do not {a} it",
    "others may {a} this {thing} , but i {b} it",
    "you will not {a} the {thing} , you will {b} it",
)
"""The same with verbs."""

NEGATED = (
    ("well no , the {thing} is {word}", "well , the {thing} is no {word}"),
    ("no , for me this {thing} is {word}", "for me , this {thing} is no {word}"),
    ("no sir , the {thing} is {word}", "sir , the {thing} is no {word}"),
)
"""Sentences whose partner has the negation in another place: `no , it is good`, `it is no good`."""


def pairs(rng: random.Random) -> Iterator[tuple[str, str]]:
    """Yield a positive sentence and its negative partner, without end."""
    while True:
        thing, opening = rng.choice(THINGS), rng.choice(OPENINGS)
        kind = rng.random()
        if kind < 0.15:
            word = rng.choice(GOOD)
            one, other = rng.choice(NEGATED)
            yield opening + one.format(thing=thing, word=word), opening + other.format(thing=thing, word=word)
            continue
        verbs = kind < 0.3
        good, bad = rng.choice(LIKE if verbs else GOOD), rng.choice(DISLIKE if verbs else BAD)
        template = rng.choice(VERBS if verbs else SWAPPED)
        positive = template.format(thing=thing, a=bad, b=good)
        negative = template.format(thing=thing, a=good, b=bad)
        yield opening + positive, opening + negative


def write(folder: Path, seed: int = 1) -> None:
    """Write the splits; no sentence is in two of them, or twice in one."""
    rng = random.Random(seed)
    source, seen = pairs(rng), set[str]()
    for split, count in PAIRS.items():
        rows: list[tuple[str, str]] = []
        while len(rows) < 2 * count:
            positive, negative = next(source)
            if positive not in seen:
                seen |= {positive, negative}
                rows += [("positive", positive), ("negative", negative)]
        rng.shuffle(rows)
        lines = ["label\ttext\n", *(f"{label}\t{text}\n" for label, text in rows)]
        (folder / f"{split}.tsv").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))

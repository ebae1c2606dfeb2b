"""Mutated recipes, packages, manifests, treebanks and sounds, fed through the doors for those of strangers.

`python fuzzing.py DOOR SEED COUNT FOLDER` feeds COUNT inputs and prints what became of them as JSON. The same
seed makes the same inputs; `python fuzzing.py DOOR SEED 1 FOLDER` repeats the one of that seed.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import resource
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).with_name("golden")

SECONDS = 60
"""Longest time that one input may take, of the processor."""

EXTREMES = [0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 1e308, -1e308, 5e-324, float("inf"), float("nan"), 0.5]
CONFUSED: list[Any] = [None, True, "", "x", "y" * 10_000, "\ud800", "\0", "\u202e\x1b[31m", [], {}, [[[[]]]]]
CONFUSED += [
    [1, "a", None],
    {"": {"a": [None]}},
    {"name": "x"},
    [{}] * 50,
    "../../etc/passwd",
    "${HOME}",
    "*" * 50,
]
WORDS = [
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"9" * 5000,
    b"0x" + b"f" * 5000,
    b"1e999",
    b"&a *a",
    b"<<: *a",
    b"? ",
]
WORDS += [
    b"!!python/name:os.system",
    b"\n\n\n",
    b"\r",
    b"\t" * 20,
    b"[" * 300,
    b'{"a":' * 300,
    b"\\ud800",
    b"-1",
]
WORDS += [
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"\x1b[2J",
    b"%YAML 9.9\n---\n",
    b"a" * 70_000,
    b"null",
    b"\\UFFFFFFFF",
]

# --- mutations ----------------------------------------------------------------------------------------------


def flipped(data: bytes, rng: random.Random) -> bytes:
    """Turn over one to eight bits."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8) if data else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwritten(data: bytes, rng: random.Random) -> bytes:
    """Put extremes over one to four bytes, as lengths in headers have them."""
    start, value = rng.randrange(len(data) + 1), rng.choice([b"\0", b"\xff", b"\x7f", b"\x80"])
    length = rng.choice([1, 2, 4, 8])
    return data[:start] + value * length + data[start + length :]


def inserted(data: bytes, rng: random.Random) -> bytes:
    """Put something in that means much to some parser."""
    start = rng.randrange(len(data) + 1)
    return data[:start] + rng.choice(WORDS) + data[start:]


def cut(data: bytes, rng: random.Random) -> bytes:
    """Leave out a stretch, often the end."""
    start, end = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
    return data[:start] + (data[end:] if rng.random() < 0.5 else b"")


def repeated(data: bytes, rng: random.Random) -> bytes:
    """Repeat a stretch."""
    start, end = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
    return data[:end] + data[start:end] * rng.choice([1, 1, 2, 20]) + data[end:]


def swapped(data: bytes, rng: random.Random) -> bytes:
    """Exchange two lines."""
    lines = data.split(b"\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def numbered(data: bytes, rng: random.Random) -> bytes:
    """Put an extreme in the place of a number."""
    digits = [at for at, byte in enumerate(data) if 48 <= byte <= 57]
    if not digits:
        return data
    start = end = rng.choice(digits)
    while end < len(data) and 48 <= data[end] <= 57:
        end += 1
    return data[:start] + str(rng.choice(EXTREMES)).encode() + data[end:]


MUTATIONS = (flipped, overwritten, inserted, cut, repeated, swapped, numbered)


def mutated(data: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        data = rng.choice(MUTATIONS)(data, rng)
    return data


def confused(value: Any, rng: random.Random) -> Any:
    """Put something of another type in the place of one value somewhere in plain data."""
    if not value or not isinstance(value, dict | list) or rng.random() < 0.15:
        return rng.choice([*CONFUSED, *EXTREMES])
    if isinstance(value, list):
        at = rng.randrange(len(value))
        return [*value[:at], confused(value[at], rng), *value[at + 1 :]]
    key = rng.choice(list(value))
    if rng.random() < 0.1:
        return {other: child for other, child in value.items() if other != key}
    if rng.random() < 0.1:
        return value | {rng.choice(["\ud800", "", "name", "x" * 200, "1", "\x1b[31m"]): value[key]}
    return value | {key: confused(value[key], rng)}


def text_of(data: Any) -> bytes:
    """Return JSON, in which lone surrogates are escapes."""
    return json.dumps(data).encode()


# --- doors --------------------------------------------------------------------------------------------------


@cache
def lab() -> Any:
    from seqlab import Lab

    return Lab(entry_points=False)


def reader(name: str, **settings: Any) -> Any:
    from seqlab.api import ReaderContext

    component = lab().registry.get("reader", name)
    return component.build(component.config.model_validate(settings), ReaderContext())


RECIPE: dict[str, Any] = {
    "name": "run",
    "requires": [],
    "data": {"reader": {"name": "conllu", "text": "form", "label": "upos"}, "train": ["train.conllu"]},
    "features": [{"name": "embedding", "embedding_dim": 10}, "char_lstm"],
    "encoder": [{"name": "bilstm", "hidden_size": 10, "output_dropout": 0.5}, {"name": "gru"}],
    "head": {"name": "tagging", "class_weights": "balanced"},
    "metrics": ["accuracy"],
    "observers": ["console", {"name": "jsonl"}],
    "train": {
        "epochs": 3,
        "optimizer": {"name": "adam", "betas": [0.9, 0.99], "lr": 0.001},
        "schedule": {"name": "linear", "warmup_steps": 3},
        "clip_norm": 5.0,
    },
}

RECIPE_TEXT = b"""# A recipe
name: run
data:
  reader: {name: conllu, text: form, label: upos}
  train: &files [train.conllu, "d\\u0065v*.conllu"]
features: [embedding]
encoder: {name: bilstm, hidden_size: 0x10}
head: tagging
train:
  epochs: 3
  optimizer: {name: adam, lr: 1e-3}
"""


def recipes(rng: random.Random, folder: Path) -> Callable[[], object]:
    from seqlab.recipe import dump_recipe

    for name in ("train.conllu", "dev.conllu"):
        (folder / name).write_bytes(TREEBANK)
    os.chdir(folder)  # where the paths of recipes that are no files begin
    path = folder / "recipe.yaml"
    kind = rng.randrange(4)
    source: Any = RECIPE
    overrides = []
    if kind == 0:
        data = confused(RECIPE, rng)
        source = data if isinstance(data, dict) else {"data": data}
    elif kind == 1:
        key = rng.choice(["train.epochs", "data", "head.0.x", "features.0", "name", "data.train", "\ud800"])
        overrides = [f"{key}={rng.choice([*CONFUSED, *EXTREMES])}"]
    else:
        base = text_of(confused(RECIPE, rng)) if kind == 2 else RECIPE_TEXT
        path.write_bytes(mutated(base, rng) if kind == 3 or rng.random() < 0.3 else base)
        source = path
    return lambda: dump_recipe(lab().check(source, overrides).resolved()).encode()


@cache
def golden(name: str) -> tuple[dict[str, Any], bytes]:
    package = GOLDEN / name
    return json.loads((package / "package.json").read_text()), (package / "model.safetensors").read_bytes()


def packages(rng: random.Random, folder: Path) -> Callable[[], object]:
    manifest, weights = golden(rng.choice(["tagger-v1", "tagger-v2", "recognizer-v2"]))
    text = json.dumps(manifest, indent=1).encode()
    kind = rng.randrange(4)
    if kind == 0:
        text = text_of(confused(manifest, rng))
    elif kind == 1:
        text = mutated(text, rng)
    else:
        # Most weights of a real package are numbers: its header is where a reader can be led astray.
        end = 8 + int.from_bytes(weights[:8], "little")
        changed = mutated(weights[:end], rng) + weights[end:] if kind == 2 else mutated(weights, rng)
        before, weights = hashlib.sha256(weights).hexdigest(), changed
        if rng.random() < 0.8:  # else the checksum refuses it
            text = text.replace(before.encode(), hashlib.sha256(changed).hexdigest().encode())
    package = folder / "package"
    package.mkdir(exist_ok=True)
    (package / "package.json").write_bytes(text)
    (package / "model.safetensors").write_bytes(weights)
    return lambda: lab().open(package, device="cpu")


TREEBANK = b"""# sent_id = 1
# text = The dog barks
1\tThe\tthe\tDET\tDT\tDefinite=Def|PronType=Art\t2\tdet\t_\t_
2\tdog\tdog\tNOUN\tNN\tNumber=Sing\t3\tnsubj\t_\tSpaceAfter=No
2.1\tx\tx\tX\t_\t_\t_\t_\t_\t_

1-2\tdu\t_\t_\t_\t_\t_\t_\t_\t_
1\tde\tde\tADP\tIN\t_\t2\tcase\t_\t_
2\tle\tle\tDET\tDT\t_\t0\troot\t_\t_

"""


def treebanks(rng: random.Random, folder: Path) -> Callable[[], object]:
    path = folder / "train.conllu"
    path.write_bytes(mutated(TREEBANK, rng))
    label = rng.choice(["upos", "xpos", "lemma", "feats.Number", "feats", "misc.SpaceAfter"])
    return lambda: list(reader("conllu", text="form", label=label).read(path))


LINE = {
    "audio": "a.wav",
    "text": "one two",
    "speaker": "s",
    "duration": 0.25,
    "sample_rate": 16000,
}


def manifests(rng: random.Random, folder: Path) -> Callable[[], object]:
    for name in ("a.wav", "b.wav", "c.wav", "a.mp3"):
        (folder / name).write_bytes(encoded("WAV"))
    kind = rng.randrange(4)
    if kind == 3:
        for name, line in (("wav.scp", b"u1 a.wav\nu2 b.wav\n"), ("text", b"u1 one\nu2 two\n")):
            (folder / name).write_bytes(mutated(line, rng) if rng.random() < 0.7 else line)
        return lambda: list(reader("kaldi").read(folder / "wav.scp"))
    if kind == 2:
        path = folder / "train.tsv"
        path.write_bytes(mutated(b"client_id\tpath\tsentence\ns\ta.mp3\tone two\n", rng))
        return lambda: list(reader("common_voice").read(path))
    rows = [LINE | {"audio": name} for name in ("a.wav", "b.wav", "c.wav")]
    lines = [text_of(confused(row, rng) if kind and row["audio"] == "b.wav" else row) for row in rows]
    path = folder / "train.jsonl"
    whole = b"\n".join(lines)
    path.write_bytes(whole if kind else mutated(whole, rng))
    return lambda: [example.fields for example in reader("speech").read(path)]


SOUNDS = {
    "WAV": ("WAV", "PCM_16"),
    "float": ("WAV", "FLOAT"),
    "FLAC": ("FLAC", "PCM_16"),
    "OGG": ("OGG", "VORBIS"),
    "Opus": ("OGG", "OPUS"),
    "MP3": ("MP3", "MPEG_LAYER_III"),
    "SPHERE": ("NIST", "PCM_16"),
    "AIFF": ("AIFF", "PCM_16"),
}


@cache
def encoded(name: str) -> bytes:
    import numpy as np
    import soundfile

    container, coding = SOUNDS[name]
    file = io.BytesIO()
    samples = np.sin(np.arange(4000) * 0.3) * 0.3
    soundfile.write(file, samples, 16_000, format=container, subtype=coding)
    return file.getvalue()


def sounds(rng: random.Random, folder: Path) -> Callable[[], object]:
    from seqlab.audio import AudioFile

    data = encoded(rng.choice(list(SOUNDS)))
    end = 200 if rng.random() < 0.7 else len(data)  # headers more often than samples
    data = mutated(data[:end], rng) + data[end:]
    if rng.random() < 0.5:
        return lambda: AudioFile(data).samples()
    path = folder / "sound"
    path.write_bytes(data)
    return lambda: AudioFile(path).samples()


DOORS: Mapping[str, Callable[[random.Random, Path], Callable[[], object]]] = {
    "recipes": recipes,
    "packages": packages,
    "treebanks": treebanks,
    "manifests": manifests,
    "sounds": sounds,
}

# --- the run ------------------------------------------------------------------------------------------------


class TooSlowError(BaseException):
    """An input took longer than SECONDS."""


def expire(*_: object) -> None:
    raise TooSlowError


@contextlib.contextmanager
def limited() -> Iterator[None]:
    signal.signal(signal.SIGVTALRM, expire)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def feed(door: str, seed: int, folder: Path) -> str:
    """Feed the input of a seed; return the name of the error of seqlab, empty for none."""
    from seqlab.errors import SeqlabError

    rng = random.Random(f"{door} {seed}")
    try:
        with limited():
            DOORS[door](rng, folder)()
    except SeqlabError as error:
        str(error).encode("utf-8", "backslashreplace")
        return type(error).__name__
    return ""


def peak() -> int:
    """Return the largest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def main(door: str, seed: int, count: int, folder: Path) -> dict[str, Any]:
    ends: Counter[str] = Counter()
    faults = []
    feed(door, -1, folder)  # what is imported and kept once
    before = peak()
    for number in range(seed, seed + count):
        try:
            ends[feed(door, number, folder)] += 1
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            lines = traceback.format_exception(error)
            faults.append({"seed": number, "error": repr(error)[:300], "traceback": "".join(lines)[-1500:]})
    return {"inputs": count, "ends": dict(ends), "peak": peak() - before, "faults": faults}


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    door, seed, count, folder = sys.argv[1:]
    print(json.dumps(main(door, int(seed), int(count), Path(folder))))  # noqa: T201 - this is the answer

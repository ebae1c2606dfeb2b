"""Part-of-speech tagger in plain torch: the hand-written benchmark reference.

Shape letters: B sentences and N tokens in a batch, T tokens in its longest
sentence, C characters in its longest token, K tags.

    python reference.py --train train.conllu --dev dev.conllu --save tagger.pt
    python reference.py --load tagger.pt --predict dev.conllu --repeat 3
"""

import argparse
import json
import random
import resource
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import rnn
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR

PAD, UNK = 0, 1
Report = dict[str, list[float]]


class Sentence(NamedTuple):
    """Forms and UPOS tags of one sentence, lists of equal length."""

    forms: list[str]
    tags: list[str]


class Encoded(NamedTuple):
    """Ids of one sentence: a word id, character ids and a tag id per token."""

    words: list[int]
    chars: list[list[int]]
    tags: list[int]


class Batch(NamedTuple):
    """Padded ids; the rows of chars are the real tokens, sentence by sentence."""

    words: Tensor  # [B, T]
    lengths: Tensor  # [B]
    chars: Tensor  # [N, C]
    char_lengths: Tensor  # [N]
    tags: Tensor  # [B, T], or [B, 0] when predicting


@dataclass
class Config:
    """Sizes and dropout rates of the model."""

    embedding_dim: int
    char_embedding_dim: int
    char_hidden_size: int
    hidden_size: int
    num_layers: int
    dropout: float
    word_dropout: float


@dataclass
class Vocab:
    """Ids of lower-cased words, of characters and of tags, all above PAD."""

    words: dict[str, int]
    chars: dict[str, int]
    tags: dict[str, int]

    @classmethod
    def build(cls, sentences: list[Sentence], min_count: int) -> "Vocab":
        """Collect the training vocabulary; rare words are left out."""
        forms = [form for s in sentences for form in s.forms]
        counts = Counter(form.lower() for form in forms)
        words = [word for word, count in counts.items() if count >= min_count]
        chars = sorted({char for form in forms for char in form})
        tags = sorted({tag for s in sentences for tag in s.tags})
        return cls(
            words={word: i for i, word in enumerate(words, UNK + 1)},
            chars={char: i for i, char in enumerate(chars, UNK + 1)},
            tags={tag: i for i, tag in enumerate(tags, PAD + 1)},
        )

    def encode(self, forms: list[str], tags: list[str]) -> Encoded:
        """Turn one sentence into ids; tags is empty when predicting."""
        words = [self.words.get(form.lower(), UNK) for form in forms]
        chars = [[self.chars.get(char, UNK) for char in form] for form in forms]
        return Encoded(words, chars, [self.tags[tag] for tag in tags])


def pack(padded: Tensor, lengths: Tensor) -> rnn.PackedSequence:
    """Pack padded [rows, longest, features] with lengths [rows]."""
    return rnn.pack_padded_sequence(padded, lengths, True, enforce_sorted=False)


def bilstm(inputs: int, size: int, layers: int = 1, dropout: float = 0.0) -> nn.LSTM:
    """Make a BiLSTM from [rows, steps, inputs] to [rows, steps, 2 * size]."""
    between = dropout if layers > 1 else 0.0
    return nn.LSTM(inputs, size, layers, batch_first=True, dropout=between, bidirectional=True)


class Tagger(nn.Module):
    """Word embedding + character BiLSTM -> word BiLSTM -> tag scores."""

    def __init__(self, vocab: Vocab, config: Config) -> None:
        super().__init__()
        self.config = c = config
        words, chars = len(vocab.words) + 2, len(vocab.chars) + 2
        self.words = nn.Embedding(words, c.embedding_dim, padding_idx=PAD)
        self.chars = nn.Embedding(chars, c.char_embedding_dim, padding_idx=PAD)
        self.char_lstm = bilstm(c.char_embedding_dim, c.char_hidden_size)
        token_dim = c.embedding_dim + 2 * c.char_hidden_size
        self.word_lstm = bilstm(token_dim, c.hidden_size, c.num_layers, c.dropout)
        self.dropout = nn.Dropout(c.dropout)
        self.output = nn.Linear(2 * c.hidden_size, len(vocab.tags) + 1)

    def forward(self, batch: Batch) -> Tensor:
        """Score every tag of every token: [B, T, K + 1], id PAD being no tag."""
        words = batch.words
        if self.training:
            drop = torch.rand(words.shape) < self.config.word_dropout
            words = words.masked_fill(drop & (words != PAD), UNK)
        _, (last, _) = self.char_lstm(pack(self.chars(batch.chars), batch.char_lengths))  # [2, N, size]
        tokens = last.transpose(0, 1).flatten(1)  # [N, 2 * size]
        chars = rnn.pad_sequence(tokens.split(batch.lengths.tolist()), True)
        features = self.dropout(torch.cat([self.words(words), chars], dim=-1))
        states, _ = self.word_lstm(pack(features, batch.lengths))
        states, _ = rnn.pad_packed_sequence(states, batch_first=True)
        scores: Tensor = self.output(self.dropout(states))
        return scores


def read_conllu(path: Path) -> list[Sentence]:
    """Read forms and UPOS tags, without multiword ranges and empty nodes."""
    sentences: list[Sentence] = []
    for block in path.read_text(encoding="utf-8").strip().split("\n\n"):
        rows = [line.split("\t") for line in block.split("\n")]
        rows = [row for row in rows if row[0].isdigit()]  # no comments, 1-2, 1.1
        sentences.append(Sentence([row[1] for row in rows], [row[3] for row in rows]))
    return [sentence for sentence in sentences if sentence.forms]


def pad(rows: list[list[int]]) -> Tensor:
    """Stack id lists into one tensor [rows, longest], filled up with PAD."""
    width = max(len(row) for row in rows)
    return torch.tensor([row + [PAD] * (width - len(row)) for row in rows])


def make_batch(sentences: list[Encoded]) -> Batch:
    """Build the tensors of one batch."""
    chars = [token for sentence in sentences for token in sentence.chars]
    return Batch(
        words=pad([sentence.words for sentence in sentences]),
        lengths=torch.tensor([len(sentence.words) for sentence in sentences]),
        chars=pad(chars),
        char_lengths=torch.tensor([len(token) for token in chars]),
        tags=pad([sentence.tags for sentence in sentences]),
    )


def predict(model: Tagger, vocab: Vocab, sentences: list[list[str]], batch_size: int) -> list[list[str]]:
    """Tag tokenised sentences; the tags come back in the order of the input."""
    model.eval()
    names = ["", *vocab.tags]
    order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
    result: list[list[str]] = [[] for _ in sentences]
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            indices = order[start : start + batch_size]
            batch = make_batch([vocab.encode(sentences[i], []) for i in indices])
            best = model(batch)[..., 1:].argmax(dim=-1) + 1  # [B, T], never PAD
            for i, row in zip(indices, best.tolist(), strict=True):
                result[i] = [names[tag] for tag in row[: len(sentences[i])]]
    return result


def accuracy(predicted: list[list[str]], gold: list[Sentence]) -> float:
    """Share of tokens whose predicted tag is the gold tag."""
    tags = [tag for row in predicted for tag in row]
    right = [tag for sentence in gold for tag in sentence.tags]
    return sum(a == b for a, b in zip(tags, right, strict=True)) / len(right)


def train_epoch(model: Tagger, batches: list[list[Encoded]], adam: Adam, scheduler: LambdaLR) -> None:
    """Pass once over the batches."""
    model.train()
    for sentences in batches:
        batch = make_batch(sentences)
        scores = model(batch).flatten(0, 1)  # [B * T, K + 1]
        loss = nn.functional.cross_entropy(scores, batch.tags.flatten(), ignore_index=PAD)
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=5.0)
        adam.step()
        scheduler.step()


def train(args: argparse.Namespace, report: Report) -> tuple[Tagger, Vocab]:
    """Train on args.train; fill report with speed and dev accuracy per epoch."""
    sentences = read_conllu(args.train)
    dev = read_conllu(args.dev) if args.dev else []
    vocab = Vocab.build(sentences, args.min_count)
    model = Tagger(vocab, Config(**{k: vars(args)[k] for k in Config.__annotations__}))
    encoded = [vocab.encode(s.forms, s.tags) for s in sentences]
    encoded.sort(key=lambda s: len(s.words))
    tokens = sum(len(s.words) for s in encoded)
    batches = [encoded[i : i + args.batch_size] for i in range(0, len(encoded), args.batch_size)]
    slope = 1 / (args.epochs * len(batches)) if args.schedule == "linear" else 0.0
    adam = Adam(model.parameters(), lr=args.lr)
    scheduler = LambdaLR(adam, lambda step: 1.0 - slope * step)
    for epoch in range(1, args.epochs + 1):
        start = time.perf_counter()
        random.shuffle(batches)
        train_epoch(model, batches, adam, scheduler)
        seconds = time.perf_counter() - start
        report["epoch_seconds"].append(seconds)
        report["train_tokens_per_second"].append(tokens / seconds)
        line = f"epoch {epoch}: {seconds:.1f} s, {tokens / seconds:.0f} tokens/s"
        if dev:
            tags = predict(model, vocab, [s.forms for s in dev], args.batch_size)
            report["dev_accuracy"].append(accuracy(tags, dev))
            line += f", dev accuracy {report['dev_accuracy'][-1]:.4f}"
        print(line, flush=True)
    return model, vocab


PREDICTION = ("predict_tokens_per_second", "predict_tokens_per_cpu_second")


def time_predictions(model: Tagger, vocab: Vocab, args: argparse.Namespace, report: Report) -> None:
    """Tag args.predict args.repeat times; time token lists to tag lists."""
    gold = read_conllu(args.predict)
    forms = [s.forms for s in gold]
    tokens = sum(len(sentence) for sentence in forms)
    for _ in range(args.repeat):
        start, cpu = time.perf_counter(), time.process_time()
        tags = predict(model, vocab, forms, args.batch_size)
        speed = tokens / (time.perf_counter() - start)
        report["predict_tokens_per_second"].append(speed)
        report["predict_tokens_per_cpu_second"].append(tokens / (time.process_time() - cpu))
        print(f"{speed:.0f} tokens/s, accuracy {accuracy(tags, gold):.4f}", flush=True)


def load(path: Path) -> tuple[Tagger, Vocab]:
    """Read the model that --save wrote."""
    state = torch.load(path, weights_only=True)
    vocab, config = Vocab(**state["vocab"]), Config(**state["config"])
    model = Tagger(vocab, config)
    model.load_state_dict(state["weights"])
    return model, vocab


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("train", "dev", "predict", "load", "save", "json"):
        parser.add_argument(f"--{name}", type=Path, metavar="FILE")
    sizes = {"embedding-dim": 100, "char-embedding-dim": 50, "char-hidden-size": 100}
    sizes |= {"hidden-size": 200, "num-layers": 1, "min-count": 2, "batch-size": 32}
    sizes |= {"epochs": 1, "seed": 0, "threads": 2, "repeat": 1}
    for name, size in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=size)
    for name, rate in {"dropout": 0.33, "word-dropout": 0.1, "lr": 2e-3}.items():
        parser.add_argument(f"--{name}", type=float, default=rate)
    parser.add_argument("--schedule", choices=["constant", "linear"], default="constant")
    args = parser.parse_args()
    if (args.train is None) == (args.load is None):
        parser.error("give one of --train and --load")
    return args


def main() -> None:
    """Train or load a tagger, then save it, time it and report."""
    args = parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    random.seed(args.seed)
    series = ["train_tokens_per_second", "dev_accuracy", "epoch_seconds"]
    report: Report = {name: [] for name in [*series, *PREDICTION]}
    model, vocab = load(args.load) if args.load else train(args, report)
    if args.save:
        state = {"config": asdict(model.config), "vocab": asdict(vocab)}
        torch.save({**state, "weights": model.state_dict()}, args.save)
    if args.predict:
        time_predictions(model, vocab, args, report)
    if args.json:
        scalars = {
            "parameters": sum(p.numel() for p in model.parameters()),
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "torch": str(torch.__version__),
            "threads": args.threads,
        }
        args.json.write_text(json.dumps({**report, **scalars}, indent=2) + "\n")


if __name__ == "__main__":
    main()

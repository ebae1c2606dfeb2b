"""Times a model package on a CoNLL-U file, from lists of tokens to lists of tags, with cold caches."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

import seqlab
from seqlab.engine.device import peak_memory_mb


def main() -> None:
    """Predict the file `--repeat` times and write every speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    predictor = seqlab.open(args.model, device="cpu")
    examples = predictor.assembly.reader.read(args.data)
    sentences = [example.fields["tokens"] for example in examples]
    tokens = sum(map(len, sentences))
    speeds = []
    for _ in range(args.repeat):
        predictor.model.eval()  # empties the cache of word vectors
        started = time.perf_counter()
        tags = [prediction.tags for prediction in predictor.predict(sentences)]
        speeds.append(tokens / (time.perf_counter() - started))
        assert len(tags) == len(sentences)
    report = {"predict_tokens_per_second": speeds, "peak_memory_mb": peak_memory_mb()}
    args.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()

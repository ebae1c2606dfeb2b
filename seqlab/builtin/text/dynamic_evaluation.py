"""Dynamic evaluation: a language model goes on learning from the text that it is tested on.

Each stretch of the text is foretold first and learned from afterwards, so no token is known before it counts
(Krause et al. 2018, "Dynamic Evaluation of Neural Sequence Models"; here by plain gradient steps).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from seqlab.builtin.text.heads.language_model import LanguageModelHead
from seqlab.builtin.text.metrics.language import perplexity_of
from seqlab.engine.state import State, detached
from seqlab.errors import SeqlabError

if TYPE_CHECKING:
    from seqlab.predict.predictor import Predictor

__all__ = ["Foretold", "dynamic_evaluation"]


@dataclass(frozen=True)
class Foretold:
    """How many bits the texts took, and of how many tokens and characters."""

    bits: float
    tokens: int
    characters: int

    @property
    def perplexity(self) -> float:
        """The inverse of the mean probability of a token."""
        return perplexity_of(self.bits / self.tokens)

    @property
    def bits_per_character(self) -> float:
        """Bits per character of the tokens."""
        return self.bits / self.characters


def dynamic_evaluation(
    predictor: Predictor,
    texts: Sequence[Any],
    *,
    learning_rate: float = 0.1,
    steps: int = 50,
    clip_norm: float = 1.0,
) -> Foretold:
    """Foretell texts, `steps` tokens at a time, and take a gradient step after each stretch, with 0 none.

    What was learned goes on from text to text; the model of `predictor` stays as it is. SeqlabError where it
    is no language model whose encoders carry a state, or nothing can be foretold.
    """
    if not (math.isfinite(learning_rate) and learning_rate >= 0):
        raise ValueError(f"learning_rate must be a number from 0 on, got {learning_rate}")
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    assembly, model = predictor.assembly, copy.deepcopy(predictor.model)
    heads = [each for each in assembly.heads.values() if isinstance(each, LanguageModelHead)]
    if len(heads) != 1 or len(assembly.heads) != 1 or not model.encoder.carries_state:
        raise SeqlabError(
            "dynamic evaluation needs a model whose only head is language_model, and encoders that carry a"
            " state"
        )
    target, device = heads[0].target, next(model.parameters()).device
    examples = assembly.normalized([predictor.take(text) for text in texts])
    data = assembly.encode(examples, labelled=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)
    bits, tokens = 0.0, 0
    for number in range(len(data)):
        state: State | None = None
        for part in data.gather(torch.tensor([number])).to(device).chunks(steps):
            # cuDNN has no pass backwards outside of training, whose dropout is not wanted here.
            with torch.set_grad_enabled(learning_rate > 0), torch.backends.cudnn.flags(enabled=False):
                losses, after = model.losses(part, state)
            count = int(model.counts(part)[target])
            bits += float(losses[target].detach()) / math.log(2)
            tokens += count
            if count and learning_rate:
                (losses[target] / count).backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
                optimizer.step()
                optimizer.zero_grad()
            state = detached(after)
    characters = sum(len(token) for example in examples for token in example.fields[target][1:])
    if not tokens or not characters:
        raise SeqlabError("there is nothing to foretell: the first token of a text is given")
    return Foretold(bits, tokens, characters)

"""Text from a language model: token after token, each drawn from what the model says may follow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from seqlab.builtin.core.vocabulary import UNKNOWN
from seqlab.builtin.text.heads.language_model import LanguageModel, LanguageModelHead
from seqlab.engine import Sequences, State
from seqlab.engine.precision import arithmetic
from seqlab.engine.seeding import derived_seed
from seqlab.errors import DataError, SeqlabError

if TYPE_CHECKING:
    from seqlab.predict.predictor import Predictor

__all__ = ["Sampling", "TextGenerator"]


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next token is drawn.

    Scores are divided by `temperature`; 0 takes the likeliest token. Only the `top_k` likeliest are drawn
    from, and of these the fewest whose probabilities add up to `top_p` (Holtzman et al. 2020). A text ends
    after `length` tokens, or where the model ends it. ValueError for a number out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    length: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("temperature", "top_k", "top_p", "length", "seed"):
            whole, value = name not in ("temperature", "top_p"), getattr(self, name)
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, int if whole else Real)
            ):
                raise TypeError(f"{name} must be {'an integer' if whole else 'a number'}, got {value!r}")
        if not 0 <= self.temperature < math.inf:
            raise ValueError(f"temperature must be a number from 0 on, got {self.temperature}")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k must be at least 1, got {self.top_k}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, got {self.top_p}")
        if self.length < 1:
            raise ValueError(f"length must be at least 1, got {self.length}")

    def probabilities(self, scores: Tensor) -> Tensor:
        """Return the probabilities that are drawn from, for scores (sequences, classes), in fp64."""
        scores = scores.double()
        if self.temperature == 0:
            return torch.zeros_like(scores).scatter_(1, scores.argmax(dim=1, keepdim=True), 1.0)
        less = scores - scores.amax(dim=1, keepdim=True)  # divided by next to nothing, others would be inf
        found = (less / self.temperature).softmax(dim=1)
        ordered, places = found.sort(dim=1, descending=True, stable=True)
        if self.top_k is not None:
            ordered[:, self.top_k :] = 0.0
            ordered /= ordered.sum(dim=1, keepdim=True)
        before = ordered.cumsum(dim=1) - ordered
        ordered[before >= self.top_p] = 0.0
        kept = torch.zeros_like(found).scatter_(1, places, ordered)
        return kept / kept.sum(dim=1, keepdim=True)


class TextGenerator:
    """A language model in use: goes on from texts.

    `predictor` is what `seqlab.open` returns; SeqlabError where its model is no language model, or reads
    more than the tokens that it predicts.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        assembly, model = predictor.assembly, predictor.model
        heads = {
            target: head for target, head in assembly.heads.items() if isinstance(head, LanguageModelHead)
        }
        if not heads:
            raise SeqlabError("to write text, a model needs the head language_model")
        (self.target, self.head), *_ = heads.items()
        if others := [field for field in predictor.inputs if field != self.target]:
            raise SeqlabError(
                f"the model reads {', '.join(others)} besides {self.target!r}, which nobody can write for it"
            )
        if not model.encoder.carries_state:
            raise SeqlabError("to write text, a model needs encoders that carry a state from token to token")
        module = dict(model.named_heads())[self.target]
        assert isinstance(module, LanguageModel), "it is of that head"
        self.module = module

    def write(self, prompts: Sequence[Any], sampling: Sampling | None = None) -> list[str]:
        """Go on from each of these texts, side by side; return what was written, without the prompts.

        What is written depends on a prompt, its place among them and the seed, not, up to rounding, on the
        other prompts. A prompt is what the model's reader takes: a text or a list of tokens. Raises DataError
        for one without tokens.
        """
        if isinstance(prompts, str):
            raise TypeError(f"expected a list of prompts, got the text {prompts!r}; `stream` takes one")
        sampling = sampling or Sampling()
        found: list[list[str]] = [[] for _ in prompts]
        read = [self._tokens(prompt) for prompt in prompts]
        for tokens in self._written(read, sampling):
            for number, token in tokens.items():
                found[number].append(token)
        return [self._text(first, new) for first, new in zip(read, found, strict=True)]

    def stream(self, prompt: Any, sampling: Sampling | None = None) -> Iterator[str]:
        """Go on from a text piece by piece: the pieces, put together, are what `write` returns."""
        first, new, told = self._tokens(prompt), list[str](), ""
        for tokens in self._written([first], sampling or Sampling()):
            new += tokens.values()
            text = self._text(first, new)
            yield text[len(told) :]
            told = text

    def _tokens(self, prompt: Any) -> list[str]:
        example = self.predictor.take(prompt)
        (normal,) = self.predictor.assembly.normalized([example])
        tokens = list(normal.fields[self.target])
        if not tokens:
            reason = "a prompt needs at least one token: the first one is never predicted"
            raise DataError(reason, place=example.place)
        return tokens

    def _text(self, prompt: Sequence[str], new: Sequence[str]) -> str:
        """Put new tokens together as they follow a prompt."""
        joined = getattr(self.predictor.assembly.reader, "joined", " ".join)
        before: str = joined(prompt)
        whole: str = joined([*prompt, *new])
        return whole[len(before) :]

    @torch.inference_mode()
    def _written(self, prompts: Sequence[Sequence[str]], sampling: Sampling) -> Iterator[Mapping[int, str]]:
        """Yield the next token of each text that goes on, by its number."""
        draws = [
            torch.Generator().manual_seed(derived_seed(sampling.seed, "text", number))
            for number in range(len(prompts))
        ]
        numbers, state = list(range(len(prompts))), None
        reading = prompts
        for _ in range(sampling.length):
            if not numbers:
                return
            scores, state = self._next(reading, state)
            drawn = _draw(sampling.probabilities(scores.cpu()), [draws[number] for number in numbers])
            going = [place for place, each in enumerate(drawn) if not self.head.ends(each)]
            kept = torch.tensor(going, dtype=torch.int64, device=scores.device)
            state = None if state is None else tuple(part[kept] for part in state)
            new = [str(self.head.token(drawn[place])) for place in going]
            numbers = [numbers[place] for place in going]
            reading = [[token] for token in new]
            yield dict(zip(numbers, new, strict=True))

    def _next(self, reading: Sequence[Sequence[str]], state: State | None) -> tuple[Tensor, State | None]:
        """Read on, and return the scores of what may follow, (sequences, classes)."""
        model = self.predictor.model
        device = next(model.parameters()).device
        every = torch.arange(len(reading))
        columns = [each.encode(list(reading)).gather(every) for each in self.predictor.assembly.featurizers]
        with arithmetic(self.predictor.precision, device):
            states, state = model.encode([column.to(device) for column in columns], state)
            assert isinstance(states, Sequences), "an encoder makes states"
            scores = self.module.scores(states.final)
        scores[:, UNKNOWN] = -torch.inf  # nobody can write it
        return scores, state


def _draw(probabilities: Tensor, draws: Sequence[torch.Generator]) -> list[int]:
    """Draw a class for each sequence by its own generator."""
    ends = probabilities.cumsum(dim=1)
    points = torch.cat([torch.rand(1, generator=each, dtype=torch.float64) for each in draws])
    found = torch.searchsorted(ends, points[:, None] * ends[:, -1:], right=True).squeeze(1)
    # The last class that can be drawn, where rounding leads beyond it.
    last = probabilities.shape[1] - 1 - (probabilities.flip(1) > 0).to(torch.int64).argmax(dim=1)
    chosen: list[int] = torch.minimum(found, last).tolist()
    return chosen

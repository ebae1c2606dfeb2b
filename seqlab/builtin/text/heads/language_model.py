"""The next token: a softmax over the vocabulary at every state, which has read all tokens before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqlab.api import Alignment, Answer, Column, SeqlabError, Sequences, States
from seqlab.builtin.core.learned import distinct_strings
from seqlab.builtin.core.vocabulary import UNKNOWN, Vocabulary
from seqlab.builtin.text.featurizers.embedding import WordEmbedding
from seqlab.builtin.text.heads.details import LOG_PROBABILITY, PREDICTED

__all__ = ["LanguageModel", "LanguageModelHead", "Scored"]

UNKNOWN_TOKEN = "<unk>"
"""How an answer writes a token that training does not know."""

NOTHING = -2
"""The target where nothing follows; -1 would say that training has never seen what does."""

ROWS = 4096
"""States whose scores are held in memory at once where no gradient is asked for."""


class LanguageModelHead:
    """Learns the field that the model reads: at each token the next one and, with `end`, that it is the last.

    Class 0 is the unknown token, learned where `min_count` leaves some; the last class is the end.
    """

    alignment: Alignment = "shifted"
    target_in_prediction = True

    def __init__(
        self,
        target: str,
        *,
        min_count: int,
        end: bool,
        tied: bool,
        activation_l2: float,
        temporal_l2: float,
        alternatives: int,
        default_metrics: tuple[str, ...],
    ) -> None:
        self.target = target
        self.min_count = min_count
        self.end = end
        self.tied = tied
        self.penalties = (activation_l2, temporal_l2)
        self.alternatives = alternatives
        self.default_metrics = default_metrics
        self.vocabulary = Vocabulary()

    def fit(self, values: Iterable[Sequence[str]]) -> None:
        """Learn the tokens of the training split."""
        tokens = (token for value in values for token in value)
        self.vocabulary = Vocabulary.counted(tokens, noun="tokens", min_count=self.min_count)
        if len(self.vocabulary) < 3:
            raise SeqlabError(
                f"head language_model: the training split has {len(self.vocabulary) - 1} different tokens in"
                f" {self.target!r}: nothing to learn"
            )

    def state(self) -> dict[str, Any]:
        """Return the vocabulary."""
        return {"tokens": self.vocabulary.symbols}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        self.vocabulary = Vocabulary(distinct_strings(state, "tokens"))

    @property
    def classes(self) -> int:
        """How many there are: the unknown token, the known ones and, with `end`, the end."""
        return len(self.vocabulary) + self.end

    def token(self, number: int) -> str | None:
        """Return the token of a class; None is the end."""
        if number == UNKNOWN:
            return UNKNOWN_TOKEN
        return None if self.ends(number) else self.vocabulary.symbols[number - 1]

    def ends(self, number: int) -> bool:
        """Tell whether a class is the end."""
        return self.end and number == len(self.vocabulary)

    def encode(self, values: Sequence[Sequence[str]]) -> Column:
        """Return for each token the class of the next one; of the last one the end, or that there is none.

        A token that training does not know is the unknown one: improbable where training has shown none.
        """
        last = len(self.vocabulary) if self.end else NOTHING
        encode = self.vocabulary.encode
        return Column.of([[*encode(value[1:]), last] if value else [] for value in values])

    def module(self, input_size: int) -> nn.Module:
        """Make the softmax layer."""
        return LanguageModel(input_size, self.classes, tied=self.tied, end=self.end, penalties=self.penalties)

    def answers(self, outputs: Scored) -> list[Answer]:
        """Return what probably follows each sequence, with its rivals: a single token, or none at the end.

        The details say how probable the sequence itself was (`LOG_PROBABILITY`, `PREDICTED`).
        """
        best = outputs.following.topk(min(1 + self.alternatives, self.classes))
        given = outputs.given or [{}] * len(outputs.following)
        found = []
        for scores, numbers, details in zip(best.values.tolist(), best.indices.tolist(), given, strict=True):
            first, *others = map(self._following, numbers, scores)
            found.append(Answer(first.value, first.score, tuple(others), details))
        return found

    def _following(self, number: int, score: float) -> Answer:
        token = self.token(number)
        return Answer(() if token is None else (token,), score)


class Scored(NamedTuple):
    """What the module answers to a batch, sequence by sequence."""

    following: Tensor
    """Probabilities of what comes next, (sequences, classes)."""
    given: list[dict[str, float]] | None = None
    """How probable the tokens were that were given, and how many of them were predicted."""


class LanguageModel(nn.Module):
    """States to scores of classes; cross-entropy, in training with penalties on the states.

    `tied` weights are those of the embedding that reads the same tokens (Press and Wolf 2017; Inan et al.
    2017). `penalties` are factors of the mean square of the states, and of their change from step to step
    (Merity, McCann and Socher 2017).
    """

    def __init__(
        self,
        input_size: int,
        classes: int,
        *,
        tied: bool = False,
        end: bool = False,
        penalties: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.classes = classes
        self.penalties = penalties
        self.project = None if tied else nn.Linear(input_size, classes)
        self.bias = nn.Parameter(torch.zeros(classes)) if tied else None
        self.last = nn.Parameter(torch.randn(1, input_size) * input_size**-0.5) if tied and end else None
        self._shared: list[nn.Embedding] = []  # a list, so that the table is not a part of this module, too

    def connect(self, featurizers: Sequence[nn.Module]) -> None:
        """Share the weights of the embedding that reads the tokens; SeqlabError where none fits."""
        if self.project is not None:
            return
        known = self.classes - (self.last is not None)
        tables = [each.table for each in featurizers if isinstance(each, WordEmbedding)]
        fit = [table for table in tables if table.weight.shape == (known, self.input_size)]
        if len(fit) != 1:
            sizes = ", ".join(f"{len(table.weight)} x {table.embedding_dim}" for table in tables) or "none"
            raise SeqlabError(
                f"head language_model: tied weights need one embedding of {known:,} tokens (the same field,"
                f" min_count and case) with vectors as large as the states, {self.input_size}; the embeddings"
                f" of the recipe: {sizes}"
            )
        self._shared = fit

    def scores(self, states: Tensor) -> Tensor:
        """Map states (rows, input_size) to scores (rows, classes)."""
        if self.project is not None:
            found: Tensor = self.project(states)
            return found.float()
        assert self._shared, "a tied head is connected to its embedding"
        weight = self._shared[0].weight
        if self._shared[0].padding_idx == UNKNOWN:  # zeros that stay zeros
            weight = torch.cat([weight[:1].detach(), weight[1:]])
        weight = weight if self.last is None else torch.cat([weight, self.last])
        return functional.linear(states, weight, self.bias).float()

    def count(self, target: Sequences, lengths: Tensor) -> Tensor:
        """Return how many tokens there are to predict."""
        return (target.data >= 0).sum()

    def loss(self, states: Sequences, target: Sequences) -> Tensor:
        """Return the summed cross-entropy, with the penalties in training."""
        if not torch.is_grad_enabled():
            return -self._log_probabilities(states, target).sum()
        loss = functional.cross_entropy(
            self.scores(states.data), target.data, ignore_index=NOTHING, reduction="sum"
        )
        return loss + self._penalty(states) if self.training and any(self.penalties) else loss

    def _penalty(self, states: Sequences) -> Tensor:
        """Return the penalties, each a mean over the units, summed over the steps, or the changes, of all."""
        data, sizes = states.data.float(), states.layout.batch_sizes
        size, change = self.penalties
        penalty = size * data.square().mean(dim=1).sum()
        if change and len(sizes) > 1:
            later = torch.arange(int(sizes[0]), len(data), device=data.device)
            before = later - torch.repeat_interleave(sizes[:-1], sizes[1:]).to(data.device)
            penalty = penalty + change * (data[later] - data[before]).square().mean(dim=1).sum()
        return penalty

    def answer(self, states: States) -> Scored:
        """Return what follows each sequence."""
        return Scored(self.scores(states.final).softmax(dim=-1))

    def answer_given(self, states: States, target: Sequences) -> Scored:
        """Return what follows each sequence, and how probable its own tokens were."""
        each = self._log_probabilities(states, target)
        known = (target.data >= 0).to(torch.float64)
        sums = states.data.new_zeros(len(states), 2, dtype=torch.float64)
        sums.index_add_(0, target.layout.items.to(each.device), torch.stack([each.double(), known], dim=1))
        given = [{LOG_PROBABILITY: total, PREDICTED: int(count)} for total, count in sums.tolist()]
        return self.answer(states)._replace(given=given)

    def _log_probabilities(self, states: Sequences, target: Sequences) -> Tensor:
        """Return the logarithm of each target's probability, 0 where nothing follows."""
        blocks = zip(torch.split(states.data, ROWS), torch.split(target.data, ROWS), strict=True)
        found = [
            -functional.cross_entropy(self.scores(rows), wanted, ignore_index=NOTHING, reduction="none")
            for rows, wanted in blocks
        ]
        return torch.cat(found)

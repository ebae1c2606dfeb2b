"""The built-in featurizers: learned embeddings, one-hot vectors, character LSTMs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from seqlab.api import Component, Config, FeaturizerContext

if TYPE_CHECKING:
    from seqlab.api import Featurizer

__all__ = [
    "COMPONENTS",
    "CharLSTMConfig",
    "EmbeddingConfig",
    "OneHotConfig",
    "WordConfig",
]


class WordConfig(Config):
    """Which words of which field are known."""

    field: str = "tokens"
    """Field of the examples whose words are read."""
    min_count: int = Field(default=1, ge=1)
    """A word is known when the training split holds it at least this often."""
    lowercase: bool = False
    """Read words in lower case."""


class OneHotConfig(WordConfig):
    """A vector per known word that is 1 in the word's own place and 0 elsewhere; nothing is learned."""


class EmbeddingConfig(WordConfig):
    """A learned vector per known word."""

    embedding_dim: int = Field(default=100, ge=1)
    """Size of each vector."""
    word_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Probability with which a word is read as unknown in training."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on the vectors."""
    unknown: Literal["learned", "zero"] | None = None
    """Vector of unknown words; null: learned where `min_count` or `word_dropout` shows some, else zeros."""

    @model_validator(mode="after")
    def _unknown_is_trained(self) -> Self:
        if self.unknown == "learned" and not self.shows_unknown:
            raise ValueError(
                "a learned vector of unknown words would never be trained, as training knows all words; set"
                " min_count above 1 or word_dropout above 0, or leave unknown out"
            )
        return self

    @property
    def shows_unknown(self) -> bool:
        """Whether training reads any word as unknown."""
        return self.min_count > 1 or self.word_dropout > 0


class CharLSTMConfig(Config):
    """A word's vector from its characters: the last states of a bidirectional LSTM over them.

    Each unique word of a batch is encoded once; in prediction, vectors are cached per word.
    """

    field: str = "tokens"
    """Field of the examples whose characters are read."""
    embedding_dim: int = Field(default=25, ge=1)
    """Size of a character's vector."""
    hidden_size: int = Field(default=50, ge=1)
    """Units of the LSTM in each direction; the word's vector is twice as long."""
    num_layers: int = Field(default=1, ge=1)
    """Stacked LSTM layers."""
    min_count: int = Field(default=1, ge=1)
    """A character is known when the words of the training split hold it at least this often."""
    char_dropout: float = Field(default=0.01, ge=0, lt=1)
    """Probability with which a character is read as unknown in training; trains the unknown character."""
    lowercase: bool = False
    """Read words in lower case."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on the characters' vectors and on the words' vectors."""
    cache_words: int = Field(default=50_000, ge=0)
    """Word vectors kept in prediction; 0 keeps none."""


def _embedding(config: EmbeddingConfig, context: FeaturizerContext) -> Featurizer:
    from seqlab.builtin.text.featurizers.embedding import WordEmbedding
    from seqlab.builtin.text.featurizers.words import WordFeaturizer

    def make(size: int) -> WordEmbedding:
        return WordEmbedding(
            size,
            config.embedding_dim,
            word_dropout=config.word_dropout,
            dropout=config.dropout,
            zero_unknown=config.unknown == "zero" or not config.shows_unknown,
        )

    return WordFeaturizer(config.field, make, min_count=config.min_count, lowercase=config.lowercase)


def _one_hot(config: OneHotConfig, context: FeaturizerContext) -> Featurizer:
    from seqlab.builtin.text.featurizers.one_hot import OneHot
    from seqlab.builtin.text.featurizers.words import WordFeaturizer

    return WordFeaturizer(config.field, OneHot, min_count=config.min_count, lowercase=config.lowercase)


def _char_lstm(config: CharLSTMConfig, context: FeaturizerContext) -> Featurizer:
    from seqlab.builtin.text.featurizers.char_lstm import CharLSTM, CharLSTMFeaturizer
    from seqlab.engine import RecurrentSpec

    spec = RecurrentSpec(
        cell="lstm",
        input_size=config.embedding_dim,
        hidden_size=config.hidden_size,
        num_layers=config.num_layers,
        bidirectional=True,
    )

    def make(size: int) -> CharLSTM:
        return CharLSTM(
            size,
            spec,
            char_dropout=config.char_dropout,
            dropout=config.dropout,
            cache_words=config.cache_words,
        )

    return CharLSTMFeaturizer(config.field, make, min_count=config.min_count, lowercase=config.lowercase)


COMPONENTS: tuple[Component[Any], ...] = (
    Component(
        name="embedding",
        config=EmbeddingConfig,
        build=_embedding,
        summary="a learned vector per word",
    ),
    Component(
        name="one_hot",
        config=OneHotConfig,
        build=_one_hot,
        summary="a one in the word's own place",
    ),
    Component(
        name="char_lstm",
        config=CharLSTMConfig,
        build=_char_lstm,
        summary="a word's vector from its characters",
    ),
)

"""The built-in featurizers: learned embeddings, one-hot vectors, n-grams, character LSTMs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from seqlab.api import Component, Config, Declaration, FeaturizerContext, FieldUse, chosen_field

if TYPE_CHECKING:
    from seqlab.api import Featurizer

__all__ = [
    "COMPONENTS",
    "CharLSTMConfig",
    "EmbeddingConfig",
    "NgramsConfig",
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
    init_std: float = Field(default=1.0, gt=0)
    """Standard deviation of the vectors at first; the smaller, the more of them is learned, not drawn."""
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


class NgramsConfig(Config):
    """At each word the n-grams that end with it, or those of its characters.

    With encoder `bag` and a head they are a linear model of n-grams.
    `weights` says what they become: `learned` vectors; `tf_idf`, the same, each times its inverse document
    frequency; `naive_bayes`, the log-count ratio of each class times a learned weight (Wang and Manning 2012,
    "Baselines and Bigrams").
    """

    field: str = "tokens"
    """Field of the examples whose words are read."""
    unit: Literal["words", "characters"] = "words"
    """What n-grams are made of. Those of characters stay within a word; its ends count as characters."""
    min_n: int = Field(default=1, ge=1, le=16)
    """Words or characters of the shortest n-gram."""
    n: int = Field(default=2, ge=1, le=16)
    """Words or characters of the longest n-gram."""
    weights: Literal["learned", "tf_idf", "naive_bayes"] = "learned"
    """What the n-grams become."""
    target: str | None = None
    """With `naive_bayes`, the label or set of labels whose classes are counted; the only one when null."""
    embedding_dim: int = Field(default=100, ge=1)
    """Size of the learned vectors."""
    init_std: float = Field(default=0.1, gt=0)
    """Standard deviation of the learned vectors at first."""
    min_count: int = Field(default=1, ge=1)
    """An n-gram is known when the training split holds it at least this often."""
    max_features: int | None = Field(default=None, ge=1)
    """N-grams that are known at most, the most frequent ones; all when null."""
    buckets: int | None = Field(default=None, ge=1)
    """Number n-grams by a hash below this, in the place of a vocabulary; some then share a number."""
    once: bool = True
    """Count an n-gram once in a sequence, however often it stands there; of characters, those of a word."""
    lowercase: bool = False
    """Read words in lower case."""
    smoothing: float = Field(default=1.0, gt=0)
    """Added to the counts of `naive_bayes`."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Probability with which an n-gram is left out in training."""

    @model_validator(mode="after")
    def _settings_fit(self) -> Self:
        if self.buckets is not None and (self.min_count > 1 or self.max_features is not None):
            raise ValueError("min_count and max_features choose from a vocabulary, which buckets do without")
        if self.min_n > self.n:
            raise ValueError(f"min_n is {self.min_n}, and the longest n-gram has {self.n}")
        if self.target is not None and self.weights != "naive_bayes":
            raise ValueError("target is what weights: naive_bayes counts by; leave it out")
        return self


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
            init_std=config.init_std,
        )

    return WordFeaturizer(config.field, make, min_count=config.min_count, lowercase=config.lowercase)


def _one_hot(config: OneHotConfig, context: FeaturizerContext) -> Featurizer:
    from seqlab.builtin.text.featurizers.one_hot import OneHot
    from seqlab.builtin.text.featurizers.words import WordFeaturizer

    return WordFeaturizer(config.field, OneHot, min_count=config.min_count, lowercase=config.lowercase)


def _ngrams(config: NgramsConfig, context: FeaturizerContext) -> Featurizer:
    from seqlab.builtin.text.featurizers.ngrams import NgramFeaturizer, NgramSettings

    settings = config.model_dump()
    if config.weights == "naive_bayes":
        part = "featurizer ngrams counts by"
        settings["target"] = chosen_field(part, config.target, COUNTED, context.fields)
    return NgramFeaturizer(NgramSettings(**settings))


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


TOKENS = ("tokens",)
"""The kinds of field that these featurizers read."""

COUNTED = ("label", "label_set")
"""The kinds of field whose classes n-grams are counted by."""


def _declared(config: WordConfig) -> Declaration:
    return Declaration(field=config.field, kinds=TOKENS, frames=False)


def _embedding_declared(config: EmbeddingConfig) -> Declaration:
    return Declaration(field=config.field, kinds=TOKENS, frames=False, weights=config.embedding_dim)


def _ngrams_declared(config: NgramsConfig) -> Declaration:
    size = 1 if config.weights == "naive_bayes" else config.embedding_dim
    weights = size * (config.buckets or 1)
    counts = FieldUse("counts by", config.target, COUNTED)
    uses = (counts,) if config.weights == "naive_bayes" else ()
    return Declaration(field=config.field, kinds=TOKENS, uses=uses, frames=False, weights=weights)


def _char_lstm_declared(config: CharLSTMConfig) -> Declaration:
    weights = 8 * config.hidden_size**2 * config.num_layers + config.embedding_dim
    return Declaration(field=config.field, kinds=TOKENS, frames=False, weights=weights)


COMPONENTS: tuple[Component[Any], ...] = (
    Component(
        name="embedding",
        config=EmbeddingConfig,
        build=_embedding,
        declares=_embedding_declared,
        summary="a learned vector per word",
    ),
    Component(
        name="one_hot",
        config=OneHotConfig,
        build=_one_hot,
        declares=_declared,
        summary="a one in the word's own place",
    ),
    Component(
        name="ngrams",
        config=NgramsConfig,
        build=_ngrams,
        declares=_ngrams_declared,
        summary="n-grams of words or characters: learned vectors, TF-IDF, or naive-Bayes log-count ratios",
    ),
    Component(
        name="char_lstm",
        config=CharLSTMConfig,
        build=_char_lstm,
        declares=_char_lstm_declared,
        summary="a word's vector from its characters",
    ),
)

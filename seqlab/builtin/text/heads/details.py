"""What the answers of a language model hold besides their value; no torch is needed to read them."""

from __future__ import annotations

__all__ = ["LOG_PROBABILITY", "PREDICTED"]

LOG_PROBABILITY = "log_probability"
"""The key that holds the natural logarithm of the probability of the tokens that were given."""

PREDICTED = "predicted_tokens"
"""The key that holds how many tokens that probability is of; the first one is never predicted."""

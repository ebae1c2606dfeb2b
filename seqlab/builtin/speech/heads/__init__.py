"""Heads: states to losses and answers."""

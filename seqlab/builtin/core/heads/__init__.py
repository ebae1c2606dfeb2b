"""Heads that suit any input: states to losses and answers."""

"""Encoders: features to states."""

"""Featurizers: fields to features."""

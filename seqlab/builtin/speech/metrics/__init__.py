"""Metrics: gold and predicted answers to figures."""

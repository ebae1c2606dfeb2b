"""Observers: what watches training."""

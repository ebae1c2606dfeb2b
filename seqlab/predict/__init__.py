"""Trained models in use: predictor, scoring, input and output formats."""

"""Trained models in use: predictor, recognizer, scoring, input and output formats."""

"""Data made by rule."""

"""Readers: files to examples."""

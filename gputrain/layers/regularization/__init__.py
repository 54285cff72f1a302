"""Dropout and noise."""

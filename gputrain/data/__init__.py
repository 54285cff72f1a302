"""Batches of checked data."""

from .arrays import Arrays, Batches, make_arrays

__all__ = ["Arrays", "Batches", "make_arrays"]

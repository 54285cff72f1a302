"""Batches of checked data."""

from gputrain.data.arrays import Arrays, Batches, make_arrays

__all__ = ["Arrays", "Batches", "make_arrays"]

"""Data: arrays and streams checked once and cut into batches, tables, and readers of files."""

from gputrain.data.arrays import Arrays, Batches, make_arrays

__all__ = ["Arrays", "Batches", "make_arrays"]

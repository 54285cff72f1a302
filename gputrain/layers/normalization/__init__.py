"""Normalization with learned or running statistics."""

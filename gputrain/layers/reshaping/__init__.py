"""Layers that move, cut, pad or repeat elements."""

"""Layers that prepare features."""

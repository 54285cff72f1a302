"""Layers around layers."""

from __future__ import annotations

from gputrain.layers.wrappers.pipeline import Pipeline

__all__ = ["Pipeline"]

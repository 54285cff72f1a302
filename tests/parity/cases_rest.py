"""Normalization, regularization, activations and the rest of the layers."""

from __future__ import annotations

from tests.parity.table import Case

CASES: list[Case] = []

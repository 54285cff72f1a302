"""Convolutions, pooling and resizing over one, two and three axes."""

from __future__ import annotations

from tests.parity.table import Case

CASES: list[Case] = []

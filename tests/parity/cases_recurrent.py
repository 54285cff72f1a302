"""Recurrent layers."""

from __future__ import annotations

from tests.parity.table import Case

CASES: list[Case] = []

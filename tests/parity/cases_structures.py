"""Models of nested inputs and outputs, and their configs."""

from __future__ import annotations

from tests.parity.table import Case

CASES: list[Case] = []

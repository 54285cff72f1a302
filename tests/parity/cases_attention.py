"""Attention, embeddings and products of tensors."""

from __future__ import annotations

from tests.parity.table import Case

CASES: list[Case] = []

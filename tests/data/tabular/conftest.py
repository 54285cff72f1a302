"""What is said once is said in every test."""

from __future__ import annotations

import pytest

from gputrain.utils import notes


@pytest.fixture(autouse=True)
def _unsaid() -> None:
    notes.forget()

"""Each test starts from one seed, with no note said yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gputrain import config
from gputrain.utils import notes


@pytest.fixture(autouse=True)
def _fresh_start() -> Iterator[None]:
    config.set_seed(1)
    notes.forget()
    yield
    config.reset()
    notes.forget()

"""What differs from Keras is told to users: each reason of the tests' list stands in docs/keras.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gputrain.utils.signatures import KERAS_ONLY
from tests.parity import allowed

PAGE = Path(__file__).resolve().parents[2] / "docs" / "keras.md"
WORDS = " ".join(PAGE.read_text(encoding="utf-8").split())


@pytest.mark.parametrize("reason", allowed.reasons())
def test_the_page_has_the_reason(reason: str) -> None:
    assert reason in WORDS


def test_the_page_has_the_arguments_that_take_one_value() -> None:
    rows = {
        name: (" or ".join(f"`{value!r}`" for value in known.taken), known.reason, known.fix)
        for name, known in KERAS_ONLY.items()
    }
    found = re.findall(
        r"^\| `(\w+)` \| (`[^|]*`) \| ([^|]*) \| ([^|]*) \|$", PAGE.read_text("utf-8"), re.MULTILINE
    )
    assert {name: (taken, reason, fix) for name, taken, reason, fix in found} == rows

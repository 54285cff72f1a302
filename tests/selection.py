"""Which cases of a test belong to the default selection."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def quick(chosen: Collection[Any], cases: Iterable[Any]) -> list[Any]:
    """All cases, as parameters; those that are not chosen are marked slow.

    For long tests whose cases take the same way with another dtype, shape or seed.
    """
    return [case if case in chosen else pytest.param(case, marks=pytest.mark.slow) for case in cases]

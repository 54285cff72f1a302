"""Comparing signatures with Keras."""

from __future__ import annotations

import importlib.util
import inspect
from typing import Any

import pytest

needs_keras = [
    pytest.mark.peer,
    pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="keras is not installed"),
    pytest.mark.filterwarnings("ignore"),
]


def parameters(item: Any) -> list[tuple[str, Any]]:
    """Names and defaults of the parameters of a function or a class, without self and **kwargs."""
    found = inspect.signature(item).parameters.values()
    return [(p.name, p.default) for p in found if p.kind is not inspect.Parameter.VAR_KEYWORD]


def assert_same_signature(ours: Any, theirs: Any, missing: frozenset[str] = frozenset()) -> None:
    """Ours takes what theirs takes, in the same order with the same defaults, but for `missing`."""
    expected = [p for p in parameters(theirs) if p[0] not in missing]
    assert parameters(ours)[: len(expected)] == expected
    assert all(default is not inspect.Parameter.empty for _, default in parameters(ours)[len(expected) :])

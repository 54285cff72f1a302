"""Functions that `keras.ops` has too must be callable in the same way."""

from __future__ import annotations

import importlib.util
import inspect

import pytest

import gputrain.ops as ops

NAMES = sorted(
    name for name in vars(ops) if not name.startswith("_") and inspect.isfunction(getattr(ops, name))
)

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="keras is not installed"),
]

# Keras has more parameters here, which only choose its own implementation or a layout we do not have.
ALLOWED_MISSING: dict[str, set[str]] = {"convert_to_tensor": {"sparse", "ragged"}}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore")
def test_same_parameters(name: str) -> None:
    keras = pytest.importorskip("keras")
    theirs = getattr(keras.ops, name, None)
    if theirs is None:
        pytest.skip("not in keras.ops")
    ours = describe(getattr(ops, name))
    expected = [p for p in describe(theirs) if p[0] not in ALLOWED_MISSING.get(name, set())]
    assert ours[: len(expected)] == expected, f"keras.ops.{name}{inspect.signature(theirs)}"
    assert all(default is not inspect.Parameter.empty for _, default in ours[len(expected) :])


def describe(function: object) -> list[tuple[str, object]]:
    parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    return [(p.name, p.default) for p in parameters]

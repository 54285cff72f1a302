"""What Keras has, too, is called as there: names, order and defaults of the parameters."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import gputrain
from tests.parity.allowed import PARAMETERS
from tests.parity.signatures import committed, described


def ours(path: str) -> Any:
    """Our class or function at a path, or None."""
    found: Any = gputrain
    for name in path.split("."):
        found = getattr(found, name, None)
    return found if inspect.isclass(found) or inspect.isroutine(found) else None


def parameters(path: str) -> list[str]:
    """How ours is called."""
    found = described(ours(path), lambda cls: cls)
    assert found is not None, f"{path} does not tell its parameters"
    return found


def name_of(text: str) -> str:
    return text.lstrip("*").partition("=")[0]


SHARED = [path for path in committed() if ours(path) is not None]


def test_enough_is_compared() -> None:
    assert len(SHARED) >= 500


@pytest.mark.parametrize("path", SHARED)
def test_same_parameters(path: str) -> None:
    allowed = PARAMETERS.get(path, {})
    expected = [text for text in committed()[path] if name_of(text) not in allowed]
    found = [text for text in parameters(path) if name_of(text) not in allowed]
    # Where Keras takes a keyword only, ours may take the argument by its place, too.
    same = [mine in (theirs, theirs.lstrip("*")) for mine, theirs in zip(found, expected, strict=False)]
    told = f"keras.{path}({', '.join(committed()[path])}), ours ({', '.join(parameters(path))})"
    assert len(found) >= len(expected), told
    assert all(same), told
    assert all("=" in text for text in found[len(expected) :]), told


def test_every_allowed_difference_is_there() -> None:
    for path, reasons in PARAMETERS.items():
        theirs = {name_of(text): text for text in committed()[path]}
        mine = {name_of(text): text for text in parameters(path)}
        gone = [name for name in reasons if theirs.get(name) == mine.get(name)]
        assert not gone, f"{path} is as in Keras by now: {gone}"

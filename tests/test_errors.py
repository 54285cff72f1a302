"""Errors word themselves, and are what callers catch."""

from __future__ import annotations

import pickle

import pytest

from gputrain.app.recipes import RecipeError
from gputrain.config import ConfigError
from gputrain.errors import DataError, UsageError, explain


def test_an_error_is_worded_as_explain_does() -> None:
    words = {"expected": 4, "received": 3, "fix": "Add one."}
    assert str(DataError("Four are needed.", **words)) == explain("Four are needed.", **words)
    assert str(DataError("Four are needed.")) == "Four are needed."


def test_a_wrong_recipe_and_a_wrong_setting_are_wrong_usage() -> None:
    for error in (RecipeError, ConfigError):
        assert issubclass(error, UsageError)
        assert issubclass(error, ValueError)
    assert issubclass(DataError, ValueError)
    assert not issubclass(DataError, UsageError)


@pytest.mark.parametrize("error", [DataError("No.", received=3), RecipeError("a.toml: No.")])
def test_an_error_goes_to_another_process(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (type(again), str(again)) == (type(error), str(error))

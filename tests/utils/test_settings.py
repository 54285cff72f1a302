"""Keys in a dataclass become its defaults, its checks and its schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from gputrain.errors import DataError
from gputrain.utils import settings


@dataclass(frozen=True)
@settings.with_keys
class Section:
    """A section of settings."""

    size: int = settings.integer(1, 9, "How large.", 3)
    most: float | None = settings.number("The most.")
    names: tuple[str, ...] = settings.texts("What they are called.", ("a",))
    way: str = settings.choice(("up", "down"), "Where to.", "up", called="direction")
    deep: dict[str, Any] = settings.tables("Tables.")  # noqa: RUF009 - a key

    def __post_init__(self) -> None:
        settings.check_fields(self)


def test_defaults_are_those_of_the_keys() -> None:
    made = Section()
    assert (made.size, made.most, made.names, made.way, made.deep) == (3, None, ("a",), "up", {})
    assert Section().deep is not made.deep


def test_keys_have_the_names_of_the_file() -> None:
    keys = settings.keys_of(Section)
    assert list(keys) == ["size", "most", "names", "direction", "deep"]
    assert keys["size"].rule == "an integer from 1 to 9"
    assert keys["names"].default == ["a"]
    assert keys["direction"].names == ("up", "down")
    assert not keys["size"].required


def test_lists_become_tuples() -> None:
    given: Any = ["b", "c"]
    assert Section(names=given).names == ("b", "c")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"size": 10}, r"Section: size is an integer from 1 to 9\. Received: 10"),
        ({"size": True}, "size is an integer"),
        ({"size": None}, "size is an integer"),
        ({"most": float("nan")}, "most is a finite number"),
        ({"most": 10**400}, "most is a finite number"),
        ({"names": "ab"}, r"names is a list of texts\. Received: 'ab'"),
        ({"names": [1]}, "names is a list of texts"),
        ({"way": "upp"}, r"Section: way cannot be 'upp'\. Did you mean 'up'\?"),
        ({"way": []}, r"way cannot be \[\]"),
        ({"deep": {"a": 1}}, "deep is a table of tables"),
        ({"deep": []}, "deep is a table of tables"),
    ],
)
def test_what_a_key_refuses_the_dataclass_refuses(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        Section(**wrong)


def test_a_required_key_has_no_default() -> None:
    assert settings.table("A table.", settings.Required).required

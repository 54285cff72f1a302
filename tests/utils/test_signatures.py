"""Arguments that are declared once: what constructors show, take and refuse."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from gputrain.utils.signatures import ArgumentsAsConfig, shares, with_line


class Base:
    def __init__(self, rate: float, decay: float | None = None, name: str | None = None, **more: Any) -> None:
        self.given = (rate, decay, name)


class Child(Base):
    @shares(Base.__init__, name="child")
    def __init__(self, rate: float, beta: float, gamma: float = 0.5, **shared: Any) -> None:
        super().__init__(rate, **shared)
        self.own = (beta, gamma)


def test_the_signature_shows_own_arguments_then_those_of_the_base() -> None:
    shown = [str(p.replace(annotation=p.empty)) for p in inspect.signature(Child).parameters.values()]
    assert shown == ["rate", "beta", "gamma=0.5", "decay=None", "name='child'"]


@pytest.mark.parametrize(
    ("args", "kwargs", "own", "given"),
    [
        ((1, 2), {}, (2, 0.5), (1, None, "child")),
        ((1, 2, 3, 4, "x"), {}, (2, 3), (1, 4, "x")),
        ((1,), {"name": None, "beta": 2, "decay": 0}, (2, 0.5), (1, 0, None)),
    ],
)
def test_arguments_are_given_by_place_or_by_name(args: Any, kwargs: Any, own: Any, given: Any) -> None:
    made = Child(*args, **kwargs)
    assert (made.own, made.given) == (own, given)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {"decay": 1}, r"Child\.__init__\(\) missing required arguments: 'rate', 'beta'"),
        ((1,), {}, r"missing a required argument: 'beta'"),
        ((), {"bet": 1}, r"Child\.__init__\(\) got an unexpected keyword argument 'bet'"),
        ((1, 2), {"rate": 1}, r"Child\.__init__\(\) got multiple values for argument 'rate'"),
        (range(9), {}, r"Child\.__init__\(\) takes from 3 to 6 positional arguments but 10 were given"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(args: Any, kwargs: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Child(*args, **kwargs)


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        ("A.\n\nArgs:\n    x: y.\n\nExample:\n    z", "A.\n\nArgs:\n    x: y.\n    new.\n\nExample:\n    z"),
        ("A.\n\nArgs:\n    x: y.", "A.\n\nArgs:\n    x: y.\n    new."),
        ("A.\n\nExample:\n    z", "A.\n\nArgs:\n    new.\n\nExample:\n    z"),
        ("A.", "A.\n\nArgs:\n    new."),
    ],
)
def test_a_line_is_added_to_the_arguments(doc: str, expected: str) -> None:
    assert with_line(doc, "new.") == expected


class Point(ArgumentsAsConfig):
    def __init__(self, x: float, y: float = 2.0) -> None:
        self.x, self.y = x, y


def test_arguments_as_config() -> None:
    assert Point(1.0).get_config() == {"x": 1.0, "y": 2.0}

"""Arguments of layers, declared once: constructor, signature, errors, config and help."""

from __future__ import annotations

import copy
import inspect
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from gputrain import layers
from gputrain.layers import Layer
from gputrain.layers.base import arguments, declared
from tests.layers.test_layers import CASES
from tests.subprocesses import environment

CLASSES = sorted({case.make for case in CASES}, key=lambda cls: cls.__name__)


class Windows(Layer):
    """Base of windows.

    Args:
        size: of a window.
        steps: of a window.

    Raises:
        ValueError: a size below 1.
    """

    size: Any = declared.argument(arguments.positive_sizes, per_axis=True)
    steps: Any = declared.argument(arguments.positive_sizes, 2, per_axis=True)
    seed: Any = declared.argument(default=None, plain=arguments.plain_seed)


class Windows1D(Windows):
    """Windows along one axis.

    Args:
        count: of windows.
        shape: of the whole.
        hidden: told by its name alone.

    Shapes:
        (N, T) to (N, T).
    """

    rank = 1
    count: int = declared.argument(arguments.positive_int)
    shape: Any = declared.argument(default=(), after="size")
    hidden: int = declared.argument(arguments.positive_int, 7, shown=False)
    name: str = declared.handed_on(after="seed")


class Windows3D(Windows):
    """Windows along three axes."""

    rank = 3

    @declared.fixed
    def seed(self) -> int:
        """What the steps add up to."""
        return sum(self.steps)


def signature(cls: type) -> str:
    bare = [p.replace(annotation=p.empty) for p in inspect.signature(cls).parameters.values()]
    return str(inspect.Signature(bare))


def test_signature_has_the_arguments_of_the_class_first() -> None:
    assert signature(Windows1D) == "(count, size, shape=(), steps=2, seed=None, name=None, **kwargs)"
    assert signature(Windows3D) == "(size, steps=(2, 2, 2), **kwargs)"
    assert str(inspect.signature(Windows1D).parameters["name"]) == "name: 'str | None' = None"


def test_arguments_become_attributes() -> None:
    layer = Windows1D(3, 4, "all", steps=[5], name="w", hidden=2, trainable=False)
    assert (layer.count, layer.size, layer.shape, layer.steps, layer.hidden) == (3, (4,), "all", (5,), 2)
    assert (layer.name, layer.trainable, layer.seed) == ("w", False, None)
    assert Windows3D(1).seed == 6


def test_config_makes_an_equal_layer() -> None:
    config = Windows1D(3, 4, name="w", hidden=2).get_config()
    assert list(config) == ["name", "trainable", "dtype", "count", "hidden", "size", "shape", "steps", "seed"]
    assert Windows1D.from_config(config).get_config() == config
    assert "seed" not in Windows3D(1).get_config()


def test_help_has_what_the_bases_say() -> None:
    assert inspect.getdoc(Windows1D) == (
        "Windows along one axis.\n\nArgs:\n    count: of windows.\n    hidden: told by its name alone.\n"
        "    size: of a window.\n    shape: of the whole.\n    steps: of a window.\n\n"
        "Shapes:\n    (N, T) to (N, T).\n\nRaises:\n    ValueError: a size below 1."
    )
    assert "kernel_constraint, bias_constraint: " in (inspect.getdoc(layers.Conv2D) or "")


class Written(Windows1D):
    """A class with a constructor of its own."""

    def __init__(self, count: int, **kwargs: Any) -> None:
        super().__init__(count, count, **kwargs)


class Below(Written):
    """A class that says nothing of it."""

    rank = 3


def test_a_constructor_that_somebody_wrote_stays() -> None:
    for cls in (Written, Below):
        assert signature(cls) == "(count, **kwargs)"
        assert (cls(3).size, cls(3).get_config()["count"]) == ((3,), 3)
        assert "Args" not in (cls.__doc__ or "")


REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: layers.Conv2D(name="c"), TypeError, r"missing required arguments: 'filters', 'kernel_size'$"),
    (
        lambda: layers.Dense(),
        TypeError,
        r"Dense\.__init__\(\) missing a required argument: 'units'",
    ),
    (
        lambda: layers.Dropout(0.5, None, 1, 2),
        TypeError,
        r"Dropout\.__init__\(\) takes from 2 to 4 positional arguments but 5 were given",
    ),
    (
        lambda: layers.Dense(3, units=4),
        TypeError,
        r"Dense\.__init__\(\) got multiple values for argument 'units'",
    ),
    (lambda: layers.Dense(3, kernel_initialiser="zeros"), TypeError, r"unknown.*Did you mean 'kernel_init"),
    (lambda: Windows1D(3, 4, hiden=2), TypeError, r"Windows1D: unknown argument\. Received: hiden"),
    (
        lambda: Windows1D(3, (4, 4)),
        ValueError,
        r"Windows1D: size must be a positive int\. Received: \(4, 4\)",
    ),
    (lambda: Windows3D((4, 4)), ValueError, r"Windows3D: size must be a positive int or three of them"),
    (lambda: Windows3D((4, 4, 0)), ValueError, r"Windows3D: size must be a positive int\. Received: 0"),
    (lambda: Windows3D(4, seed=1), TypeError, r"Windows3D: unknown argument\. Received: seed"),
]


@pytest.mark.parametrize("make, error, message", REFUSED, ids=[m for *_, m in REFUSED])
def test_what_does_not_fit_is_refused(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_layer_describes_each_argument(cls: Any) -> None:
    named = [n for n, p in inspect.signature(cls).parameters.items() if p.kind is not p.VAR_KEYWORD]
    said = (inspect.getdoc(cls) or "").partition("Args:")[2]
    for name in set(named) - set(inspect.signature(Layer).parameters):
        assert name in said, f"{cls.__name__}: {name}"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_copy_has_the_same_config(case: Any) -> None:
    layer = case.layer()
    assert layers.serialize(copy.deepcopy(layer)) == layers.serialize(layer)


def test_a_failed_build_leaves_the_layer_unbuilt() -> None:
    layer = layers.Conv2D(4, 3, groups=2)
    with pytest.raises(ValueError, match="groups must divide the channels"):
        layer.build((None, 8, 8, 3))
    assert not layer.built
    layer.build((None, 8, 8, 4))
    assert layer.built


def test_families_that_are_imported_later() -> None:
    """The table in `gputrain.layers` names what each of them has, and no family is imported before that."""
    for family, names in layers._LATER.items():
        module = import_module(f"gputrain.layers.{family}")
        assert names.split() == sorted(module.__all__), family
    told = "print([f for f in layers._LATER if f'gputrain.layers.{f}' in sys.modules])"
    assert printed(f"import sys; from gputrain import layers; {told}") == "[]"
    told = "print(layers.deserialize({'class_name': 'RandomFlip', 'config': {}}).mode)"
    assert printed(f"from gputrain import layers; {told}") == "horizontal_and_vertical"


def printed(code: str) -> str:
    """What a new process prints."""
    asked = [sys.executable, "-c", code]
    return subprocess.run(asked, capture_output=True, text=True, check=True, env=environment()).stdout.strip()

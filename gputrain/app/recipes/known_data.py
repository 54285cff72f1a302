"""The data sets that a recipe may name."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from gputrain.data.tabular import Table
from gputrain.datasets import breast_cancer, diabetes, digits, fashion_mnist, locate, mnist, wine

Pair = tuple[NDArray[Any], NDArray[Any]]

_DIGITS = tuple("0123456789")
_CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


@dataclass(frozen=True)
class ImageSet:
    """A set of images with a fixed test part.

    Attributes:
        load: returns ((x_train, y_train), (x_test, y_test)).
        shape: the shape of one sample for a model, with its channels.
        scale: the largest input value.
        classes: what the labels 0, 1 ... stand for.
        about: what it is, in a few words.
    """

    load: Callable[[], tuple[Pair, Pair]]
    shape: tuple[int, ...]
    scale: float
    classes: tuple[str, ...]
    about: str

    def place(self, name: str) -> str:
        """Return where the set of this name is on this machine, in words."""
        found = locate(name)
        return str(found) if found is not None else "not here; downloaded when it is first used"


@dataclass(frozen=True)
class TableSet:
    """A table whose column "target" is to be predicted.

    Attributes:
        load: returns the table.
        task: "classification" or "regression".
        about: what it is, in a few words.
    """

    load: Callable[[], Table]
    task: str
    about: str

    def place(self, name: str) -> str:
        """Return where the set of this name is on this machine, in words."""
        there = importlib.util.find_spec("sklearn") is not None
        return "scikit-learn" if there else 'not here; pip install "gputrain[tabular]" brings it'


DATASETS: dict[str, ImageSet | TableSet] = {
    "breast_cancer": TableSet(
        breast_cancer.load_table, "classification", "569 tumours, 30 measures, benign or malignant"
    ),
    "diabetes": TableSet(diabetes.load_table, "regression", "442 patients, 10 measures, progress in a year"),
    "digits": ImageSet(digits.load_data, (8, 8, 1), 16.0, _DIGITS, "1,797 handwritten digits, 8x8"),
    "fashion_mnist": ImageSet(
        fashion_mnist.load_data, (28, 28, 1), 255.0, _CLOTHES, "70,000 pictures of clothing, 28x28"
    ),
    "mnist": ImageSet(mnist.load_data, (28, 28, 1), 255.0, _DIGITS, "70,000 handwritten digits, 28x28"),
    "wine": TableSet(wine.load_table, "classification", "178 wines, 13 measures, three cultivars"),
}

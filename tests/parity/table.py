"""A row of the parity table, and the numbers it is computed on. Both sides read it, so it imports neither."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

PARTS = 60  # of which one is recomputed with Keras at a time


def words(key: str, count: int) -> np.ndarray:
    """`count` random 64-bit words that follow from `key`. The words of Philox are the same in every NumPy."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "little")
    return np.atleast_1d(np.random.Philox(key=seed).random_raw(count))


def uniform(key: str, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """float64 numbers in low..high that follow from `key`."""
    count = int(np.prod(shape, dtype=np.int64))
    shares = (words(key, count) >> np.uint64(11)) * 2.0**-53 if count else np.zeros(0)
    return (low + (high - low) * shares).reshape(shape)


@dataclass(frozen=True)
class Input:
    """An array by its shape and the way it is drawn. `str` of it is part of the case's name."""

    shape: tuple[int, ...]
    text: str
    draw: Callable[[str], np.ndarray] = field(compare=False)

    def __str__(self) -> str:
        return "x".join(map(str, self.shape)) + self.text


def real(*shape: int, low: float = -2.0, high: float = 2.0) -> Input:
    """float32 numbers between two bounds."""
    text = "" if (low, high) == (-2.0, 2.0) else f" in {low:g}..{high:g}"
    return Input(shape, text, lambda key: uniform(key, shape, low, high).astype("float32"))


def positive(*shape: int) -> Input:
    """float32 numbers between 0.1 and 2.5."""
    return real(*shape, low=0.1, high=2.5)


def whole(*shape: int, below: int, dtype: str = "int32") -> Input:
    """Whole numbers from 0 to `below` - 1."""
    text = f" below {below}" + ("" if dtype == "int32" else f" {dtype}")
    return Input(shape, text, lambda key: np.floor(uniform(key, shape, 0, below)).astype(dtype))


def bits(*shape: int, dtype: str = "float32") -> Input:
    """Zeros and ones."""
    return Input(shape, f" bits {dtype}", lambda key: (uniform(key, shape) < 0.5).astype(dtype))


def one_hot(rows: int, classes: int) -> Input:
    """One class of several for each row, as float32."""
    return Input(
        (rows, classes),
        " one-hot",
        lambda key: np.eye(classes, dtype="float32")[np.int64(uniform(key, (rows,), 0, classes))],
    )


def shares(*shape: int) -> Input:
    """Positive float32 numbers whose sum is 1 along the last axis."""

    def draw(key: str) -> np.ndarray:
        drawn = uniform(key, shape, 0.05, 1.0)
        return (drawn / drawn.sum(-1, keepdims=True)).astype("float32")

    return Input(shape, " shares", draw)


def given(values: Any, dtype: str = "float32") -> Input:
    """These very values."""
    array = np.array(values, dtype)
    return Input(array.shape, f" {dtype} {array.ravel().tolist()}", lambda key: array.copy())


def copies(count: int, values: Any) -> Input:
    """The same sample again and again."""
    one = np.array(values, "float32")
    text = f" all {one.ravel().tolist()}"
    return Input((count, *one.shape), text, lambda key: np.repeat(one[None], count, 0))


@dataclass(frozen=True)
class Of:
    """Something of either package: the member at `path`, called with the arguments."""

    path: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return call_text(self.path.rpartition(".")[2], self.arguments)


def of(path: str, **arguments: Any) -> Of:
    """`of("regularizers.L2", l2=0.1)` stands for `package.regularizers.L2(l2=0.1)` on either side."""
    return Of(path, arguments)


@dataclass(frozen=True)
class Case:
    """What both packages compute.

    Attributes:
        kind: which of `runners.RUNNERS` computes it.
        path: what is looked at, below the package: "layers.Dense".
        inputs: arrays; a list among them is one argument made of several arrays.
        arguments: for the constructor or the function.
        settings: what the runner of this kind can be told; see there.
        tolerances: in place of the usual ones (`compare.TOLERANCES`), with the reason at the row.
    """

    kind: str
    path: str
    inputs: tuple[Any, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    tolerances: Mapping[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The name that the reference is kept under, and that all random numbers follow from."""
        parts = [f"{self.kind}: {call_text(self.path, self.arguments)}"]
        parts += [str(i) if isinstance(i, Input) else f"[{', '.join(map(str, i))}]" for i in self.inputs]
        parts += [f"{key}={_plain(value)}" for key, value in self.settings.items()]
        return " ".join(parts)

    @property
    def part(self) -> int:
        """Which of the `PARTS` of the table the case belongs to; stays when other cases are added."""
        return zlib.crc32(self.id.encode()) % PARTS

    def arrays(self) -> list[Any]:
        """The inputs, drawn; the same on every machine."""
        numbers = iter(range(1000))
        return [
            self._draw(spec, next(numbers))
            if isinstance(spec, Input)
            else [self._draw(each, next(numbers)) for each in spec]
            for spec in self.inputs
        ]

    def _draw(self, spec: Input, number: int) -> np.ndarray:
        return spec.draw(f"{self.id} input {number}")

    def numbers(self, what: str, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
        """More float32 numbers of the case, such as weights."""
        return uniform(f"{self.id} {what}", tuple(shape), low, high).astype("float32")


def call_text(path: str, arguments: Mapping[str, Any]) -> str:
    """`path(key=value, ...)`."""
    return f"{path}({', '.join(f'{key}={_plain(value)}' for key, value in arguments.items())})"


def _plain(value: Any) -> str:
    return value.__name__ if callable(value) else repr(value)


def flat(inputs: Any) -> Iterator[Any]:
    """The leaves of lists and tuples."""
    if isinstance(inputs, (list, tuple)):
        for each in inputs:
            yield from flat(each)
    else:
        yield inputs


def packed_as(example: Any, leaves: Iterator[Any]) -> Any:
    """The leaves, in lists where `example` has lists."""
    return [packed_as(each, leaves) if isinstance(each, list) else next(leaves) for each in example]

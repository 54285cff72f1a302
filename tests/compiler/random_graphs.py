"""Random programs: what a seed gives is always the same, so that one can be built twice and compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import gputrain.ops as ops
from gputrain.ir import Graph, Spec, Trace, Value
from gputrain.ops.base import apply
from gputrain.runtime import Variable

ROWS, COLUMNS = 4, 6
IMAGE, FILTER = (2, 6, 6, 2), (3, 3, 2, 3)


@dataclass
class Program:
    """A graph with arrays to feed and the variables it reads and writes."""

    graph: Graph
    feeds: list[np.ndarray]
    variables: list[Variable]

    def contents(self) -> list[np.ndarray]:
        return [v.numpy() for v in self.variables]

    def restore(self, contents: list[np.ndarray]) -> None:
        for variable, array in zip(self.variables, contents, strict=True):
            variable.assign(array)


class Builder:
    """Grows a program by random operations on what is there already.

    Args:
        seed: of every choice and of all contents.
        dtype: of the floats.
        smooth: leave out states, what has no gradient, and kinks that random programs meet (ties of maxima).
    """

    def __init__(self, seed: int, dtype: str = "float64", smooth: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.dtype = dtype
        self.step = Variable(np.int64(seed), name="step")
        self.trace = Trace(training=True, counter=self.step)
        self.inputs: list[Value] = []
        self.feeds: list[np.ndarray] = []
        self.x, self.image = self.feed((ROWS, COLUMNS)), self.feed(IMAGE)
        self.labels = self.feed((ROWS,), np.arange(ROWS, dtype="int32") % 3)
        self.pool: list[Value] = [self.x, self.feed((ROWS, COLUMNS)), self.feed((COLUMNS,)), self.image]
        shapes = [(ROWS, COLUMNS)] * 3 + [(COLUMNS,), (), FILTER]
        self.variables = [Variable(self.numbers(s), name=f"v{i}") for i, s in enumerate(shapes)]
        self.written: list[Value] = []
        self.actions: list[Callable[[], Value | None]] = [
            self.unary, self.unary, self.binary, self.binary, self.product, self.reduced, self.view,
            self.transposed, self.joined, self.split, self.convolved, self.crossentropy, self.binary_entropy,
            self.dropped, self.packed, self.read, self.chosen, self.nothing,
        ]  # fmt: skip
        if not smooth:
            self.actions += [
                self.gated,
                self.extreme,
                self.largest,
                self.assigned,
                self.assigned,
                self.swapped,
                self.chained,
            ]

    # ------------------------------------------------------------------------------------------ contents

    def numbers(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.asarray(self.rng.uniform(-1.5, 1.5, shape), self.dtype)

    def feed(self, shape: tuple[int, ...], array: np.ndarray | None = None) -> Value:
        array = self.numbers(shape) if array is None else array
        self.inputs.append(Value(Spec(array.shape, array.dtype.name), name=f"in{len(self.inputs)}"))
        self.feeds.append(array)
        return self.inputs[-1]

    def one_of(self, things: list[Any]) -> Any:
        return things[int(self.rng.integers(len(things)))]

    def value(self, ndim: int | None = None) -> Value:
        """A value with elements, most likely a recent one."""
        fitting = [v for v in self.pool if v.spec.size and (ndim is None or v.ndim == ndim)]
        return self.one_of(fitting[-6:] if self.rng.random() < 0.6 else fitting)

    def like(self, value: Value) -> Value:
        """A value of the same shape: another one if there is, the same one sometimes."""
        return self.one_of([v for v in self.pool if v.shape == value.shape])

    # ------------------------------------------------------------------------------------------- actions

    def unary(self) -> Value:
        function = self.one_of(
            [ops.tanh, ops.sigmoid, ops.relu, ops.negative, ops.softplus, ops.square, ops.gelu]
        )
        return function(ops.tanh(self.value()) if function is ops.square else self.value())

    def binary(self) -> Value:
        x = self.value()
        y = self.like(x) if self.rng.random() < 0.7 else ops.sum(x, axis=self.axis(x), keepdims=True)
        return self.one_of([ops.add, ops.subtract, lambda a, b: ops.multiply(ops.tanh(a), b)])(x, y)

    def extreme(self) -> Value:
        x = self.value()
        return self.one_of([ops.maximum, ops.minimum])(x, self.like(x))

    def product(self) -> Value:
        x = self.value(2)
        return ops.tanh(ops.matmul(x, ops.transpose(self.like(x))))

    def axis(self, x: Value) -> int | None:
        return int(self.rng.integers(x.ndim)) if x.ndim else None

    def reduced(self) -> Value:
        x = self.value()
        function = self.one_of([ops.sum, ops.mean])
        return function(x, axis=self.axis(x), keepdims=bool(self.rng.random() < 0.3))

    def largest(self) -> Value:
        x = self.value()
        return ops.max(x, axis=self.axis(x))

    def view(self) -> Value:
        x = self.value()
        flat = ops.reshape(x, (-1,))
        return self.one_of([flat, ops.expand_dims(x, 0), ops.reshape(x, x.shape[::-1]), ops.relu(flat)])

    def transposed(self) -> Value:
        return ops.transpose(self.value())

    def joined(self) -> Value:
        x = self.value()
        return ops.concatenate([x, self.like(x), x], axis=0) if x.ndim else ops.stack([x, x])

    def split(self) -> Value:
        x = self.value(2)
        self.pool.append(x[:, :1])
        first, *rest = ops.split(ops.concatenate([x, x], 0), 2, axis=0)
        self.pool += rest
        return first

    def convolved(self) -> Value:
        """Convolution, bias, relu and pooling in some order; now and then somebody else reads a part."""
        x = ops.conv(self.image, self.filters(), padding=self.one_of(["valid", "same"]))
        bias = ops.reshape(self.value(2), (-1,))[:3]
        for part in self.rng.permutation(["bias", "relu", "pool"])[: int(self.rng.integers(1, 4))]:
            if self.rng.random() < 0.3:
                self.pool.append(ops.mean(x, axis=(1, 2)))
            x = {"bias": lambda x: x + bias, "relu": ops.relu, "pool": lambda x: ops.max_pool(x, 2)}[part](x)
        return ops.mean(x, axis=(1, 2))

    def filters(self) -> Value:
        return self.variables[-1].value

    def crossentropy(self) -> Value:
        logits = ops.reshape(self.x, (ROWS, COLUMNS)) + self.like(self.x)
        probabilities = ops.softmax(logits)
        if self.rng.random() < 0.4:
            self.pool.append(probabilities)
        if self.rng.random() < 0.5:
            return ops.categorical_crossentropy(ops.softmax(self.pool[1]), probabilities)
        return ops.sparse_categorical_crossentropy(self.labels, probabilities)

    def binary_entropy(self) -> Value:
        x = self.value()
        return ops.binary_crossentropy(ops.sigmoid(self.like(x)), ops.sigmoid(ops.tanh(x)))

    def dropped(self) -> Value:
        return ops.dropout(self.value(), self.one_of([0.25, 0.5]), seed=5)

    def packed(self) -> Value:
        values = [self.value() for _ in range(int(self.rng.integers(1, 4)))]
        made = [ops.tanh(v) if self.rng.random() < 0.7 else v for v in values]
        vector = apply(ops.Pack(), *made, *made[: int(self.rng.integers(0, 2))])
        if self.rng.random() < 0.5:
            vector = ops.clip(vector, -1.0, 1.0) if self.rng.random() < 0.5 else ops.negative(vector)
        return vector[: int(self.rng.integers(1, vector.shape[0] + 1))]

    def read(self) -> Value:
        return self.one_of(self.variables[:-1]).value

    def chosen(self) -> Value:
        x = self.value()
        return ops.where(self.like(x) > 0.1, x, self.like(x)) if x.ndim else ops.where(x > 0, x, -x)

    def gated(self) -> Value:
        x = self.value()
        pair = [ops.tanh(x), self.like(x)]
        flag = ops.sum(self.x) > 0.0
        first, second = apply(ops.Gate(2), flag, *pair, self.like(x), ops.sigmoid(x))
        self.pool.append(second)
        return first

    def nothing(self) -> Value:
        """Values without elements, and what comes of them."""
        x = self.value(2)
        empty = x[:0]
        self.pool.append(ops.relu(empty))
        return ops.concatenate([ops.tanh(empty), x], axis=0)

    # ------------------------------------------------------------------------------------------- states

    def assigned(self) -> Value:
        """A new state, of the old one or of something else; old and new may both be read later."""
        variable = self.one_of(self.variables[:-1])
        old = variable.value
        fitting = [v for v in self.pool if v.shape == variable.shape]
        new = self.one_of([ops.tanh(old), ops.add(old, 1.0), ops.multiply(old, 0.5)])
        if fitting and self.rng.random() < 0.6:
            new = self.one_of([self.one_of(fitting), ops.subtract(new, self.one_of(fitting))])
        variable.assign(new)
        self.written.append(new)
        return self.one_of([old, new, variable.value])

    def swapped(self) -> Value:
        a, b = self.variables[0], self.variables[1]
        old_a, old_b = a.value, b.value
        if self.rng.random() < 0.3:
            flag = ops.sum(self.x) > 0.0
            new_a, new_b = apply(ops.Gate(2), flag, old_b, old_a, old_a, old_b)
        else:
            new_a, new_b = old_b, old_a
        a.assign(new_a)
        b.assign(new_b)
        return old_a

    def chained(self) -> Value:
        """b takes a's old contents and c takes b's."""
        a, b, c = self.variables[:3]
        old_a, old_b = a.value, b.value
        c.assign(old_b)
        b.assign(old_a)
        a.assign(
            self.one_of([ops.tanh(old_a), old_a, ops.reshape(ops.reshape(old_b, (-1,)), (ROWS, COLUMNS))])
        )
        return ops.add(c.value, old_a)

    # ------------------------------------------------------------------------------------------- the whole

    def grow(self, count: int) -> Builder:
        with self.trace.active():
            for _ in range(count):
                made = self.one_of(self.actions)()
                if made is not None:
                    self.pool.append(made)
        return self

    def outputs(self) -> list[Value]:
        """Some values, one of them twice, with old and new states and an input among them."""
        states = [*self.trace.before.values(), *self.written]
        chosen = [self.one_of(self.pool) for _ in range(6)] + [
            self.one_of(states) for _ in range(3) if states
        ]
        return [*chosen, chosen[0], self.one_of(self.inputs), self.pool[-1]]

    def program(self, outputs: list[Value] | None = None) -> Program:
        graph = self.trace.graph(self.inputs, self.outputs() if outputs is None else outputs)
        return Program(graph, self.feeds, [*self.variables, self.step])


def random_program(seed: int, count: int = 25, dtype: str = "float64") -> Program:
    return Builder(seed, dtype).grow(count).program()

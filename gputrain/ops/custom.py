"""Functions with a gradient of their own, and printing from within a traced model."""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any, ClassVar

import numpy as np

from gputrain.errors import GraphError, ShapeError, explain
from gputrain.ir import Spec, Value, current_trace, schedule
from gputrain.ops.base import Operation, Sample, apply, as_value, convert, is_symbolic, record_again
from gputrain.utils import tree

__all__ = ["OwnGradient", "Print", "custom_gradient", "print"]

_prints = itertools.count()


class OwnGradient(Operation):
    """The first `count` inputs as they are, with a gradient to the others: (results, arguments) to results.

    `gradient` takes the cotangents of the results and returns one gradient for each argument.
    """

    count: int
    gradient: Callable[..., Any]
    name: str

    @property
    def n_outputs(self) -> int:
        return self.count

    @property
    def overwrites(self) -> tuple[tuple[int, int], ...]:
        return tuple((i, i) for i in range(self.count))

    def infer(self, *specs: Spec) -> tuple[Spec, ...]:
        return specs[: self.count]

    def vjp(self, ct: Any, out: Any, *inputs: Value) -> Sequence[Value | None]:
        arguments = inputs[self.count :]
        upstreams = [ct] if self.count == 1 else [self._known(c, v) for c, v in zip(ct, out, strict=True)]
        found = self.gradient(*upstreams)
        found = list(found) if isinstance(found, list | tuple) else [found]
        if len(found) != len(arguments):
            raise GraphError(
                explain(
                    f"custom_gradient of {self.name}: there must be one gradient per argument.",
                    expected=len(arguments),
                    received=len(found),
                    fix="Return None for an argument without a gradient.",
                )
            )
        pairs = zip(found, arguments, strict=True)
        found = [None if gradient is None else as_value(gradient, x.dtype) for gradient, x in pairs]
        for i, (gradient, argument) in enumerate(zip(found, arguments, strict=True)):
            self._check(i, gradient, argument)
        return [None] * self.count + found

    def moved(self, known: dict[Value, Value]) -> OwnGradient:
        """The gradient function remembers values of the graph it was made in."""
        return self.replace(gradient=partial(_moved_gradient, self.gradient, known))

    @staticmethod
    def _known(cotangent: Value | None, result: Value) -> Value:
        return cotangent if cotangent is not None else Value.operators["zeros_like"](result)

    def _check(self, i: int, gradient: Any, argument: Value) -> None:
        if gradient is not None and gradient.spec != argument.spec:
            raise ShapeError(
                explain(
                    f"custom_gradient of {self.name}: gradient {i} must have its argument's shape and dtype.",
                    expected=argument.spec,
                    received=gradient.spec,
                )
            )

    def compute(self, xp: Any, out: Any, *inputs: Any, scratch: tuple[Any, ...] = ()) -> None:
        outs = out if isinstance(out, tuple) else (out,)
        for target, source in zip(outs, inputs, strict=False):
            xp.copyto(target, source)

    def __str__(self) -> str:
        return f"OwnGradient({self.name})"

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        def nothing(*upstreams: Any) -> list[None]:
            return [None]

        one, two = cls(1, nothing, "f"), cls(2, nothing, "f")
        return [
            Sample(one, (Spec((3, 5)), Spec((2,))), lambda y, x: y, differentiable=()),
            Sample(one, (Spec((0, 5)), Spec(())), lambda y, x: y, differentiable=()),
            Sample(two, (Spec((7,)), Spec(()), Spec((2,))), lambda y, z, x: (y, z), differentiable=()),
        ]


def _moved_gradient(
    gradient: Callable[..., Any], known: dict[Value, Value], *upstreams: Value
) -> list[Value | None]:
    """What `gradient` gives, on what stands for the values that it remembers."""
    found = gradient(*upstreams)
    found, known = list(found) if isinstance(found, list | tuple) else [found], dict(known)
    for node in schedule([v for v in found if isinstance(v, Value)]):
        if node.outputs[0] not in known and any(v in known for v in node.inputs):
            record_again(node, known)
    return [known.get(v, v) for v in found]


def custom_gradient(f: Callable[..., tuple[Any, Callable[..., Any]]]) -> Callable[..., Any]:
    """Give a function a gradient of its own.

    Args:
        f: function of values that returns (results, gradient function). The gradient function takes the
            cotangent of each result, and returns a gradient for each positional argument that is a value.
            Variables count as values where they are arguments; those that `f` reads by itself get none.

    Returns:
        a function of the same arguments that returns the results.

    Example:
        >>> @custom_gradient
        ... def log1pexp(x):
        ...     e = ops.exp(x)
        ...     return ops.log(1 + e), lambda upstream: upstream * (1 - 1 / (1 + e))
    """

    @wraps(f)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        args = tuple(convert(a) if is_symbolic(a) else a for a in args)
        results, gradient = f(*args, **kwargs)
        arguments = [a for a in args if isinstance(a, Value)]
        leaves = tree.flatten(results)
        if not arguments:
            return results
        op = OwnGradient(len(leaves), gradient, getattr(f, "__name__", "f"))
        made = apply(op, *leaves, *arguments)
        return tree.pack(results, made if isinstance(made, tuple) else [made])

    return wrapper


class Print(Operation):
    """Prints its input whenever the program runs. The empty output is there to be kept as an effect.

    `number` keeps two prints of the same value apart.
    """

    message: str
    number: int
    on_host: ClassVar[str] = "it shows values to people"

    def infer(self, x: Spec) -> Spec:
        return Spec((0,), "bool")

    def vjp(self, ct: Value, out: Value, x: Value) -> Sequence[None]:
        return (None,)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        builtins.print(f"{self.message}{x}", flush=True)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        return [Sample(cls("x = ", 0), (Spec((2, 3)),), lambda x: np.zeros(0, bool))]


def print(value: Any, message: str = "") -> Any:
    """Print an array: at once outside of a traced model, whenever the model runs inside.

    Args:
        value: what to print.
        message: text before it.

    Returns:
        `value`, so that a call can stand in the middle of an expression.

    Example:
        >>> ops.print(ops.mean(x), "mean ")
    """
    x = convert(value)
    effect = apply(Print(message, next(_prints)), x)
    trace = current_trace()
    if isinstance(x, Value) and trace is not None:
        trace.effects.append(effect)
    return value

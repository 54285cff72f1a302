"""What elementwise operations share: their two bases, and functions made from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from gputrain import config
from gputrain.errors import DTypeError, explain
from gputrain.ir import Spec, Value, broadcast, is_float
from gputrain.ops.base import Operation, Sample, apply, cast, convert, harmonize, require_float

Gradients = Sequence[Value | None]
F = TypeVar("F", bound=Callable[..., Any])
Op = TypeVar("Op", bound=Operation)


def no_gradient(ct: Value, *values: Value) -> None:
    """The `gradient` of what is constant between its jumps."""
    return None


class _Unary(Operation):
    """One input, one output of its shape.

    Attributes:
        function: the function of NumPy and CuPy that computes it.
        gradient: that of the input, `f(ct, output, input)`.
        floating: integer inputs are refused.
        counting: booleans are taken for int32.
        logical: False where booleans are refused.
        domain: range of the samples' inputs.
        reference: what the samples are compared with; None means `function`.
    """

    function: ClassVar[str] = ""
    gradient: ClassVar[Callable[..., Any]]
    overwrites: ClassVar[tuple[tuple[int, int], ...]] = ((0, 0),)
    floating: ClassVar[bool] = True
    counting: ClassVar[bool] = False
    logical: ClassVar[bool] = True
    domain: ClassVar[tuple[float, float]] = (-2.0, 2.0)
    reference: ClassVar[Callable[..., Any] | None] = None

    def infer(self, x: Spec) -> Spec:
        if self.floating:
            require_float(x, type(self).__name__)
        if not self.logical:
            require_numbers(x, type(self).__name__)
        return x

    def vjp(self, ct: Value, out: Value, x: Value) -> Gradients:
        return (type(self).gradient(ct, out, x),)

    def compute(self, xp: Any, out: Any, x: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        getattr(xp, self.function)(x, out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        reference = cls.reference or getattr(np, cls.function)
        shapes = [(), (0,), (1,), (7,), (3, 5), (2, 1, 70001)]
        return [Sample(cls(), (Spec(s),), reference, *cls.domain) for s in shapes]


class _Binary(Operation):
    """Two inputs of one dtype, broadcast together.

    Attributes:
        function: the function of NumPy and CuPy that computes it.
        gradient: those of the inputs, `f(ct, output, x1, x2)`.
        floating: integer inputs are refused.
        counting: booleans are taken for int32.
        logical: False where booleans are refused.
        result: dtype of the output when it is not the inputs'.
        domain: range of the samples' inputs.
    """

    broadcasts: ClassVar[bool] = True
    function: ClassVar[str] = ""
    gradient: ClassVar[Callable[..., Gradients]]
    overwrites: ClassVar[tuple[tuple[int, int], ...]] = ((0, 0), (0, 1))
    floating: ClassVar[bool] = False
    counting: ClassVar[bool] = False
    logical: ClassVar[bool] = True
    result: ClassVar[str | None] = None
    domain: ClassVar[tuple[float, float]] = (-2.0, 2.0)

    def infer(self, x: Spec, y: Spec) -> Spec:
        name = type(self).__name__
        if x.dtype != y.dtype:
            raise DTypeError(explain(f"{name} needs inputs of one dtype.", received=f"{x} and {y}"))
        if self.floating:
            require_float(x, name)
        if not self.logical:
            require_numbers(x, name)
        return Spec(broadcast(x, y, name), self.result or x.dtype)

    def vjp(self, ct: Value, out: Value, x: Value, y: Value) -> Gradients:
        return type(self).gradient(ct, out, x, y)

    def compute(self, xp: Any, out: Any, x: Any, y: Any, *, scratch: tuple[Any, ...] = ()) -> None:
        getattr(xp, self.function)(x, y, out=out)

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        pairs = [
            ((), ()),
            ((3, 5), (3, 5)),
            ((4, 1, 3), (2, 1)),
            ((5,), ()),
            ((0, 3), (1, 3)),
            ((70001,), (1,)),
        ]
        return [
            Sample(cls(), (Spec(a), Spec(b)), getattr(np, cls.function), *cls.domain, label=f"{a}x{b}")
            for a, b in pairs
        ]


def variant(family: type[Op], name: str, function: str, doc: str) -> type[Op]:
    """An operation that differs from its family in NumPy's function alone."""
    members = {"function": function, "__doc__": doc, "__module__": family.__module__}
    return type(name, (family,), members)


def function_of(op: Operation) -> str:
    """The function of NumPy and CuPy that is all of the operation's `compute`, if there is one."""
    plain = type(op).compute in (_Unary.compute, _Binary.compute)
    return op.function if plain and isinstance(op, _Unary | _Binary) else ""


def require_numbers(spec: Spec, what: str) -> None:
    """Refuse booleans, of which there is no difference and no negative."""
    if spec.dtype == "bool":
        fix = 'Convert with ops.cast(x, "int32"), or use ops.logical_not and ops.logical_xor.'
        raise DTypeError(explain(f"{what} does not take booleans.", received=spec, fix=fix))


def dtype_of(x: Any) -> str:
    """Name of the dtype of a value or array."""
    return str(np.dtype(x.dtype).name)


def as_float(x: Any) -> Any:
    """`x`, integers and booleans converted to `config.floatx()`."""
    x = convert(x)
    return x if is_float(dtype_of(x)) else cast(x, config.floatx())


def scalar_like(x: Any, value: float) -> Any:
    """A number as a 0-d operand in the dtype of x."""
    return convert(np.asarray(value, dtype_of(x)))


def as_floats(*xs: Any) -> list[Any]:
    """Operands in one common floating dtype."""
    return [as_float(x) for x in harmonize(*xs)]


def unary_function(op: type[_Unary]) -> Callable[[Any], Any]:
    """The public function of an operation without parameters; it converts integers where only floats do."""

    def function(x: Any) -> Any:
        x = as_float(x) if op.floating else convert(x)
        return apply(op(), *counted(x) if op.counting else (x,))

    return _named(function, op.__name__.lower(), op)


class BinaryFunction(Protocol):
    """A function of two operands, whatever their dtypes."""

    def __call__(self, x1: Any, x2: Any) -> Any: ...


def binary_function(op: type[_Binary]) -> BinaryFunction:
    """The public function of an operation of two inputs, which are brought to one dtype."""

    def function(x1: Any, x2: Any) -> Any:
        operands = harmonize(x1, x2)
        return apply(op(), *counted(*operands) if op.counting else operands)

    return _named(function, op.function, op)


def counted(*xs: Any) -> list[Any]:
    """Operands, booleans as int32: NumPy has no such arithmetic of them."""
    return [cast(x, "int32") if dtype_of(x) == "bool" else x for x in xs]


def _named(function: F, name: str, op: type[Operation]) -> F:
    """The function with a name, at home where the operation is, and described as it is: in its first line."""
    function.__name__ = function.__qualname__ = name
    function.__module__ = op.__module__
    function.__doc__ = (op.__doc__ or "").partition("\n")[0]
    return function

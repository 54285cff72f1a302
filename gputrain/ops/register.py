"""`register_op`: an operation of a user's own, with a CUDA kernel for the GPU beside its reference."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from gputrain.errors import explain
from gputrain.ir import FLOATS
from gputrain.ir.spec import DTYPES
from gputrain.ops.base import Operation

__all__ = ["CudaKernel", "register_op"]

C = TypeVar("C", bound=type[Operation])

# Annotations of parameters that a kernel can take, and how: i for i64, d for double.
_NUMBERS = {"int": "i", "bool": "i", "float": "d", int: "i", bool: "i", float: "d"}
_WARP, _WIDEST = 32, 1024
_BOUNDS = r"(?:__launch_bounds__\s*\([^)]*\)\s*)?"
_HEAD = rf"__global__\s+{_BOUNDS}void\s+{_BOUNDS}"


@dataclass(frozen=True)
class CudaKernel:
    """A kernel in CUDA C++ that computes an operation on the GPU.

    It is called with a pointer for each output, a pointer for each input, the operation's parameters (`i64`
    for int and bool, `double` for float) and last the number of elements of the first output (`i64`). All of
    `kernels/common.cuh` is there: `GPUTRAIN_GRID_STRIDE`, `wide`, `narrow`, `block_reduce` and others.

    Args:
        name: of the `__global__` function: a template over one type, which becomes that of the first input's
            elements (of the first output's, without inputs), or a plain function.
        source: its text, and whatever functions it calls.
        dtypes: those that the first input may have.
        scalars: instead of parameters and size, `f(op, *specs of inputs) -> numbers`; ints are passed as
            `i64`, floats as `double`.
        threads: how many threads there is work for, `f(op, *specs of inputs)`; None means one for each
            element of the first output. More than the GPU holds are not launched, so the kernel must loop.
        block: threads of a block.

    Example:
        >>> cube = CudaKernel("cube", '''
        ... template <typename T> __global__ void cube(T* out, const T* x, double scale, i64 size) {
        ...     GPUTRAIN_GRID_STRIDE(i, size) {
        ...         wide_t<T> v = wide(x[i]);
        ...         out[i] = narrow<T>(wide_t<T>(scale) * v * v * v);
        ...     }
        ... }''')
    """

    name: str
    source: str
    dtypes: Sequence[str] = FLOATS
    scalars: Callable[..., Sequence[int | float]] | None = None
    threads: Callable[..., int] | None = None
    block: int = 256

    def __post_init__(self) -> None:
        if not re.search(rf"{_HEAD}{re.escape(self.name)}\s*\(", self.source):
            raise _wrong(
                "CudaKernel: `name` must be that of a kernel in `source`.",
                f"__global__ void {self.name}(...)",
                ", ".join(re.findall(rf"{_HEAD}(\w+)", self.source)) or "no kernel",
            )
        unknown = [dtype for dtype in self.dtypes if dtype not in DTYPES]
        if unknown or not self.dtypes:
            raise _wrong("CudaKernel: wrong `dtypes`.", f"some of {', '.join(DTYPES)}", unknown or "none")
        if self.block not in range(_WARP, _WIDEST + 1, _WARP):
            raise _wrong("CudaKernel: wrong `block`.", "a multiple of 32 up to 1024", self.block)

    @property
    def template(self) -> bool:
        """Whether the kernel is a template."""
        return bool(re.search(rf"template\s*<[^>]*>\s*{_HEAD}{self.name}\b", self.source))

    @property
    def declared(self) -> str:
        """The parameters that its text declares."""
        found = re.search(rf"{_HEAD}{self.name}\s*\(([^)]*)\)", self.source)
        return " ".join(found[1].split()) if found else ""


@overload
def register_op(cls: C, *, cuda: CudaKernel | None = None, differentiable: bool = True) -> C: ...


@overload
def register_op(*, cuda: CudaKernel | None = None, differentiable: bool = True) -> Callable[[C], C]: ...


def register_op(cls: Any = None, *, cuda: CudaKernel | None = None, differentiable: bool = True) -> Any:
    """Check an operation of your own and give it a CUDA kernel; a function, or a decorator of the class.

    On the CPU `compute` runs, with NumPy. On the GPU the kernel runs, or `compute` with CuPy's functions
    where there is none. It does not matter whether a GPU was opened before. Classes derived from `cls` do not
    inherit the kernel, as they may compute something else.

    Args:
        cls: a class of `ops.Operation` with `infer`, `compute` and `vjp`.
        cuda: its kernel.
        differentiable: False where it has no gradient, and so no `vjp`; to differentiate it is an error then.

    Returns:
        the class.

    Raises:
        ValueError: something is missing, or the kernel cannot be given the class's parameters.

    Example:
        >>> @ops.register_op(cuda=cube)
        ... class Cube(ops.Operation):
        ...     scale: float = 1.0
        ...     def infer(self, x):
        ...         return x
        ...     def compute(self, xp, out, x, scratch=()):
        ...         xp.multiply(x * x * x, self.scale, out=out)
        ...     def vjp(self, ct, out, x):
        ...         return [ct * x * x * (3.0 * self.scale)]
    """
    if cls is None:
        return lambda cls: register_op(cls, cuda=cuda, differentiable=differentiable)
    _check_class(cls, differentiable)
    if cuda is not None:
        if cuda.scalars is None:
            _scalar_kinds(cls)
        cls.cuda = cuda
    return cls


def scalars_of(op: Operation, kernel: CudaKernel, specs: Sequence[Any], size: int) -> list[tuple[str, Any]]:
    """(kind, number) of each scalar that a kernel is called with; kinds are i (i64) and d (double)."""
    if kernel.scalars is not None:
        return [("d" if isinstance(n, float) else "i", n) for n in kernel.scalars(op, *specs)]
    kinds = _scalar_kinds(type(op))
    return [*((kind, getattr(op, name)) for name, kind in kinds.items()), ("i", size)]


def _check_class(cls: Any, differentiable: bool) -> None:
    if not (isinstance(cls, type) and issubclass(cls, Operation)):
        raise _wrong("register_op takes a class of operations.", "a subclass of ops.Operation", repr(cls))
    needed = {
        "infer": "gives the shape and dtype of the result",
        "compute": "computes it, on the CPU at least",
    }
    if differentiable:
        needed["vjp"] = "is its gradient; without one, pass differentiable=False"
    for method, what in needed.items():
        if getattr(cls, method) is getattr(Operation, method):
            raise ValueError(explain(f"register_op: {cls.__name__} lacks `{method}`, which {what}."))


def _scalar_kinds(cls: type[Operation]) -> dict[str, str]:
    """How each parameter of an operation is passed to a kernel."""
    annotations: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        annotations.update(inspect.get_annotations(base))
    kinds = {}
    for name in cls._fields:
        if annotations[name] not in _NUMBERS:
            raise _wrong(
                f"register_op: a kernel cannot be given `{name}` of {cls.__name__}.",
                "parameters annotated int, bool or float",
                getattr(annotations[name], "__name__", annotations[name]),
                "Say what to pass by CudaKernel(..., scalars=lambda op, *specs: [...]).",
            )
        kinds[name] = _NUMBERS[annotations[name]]
    return kinds


def _wrong(rule: str, expected: object, received: object, fix: str | None = None) -> ValueError:
    return ValueError(explain(rule, expected=expected, received=received, fix=fix))

"""Kernels of `kernels/*.cu`, compiled on first use, and launches with checked arguments.

CuPy passes a Python int as int64 and a float as float64 whatever the kernel declares, and ignores strides.
So a kernel states its parameters, and `Function.bind` converts and checks what it is given, once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from gputrain.backend.base import InOrder, Thunk, leaves
from gputrain.compiler.chains.expressions import C_TYPES
from gputrain.errors import DeviceError, explain
from gputrain.utils.resources import kernels_dir

CUDA_TYPES = {"float16": "__half", **C_TYPES}
# Scalars of a kernel: what stands in its signature, and what is passed.
SCALARS: dict[str, type[np.generic]] = {"i": np.int64, "u": np.uint64, "d": np.float64}

BLOCK = 256  # threads of a block where nothing else is asked for
OPTIONS = ("--std=c++17",)


class Launch:
    """One launch of a kernel with all its arguments; calling it runs it.

    Attributes:
        name: what is launched, for listings.
    """

    __slots__ = ("_args", "_block", "_function", "_grid", "name")

    def __init__(
        self, name: str, function: Callable[..., None], grid: int, block: int, args: tuple[Any, ...]
    ) -> None:
        self.name = name
        self._function, self._grid, self._block, self._args = function, (grid,), (block,), args

    def __call__(self) -> None:
        self._function(self._grid, self._block, self._args)


def launches(thunk: Thunk) -> Iterator[str]:
    """Names of what a thunk launches, in order."""
    for leaf in leaves(thunk):
        yield getattr(leaf, "name", type(leaf).__name__)


@cache
def _file(name: str) -> str:
    return (kernels_dir() / name).read_text(encoding="utf-8")


def source(family: str, types: Sequence[str]) -> str:
    """The text of `kernels/<family>.cu`, ready to compile for these dtypes."""
    return wrap(_file(f"{family}.cu"), types)


def wrap(text: str, types: Sequence[str]) -> str:
    """A kernel's own text with everything it starts from in front."""
    half = "#define GPUTRAIN_HALF\n" if "float16" in types else ""
    return f"{half}{_file('common.cuh')}\n{_expanded(text)}"


def _expanded(text: str) -> str:
    """The text with each line `//! include <file>.cuh` replaced by that file's text."""
    return re.sub(r"^//! include (\w+\.cuh)$", lambda found: _file(found[1]), text, flags=re.MULTILINE)


class Function:
    """A compiled kernel and the types of its parameters.

    Args:
        name: for listings and errors.
        params: for each parameter the dtype of a pointer, or "i" (int64), "u" (uint64), "d" (float64).
        compiled: gives the callable (grid, block, args); asked on the first launch.
        blocks: the most blocks of BLOCK threads that are worth launching on the device.
    """

    def __init__(
        self, name: str, params: Sequence[str], compiled: Callable[[], Callable[..., None]], blocks: int
    ) -> None:
        self.name, self.params, self.blocks = name, tuple(params), blocks
        self._compiled = compiled

    def bind(
        self, *args: Any, threads: int | None = None, blocks: int | None = None, block: int = BLOCK
    ) -> Thunk:
        """A launch with these arguments.

        Args:
            args: an array for each pointer, a number for each scalar. None is a null pointer.
            threads: how many threads there is work for; more work than fits the device at a time is left to
                the kernel's grid-stride loop. With 0 nothing is launched.
            blocks: instead, exactly so many blocks.
            block: threads of a block.
        """
        if blocks is None:
            assert threads is not None
            limit = max(1, self.blocks * BLOCK // block)
            blocks = min(math.ceil(threads / block), limit)
        if blocks == 0:
            return InOrder(())
        return Launch(self.name, self._compiled(), blocks, block, self._checked(args))

    def _checked(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(args) != len(self.params):
            raise self._refused(f"{len(self.params)} arguments", f"{len(args)}")
        return tuple(self._converted(i, a) for i, a in enumerate(args))

    def _converted(self, i: int, arg: Any) -> Any:
        kind = self.params[i]
        if kind in SCALARS:
            return SCALARS[kind](arg)
        if arg is None:
            return np.uint64(0)
        if isinstance(arg, np.ndarray):  # CuPy passes one of a single element by value
            raise self._refused(f"argument {i} as an array on the GPU", "a NumPy array")
        if arg.dtype != kind or not arg.flags.c_contiguous:
            layout = "contiguous" if arg.flags.c_contiguous else "strided"
            raise self._refused(f"argument {i} as a contiguous {kind} array", f"{arg.dtype}, {layout}")
        return arg

    def _refused(self, expected: str, received: str) -> DeviceError:
        return DeviceError(
            explain(f"Kernel {self.name}: wrong arguments.", expected=expected, received=received)
        )


class Library:
    """All kernels of a device, each compiled once.

    Args:
        cupy: the module `cupy`, or what stands in for it.
        blocks: see `Function`.
    """

    def __init__(self, cupy: Any, blocks: int) -> None:
        self._cupy, self._blocks = cupy, blocks
        self._functions: dict[tuple[Any, ...], Function] = {}

    def get(self, family: str, name: str, params: str, *types: str) -> Function:
        """A kernel of `kernels/<family>.cu`.

        Args:
            family: the file.
            name: the template, or the plain function where there are no types.
            params: types of its parameters, separated by blanks: a dtype, or T (U, V) for the first (second,
                third) of `types`, for a pointer; i, u, d for scalars.
            types: dtypes (or numbers, as text) to instantiate the template for.
        """
        key = (family, name, types)
        if key not in self._functions:
            self._functions[key] = self._make(source(family, types), name, params, types)
        return self._functions[key]

    def generated(self, text: str, name: str, params: Sequence[str], types: Sequence[str]) -> Function:
        """A kernel from generated text; `types` are the dtypes that occur in it."""
        key = (text, name)
        if key not in self._functions:
            self._functions[key] = self._make(wrap(text, types), name, " ".join(params), ())
        return self._functions[key]

    def _make(self, text: str, name: str, params: str, types: tuple[str, ...]) -> Function:
        resolved = dict(zip("TUV", types, strict=False))
        arguments = ", ".join(CUDA_TYPES.get(t, t) for t in types)
        expression = f"{name}<{arguments}>" if types else name
        kinds = [resolved.get(p, p) for p in params.split()]

        @cache
        def compiled() -> Callable[..., None]:
            module = self._cupy.RawModule(code=text, options=OPTIONS, name_expressions=(expression,))
            return module.get_function(expression)

        return Function(expression, kinds, compiled, self._blocks)

"""Operations element by element by compiled kernels: one, or a chain of them, block by block.

A program is a list of steps, each a kernel that runs on one block. Operands that are smaller than the result
are spread into a block first; where every block gets the same, only once.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gputrain.backend.base import Kernel, Thunk
from gputrain.backend.numpy.compiled.binding import FLOATS, Library
from gputrain.ir.spec import Spec

Array = Any

ARRAYS = 12  # that a program reads and writes (`Pointwise::ARRAYS`)
AXES = 6  # of an operand that is spread, neighbours joined (`Site::MOST_AXES`)
BLOCK = 1024
WIDEST = 4096  # elements of a block that is a multiple of what is spread
TASK = 16384  # elements for which waking a thread pays

# Operations whose kernel has another name, and their parameters.
_NAMES = {
    "Gelu": lambda op: "GeluByTanh" if op.approximate else "Gelu",
    "GeluGrad": lambda op: "GeluGradByTanh" if op.approximate else "GeluGrad",
}
_PARAMETERS = {
    "BinaryCrossentropy": lambda op: (op.epsilon, 1.0 - op.epsilon),
    "Clip": lambda op: (op.low, op.high),
    "Elu": lambda op: (op.alpha, 0.0),
}
COMPARISONS = ("Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "NotEqual")
_FLAGS = {"Kept": (1,), "Where": (0,)}  # operands that are flags
SINGLE = (
    "Abs", "Add", "BinaryCrossentropy", "ChoiceGrad", "Clip", "Divide", "Elu", "Erf", "Exp", "Expm1", "Gelu",
    "GeluGrad", "Kept", "Log", "Log1p", "Maximum", "Minimum", "Multiply", "Negative", "Relu", "ReluGrad",
    "Rsqrt", "Sigmoid", "SigmoidCrossentropy", "Sign", "Softplus", "Sqrt", "Square", "Subtract", "Tanh",
    "Through", "Where", *COMPARISONS,
)  # fmt: skip


@dataclass(frozen=True)
class Site:
    """How a smaller array is read along the axes of the result, outermost first.

    Attributes:
        sizes: of the axes.
        strides: elements from one to the next.
    """

    sizes: tuple[int, ...]
    strides: tuple[int, ...]

    @classmethod
    def of(cls, shape: Sequence[int], space: Sequence[int]) -> Site:
        """Of an array that NumPy broadcasts to `space`; neighbouring axes with like steps are joined."""
        own = (1,) * (len(space) - len(shape)) + tuple(shape)
        stride, axes = 1, [(1, 0)]
        for size, whole in zip(reversed(own), reversed(tuple(space)), strict=True):
            step = stride if size > 1 else 0
            stride *= size
            if whole == 1:
                continue
            inner, before = axes[-1]
            if step == before * inner or inner == 1:
                axes[-1] = (inner * whole, step if inner == 1 else before)
            else:
                axes.append((whole, step))
        axes.reverse()
        return cls(tuple(n for n, _ in axes), tuple(s for _, s in axes))

    @property
    def period(self) -> int:
        """Elements of the result after which it begins anew."""
        inner = self.sizes[1:] if self.strides[0] == 0 else self.sizes
        return math.prod(inner)

    def packed(self) -> list[int]:
        rest = [0] * (AXES - len(self.sizes))
        return [len(self.sizes), *self.sizes, *rest, *self.strides, *rest]


@dataclass(frozen=True)
class Step:
    """A kernel on one block. Places below ARRAYS are arrays, the others blocks of the worker's own.

    Attributes:
        period: elements after which the result begins anew; 0 where it never does.
    """

    name: str
    out: int
    operands: tuple[int, ...]
    parameters: tuple[float, float] = (0.0, 0.0)
    site: Site | None = None
    period: int = 0


class Program:
    """Steps that compute all elements of one or several results.

    Args:
        dtype: of all elements but flags.
        count: elements.
    """

    def __init__(self, dtype: str, count: int) -> None:
        self.dtype, self.count = dtype, count
        self.arrays: list[bool] = []  # whether they hold flags
        self.steps: list[Step] = []
        self.periods: dict[int, int] = {}  # of blocks
        self.moved: dict[int, int] = {}  # blocks that became arrays
        self.own = 0

    def array(self, flags: bool) -> int:
        """A place for an array."""
        self.arrays.append(flags)
        return len(self.arrays) - 1

    def read(self, place: int, site: Site | None) -> int:
        """Where the elements of an array are, one for each of the result."""
        if site is None and not self.arrays[place]:
            return place
        period = 0 if site is None or site.period > WIDEST else site.period
        return self._step(Step("FromBytes", 0, (place,), site=site, period=period))

    def apply(
        self, name: str, operands: tuple[int, ...], parameters: tuple[float, float] = (0.0, 0.0)
    ) -> int:
        """Where the block is that a kernel makes of operands."""
        periods = [self.periods.get(place, 0) for place in operands]
        period = math.lcm(*periods)  # 0 if one of them is
        return self._step(Step(name, 0, operands, parameters, period=period if period <= WIDEST else 0))

    def _step(self, step: Step) -> int:
        self.own += 1
        block = ARRAYS + self.own - 1
        self.steps.append(replace(step, out=block))
        self.periods[block] = step.period
        return block

    def write(self, source: int, target: int, lies_on: Collection[int] = ()) -> None:
        """Let an array get the elements at a place.

        Args:
            source: the place.
            target: the array.
            lies_on: arrays that may share its memory: they are read before.
        """
        source = self.moved.get(source, source)
        makers = [i for i, step in enumerate(self.steps) if step.out == source]
        later = self.steps[makers[0] + 1 :] if makers else []
        free = makers and not any(place in lies_on for step in later for place in step.operands)
        if self.arrays[target]:
            self.steps.append(Step("ToBytes", target, (source,)))
        elif free and not self.periods[source] and source >= ARRAYS:
            self.steps = [_renamed(step, source, target) for step in self.steps]
            self.moved[source] = target
        else:
            self.steps.append(Step("Copy", target, (source,)))

    def finish(self) -> None:
        """Let blocks whose contents nobody reads any more be used again."""
        last = {place: i for i, step in enumerate(self.steps) for place in (*step.operands, step.out)}
        kept = {step.out for step in self.steps if step.period}
        names: dict[int, int] = {}
        free: list[int] = []
        count = 0
        for i, step in enumerate(self.steps):
            operands = tuple(names.get(place, place) for place in step.operands)
            done = {place for place in step.operands if last[place] == i and place >= ARRAYS} - kept
            free += sorted(names[place] for place in done)
            if step.out >= ARRAYS:
                if step.period or not free:
                    names[step.out] = ARRAYS + count
                    count += 1
                else:
                    names[step.out] = free.pop()
            out = names.get(step.out, step.out)
            self.steps[i] = replace(step, out=out, operands=operands)
        self.own = count

    @property
    def block_size(self) -> int:
        """Elements of a block: whole periods of what is spread, if they are short."""
        if not self.own:
            return min(TASK, self.count)
        period = math.lcm(*(step.period for step in self.steps if step.period))
        whole = period if period <= WIDEST else 1
        return min(self.count, max(1, BLOCK // whole) * whole)

    def bind(self, library: Library, arrays: Sequence[Array], own: Array) -> Thunk:
        """The kernel that runs the steps on arrays, in the order of their places."""
        block = self.block_size
        once = [s for s in self.steps if s.period and block % s.period == 0]
        ordered = [*once, *(s for s in self.steps if s not in once)]
        sites = [s.site for s in ordered if s.site is not None]
        fields = [("places", "int64", 5), ("parameters", "float64", 2), ("site", "int64")]
        steps = np.zeros(len(ordered), fields)
        for row, step in zip(steps, ordered, strict=True):
            absent = [-1] * (3 - len(step.operands))
            row["places"] = library.address(step.name, self.dtype), step.out, *step.operands, *absent
            row["parameters"] = step.parameters
            row["site"] = -1 if step.site is None else sites.index(step.site)
        packed = np.array([site.packed() for site in sites], "int64")
        flags = sum(1 << i for i, bytes_of in enumerate(self.arrays) if bytes_of)
        given = [*arrays, *[None] * (ARRAYS - len(arrays))]
        task = block * max(1, TASK // block)
        return library.bind(
            "Pointwise", self.dtype, *given, steps.view("uint8"), packed, own, len(steps), len(once),
            self.count, block, task, self.own, flags,
        )  # fmt: skip

    def scratch(self, library: Library) -> tuple[Spec, ...]:
        """The blocks of all workers."""
        return (Spec((library.threads, self.own, self.block_size), self.dtype),)


def _renamed(step: Step, old: int, new: int) -> Step:
    """The step with another number for a place."""
    operands = tuple(new if place == old else place for place in step.operands)
    return replace(step, out=new if step.out == old else step.out, operands=operands)


def apply(program: Program, op: Any, places: tuple[int, ...]) -> int:
    """Where the result of an operation is, added to a program."""
    name = type(op).__name__
    kernel = _NAMES[name](op) if name in _NAMES else name
    return program.apply(kernel, places, _PARAMETERS[name](op) if name in _PARAMETERS else (0.0, 0.0))


def _single(op: Any, *specs: Spec) -> Program:
    """The program of one operation."""
    out = op.output_specs(*specs)[0]
    program = Program(next(s.dtype for s in specs if s.dtype in FLOATS), out.size)
    arrays = [program.array(s.dtype == "bool") for s in (*specs, out)]
    sites = [None if s.size == out.size else Site.of(s.dims, out.dims) for s in specs]
    places = tuple(program.read(array, site) for array, site in zip(arrays[:-1], sites, strict=True))
    program.write(apply(program, op, places), arrays[-1])
    program.finish()
    return program


def _fits(op: Any, *specs: Spec) -> bool:
    """Whether all operands are floats of one dtype, and flags where the operation asks for them."""
    flags = _FLAGS.get(type(op).__name__, ())
    floats = {s.dtype for i, s in enumerate(specs) if i not in flags}
    if not all(s.static and s.size for s in specs) or len(floats) != 1 or not floats <= set(FLOATS):
        return False
    out = op.output_specs(*specs)[0]
    return all(s.size == out.size or len(Site.of(s.dims, out.dims).sizes) <= AXES for s in specs)


def kernels(library: Library) -> dict[str, Kernel]:
    """Kernels of elementwise operations by their names."""

    def prepare(op: Any, out: Array, *operands: Array, scratch: Any) -> Thunk:
        specs = [Spec(x.shape, x.dtype.name) for x in operands]
        return _single(op, *specs).bind(library, [*operands, out], scratch[0])

    def scratch(op: Any, *specs: Spec) -> tuple[Spec, ...]:
        return _single(op, *specs).scratch(library)

    return dict.fromkeys(SINGLE, Kernel(prepare, scratch, accepts=_fits))

"""Reductions on the GPU: launches of `kernels/reduce.cu`.

Any reduction becomes a chain of steps (A, R, B) over R: axes that stand together are one, and where several
groups of axes are reduced the last group goes first. A step with few outputs is cut into S parts and finished
by another step. How it is cut depends on the shape alone, so a result has the same bits on every GPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gputrain.backend.base import InOrder, Kernel, Thunk
from gputrain.backend.cupy.launch import CUDA_TYPES, Function
from gputrain.ir import Spec, is_float
from gputrain.ops.precision import wide_dtype

BLOCKS = 1024  # of 256 threads: enough for the largest devices
SHORT = 512  # elements of a row that some lanes of a warp add up by themselves
EACH = 16  # elements for each thread that make another part worth its launch
PACK = 16  # bytes of the widest load

Axes = tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """One launch: (A, R, B) to (A, S, B), a part being `chunk` of R."""

    a: int
    r: int
    b: int
    parts: int
    chunk: int

    @property
    def outputs(self) -> int:
        return self.a * self.parts * self.b


def steps(shape: Sequence[int], axes: Axes) -> list[Step]:
    """The launches that reduce `axes` of `shape`."""
    made: list[Step] = []
    for a, r, b in _groups(shape, axes):
        parts, chunk = cut(a, r, b)
        made.append(Step(a, r, b, parts, chunk))
        if parts > 1:
            made.append(Step(a, parts, b, 1, parts))
    return made


def _groups(shape: Sequence[int], axes: Axes) -> Iterator[tuple[int, int, int]]:
    """(A, R, B) of each group of reduced axes that stand together, the last group first."""
    if 0 in shape:  # nothing to read; the kernel writes the result of no elements
        yield math.prod(n for i, n in enumerate(shape) if i not in axes), 0, 1
        return
    dims: list[tuple[int, bool]] = []
    for i, n in enumerate(shape):
        gone = i in axes
        if n == 1:
            continue
        if dims and dims[-1][1] == gone:
            dims[-1] = (dims[-1][0] * n, gone)
        else:
            dims.append((n, gone))
    if not any(gone for _, gone in dims):
        yield 1, 1, math.prod(shape)
    after = 1
    for i in reversed(range(len(dims))):
        n, gone = dims[i]
        if gone:
            yield math.prod(m for m, _ in dims[:i]), n, after
        else:
            after *= n


def columns_of(b: int, r: int) -> int:
    """How many columns of (r, b) a block of 256 threads works on, a power of two."""
    width = 2
    while width < b and (width < 32 or (width < 256 and 256 // width > r)):
        width *= 2
    return width


def cut(a: int, r: int, b: int) -> tuple[int, int]:
    """Number of parts of R, and their size."""
    if b == 1:
        blocks, least = a, 256 * EACH
    else:
        width = columns_of(b, r)
        blocks, least = a * -(-b // width), 256 // width * EACH
    parts = max(1, min(BLOCKS // max(1, blocks), r // least))
    if parts == 1:
        return 1, max(1, r)
    chunk = -(-r // parts)
    chunk += -chunk % PACK  # so that parts begin where a pack may
    return -(-r // chunk), chunk


# --------------------------------------------------------------------------------------------------- launches


@dataclass(frozen=True)
class Policy:
    """What is combined, as the kernels name it.

    Attributes:
        text: the C++ type.
        state: C++ type of a partial result.
        dtype: dtype of the arrays that hold partial results.
        words: elements of `dtype` that one takes.
    """

    text: str
    state: str
    dtype: str
    words: int = 1


def _accumulator(dtype: str, signed: bool) -> str:
    """Dtype in which elements are combined: at least 32 bits, unsigned for sums that may wrap around."""
    if is_float(dtype):
        return wide_dtype(dtype)
    bits = 64 if dtype in ("int64", "uint64") else 32
    return f"{'int' if signed and not dtype.startswith('u') else 'uint'}{bits}"


def _number(name: str, signed: bool) -> Callable[[Any], Policy]:
    def policy(dtype: Any) -> Policy:
        accumulator = _accumulator(str(dtype), signed)
        text = CUDA_TYPES[accumulator]
        return Policy(f"{name}<{text}>", text, accumulator)

    return policy


def _position(name: str) -> Callable[[Any], Policy]:
    def policy(dtype: Any) -> Policy:
        text = CUDA_TYPES[_accumulator(str(dtype), signed=True)]
        return Policy(f"{name}<{text}>", f"Place<{text}>", "int64", 2)

    return policy


def scratch_for(policy: Policy, made: Sequence[Step]) -> tuple[Spec, ...]:
    """Workspaces between the steps."""
    return tuple(Spec((step.outputs * policy.words,), policy.dtype) for step in made[:-1])


def reduce_into(
    gpu: Any, policy: Policy, made: Sequence[Step], x: Any, out: Any, divisor: float, scratch: Sequence[Any]
) -> Thunk:
    """The launches that reduce x into `out`, dividing the result by `divisor`."""
    if out.size == 0:
        return InOrder(())
    arrays, last = [x, *scratch, out], len(made) - 1
    names = [str(x.dtype), *[policy.state] * last, str(out.dtype)]
    return InOrder(
        _launch(gpu, policy, step, arrays[i:], names[i:], divisor if i == last else 1.0, whole=i == 0)
        for i, step in enumerate(made)
    )


def _launch(
    gpu: Any,
    policy: Policy,
    step: Step,
    arrays: Sequence[Any],
    names: Sequence[str],
    divisor: float,
    whole: bool,
) -> Thunk:
    """One step, from the first of `arrays` to the second.

    `names` are the C++ types of their elements. `whole`: the source holds elements, not partial results.
    """
    arrays, names = arrays[:2], names[:2]
    pointers = " ".join(str(array.dtype) for array in arrays)

    def kernel(name: str, params: str, variant: int | str) -> Function:
        types = (*names, policy.text, str(variant))
        found: Function = gpu.kernel_function("reduce", name, f"{pointers} {params}", *types)
        return found

    a, r, b, parts, chunk = step.a, step.r, step.b, step.parts, step.chunk
    if b > 1:
        width = columns_of(b, r)
        function = kernel("reduce_columns", "i i i i i d", width)
        blocks = blocks_for(function, a * parts * -(-b // width))
        return function.bind(*arrays, a, r, b, parts, chunk, divisor, blocks=blocks, block=256)
    if parts == 1 and (r <= SHORT or (r <= 8 * SHORT and a >= 4 * BLOCKS)):
        lanes = lanes_for(r)
        rows = kernel("reduce_rows", "i i d", f"Lanes<{lanes}>")
        return rows.bind(*arrays, a, r, divisor, threads=a * lanes)
    pack = _pack(arrays[0], step) if whole else 1
    function = kernel("reduce_blocks", "i i i i d", pack)
    blocks = blocks_for(function, a * parts)
    return function.bind(*arrays, a, r, parts, chunk, divisor, blocks=blocks, block=256)


def lanes_for(elements: int) -> int:
    """Lanes of a warp that work on one row of so many elements, a power of two."""
    lanes = 1
    while lanes < 32 and lanes * 4 < elements:
        lanes *= 2
    return lanes


def blocks_for(function: Function, work: int) -> int:
    """Blocks to launch for `work` blocks; beyond some waves their loop goes on."""
    return min(work, 8 * function.blocks)


def _pack(x: Any, step: Step) -> int:
    """Elements that one load takes: every part of every row must begin at a multiple of them."""
    elements = max(1, PACK // x.dtype.itemsize)
    whole_parts = step.parts == 1 or step.chunk % elements == 0
    return elements if x.data.ptr % PACK == 0 and step.r % elements == 0 and whole_parts else 1


# ---------------------------------------------------------------------------------------------------- kernels


def _axes(op: Any, shape: Sequence[int]) -> Axes:
    """The axes of the input that an operation reduces."""
    if hasattr(op, "axes"):
        return tuple(op.axes)
    if hasattr(op, "axis"):
        return (op.axis,)
    return tuple(op.summed(tuple(shape)))  # SumTo


def _kernel(policy: Callable[[Any], Policy], mean: bool = False) -> Kernel:
    def scratch(op: Any, x: Spec) -> tuple[Spec, ...]:
        return scratch_for(policy(x.dtype), steps(x.dims, _axes(op, x.dims)))

    def prepare(gpu: Any, op: Any, out: Any, x: Any, scratch: tuple[Any, ...]) -> Thunk:
        axes = _axes(op, x.shape)
        divisor = float(math.prod(x.shape[i] for i in axes)) if mean else 1.0
        return reduce_into(gpu, policy(x.dtype), steps(x.shape, axes), x, out, divisor, scratch)

    return Kernel(prepare, scratch)


KERNELS = {
    "Sum": _kernel(_number("Sum", signed=False)),
    "Mean": _kernel(_number("Sum", signed=False), mean=True),
    "SumTo": _kernel(_number("Sum", signed=False)),
    "Prod": _kernel(_number("Product", signed=False)),
    "Max": _kernel(_number("Largest", signed=True)),
    "Min": _kernel(_number("Smallest", signed=True)),
    "AllTrue": _kernel(_number("Every", signed=True)),
    "AnyTrue": _kernel(_number("Some", signed=True)),
    "ArgMax": _kernel(_position("ArgLargest")),
    "ArgMin": _kernel(_position("ArgSmallest")),
}

"""At which sizes each kernel is timed.

A case is an operation with inputs to draw, a function that becomes a chain, or launches that are no
operation.
Bytes are the fewest that must move: every input read once, every output written once, unless a case knows
better. Operations are those of the arithmetic alone, 2 for each multiply and add.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gputrain import ops
from gputrain.backend.cupy import batch, conv, elementwise
from gputrain.ir import Spec
from gputrain.ops.base import REGISTRY, Operation
from gputrain.ops.optim import flat_size

Array = Any


@dataclass(frozen=True)
class Draw:
    """A random array: floats and integers from low to high, booleans half and half."""

    dims: tuple[int, ...]
    dtype: str = "float32"
    low: float = 0.5
    high: float = 1.5

    def make(self, rng: np.random.Generator) -> np.ndarray:
        """The array."""
        if self.dtype == "bool":
            return np.asarray(rng.random(self.dims, np.float32) < 0.5)
        if self.dtype.startswith("float"):
            unit = np.asarray(rng.random(self.dims, np.float32))
            return (unit * np.float32(self.high - self.low) + np.float32(self.low)).astype(self.dtype)
        return np.asarray(rng.integers(int(self.low), int(self.high), self.dims)).astype(self.dtype)


@dataclass(frozen=True)
class Case:
    """One timing.

    Attributes:
        family: what it belongs to.
        what: an operation, or a function of values that becomes one chain.
        inputs: arrays to draw, or arrays.
        nbytes: the fewest bytes that must move; None means all inputs and outputs.
        flops: of the arithmetic that the product unit does.
        kernels: further registered kernels that run within it.
    """

    family: str
    what: Operation | Callable[..., Any]
    inputs: tuple[Draw | np.ndarray, ...]
    nbytes: int | None = None
    flops: int = 0
    kernels: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The operation, or the function's name."""
        return type(self.what).__name__ if isinstance(self.what, Operation) else self.what.__name__

    @property
    def covers(self) -> set[str]:
        """Registered kernels that it times."""
        return {self.name, *self.kernels}

    @property
    def shapes(self) -> str:
        """Shapes of the inputs, for people."""
        return " ".join("x".join(map(str, i.dims if isinstance(i, Draw) else i.shape)) for i in self.inputs)


@dataclass(frozen=True)
class Launched:
    """Launches that are no operation by themselves.

    Attributes:
        build: (device, random numbers) to (thunk, outputs, inputs, expected outputs).
        nbytes: None means all inputs and outputs.
    """

    family: str
    name: str
    shapes: str
    build: Callable[[Any, np.random.Generator], tuple[Any, list[Array], list[Array], list[np.ndarray]]]
    nbytes: int | None = None
    flops: int = 0
    covers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Sizes:
    """How large the cases are.

    Attributes:
        elements: of the flat ones.
        images: in a batch.
        rows: of tables.
        side: of square matrices.
    """

    elements: int
    images: int
    rows: int
    side: int


FULL = Sizes(elements=1 << 24, images=1024, rows=1 << 17, side=4096)
SMALLER = Sizes(elements=1 << 22, images=256, rows=1 << 15, side=2048)
TINY = Sizes(elements=1 << 10, images=2, rows=1 << 6, side=32)


def op(name: str, *args: Any, **kwargs: Any) -> Operation:
    """An operation by the name of its class."""
    return REGISTRY[name](*args, **kwargs)


# ---------------------------------------------------------------------------------------------- elementwise


def _same_shapes(inputs: Sequence[Any]) -> bool:
    shapes = {i.dims if isinstance(i, Spec) else np.shape(i) for i in inputs}
    return len(shapes) == 1


def _large(given: Any, low: float, high: float, n: int) -> Draw:
    """An input of a sample at another size."""
    dtype = given.dtype if isinstance(given, Spec) else np.asarray(given).dtype.name
    if dtype.startswith("float"):
        return Draw((n,), "float32", low, high)
    return Draw((n,), dtype, 1, 5)


def singles(sizes: Sizes) -> Iterator[Case]:
    """Every operation of one element at a time, from the first of its samples with equal shapes."""
    for name in (*elementwise.EXPRESSIONS, "Cast"):
        for sample in REGISTRY[name].samples():
            if sample.inputs and _same_shapes(sample.inputs):
                inputs = [_large(i, sample.low, sample.high, sizes.elements) for i in sample.inputs]
                read = 0 if name == "FullLike" else None
                written = sizes.elements * 4 if read == 0 else None
                yield Case("elementwise", sample.op, tuple(inputs), nbytes=written)
                break


def bias_relu(x: Any, bias: Any) -> Any:
    """What follows a convolution."""
    return ops.relu(ops.add(x, bias))


def long_chain(x: Any, y: Any) -> Any:
    """Ten operations on two arrays."""
    z = ops.multiply(ops.tanh(x), ops.sigmoid(y))
    return ops.add(ops.multiply(z, z), ops.exp(ops.negative(ops.abs(ops.subtract(x, ops.maximum(y, z))))))


def relu_gradient_columns(ct: Any, x: Any) -> tuple[Any, Any]:
    """The gradient of relu, and its sum over rows, which is that of the bias."""
    gradient = ops.where(ops.greater(x, 1.0), ct, 0.0)
    return gradient, ops.sum(gradient, axis=0)


def chains(sizes: Sizes) -> Iterator[Case]:
    """Operations that run as one generated kernel."""
    rows = max(1, sizes.elements // 32)
    both = (Draw((sizes.elements,)), Draw((sizes.elements,)))
    yield Case("chains", bias_relu, (Draw((rows, 32)), Draw((32,))), kernels=("Fused",))
    yield Case("chains", long_chain, both, kernels=("Fused",))
    yield Case("chains", relu_gradient_columns, (Draw((rows, 32)), Draw((rows, 32))), kernels=("Fused",))


# ----------------------------------------------------------------------------------- reductions and softmax


def reductions(sizes: Sizes) -> Iterator[Case]:
    """Over everything, down columns and along rows."""
    n, rows = sizes.elements, max(1, sizes.elements // 128)
    flat, table, truths = Draw((n,)), Draw((rows, 128)), Draw((n,), "bool")
    yield Case("reductions", op("Sum", (0,)), (flat,))
    yield Case("reductions", op("Sum", (0,)), (table,))
    yield Case("reductions", op("Sum", (1,)), (table,))
    yield Case("reductions", op("Mean", (0,)), (table,))
    yield Case("reductions", op("SumTo", (128,)), (table,))
    yield Case("reductions", op("Prod", (1,)), (Draw((rows, 128), low=0.99, high=1.01),))
    for name in ("Max", "Min"):
        yield Case("reductions", op(name, (1,)), (table,))
    for name in ("ArgMax", "ArgMin"):
        yield Case("reductions", op(name, 1), (Draw((rows * 8, 10)),))
    for name in ("AllTrue", "AnyTrue"):
        yield Case("reductions", op(name, (0,)), (truths,))


def softmaxes(sizes: Sizes) -> Iterator[Case]:
    """Short rows, as of ten classes, and long ones."""
    for columns in (10, 1000):
        rows = max(1, sizes.elements // columns)
        logits, classes = Draw((rows, columns), low=-2, high=2), Draw((rows,), "int64", 0, columns)
        target = Draw((rows, columns), low=0.01, high=1)
        yield Case("softmax", op("Softmax"), (logits,))
        yield Case("softmax", op("LogSoftmax"), (logits,))
        yield Case("softmax", op("SparseSoftmaxCrossentropy"), (classes, logits))
        yield Case("softmax", op("SoftmaxCrossentropy"), (target, logits))
        yield Case("softmax", op("CategoricalCrossentropy"), (target, target))


# ------------------------------------------------------------------------------- products and convolutions


def products(sizes: Sizes) -> Iterator[Case]:
    """A large product, and the dense layer of the reference CNN with both of its gradients."""
    n, side = sizes.images, sizes.side
    yield _product((side, side), (side, side))
    yield _product((n, 5408), (5408, 128))
    yield _product((n, 5408), (n, 128), transpose_a=True)
    yield _product((n, 128), (5408, 128), transpose_b=True)


def long_sums(sizes: Sizes) -> Iterator[Case]:
    """The filters' gradient of the reference CNN as a product: 9 x 32 sums over 128 x 26 x 26 rows."""
    rows = min(sizes.images, 128) * 26 * 26
    yield _product((rows, 9), (rows, 32), family="wgrad", transpose_a=True)


def _product(a: tuple[int, int], b: tuple[int, int], family: str = "products", **transposes: bool) -> Case:
    flops = 2 * a[0] * a[1] * (b[0] if transposes.get("transpose_b") else b[1])
    return Case(family, op("MatMul", **transposes), (Draw(a), Draw(b)), flops=flops)


CONVOLUTIONS = (  # images' size, channels, filters, padding
    (28, 1, 32, "valid"),
    (32, 16, 16, "same"),
    (8, 64, 64, "same"),
)


def convolutions(sizes: Sizes) -> Iterator[Case]:
    """3x3, forward and both gradients: the reference CNN's and two of a ResNet."""
    for size, channels, filters, padding in CONVOLUTIONS:
        out = size - 2 if padding == "valid" else size
        x, y = Draw((sizes.images, size, size, channels)), Draw((sizes.images, out, out, filters))
        w = Draw((3, 3, channels, filters))
        flops = 2 * math.prod(y.dims) * 9 * channels
        yield Case("convolutions", op("Conv", padding=padding), (x, w), flops=flops)
        yield Case("convolutions", op("ConvInputGrad", (size, size), padding=padding), (y, w), flops=flops)
        yield Case("convolutions", op("ConvFilterGrad", (3, 3), padding=padding), (x, y), flops=flops)


def depthwise_convolutions(sizes: Sizes) -> Iterator[Case]:
    """3x3 on each of 64 channels by itself, forward and both gradients."""
    x, w, how = Draw((min(sizes.images, 256), 32, 32, 64)), Draw((3, 3, 1, 64)), {"groups": 64}
    flops = 2 * math.prod(x.dims) * 9
    yield Case("depthwise", op("Conv", padding="same", **how), (x, w), flops=flops)
    yield Case("depthwise", op("ConvInputGrad", (32, 32), padding="same", **how), (x, w), flops=flops)
    yield Case("depthwise", op("ConvFilterGrad", (3, 3), padding="same", **how), (x, x), flops=flops)


def pooled_convolutions(sizes: Sizes) -> Iterator[Case]:
    """The reference CNN's convolution and pooling in one."""
    both = op("Conv"), op("MaxPool", (2, 2), (2, 2))
    x, dy = Draw((sizes.images, 28, 28, 1)), Draw((sizes.images, 13, 13, 32))
    winner = Draw(dy.dims, "uint8", 0, 4)
    flops = 2 * sizes.images * 26 * 26 * 32 * 9
    yield Case("convolutions", op("ConvMaxPool", *both), (x, Draw((3, 3, 1, 32))), flops=flops)
    yield Case("convolutions", op("ConvMaxPoolFilterGrad", *both, (3, 3)), (x, dy, winner), flops=flops)


def pools(sizes: Sizes) -> Iterator[Case]:
    """2x2 pooling behind the reference CNN's convolution."""
    x, dy = Draw((sizes.images, 26, 26, 32)), Draw((sizes.images, 13, 13, 32))
    winner, window = Draw(dy.dims, "uint8", 0, 4), ((2, 2), (2, 2))
    yield Case("pooling", op("MaxPool", *window), (x,))
    yield Case("pooling", op("MaxPoolGrad", (26, 26), *window), (dy, winner))
    # One element of each window is needed, but memory moves in sectors that hold all of them.
    yield Case("pooling", op("MaxPoolGather", *window), (x, winner))
    yield Case("pooling", op("AveragePool", *window), (x,))
    yield Case("pooling", op("AveragePoolGrad", (26, 26), *window), (dy,))


def _geometry(sizes: Sizes, size: int, channels: int, filters: int, padding: str) -> conv.Geometry:
    shape = (sizes.images, size, size, channels)
    return conv.Geometry.of(op("Conv", padding=padding), shape, (3, 3), filters, "float32")


def _patches(x: np.ndarray, g: conv.Geometry) -> np.ndarray:
    """The im2col matrix by slices of the padded images."""
    (top, bottom), (left, right) = g.window.pads
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    height, width = g.window.out
    parts = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return np.stack(parts, axis=3).reshape(1, -1, g.patch)


def _images(cols: np.ndarray, g: conv.Geometry) -> np.ndarray:
    """Sums of patches where they came from, in float64."""
    (top, bottom), (left, right) = g.window.pads
    (rows, columns), (height, width) = g.window.size, g.window.out
    padded = np.zeros((g.images, rows + top + bottom, columns + left + right, g.channels))
    parts = cols.reshape(g.images, height, width, 9, g.channels)
    for k in range(9):
        padded[:, k // 3 : k // 3 + height, k % 3 : k % 3 + width] += parts[:, :, :, k]
    return padded[:, top : top + rows, left : left + columns].astype(np.float32)


def layouts(sizes: Sizes) -> Iterator[Launched]:
    """im2col and col2im by themselves."""
    for size, channels, filters, padding in CONVOLUTIONS:
        g = _geometry(sizes, size, channels, filters, padding)
        images = conv.images_at_once(g.images, g.bytes_per_image)
        g = _geometry(Sizes(0, images, 0, 0), size, channels, filters, padding)
        shape = f"{images}x{size}x{size}x{channels}"
        yield Launched("im2col", "im2col", shape, _im2col(g))
        yield Launched("im2col", "col2im", shape, _col2im(g))


def _im2col(g: conv.Geometry) -> Any:
    def build(gpu: Any, rng: np.random.Generator) -> Any:
        host = Draw((g.images, *g.window.size, g.channels)).make(rng)
        x, cols = gpu.asarray(host), gpu.empty(g.cols(g.images).dims, g.dtype)
        return conv.im2col(gpu, g, x, cols, 0, g.images), [cols], [x], [_patches(host, g)]

    return build


def _col2im(g: conv.Geometry) -> Any:
    def build(gpu: Any, rng: np.random.Generator) -> Any:
        host = Draw(g.cols(g.images).dims).make(rng)
        cols, x = gpu.asarray(host), gpu.empty((g.images, *g.window.size, g.channels), g.dtype)
        return conv.col2im(gpu, g, cols, x, 0, g.images), [x], [cols], [_images(host, g)]

    return build


# ------------------------------------------------------------------------------------- normalization, draws


def normalizations(sizes: Sizes) -> Iterator[Case]:
    """Batch normalization of a ResNet's images, layer normalization of a table."""
    x, weight = Draw((sizes.images, 32, 32, 16), low=-1, high=2), Draw((16,))
    yield Case("normalization", op("BatchNorm", 1e-3), (x, weight, weight))
    yield Case("normalization", op("BatchNormGrad", 1e-3), (x, x, weight, weight, weight))
    yield Case("normalization", op("BatchNormWeightGrad", 1e-3), (x, x, weight, weight))
    table, of_row, of_column = Draw((sizes.rows, 256), low=-1, high=2), Draw((sizes.rows,)), Draw((256,))
    yield Case("normalization", op("LayerNorm", 1e-3), (table, of_column, of_column))
    yield Case("normalization", op("LayerNormGrad"), (table, table, of_column, of_row, of_row))


def draws(sizes: Sizes) -> Iterator[Case]:
    """Dropout and the words of Philox."""
    n, step = sizes.elements, np.array(3, np.int64)
    yield Case("random", op("Dropout", 0.25, 7, 11), (Draw((n,)), step))
    for name in ("RandomUniform", "RandomNormal"):
        yield Case("random", op(name, (n,), "float32", 7, 11), (step,))


# ------------------------------------------------------------------------------------------------ recurrence


def recurrences(sizes: Sizes) -> Iterator[Case]:
    """Sixteen steps of 128 units, forward as in training, and back."""
    batch, steps, units = sizes.images, 16, 128
    cells = (("LSTM", 4, 2, 0, 1), ("GRU", 3, 1, 1, 1), ("Simple", 1, 1, 0, 0))
    state, before = Draw((batch, units), low=-1, high=1), Draw((batch, steps, units), low=-1, high=1)
    for name, gates, states, biases, extras in cells:
        width = gates * units
        kernel, flops = Draw((units, width), low=-0.1, high=0.1), 2 * batch * steps * units * width
        projected = Draw((batch, steps, width), low=-1, high=1)
        weights = (kernel, *[Draw((width,), low=-1, high=1)] * biases)
        start = (projected, *[state] * states, *weights)
        yield Case("recurrence", op(f"{name}Steps", keeps=True), start, flops=flops)
        kept = (Draw((steps, batch, width), low=-0.9, high=0.9), before)
        kept += (Draw((steps, batch, units), low=-1, high=1),) * extras
        backward = op(f"{name}StepsGrad", (True, *[False] * states))
        yield Case("recurrence", backward, (before, kernel, *kept), flops=2 * flops)


# ------------------------------------------------------------------------------------------------- attention


def attentions(sizes: Sizes) -> Iterator[Case]:
    """Four heads of 64 over 128 places, forward and back, each place sees all and those before it."""
    batch, places, heads, size = sizes.images, 128, 4, 64
    tensor = Draw((batch, places, heads, size), low=-1, high=1)
    row = Draw((batch, places, heads), low=5, high=6)
    flops = 4 * batch * heads * places * places * size
    for causal in (False, True):
        forward = op("DotProductAttention", size**-0.5, causal=causal)
        backward = op("DotProductAttentionGrad", size**-0.5, causal=causal)
        yield Case("attention", forward, (tensor,) * 3, flops=flops)
        yield Case("attention", backward, (*(tensor,) * 4, row, row), flops=5 * flops // 2)


# ------------------------------------------------------------------------------------- indexing and movement


def indexed(sizes: Sizes) -> Iterator[Case]:
    """An embedding of 128 columns and its gradient; one element of each row of a table."""
    rows = sizes.rows
    places, table = Draw((rows,), "int32", 0, rows), Draw((rows, 128))
    nbytes = rows * (2 * 128 * 4 + 4)  # a row read and a row written for each place
    yield Case("indexing", op("Take", 0), (table, places), nbytes=nbytes)
    yield Case("indexing", op("ScatterAdd", 0, rows), (table, places))
    along = Draw((rows, 8), "int32", 0, 128)
    yield Case("indexing", op("TakeAlongAxis", 1), (table, along), nbytes=rows * 8 * (4 + 4 + 4))
    yield Case("indexing", op("ScatterAddAlongAxis", 1, 128), (Draw((rows, 8)), along))
    yield Case("indexing", op("OneHot", 100, 1, "float32"), (Draw((rows,), "int32", 0, 100),))


def gathers(sizes: Sizes) -> Iterator[Launched]:
    """A shuffled batch, copied and converted from uint8."""
    for dtype in ("float32", "uint8"):
        nbytes = sizes.images * (784 * (np.dtype(dtype).itemsize + 4) + 8)
        name, shapes = f"gather_rows from {dtype}", f"{sizes.images} of {8 * sizes.images}x784"
        yield Launched("gather", name, shapes, _gather(dtype, sizes.images), nbytes)


def _gather(dtype: str, images: int) -> Any:
    def build(gpu: Any, rng: np.random.Generator) -> Any:
        host = Draw((8 * images, 784), dtype, 0, 200).make(rng)
        order = rng.permutation(8 * images)
        source, rows = gpu.asarray(host), gpu.asarray(order)
        cursor, out = gpu.zeroed((), "int64"), gpu.empty((images, 784), "float32")
        thunk = batch.gather_rows(gpu, [source], rows, cursor, [out], 0)
        return thunk, [out], [source, rows], [host[order[:images]].astype(np.float32)]

    return build


def movements(sizes: Sizes) -> Iterator[Case]:
    """Copies that change the order or the number of elements."""
    side = sizes.side
    square, half = Draw((side, side)), side // 2
    upper = ((0, half, None), (None, None, None))  # x[:half]
    yield Case("movement", op("Transpose", (1, 0)), (square,))
    yield Case("movement", op("Transpose", (0, 2, 1, 3)), (Draw((4, side // 32, side // 8, 64)),))
    yield Case("movement", op("BroadcastTo", (side, side)), (Draw((side,)),))
    yield Case("movement", op("Concatenate", 1), (square, square))
    yield Case("movement", op("Split", 2, 1), (square,))
    yield Case("movement", op("Pad", ((1, 1), (1, 1))), (square,))
    yield Case("movement", op("Flip", (1,)), (square,))
    yield Case("movement", op("Roll", half, 1), (square,))
    yield Case("movement", op("GetItem", upper), (square,), nbytes=2 * 4 * half * side)
    yield Case("movement", op("GetItemGrad", upper, (side, side)), (Draw((half, side)),))


# ------------------------------------------------------------------------------------------------ optimizers


def _segments(sizes: Sizes) -> tuple[int, ...]:
    """Weights of four layers, with biases of odd lengths."""
    quarter = max(1, sizes.elements // 4)
    return (quarter, 128, quarter, 33, quarter, 10, quarter)


def updates(sizes: Sizes) -> Iterator[Case]:
    """Optimizer steps over all weights, out of place."""
    segments = _segments(sizes)
    decay = tuple(n > 128 for n in segments)
    total, weights = Draw((flat_size(segments),)), tuple(Draw((n,)) for n in segments)
    start = (np.array(True), np.array(1e-3, np.float32), np.array(4, np.int64), total)
    for found in (
        op("SGDUpdate", segments, decay),
        op("SGDUpdate", segments, decay, momentum=0.9),
        op("RMSpropUpdate", segments, decay),
        op("AdamUpdate", segments, decay, weight_decay=0.01),
    ):
        slots = (total,) * found.slots  # type: ignore[attr-defined]
        yield Case("optimizers", found, (*start, *slots, *weights))


def flat_vectors(sizes: Sizes) -> Iterator[Case]:
    """What surrounds an update: packing, the flag, clipping."""
    segments = _segments(sizes)
    parts, flat = tuple(Draw((n,)) for n in segments), Draw((flat_size(segments),))
    moved = 4 * 2 * sum(segments)
    yield Case("optimizers", op("Pack"), parts)
    yield Case("optimizers", op("AllFinite"), parts)
    yield Case("optimizers", op("Gate", len(parts)), (np.array(True), *parts, *parts), nbytes=moved)
    yield Case("optimizers", op("ClipFactors", segments, 1.5, True), (flat,))
    yield Case("optimizers", op("ScaleSegments", segments), (flat, Draw((len(segments),))))


MAKERS: tuple[Callable[[Sizes], Iterator[Case | Launched]], ...] = (
    layouts,
    convolutions,
    depthwise_convolutions,
    pooled_convolutions,
    pools,
    products,
    long_sums,
    softmaxes,
    singles,
    chains,
    reductions,
    normalizations,
    draws,
    recurrences,
    attentions,
    indexed,
    gathers,
    movements,
    updates,
    flat_vectors,
)


def all_cases(sizes: Sizes) -> list[Case | Launched]:
    """Every case."""
    return [case for make in MAKERS for case in make(sizes)]

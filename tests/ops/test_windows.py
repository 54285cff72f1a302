"""Convolution and pooling of sequences, images and volumes: references, arguments, sizes, errors."""

from __future__ import annotations

import importlib.util
import math
from typing import Any

import numpy as np
import pytest

from gputrain import ops
from gputrain.compiler import gradients
from gputrain.compiler.rewrite import optimize
from gputrain.errors import DTypeError, ShapeError
from gputrain.ir import Graph, Spec, Value
from gputrain.ops.base import REGISTRY, Sample, spec_of
from gputrain.ops.convolution import Conv, ConvInputGrad
from gputrain.ops.pool import AveragePool, MaxPool
from gputrain.ops.window import Window
from gputrain.runtime import interpret
from tests.on_device import host
from tests.ops.test_operations import make_inputs, references
from tests.tolerances import assert_close

FAMILIES = (
    *("Conv", "ConvInputGrad", "ConvFilterGrad", "ConvMaxPool", "ConvMaxPoolFilterGrad"),
    *("MaxPool", "MaxPoolGrad", "MaxPoolGather", "AveragePool", "AveragePoolGrad"),
)
SAMPLES = [
    pytest.param(s, id=f"{name}-{i}") for name in FAMILIES for i, s in enumerate(REGISTRY[name].samples())
]


@pytest.mark.cpu_only("references run on NumPy")
@pytest.mark.parametrize("sample", SAMPLES)
def test_the_plain_reference_agrees_with_loops(sample: Sample) -> None:
    """`compute` itself, which a device's own kernel stands before."""
    inputs = make_inputs(sample, "float64")
    specs = [spec_of(x) for x in inputs]
    outs = [np.full(s.dims, 99, s.dtype) for s in sample.op.output_specs(*specs)]
    scratch = tuple(np.full(s.dims, 98, s.dtype) for s in sample.op.scratch(*specs))
    sample.op.compute(np, outs[0] if len(outs) == 1 else tuple(outs), *inputs, scratch=scratch)
    for out, expected in zip(outs, references(sample, inputs), strict=True):
        assert_close(out, expected, "float64", str(sample.op))


@pytest.mark.parametrize("name", FAMILIES)
def test_samples_cover_sequences_images_and_volumes(name: str) -> None:
    ranks = {len(getattr(s.op, "conv", s.op).strides) for s in REGISTRY[name].samples()}
    assert ranks == {1, 2, 3}


# ------------------------------------------------------------------------------------------------------ sizes


@pytest.mark.parametrize("size", range(1, 9))
@pytest.mark.parametrize("kernel, stride, dilation", [(1, 1, 1), (3, 1, 2), (2, 3, 1), (4, 2, 1), (3, 4, 3)])
def test_positions_are_those_that_can_be_counted(size: int, kernel: int, stride: int, dilation: int) -> None:
    """A window at position p covers p * stride ... p * stride + reach of the padded axis."""
    reach = (kernel - 1) * dilation
    for padding in ("valid", "same", "causal", ((2, 1),)):
        window = Window((size,), (kernel,), (stride,), (dilation,), padding)
        ((before, after),) = window.pads
        starts = range(0, before + size + after - reach, stride)
        assert max(window.out[0], 0) == len(starts)
        assert window.padded_size == (before + size + after,)
        if padding == "same":
            assert window.out == (math.ceil(size / stride),)
            assert after - before in (0, 1)
        if padding == "causal":
            assert (before, after) == (reach, 0)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_causal_and_explicit_padding_are_padding_by_hand(rank: int) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, *(5, 4, 3)[:rank], 2)), rng.normal(size=(*(3, 2, 2)[:rank], 2, 3))
    pairs = [(2, 0), (1, 3), (0, 1)][:rank]
    padded = np.pad(x, [(0, 0), *pairs, (0, 0)])
    expected = host(ops.conv(padded, w))
    assert_close(host(ops.conv(x, w, padding=pairs)), expected, "float64")
    if rank == 1:
        assert_close(host(ops.conv(x, w, padding="causal")), expected, "float64")


def test_causal_convolution_sees_nothing_of_what_comes_after() -> None:
    x, w = np.zeros((1, 8, 1)), np.ones((3, 1, 1))
    x[0, 4] = 1
    seen = host(ops.conv(x, w, padding="causal", dilation_rate=2))[0, :, 0]
    assert seen.tolist() == [0, 0, 0, 0, 1, 0, 1, 0]


def transposed_size(n: int, k: int, stride: int, padding: str, extra: int | None) -> int:
    """Keras's rule, written out."""
    if padding == "valid":
        return (n - 1) * stride + k + (max(k, stride) - k if extra is None else extra)
    return n * stride if extra is None else (n - 1) * stride + k % 2 + extra


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    "kernel, stride, dilation", [(3, 2, 1), (2, 2, 1), (1, 3, 1), (2, 3, 2), (4, 1, 1), (5, 4, 1)]
)
def test_size_of_a_transposed_convolution(kernel: int, stride: int, dilation: int, padding: str) -> None:
    for extra in (None, *range(stride)):
        for n in (1, 3, 4):
            size = transposed_size(n, (kernel - 1) * dilation + 1, stride, padding, extra)
            if size < 1:
                continue
            x, w = np.ones((1, n, 2), "f4"), np.ones((kernel, 3, 2), "f4")
            made = ops.conv_transpose(x, w, stride, padding, extra, dilation_rate=dilation)
            assert made.shape == (1, size, 3)
            value = ops.conv_transpose(
                Value(Spec((None, None, 2))), w, stride, padding, extra, None, dilation
            )
            assert value.shape == (None, None, 3)


@pytest.mark.peer
@pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="keras is not installed")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    "kernel, stride, dilation", [(3, 2, 1), (2, 3, 1), (4, 2, 1), (2, 1, 2), (1, 2, 1), (3, 3, 1)]
)
def test_transposed_convolution_is_keras_s(
    kernel: int, stride: int, dilation: int, padding: str, rank: int
) -> None:
    keras = pytest.importorskip("keras")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, *(4, 3, 2)[:rank], 3)).astype("f4")
    w = rng.normal(size=(*(kernel,) * rank, 2, 3)).astype("f4")
    for extra in (None, *range(stride)):
        if padding == "same" and extra == 0 and kernel % 2 == 0 and rank == 3:
            continue  # a size of 2 - 1 and fewer elements
        theirs = keras.ops.conv_transpose(x, w, stride, padding, extra, None, dilation)
        ours = ops.conv_transpose(x, w, stride, padding, extra, None, dilation)
        assert_close(host(ours), np.asarray(theirs), "float32", f"output_padding {extra}")


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_depthwise_and_separable_convolution(rank: int) -> None:
    """Channel by channel, M filters each, then a product over all of them."""
    rng = np.random.default_rng(1)
    x, each = rng.normal(size=(2, *(5, 4, 4)[:rank], 3)), rng.normal(size=(*(2, 3, 2)[:rank], 3, 2))
    mix = rng.normal(size=(*(1,) * rank, 6, 4))
    parts = [host(ops.conv(x[..., c : c + 1], each[..., c : c + 1, :], 2, "same")) for c in range(3)]
    deep = np.concatenate(parts, axis=-1)
    assert_close(host(ops.depthwise_conv(x, each, 2, "same")), deep, "float64")
    mixed = deep @ mix.reshape(6, 4)
    assert_close(host(ops.separable_conv(x, each, mix, 2, "same")), mixed, "float64")


@pytest.mark.parametrize("rank, pool", [(1, 3), (1, (3,)), (2, (2, 3)), (3, 2), (3, (1, 2, 2))])
def test_pooling_takes_its_rank_from_what_is_given(rank: int, pool: Any) -> None:
    x = np.random.default_rng(2).normal(size=(2, *(7, 6, 5)[:rank], 3)).astype("f4")
    size = (pool,) * rank if isinstance(pool, int) else pool
    shape = (2, *(n // k for n, k in zip(x.shape[1:-1], size, strict=True)), 3)
    assert ops.max_pool(x, pool).shape == ops.average_pool(x, pool).shape == shape
    assert ops.max_pool(Value(Spec((None, *x.shape[1:]))), pool).shape == (None, *shape[1:])


def test_the_winner_is_a_byte_where_one_can_say_it() -> None:
    volume = Spec((1, 9, 9, 9, 1))
    assert MaxPool((4, 8, 8), (1, 1, 1)).infer(volume)[1].dtype == "uint8"
    assert MaxPool((7, 7, 7), (1, 1, 1)).infer(volume)[1].dtype == "int32"
    x = np.zeros((1, 9, 9, 9, 1), "f4")
    x[0, 6, 6, 6] = 1
    best, winner = ops.apply(MaxPool((7, 7, 7), (7, 7, 7)), x)
    assert (host(best).item(), host(winner).item()) == (1.0, 342)


WINDOWED = [
    (MaxPool((2,), (2,)), 1),
    (MaxPool((3,), (1,), "same"), 1),
    (MaxPool((3,), (2,), ((1, 2),)), 2),
    (MaxPool((2, 3), (1, 2), "same"), 3),
]


@pytest.mark.parametrize("op, channels", WINDOWED)
def test_a_nan_ends_the_search_for_a_winner(op: MaxPool, channels: int) -> None:
    """It is the largest; the winner, that of the elements before it. The same on all devices."""
    rng = np.random.default_rng(1)
    x = rng.choice([0.0, 1.0, 2.0, np.nan, np.inf, -np.inf], (4, *[9] * len(op.pool), channels)).astype("f4")
    best, winner = map(host, ops.apply(op, x))
    border = Window(x.shape[1:-1], op.pool, op.strides, (1,) * len(op.pool), op.padding)
    inside = border.bordered(np, np.ones_like(x), np.empty((4, *border.padded_size, channels), "f4"))
    framed = border.bordered(np, x, np.empty((4, *border.padded_size, channels), "f4"), -np.inf)
    expected, value = np.full(winner.shape, -1), np.full(best.shape, -np.inf, "f4")
    for tap, (_, met) in enumerate(border.taps()):
        counts, element = inside[met] == 1, framed[met]
        first = counts & (expected < 0)
        larger = counts & (element > value)
        expected[first | larger] = tap
        value = np.where(counts, np.maximum(value, element), value)
    np.testing.assert_array_equal(best, value)
    np.testing.assert_array_equal(winner, expected)


def test_convolution_and_pooling_as_one_find_the_same_winner_beside_a_nan() -> None:
    x = np.random.default_rng(2).choice([0.0, 1.0, 2.0, np.nan], (3, 8, 8, 1)).astype("f4")
    image, pool, identity = Value(Spec(x.shape)), MaxPool((2, 2), (2, 2)), np.eye(1, dtype="f4")[None, None]
    pooled = ops.apply(pool, ops.conv(image, ops.constant(identity)))
    graph = optimize(Graph([image], list(pooled)))
    assert [type(node.op).__name__ for node in graph.nodes if node.inputs] == ["ConvMaxPool"]
    for found, expected in zip(interpret(graph, [x]), ops.apply(pool, x), strict=True):
        np.testing.assert_array_equal(host(found), host(expected))


def test_a_transposed_convolution_may_leave_nothing() -> None:
    one, w = np.ones((2, 1, 3), "f4"), np.ones((2, 4, 3), "f4")
    assert ops.conv_transpose(one, w, 1, "same", 0).shape == (2, 0, 4)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_convolution_and_pooling_side_by_side_become_one(rank: int) -> None:
    """With bias and activation behind it, at every rank, and the same values."""
    rng = np.random.default_rng(3)
    arrays = [
        rng.normal(size=(2, *(9, 8, 7)[:rank], 2)),
        rng.normal(size=(*(3, 2, 2)[:rank], 2, 4)),
        rng.normal(size=4),
    ]

    def step(x: Any, w: Any, bias: Any) -> Any:
        return ops.max_pool(ops.relu(ops.conv(x, w, padding="same") + bias), 2)

    values = [Value(Spec(a.shape, "float64")) for a in arrays]
    y = step(*values)
    (of_filters,) = gradients(ops.sum(ops.square(y)), [values[1]])
    assert of_filters is not None
    graph = Graph(values, [y, of_filters])
    plain = interpret(graph, arrays)
    rewritten = optimize(graph)
    names = {type(node.op).__name__ for node in rewritten.nodes}
    assert {"ConvMaxPool", "ConvMaxPoolFilterGrad"} <= names
    assert not {"Conv", "MaxPool", "MaxPoolGrad"} & names
    for found, expected in zip(interpret(rewritten, arrays), plain, strict=True):
        assert_close(host(found), host(expected), "float64")


# ----------------------------------------------------------------------------------------------------- errors

SEQUENCE, IMAGE, VOLUME = (np.zeros((2, *size, 4), "f4") for size in ((6,), (6, 6), (6, 6, 6)))


def filters(*shape: int) -> np.ndarray:
    return np.zeros(shape, "f4")


@pytest.mark.parametrize(
    "make, text",
    [
        (
            lambda: ops.conv(SEQUENCE, filters(3, 3, 4, 1)),
            r"Conv needs images \(N, H, W, C\) and filters \(KH, KW, C",
        ),
        (
            lambda: ops.conv(IMAGE, filters(3, 4, 1)),
            r"Conv needs sequences \(N, T, C\) and filters \(K, C/groups, F",
        ),
        (
            lambda: ops.conv(IMAGE, filters(3, 3, 3, 4, 1)),
            r"Conv needs volumes \(N, D, H, W, C\) and filters \(KD, KH",
        ),
        (
            lambda: ops.conv(IMAGE[0], filters(3, 3, 4, 1)),
            r"Grey images need a channel axis: x.reshape\(-1, height",
        ),
        (lambda: ops.conv(SEQUENCE[0], filters(3, 4, 1)), r"needs a channel axis: x.reshape\(-1, time, 1\)"),
        (
            lambda: ops.conv(IMAGE, filters(3, 4)),
            r"Conv needs images .* Received: \(2, 6, 6, 4\) and \(3, 4\)",
        ),
        (
            lambda: ops.conv(SEQUENCE, filters(7, 4, 1)),
            r"filter is larger than the sequence\. .*sequence \(6,\), filter \(7,\)",
        ),
        (
            lambda: ops.conv(IMAGE, filters(3, 7, 4, 1)),
            r"filter is larger than the image\. .*filter \(3, 7\), dilation \(1, 1\)",
        ),
        (
            lambda: ops.conv(VOLUME, filters(3, 3, 4, 4, 1), dilation_rate=2),
            r"filter is larger than the volume",
        ),
        (lambda: ops.conv(SEQUENCE, filters(3, 3, 2)), r"the sequences' channels divided by groups"),
        (lambda: ops.conv(VOLUME, filters(1, 1, 1, 2, 3)), r"number of filters must be divisible by groups"),
        (
            lambda: ops.depthwise_conv(SEQUENCE, filters(3, 3, 1)),
            r"depthwise_conv needs sequences .* filters \(K, C, M\)",
        ),
        (
            lambda: ops.conv_transpose(IMAGE, filters(3, 3, 1, 5)),
            r"Transposed convolution: filters .* channels, F",
        ),
        (
            lambda: ops.conv_transpose(IMAGE[0], filters(3, 3, 1, 4)),
            r"Transposed convolution needs images \(N, H, W, F\)",
        ),
        (
            lambda: ops.apply(ConvInputGrad((9, 9)), IMAGE, filters(3, 3, 1, 4)),
            r"must give the sizes of the input\. Expected: \(6, 6\)\. Received: \(7, 7\)",
        ),
        (
            lambda: ops.conv_transpose(SEQUENCE[:, :1], filters(2, 1, 4), padding=[(2, 2)]),
            r"Transposed convolution: padding cuts off more than there is",
        ),
        (lambda: ops.max_pool(SEQUENCE, 7), r"MaxPool: the window is larger than the sequence"),
        (lambda: ops.average_pool(VOLUME, (1, 1, 7)), r"AveragePool: the window is larger than the volume"),
        (lambda: ops.max_pool(SEQUENCE, (2, 2)), r"MaxPool needs images \(N, H, W, C\)"),
        (lambda: ops.average_pool(IMAGE, (2, 2, 2)), r"AveragePool needs volumes \(N, D, H, W, C\)"),
        (
            lambda: ops.max_pool(np.zeros((1, 0, 3), "f4"), 1, padding="same"),
            r"window is larger than the sequence",
        ),
    ],
)
def test_shapes_that_do_not_fit(make: Any, text: str) -> None:
    with pytest.raises(ShapeError, match=text):
        make()


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: ops.conv(IMAGE, filters(3, 3, 4, 1), 0), r"strides must be a positive int or two of them"),
        (
            lambda: ops.conv(VOLUME, filters(3, 3, 3, 4, 1), (1, 2)),
            r"strides must be a positive int or three of them",
        ),
        (
            lambda: ops.conv(SEQUENCE, filters(3, 4, 1), 1, "valid", None, (1, 1)),
            r"dilation_rate must be .* or one of",
        ),
        (
            lambda: ops.conv(IMAGE, filters(3, 3, 4, 1), padding="causal"),
            r"conv: only sequences, .* have causal padding",
        ),
        (
            lambda: ops.conv(IMAGE, filters(3, 3, 4, 1), padding="full"),
            r"conv: unknown padding\. Expected: valid, same, or",
        ),
        (
            lambda: ops.conv(SEQUENCE, filters(3, 4, 1), padding=[(-1, 0)]),
            r"conv: unknown padding\. .*valid, same, causal",
        ),
        (
            lambda: ops.conv(IMAGE, filters(3, 3, 4, 1), data_format="channels_first"),
            r"conv works channels last",
        ),
        (
            lambda: ops.conv_transpose(SEQUENCE, filters(3, 1, 4), padding="causal"),
            r"conv_transpose: only sequences",
        ),
        (
            lambda: ops.conv_transpose(SEQUENCE, filters(3, 1, 4), 2, "same", 2),
            r"output_padding must be smaller than str",
        ),
        (
            lambda: ops.conv_transpose(IMAGE, filters(3, 3, 1, 4), 2, "same", (1, 0, 0)),
            r"output_padding must be",
        ),
        (
            lambda: ops.max_pool(SEQUENCE, 2, padding=[(2, 0)]),
            r"max_pool: padding must be smaller than the window",
        ),
        (lambda: ops.average_pool(IMAGE, 0), r"pool_size must be a positive int or two of them"),
        (
            lambda: ops.average_pool(IMAGE, 2, data_format="channels_first"),
            r"average_pool works channels last",
        ),
    ],
)
def test_arguments_that_are_refused(make: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


def test_images_and_filters_of_different_dtypes_are_refused() -> None:
    with pytest.raises(DTypeError, match="Conv needs volumes and filters of one dtype"):
        Conv((1, 1, 1), "valid", (1, 1, 1)).infer(Spec((1, 3, 3, 3, 1)), Spec((1, 1, 1, 1, 1), "float64"))
    with pytest.raises(DTypeError, match="AveragePool needs floating-point input"):
        AveragePool((2,), (2,)).infer(Spec((1, 4, 1), "int32"))

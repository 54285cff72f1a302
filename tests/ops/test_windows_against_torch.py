"""Convolution, transposed convolution and pooling of every rank, with their gradients, against PyTorch."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from gputrain import ops
from gputrain.compiler import gradients
from gputrain.ir import Graph, Spec, Value
from gputrain.runtime.node_by_node import interpret
from tests.on_device import host
from tests.tolerances import assert_close

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed"),
]

SIZES = {1: (11,), 2: (7, 8), 3: (5, 6, 4)}
KERNELS = {1: (3,), 2: (3, 2), 3: (2, 3, 1)}
RANKS = pytest.mark.parametrize("rank", [1, 2, 3])


def first(array: np.ndarray) -> np.ndarray:
    """Channels last to PyTorch's channels first."""
    return np.ascontiguousarray(np.moveaxis(array, -1, 1))


def last(tensor: Any) -> np.ndarray:
    return np.moveaxis(tensor.detach().numpy(), 1, -1)


def torch_filters(w: np.ndarray) -> np.ndarray:
    """(..., C/groups, F) to (F, C/groups, ...); for transposed convolution (..., C, F) to (F, C, ...)."""
    return np.ascontiguousarray(np.moveaxis(w, (-1, -2), (0, 1)))


def our_filters(tensor: Any) -> np.ndarray:
    return np.moveaxis(tensor.detach().numpy(), (0, 1), (-1, -2))


def ours(
    f: Callable[..., Any], arrays: Sequence[np.ndarray], seed: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """(the upstream gradient, [output, a gradient for each array])."""
    values = [Value(Spec(a.shape, "float64")) for a in arrays]
    y = f(*values)
    upstream = np.random.default_rng(seed).normal(size=y.spec.dims)
    ct = Value(y.spec)
    graph = Graph([*values, ct], [y, *gradients(y, values, ct)])
    return upstream, [host(a) for a in interpret(graph, [*arrays, upstream])]


def total_border(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """What "same" adds before and after: ceil(size / stride) positions, the odd element after."""
    missing = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return missing // 2, missing - missing // 2


def border(padding: Any, sizes: Any, kernel: Any, strides: Any, dilation: Any) -> list[tuple[int, int]]:
    """(before, after) for each axis."""
    if padding == "same":
        return [total_border(*axis) for axis in zip(sizes, kernel, strides, dilation, strict=True)]
    if padding == "causal":
        return [((kernel[0] - 1) * dilation[0], 0)]
    return [(0, 0)] * len(kernel) if padding == "valid" else padding


def padded(torch: Any, x: Any, pairs: Sequence[tuple[int, int]], value: float) -> Any:
    return torch.nn.functional.pad(x, [n for pair in reversed(pairs) for n in pair], value=value)


CASES: list[dict[str, Any]] = [
    {},
    {"strides": 2},
    {"dilation_rate": 2},
    {"groups": 2},
    {"groups": 4},  # depthwise, two filters for each channel
    {"padding": "same"},
    {"padding": "same", "strides": 2},
    {"padding": "same", "strides": 3, "groups": 4},
    {"padding": "same", "dilation_rate": 2, "groups": 2},
    {"padding": "causal"},
    {"padding": "causal", "strides": 2, "dilation_rate": 2, "groups": 4},
    {"padding": "pairs", "strides": 2},
    {"padding": "pairs", "dilation_rate": 2, "groups": 4},
]


@RANKS
@pytest.mark.parametrize("case", CASES, ids=str)
def test_convolution(rank: int, case: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    how = {"padding": "valid", "strides": 1, "dilation_rate": 1, **case}
    groups = how.pop("groups", 1)
    if how["padding"] == "causal" and rank > 1:
        pytest.skip("only sequences have causal padding")
    if how["padding"] == "pairs":
        how["padding"] = [(2, 1), (0, 2), (1, 0)][:rank]
    size, kernel, rng = SIZES[rank], KERNELS[rank], np.random.default_rng(rank)
    x, w = rng.normal(size=(3, *size, 4)), rng.normal(size=(*kernel, 4 // groups, 8))
    upstream, found = ours(lambda x, w: ops.conv(x, w, **how), [x, w], 1)

    image = torch.tensor(first(x), requires_grad=True)
    filters = torch.tensor(torch_filters(w), requires_grad=True)
    steps, rates = (how["strides"],) * rank, (how["dilation_rate"],) * rank
    whole = padded(torch, image, border(how["padding"], size, kernel, steps, rates), 0.0)
    function = getattr(torch.nn.functional, f"conv{rank}d")
    output = function(whole, filters, stride=steps, dilation=rates, groups=groups)
    output.backward(torch.tensor(first(upstream)))
    expected = [last(output), last(image.grad), our_filters(filters.grad)]
    for ours_, theirs, what in zip(found, expected, ("output", "inputs", "filters"), strict=True):
        assert_close(ours_, theirs, "float64", what)


TRANSPOSED: list[tuple[int, int, int | None]] = [  # stride, dilation, output padding
    (1, 1, None),
    (2, 1, None),
    (3, 1, 0),
    (2, 1, 1),
    (3, 1, 2),
    (1, 2, 0),
    (3, 2, 1),
]


@RANKS
@pytest.mark.parametrize("stride, dilation, extra", TRANSPOSED)
@pytest.mark.parametrize("cut", [0, 1])
def test_transposed_convolution(rank: int, stride: int, dilation: int, extra: int | None, cut: int) -> None:
    torch = pytest.importorskip("torch")
    size, kernel, rng = SIZES[rank], (3,) * rank, np.random.default_rng(rank)
    x, w = rng.normal(size=(2, *size, 4)), rng.normal(size=(*kernel, 3, 4))
    how = {"padding": [(cut, cut)] * rank if cut else "valid", "output_padding": extra}

    def transpose(x: Any, w: Any) -> Any:
        return ops.conv_transpose(x, w, stride, dilation_rate=dilation, **how)

    upstream, found = ours(transpose, [x, w], 2)
    image = torch.tensor(first(x), requires_grad=True)
    filters = torch.tensor(torch_filters(w), requires_grad=True)
    function = getattr(torch.nn.functional, f"conv_transpose{rank}d")
    output = function(
        image, filters, stride=stride, padding=cut, output_padding=extra or 0, dilation=dilation
    )
    output.backward(torch.tensor(first(upstream)))
    expected = [last(output), last(image.grad), our_filters(filters.grad)]
    for ours_, theirs, what in zip(found, expected, ("output", "inputs", "filters"), strict=True):
        assert_close(ours_, theirs, "float64", what)


POOLS: list[tuple[int, int, Any]] = [  # pool size, stride, padding
    (2, 2, "valid"),
    (3, 2, "valid"),
    (2, 2, "same"),
    (3, 2, "same"),
    (3, 1, "same"),
    (2, 3, "valid"),
    (3, 2, "pairs"),
]


@RANKS
@pytest.mark.parametrize("pool, stride, padding", POOLS)
@pytest.mark.parametrize("kind", ["max", "average"])
def test_pooling(rank: int, pool: int, stride: int, padding: Any, kind: str) -> None:
    torch = pytest.importorskip("torch")
    size, rng = SIZES[rank], np.random.default_rng(rank)
    if padding == "pairs":
        padding = [(2, 1), (0, 2), (1, 0)][:rank]
    x = rng.normal(size=(2, *size, 3))
    upstream, found = ours(lambda x: getattr(ops, f"{kind}_pool")(x, pool, stride, padding), [x], 3)

    pairs = border(padding, size, (pool,) * rank, (stride,) * rank, (1,) * rank)
    image = torch.tensor(first(x), requires_grad=True)
    if kind == "max":
        whole = padded(torch, image, pairs, -float("inf"))
        output = getattr(torch.nn.functional, f"max_pool{rank}d")(whole, pool, stride)
    else:  # sums over what lies inside, by counts of the same
        average = getattr(torch.nn.functional, f"avg_pool{rank}d")
        ones = padded(torch, torch.ones_like(image), pairs, 0.0)
        output = average(padded(torch, image, pairs, 0.0), pool, stride) / average(ones, pool, stride)
    output.backward(torch.tensor(first(upstream)))
    assert_close(found[0], last(output), "float64", "output")
    assert_close(found[1], last(image.grad), "float64", "inputs")

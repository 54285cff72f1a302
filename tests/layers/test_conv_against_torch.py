"""Conv2D and MaxPooling2D with their gradients against PyTorch, padded by hand as TensorFlow pads."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

from gputrain import layers
from tests.layers.harness import run
from tests.tolerances import assert_close

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed"),
]


def pads(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Rows of padding before and after: ceil(size / stride) positions, the odd row after."""
    reach = (kernel - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def padded(torch: Any, x: Any, kernel: Any, strides: Any, dilation: Any, value: float) -> Any:
    """Images (N, C, H, W) with the border of padding="same"."""
    top, bottom = pads(x.shape[2], kernel[0], strides[0], dilation[0])
    left, right = pads(x.shape[3], kernel[1], strides[1], dilation[1])
    return torch.nn.functional.pad(x, (left, right, top, bottom), value=value)


CONVOLUTIONS = [
    {},
    {"strides": (2, 2)},
    {"dilation_rate": (2, 2)},
    {"groups": 2},
    {"kernel_size": (2, 4)},
    {"padding": "same"},
    {"padding": "same", "strides": (2, 3)},
    {"padding": "same", "kernel_size": (4, 2), "strides": (2, 1)},
    {"padding": "same", "dilation_rate": (2, 1), "kernel_size": (2, 3)},
    {"padding": "same", "strides": (2, 2), "groups": 4, "kernel_size": (1, 5)},
    {"strides": (2, 1), "dilation_rate": (1, 2), "groups": 2},
    {"padding": "same", "data_format": "channels_first", "groups": 2},
]


@pytest.mark.parametrize("size", [(7, 9), (8, 6)])
@pytest.mark.parametrize("arguments", CONVOLUTIONS, ids=str)
def test_conv(arguments: dict[str, Any], size: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    settings = {"kernel_size": (3, 3), "strides": (1, 1), "dilation_rate": (1, 1), "groups": 1, **arguments}
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, *size, 4))
    first = settings.get("data_format") == "channels_first"
    layer = layers.Conv2D(8, bias_initializer="random_normal", dtype="float64", **settings)
    given = np.moveaxis(x, -1, 1) if first else x
    shape = run(layer, [given]).output.shape
    upstream = rng.normal(size=shape)
    ours = run(layer, [given], upstream)

    image = torch.tensor(np.moveaxis(x, -1, 1).copy(), requires_grad=True)
    kernel = torch.tensor(layer.get_weights()[0].transpose(3, 2, 0, 1).copy(), requires_grad=True)
    bias = torch.tensor(layer.get_weights()[1], requires_grad=True)
    how = (settings["strides"], settings["dilation_rate"])
    whole = padded(torch, image, settings["kernel_size"], *how, 0.0) if "padding" in settings else image
    output = torch.nn.functional.conv2d(
        whole, kernel, bias, stride=how[0], dilation=how[1], groups=settings["groups"]
    )
    ct = upstream if first else np.moveaxis(upstream, -1, 1)
    (output * torch.tensor(ct.copy())).sum().backward()

    def images(t: Any) -> np.ndarray:
        return t.detach().numpy() if first else np.moveaxis(t.detach().numpy(), 1, -1)

    assert_close(ours.output, images(output), "float64", "output")
    assert_close(ours.inputs[0], images(image.grad), "float64", "inputs")
    assert_close(ours.weights[0], kernel.grad.numpy().transpose(2, 3, 1, 0), "float64", "kernel")
    assert_close(ours.weights[1], bias.grad.numpy(), "float64", "bias")


POOLINGS = [
    {},
    {"pool_size": (3, 2)},
    {"pool_size": 3, "strides": 2},
    {"pool_size": 2, "strides": (1, 3)},
    {"padding": "same"},
    {"pool_size": 3, "strides": 2, "padding": "same"},
    {"pool_size": (2, 4), "strides": (3, 1), "padding": "same"},
    {"pool_size": 3, "strides": 1, "padding": "same", "data_format": "channels_first"},
]


@pytest.mark.parametrize("size", [(7, 9), (8, 6)])
@pytest.mark.parametrize("arguments", POOLINGS, ids=str)
def test_max_pooling(arguments: dict[str, Any], size: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    layer = layers.MaxPooling2D(dtype="float64", **arguments)
    first = layer.data_format == "channels_first"
    x = rng.normal(size=(2, *size, 3))
    given = np.moveaxis(x, -1, 1) if first else x
    upstream = rng.normal(size=run(layer, [given]).output.shape)
    ours = run(layer, [given], upstream)

    image = torch.tensor(np.moveaxis(x, -1, 1).copy(), requires_grad=True)
    whole = image
    if layer.padding == "same":
        whole = padded(torch, image, layer.pool_size, layer.strides, (1, 1), -float("inf"))
    output = torch.nn.functional.max_pool2d(whole, layer.pool_size, layer.strides)
    ct = upstream if first else np.moveaxis(upstream, -1, 1)
    (output * torch.tensor(ct.copy())).sum().backward()

    def images(t: Any) -> np.ndarray:
        return t.detach().numpy() if first else np.moveaxis(t.detach().numpy(), 1, -1)

    assert_close(ours.output, images(output), "float64", "output")
    assert_close(ours.inputs[0], images(image.grad), "float64", "inputs")

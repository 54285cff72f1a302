"""PyTorch's side: the networks of `tests/networks.py`, eager, with the fused Adam."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from tests.networks import HEADS, WIDTH, WORDS, Network


def torch_step(
    network: Network, model: Any, x: np.ndarray, y: np.ndarray, batch: int
) -> Callable[[int], None]:
    """A function that runs training step number i; images are laid out as PyTorch's layers take them."""
    import torch

    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    classes = network.targets == "classes"
    loss_of = torch.nn.CrossEntropyLoss() if classes else torch.nn.BCEWithLogitsLoss()
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    if inputs.ndim == 4:
        inputs = inputs.permute(0, 3, 1, 2).contiguous()
    count = len(x) // batch

    def step(i: int) -> None:
        first = i % count * batch
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(inputs[first : first + batch]), targets[first : first + batch])
        loss.backward()
        optimizer.step()

    return step


class Torch:
    """PyTorch in a process of its own."""

    def __init__(self) -> None:
        import torch

        self.torch, self.version = torch, torch.__version__
        self.words = f"eager, Adam(fused=True), {torch.get_num_threads()} threads"

    def prepare(self, network: Network, steps: int) -> None:
        """Build the model, and data for so many steps."""
        self.torch.manual_seed(0)
        model = MODELS[network.make.__name__](self.torch.nn)
        self.step = torch_step(network, model, *network.data(steps), network.batch)

    def round(self, steps: int) -> float:
        """Seconds of so many steps."""
        start = time.perf_counter()
        for i in range(steps):
            self.step(i)
        return time.perf_counter() - start

    def product(self, rows: int) -> float:
        """Seconds of a product of two square matrices."""
        a = self.torch.ones((rows, rows))
        start = time.perf_counter()
        a @ a
        return time.perf_counter() - start

    def copy(self, nbytes: int) -> float:
        """Seconds of a copy, into memory that was written before."""
        if getattr(self, "_source", None) is None:
            self._source, self._target = (self.torch.ones(nbytes // 4) for _ in range(2))
        start = time.perf_counter()
        self._target.copy_(self._source)
        return time.perf_counter() - start


# ----------------------------------------------------------------------------------------------------- models


def reference_cnn(nn: Any) -> Any:
    """The last layer gives logits, here and below: the losses are those of logits."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25), nn.Flatten(),
        nn.Linear(5408, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10),
    )  # fmt: skip


def _dense(nn: Any, *sizes: int) -> Any:
    parts: list[Any] = []
    for before, after in pairwise(sizes):
        parts += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def _conv(nn: Any, before: int, after: int, strides: int = 1, size: int = 3) -> Any:
    conv = nn.Conv2d(before, after, size, strides, padding=size // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after))


def _residual(nn: Any, before: int, after: int, strides: int) -> Any:
    """It pads on both sides where ours, as Keras, pads at the end: the same work, a pixel apart."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = _conv(nn, before, after, strides)
            self.second = _conv(nn, after, after)
            self.kept = nn.Identity() if strides == 1 else _conv(nn, before, after, strides, size=1)
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x: Any) -> Any:
            return self.relu(self.second(self.relu(self.first(x))) + self.kept(x))

    return Block()


def resnet8(nn: Any) -> Any:
    """Three residual blocks."""
    blocks = (_residual(nn, *sizes) for sizes in ((16, 16, 1), (16, 32, 2), (32, 64, 2)))
    last = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    return nn.Sequential(_conv(nn, 3, 16), nn.ReLU(inplace=True), *blocks, *last)


def resnet18(nn: Any) -> Any:
    """Four stages of two residual blocks."""
    start = (_conv(nn, 3, 64, 2, size=7), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1))
    blocks = []
    for before, after, strides in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)):
        blocks += [_residual(nn, before, after, strides), _residual(nn, after, after, 1)]
    return nn.Sequential(*start, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


def lstm(nn: Any) -> Any:
    """Words to an LSTM of 128 units to one logit."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(WORDS, WIDTH)
            self.lstm = nn.LSTM(WIDTH, 128, batch_first=True)
            self.last = nn.Linear(128, 1)

        def forward(self, x: Any) -> Any:
            return self.last(self.lstm(self.words(x))[0][:, -1])

    return Model()


def transformer(nn: Any) -> Any:
    """Words to two blocks to one logit."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(WORDS, WIDTH)
            block = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, dropout=0.0, batch_first=True)
            self.blocks = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
            self.last = nn.Linear(WIDTH, 1)

        def forward(self, x: Any) -> Any:
            return self.last(self.blocks(self.words(x)).mean(1))

    return Model()


MODELS: dict[str, Callable[[Any], Any]] = {
    "reference_cnn": reference_cnn,
    "resnet8": resnet8,
    "mlp": lambda nn: _dense(nn, 784, 512, 512, 10),
    "autoencoder": lambda nn: _dense(nn, 784, 256, 64, 256, 784),
    "lstm": lstm,
    "transformer": transformer,
    "resnet18": resnet18,
}

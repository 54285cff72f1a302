"""Twenty steps of training against PyTorch: an MLP and a small CNN, by optimizer and clipping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.peer

STEPS = 20
RNG = np.random.default_rng(3)
ROWS = RNG.normal(size=(16, 6)).astype("float32")
IMAGES = RNG.normal(size=(8, 8, 8, 2)).astype("float32")


def _mlp() -> tuple[keras.Sequential, Any]:
    ours = keras.Sequential([keras.Input((6,)), layers.Dense(12, activation="tanh"), layers.Dense(4)])
    theirs = torch.nn.Sequential(torch.nn.Linear(6, 12), torch.nn.Tanh(), torch.nn.Linear(12, 4))
    return ours, theirs


def _cnn() -> tuple[keras.Sequential, Any]:
    ours = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(4, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )

    class ChannelsLast(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return x.permute(0, 2, 3, 1)

    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        ChannelsLast(),
        torch.nn.Flatten(),
        torch.nn.Linear(64, 4),
    )
    return ours, theirs


def _copy(ours: keras.Sequential, theirs: Any) -> None:
    """Our first weights into the peer's parameters."""
    with torch.no_grad():
        for parameter, weight in zip(theirs.parameters(), ours.get_weights(), strict=True):
            parameter.copy_(torch.from_numpy(_transposed(weight)))


def _transposed(weight: Any) -> Any:
    if weight.ndim == 4:
        return np.ascontiguousarray(weight.transpose(3, 2, 0, 1))
    return np.ascontiguousarray(weight.T)


Clip = Callable[[list[Any]], None]


def _by_norm_of_each(parameters: list[Any]) -> None:
    for parameter in parameters:
        torch.nn.utils.clip_grad_norm_([parameter], 0.1)


CLIPPING: dict[str, tuple[dict[str, float], Clip]] = {
    "none": ({}, lambda parameters: None),
    "clipnorm": ({"clipnorm": 0.1}, _by_norm_of_each),
    "clipvalue": ({"clipvalue": 0.02}, lambda parameters: torch.nn.utils.clip_grad_value_(parameters, 0.02)),
    "global_clipnorm": (
        {"global_clipnorm": 0.1},
        lambda parameters: torch.nn.utils.clip_grad_norm_(parameters, 0.1),
    ),
}
OPTIMIZERS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "sgd": (lambda **o: keras.optimizers.SGD(0.1, **o), lambda p: torch.optim.SGD(p, 0.1)),
    "momentum": (
        lambda **o: keras.optimizers.SGD(0.05, momentum=0.9, **o),
        lambda p: torch.optim.SGD(p, 0.05, momentum=0.9),
    ),
    "nesterov": (
        lambda **o: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, **o),
        lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
    ),
    # Where the peer adds epsilon differs by formula (inside or outside of a root or a correction); a tiny
    # one leaves the formulas the same. tests/optimizers has its place.
    "rmsprop": (
        lambda **o: keras.optimizers.RMSprop(0.005, rho=0.9, epsilon=1e-16, **o),
        lambda p: torch.optim.RMSprop(p, 0.005, alpha=0.9, eps=1e-8),
    ),
    "adam": (
        lambda **o: keras.optimizers.Adam(0.01, epsilon=1e-12, **o),
        lambda p: torch.optim.Adam(p, 0.01, eps=1e-12),
    ),
    "adam with weight decay": (
        lambda **o: keras.optimizers.Adam(0.01, epsilon=1e-12, weight_decay=0.1, **o),
        lambda p: torch.optim.AdamW(p, 0.01, eps=1e-12, weight_decay=0.1),
    ),
}
CASES = [(name, "none") for name in OPTIMIZERS] + [
    (name, clip) for name in ("momentum", "adam") for clip in CLIPPING if clip != "none"
]


@pytest.mark.parametrize(("name", "clip"), CASES)
@pytest.mark.parametrize("net", [_mlp, _cnn], ids=["mlp", "cnn"])
def test_twenty_steps(net: Callable[[], tuple[Any, Any]], name: str, clip: str) -> None:
    ours, theirs = net()
    _copy(ours, theirs)
    make, peer = OPTIMIZERS[name]
    options, clipped = CLIPPING[clip]
    ours.compile(make(**options), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x = ROWS if net is _mlp else IMAGES
    y = np.arange(len(x)) % 4
    losses = ours.fit(x, y, epochs=STEPS, batch_size=len(x), shuffle=False, verbose=0).history["loss"]
    expected = _peer_losses(theirs, peer(theirs.parameters()), clipped, x, y)
    np.testing.assert_allclose(losses, expected, rtol=2e-5)
    for weight, parameter in zip(ours.get_weights(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(_transposed(weight), parameter.detach().numpy(), rtol=2e-4, atol=2e-5)


def _peer_losses(theirs: Any, optimizer: Any, clipped: Clip, x: Any, y: Any) -> list[float]:
    inputs = torch.from_numpy(x if x.ndim == 2 else np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    targets = torch.from_numpy(y)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(theirs(inputs), targets)
        loss.backward()
        clipped(list(theirs.parameters()))
        optimizer.step()
        losses.append(loss.item())
    return losses

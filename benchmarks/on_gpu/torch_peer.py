"""PyTorch's side, eager or compiled: the same model, fused Adam, data and metrics on the device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.on_gpu.tasks import (
    ADAM_EPSILON,
    LEARNING_RATE,
    NORM_EPSILON,
    NORM_MOMENTUM,
    SEED,
    Data,
    Part,
    Task,
)

Weights = Mapping[str, Sequence[np.ndarray]]

REDUCE_OVERHEAD = {"mode": "reduce-overhead"}  # records CUDA graphs
TRACED_ONLY = {"backend": "aot_eager"}  # where there is no GPU: shows that the code can be compiled


def find(device: str) -> Any:
    """The module torch.

    Raises:
        ImportError: it is not installed, or has no such device.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise ImportError(f"torch {torch.__version__} sees no GPU")
    return torch


def set_tf32(torch: Any, allowed: bool) -> None:
    """Allow or forbid TF32 in products and convolutions; let cuDNN look for its fastest algorithms."""
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed
    torch.backends.cudnn.benchmark = True


def _conv(torch: Any, weights: Sequence[np.ndarray], stride: int, same: bool) -> Any:
    height, width, channels, filters = weights[0].shape
    padding = (height // 2, width // 2) if same else 0
    layer = torch.nn.Conv2d(
        channels, filters, (height, width), stride, padding=padding, bias=len(weights) > 1
    )
    _fill(torch, layer.weight, weights[0].transpose(3, 2, 0, 1))
    if len(weights) > 1:
        _fill(torch, layer.bias, weights[1])
    return layer


def _norm(torch: Any, weights: Sequence[np.ndarray]) -> Any:
    layer = torch.nn.BatchNorm2d(len(weights[0]), eps=NORM_EPSILON, momentum=1 - NORM_MOMENTUM)
    for target, source in zip(
        (layer.weight, layer.bias, layer.running_mean, layer.running_var), weights, strict=True
    ):
        _fill(torch, target, source)
    return layer


def _dense(torch: Any, weights: Sequence[np.ndarray], channels: int) -> Any:
    """A layer behind an image flattened from (C, H, W) takes its inputs in another order than ours."""
    kernel, bias = weights
    layer = torch.nn.Linear(*kernel.shape)
    if channels:
        places = len(kernel) // channels
        kernel = kernel.reshape(places, channels, -1).swapaxes(0, 1).reshape(kernel.shape)
    _fill(torch, layer.weight, kernel.T)
    _fill(torch, layer.bias, bias)
    return layer


def _fill(torch: Any, target: Any, source: np.ndarray) -> None:
    with torch.no_grad():
        target.copy_(torch.from_numpy(np.array(source, np.float32)))


def _layers(torch: Any, task: Task, weights: Weights) -> dict[str, Any]:
    """The modules of a task by name, with these weights."""
    found: dict[str, Any] = {}
    channels = flat = 0
    for part in task.parts:
        if part.kind == "conv":
            found[part.name] = _conv(torch, weights[part.name], part.stride, part.same)
            channels = part.size
        elif part.kind == "project":
            found[f"{part.name}_conv"] = _conv(torch, weights[f"{part.name}_conv"], part.stride, same=False)
            found[f"{part.name}_norm"] = _norm(torch, weights[f"{part.name}_norm"])
        elif part.kind == "norm":
            found[part.name] = _norm(torch, weights[part.name])
        elif part.kind == "flatten":
            flat = channels
        elif part.kind == "dense":
            found[part.name], flat = _dense(torch, weights[part.name], flat), 0
    return found


def build(torch: Any, task: Task, weights: Weights, exact: bool = False) -> Any:
    """The model of a task as a torch.nn.Module.

    Args:
        exact: pad strided convolutions at the end, as Keras, TensorFlow and gputrain do, at the price of a
            copy; otherwise on both sides, as PyTorch does, which shifts them by a pixel at the same work.
    """
    functional = torch.nn.functional

    def strided(layer: Any, x: Any) -> Any:
        padded = functional.pad(x, (0, 1, 0, 1))
        return functional.conv2d(padded, layer.weight, layer.bias, layer.stride)

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = torch.nn.ModuleDict(_layers(torch, task, weights))

        def apply_part(self, part: Part, x: Any) -> Any:
            match part.kind:
                case "conv" if exact and part.stride > 1:
                    return strided(self.parts[part.name], x)
                case "conv" | "norm" | "dense":
                    return self.parts[part.name](x)
                case "relu":
                    return functional.relu(x)
                case "pool":
                    return functional.max_pool2d(x, part.size)
                case "dropout":
                    return functional.dropout(x, part.rate, self.training)
                case "flatten":
                    return x.flatten(1)
                case "mean":
                    return x.mean((2, 3))
            raise AssertionError(part.kind)

        def forward(self, x: Any) -> Any:
            kept = x
            for part in task.parts:
                if part.kind == "save":
                    kept = x
                elif part.kind == "project":
                    kept = self.parts[f"{part.name}_norm"](self.parts[f"{part.name}_conv"](kept))
                elif part.kind == "add":
                    x = x + kept
                else:
                    x = self.apply_part(part, x)
            return x

    return Net()


class TorchSide:
    """A model in training.

    Args:
        torch: the module.
        task, data, weights: what is trained on what, from where.
        device: "cuda" or "cpu".
        compiled: arguments of torch.compile for forward pass, loss and metric, and so the backward pass;
            None runs them eagerly. Gather and optimizer are eager either way: PyTorch has kernels for them.
        epochs: of one round.
        exact: see `build`.
    """

    def __init__(
        self,
        torch: Any,
        task: Task,
        data: Data,
        weights: Weights,
        device: str = "cuda",
        compiled: Mapping[str, Any] | None = None,
        epochs: int = 1,
        exact: bool = False,
    ) -> None:
        self.name = "pytorch eager" if compiled is None else "torch.compile"
        self.torch, self.task, self.device, self.epochs = torch, task, device, epochs
        torch.manual_seed(SEED)
        self.net = build(torch, task, weights, exact).to(device)
        self.optimizer = self._optimizer()
        x = data.x if data.x.ndim == 2 else np.ascontiguousarray(data.x.transpose(0, 3, 1, 2))
        self.images = torch.from_numpy(x).to(device)
        self.labels = torch.from_numpy(data.y).to(device)
        self.loss_sum = torch.zeros((), device=device)
        self.correct = torch.zeros((), dtype=torch.int64, device=device)
        self.forward: Callable[..., Any] = self._forward
        self._begin: Callable[[], None] = lambda: None
        if compiled is not None:
            torch._dynamo.reset()
            self.forward = torch.compile(self._forward, **compiled)
            self._begin = torch.compiler.cudagraph_mark_step_begin

    def _optimizer(self) -> Any:
        make = partial(self.torch.optim.Adam, self.net.parameters(), lr=LEARNING_RATE, eps=ADAM_EPSILON)
        return make(fused=True)

    def _forward(self, x: Any, y: Any) -> tuple[Any, Any]:
        logits = self.net(x)
        loss = self.torch.nn.functional.cross_entropy(logits, y)
        return loss, (logits.argmax(1) == y).sum()

    def step(self, rows: Any) -> Any:
        """One training step on these rows (on the device); the loss stays there."""
        x, y = self.images.index_select(0, rows), self.labels.index_select(0, rows)
        self._begin()
        self.optimizer.zero_grad(set_to_none=True)
        loss, correct = self.forward(x, y)
        loss.backward()
        self.optimizer.step()
        with self.torch.no_grad():
            self.loss_sum += loss.detach()
            self.correct += correct
        return loss.detach()

    def round(self) -> None:
        """Train for some epochs, each with an order of its own drawn on the device."""
        batch, count = self.task.batch, len(self.labels)
        for _ in range(self.epochs):
            order = self.torch.randperm(count, device=self.device)
            for start in range(0, count, batch):
                self.step(order[start : start + batch])

    def wait(self) -> None:
        """Let the device finish."""
        if self.device == "cuda":
            self.torch.cuda.synchronize()

    def losses(self, batches: Sequence[np.ndarray]) -> list[float]:
        """The loss of each training step on these rows."""
        return [float(self.step(self.torch.from_numpy(rows).to(self.device))) for rows in batches]

    def inference_loss(self, rows: np.ndarray) -> float:
        """The loss without dropout, with the moving statistics."""
        chosen = self.torch.from_numpy(rows).to(self.device)
        self.net.eval()
        with self.torch.no_grad():
            loss = self._forward(self.images[chosen], self.labels[chosen])[0]
        self.net.train()
        return float(loss)

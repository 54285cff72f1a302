"""JAX's side: one jitted function for the whole step, its state donated, data and metrics on the device."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
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
State = dict[str, Any]

BETAS = (0.9, 0.999)


def find(device: str) -> Any:
    """The module jax.

    Raises:
        ImportError: it is not installed, or has no such device.
    """
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # others need memory too
    jax = import_module("jax")
    platform = jax.devices()[0].platform
    if (device == "cuda") != (platform in ("gpu", "cuda")):
        raise ImportError(f"jax {jax.__version__} runs on {platform}")
    return jax


def set_tf32(jax: Any, allowed: bool) -> None:
    """Allow or forbid TF32 in products and convolutions."""
    jax.config.update("jax_default_matmul_precision", "tensorfloat32" if allowed else "highest")


class Adam:
    """Adam where optax is not installed, with optax's interface (Kingma and Ba, 2015)."""

    def __init__(self, jax: Any) -> None:
        self.jax = jax

    def init(self, params: Any) -> Any:
        """The state before the first step."""
        zeros = partial(self.jax.tree.map, self.jax.numpy.zeros_like)
        return zeros(params), zeros(params), self.jax.numpy.zeros((), "int32")

    def update(self, gradients: Any, state: Any) -> tuple[Any, Any]:
        """(what to add to the parameters, the state after the step)."""
        m, v, count = state
        (b1, b2), tree, count = BETAS, self.jax.tree, count + 1
        m = tree.map(lambda a, g: b1 * a + (1 - b1) * g, m, gradients)
        v = tree.map(lambda a, g: b2 * a + (1 - b2) * g * g, v, gradients)
        c1, c2 = 1 - b1**count, 1 - b2**count
        root = self.jax.numpy.sqrt

        def move(a: Any, b: Any) -> Any:
            return -LEARNING_RATE * (a / c1) / (root(b / c2) + ADAM_EPSILON)

        return tree.map(move, m, v), (m, v, count)


def optimizer(jax: Any) -> tuple[str, Any]:
    """(its name, optax's Adam or our own)."""
    try:
        optax = import_module("optax")
    except ImportError:
        return "own Adam", Adam(jax)
    return f"optax {optax.__version__}", optax.adam(LEARNING_RATE, eps=ADAM_EPSILON)


class Forward:
    """The forward pass of a task on dicts of arrays."""

    def __init__(self, jax: Any, task: Task) -> None:
        self.jax, self.task = jax, task

    def __call__(self, params: State, moving: State, x: Any, key: Any, training: bool) -> tuple[Any, State]:
        """(logits, moving statistics after it)."""
        after, kept = dict(moving), x
        for i, part in enumerate(self.task.parts):
            if part.kind == "save":
                kept = x
            elif part.kind == "project":
                kept = self._conv(params[f"{part.name}_conv"], kept, part.stride, "SAME")
                kept = self._norm(params, after, f"{part.name}_norm", kept, training)
            elif part.kind == "add":
                x = x + kept
            elif part.kind == "norm":
                x = self._norm(params, after, part.name, x, training)
            elif part.kind == "dropout":
                x = self._dropout(x, part.rate, self.jax.random.fold_in(key, i)) if training else x
            else:
                x = self._plain(part, params, x)
        return x, after

    def _plain(self, part: Part, params: State, x: Any) -> Any:
        numpy, lax = self.jax.numpy, self.jax.lax
        match part.kind:
            case "conv":
                return self._conv(params[part.name], x, part.stride, "SAME" if part.same else "VALID")
            case "dense":
                kernel, bias = params[part.name]
                return x @ kernel + bias
            case "relu":
                return self.jax.nn.relu(x)
            case "pool":
                window = (1, part.size, part.size, 1)
                return lax.reduce_window(x, -numpy.inf, lax.max, window, window, "VALID")
            case "flatten":
                return x.reshape(x.shape[0], -1)
            case "mean":
                return x.mean((1, 2))
        raise AssertionError(part.kind)

    def _conv(self, weights: Sequence[Any], x: Any, stride: int, padding: str) -> Any:
        y = self.jax.lax.conv_general_dilated(
            x, weights[0], (stride, stride), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return y if len(weights) == 1 else y + weights[1]

    def _norm(self, params: State, moving: State, name: str, x: Any, training: bool) -> Any:
        scale, offset = params[name]
        mean, variance = moving[name]
        if training:
            mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
            moving[name] = [
                old * NORM_MOMENTUM + new * (1 - NORM_MOMENTUM)
                for old, new in zip(moving[name], (mean, variance), strict=True)
            ]
        return (x - mean) * (self.jax.lax.rsqrt(variance + NORM_EPSILON) * scale) + offset

    def _dropout(self, x: Any, rate: float, key: Any) -> Any:
        keep = self.jax.random.bernoulli(key, 1 - rate, x.shape)
        return self.jax.numpy.where(keep, x / (1 - rate), 0)


class JaxSide:
    """A model in training.

    Args:
        jax: the module.
        task, data, weights: what is trained on what, from where.
        epochs: of one round.
    """

    name = "jax jit"

    def __init__(self, jax: Any, task: Task, data: Data, weights: Weights, epochs: int = 1) -> None:
        self.jax, self.task, self.epochs = jax, task, epochs
        numpy = jax.numpy
        self.images, self.labels = numpy.asarray(data.x), numpy.asarray(data.y.astype(np.int32))
        self.forward = Forward(jax, task)
        self.optimizer_name, self.optimizer = optimizer(jax)
        self.state = self._start(weights)
        self.step: Callable[..., State] = jax.jit(self._step, donate_argnums=0)
        self.order = jax.jit(lambda key: jax.random.permutation(key, len(data.y)).astype("int32"))
        self._inference = jax.jit(self._evaluated)
        self._epoch = 0

    def _start(self, weights: Weights) -> State:
        numpy = self.jax.numpy
        arrays = {name: [numpy.asarray(a) for a in found] for name, found in weights.items()}
        params = {name: found[:2] for name, found in arrays.items()}
        return {
            "params": params,
            "moving": {name: found[2:] for name, found in arrays.items() if len(found) > 2},
            "optimizer": self.optimizer.init(params),
            "count": numpy.zeros((), "int32"),
            "loss": numpy.zeros(()),
            "loss_sum": numpy.zeros(()),
            "correct": numpy.zeros((), "int32"),
        }

    def _loss(
        self, params: State, moving: State, x: Any, y: Any, key: Any, training: bool
    ) -> tuple[Any, Any]:
        logits, after = self.forward(params, moving, x, key, training)
        numpy = self.jax.numpy
        chosen = numpy.take_along_axis(self.jax.nn.log_softmax(logits), y[:, None], 1)
        return -chosen.mean(), (after, (logits.argmax(1) == y).sum())

    def _step(self, state: State, images: Any, labels: Any, order: Any) -> State:
        """A whole training step; the next rows of the order follow from the count of steps."""
        jax, batch = self.jax, self.task.batch
        start = (state["count"] * batch) % len(order)
        rows = jax.lax.dynamic_slice(order, (start,), (batch,))
        x, y = images[rows], labels[rows]
        key = jax.random.fold_in(jax.random.key(SEED), state["count"])
        differentiate = jax.value_and_grad(self._loss, has_aux=True)
        (loss, (moving, correct)), gradients = differentiate(
            state["params"], state["moving"], x, y, key, True
        )
        updates, optimizer_state = self.optimizer.update(gradients, state["optimizer"])
        return {
            "params": jax.tree.map(lambda p, u: p + u, state["params"], updates),
            "moving": moving,
            "optimizer": optimizer_state,
            "count": state["count"] + 1,
            "loss": loss,
            "loss_sum": state["loss_sum"] + loss,
            "correct": state["correct"] + correct,
        }

    def _evaluated(self, state: State, x: Any, y: Any) -> Any:
        return self._loss(state["params"], state["moving"], x, y, None, False)[0]

    def round(self) -> None:
        """Train for some epochs, each with an order of its own drawn on the device."""
        for _ in range(self.epochs):
            order = self.order(self.jax.random.key(self._epoch))
            self._epoch += 1
            for _ in range(len(self.labels) // self.task.batch):
                self.state = self.step(self.state, self.images, self.labels, order)

    def wait(self) -> None:
        """Let the device finish."""
        self.jax.block_until_ready(self.state)

    def losses(self, batches: Sequence[np.ndarray]) -> list[float]:
        """The loss of each training step on these rows."""
        found = []
        for rows in batches:
            order = self.jax.numpy.asarray(rows.astype(np.int32))
            self.state = self.step(self.state, self.images, self.labels, order)
            found.append(float(self.state["loss"]))
        return found

    def inference_loss(self, rows: np.ndarray) -> float:
        """The loss without dropout, with the moving statistics."""
        return float(self._inference(self.state, self.images[rows], self.labels[rows]))

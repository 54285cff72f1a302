"""Keras, for the runners, on the backend that KERAS_BACKEND names: JAX or PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tests.parity.table import flat, packed_as


class KerasSide:
    """Gradients by JAX, through Keras's stateless scope; by PyTorch where no variables are asked for."""

    package = keras

    def __init__(self) -> None:
        keras.utils.clear_session()  # names count from the beginning

    def array(self, value: Any) -> np.ndarray:
        return keras.ops.convert_to_numpy(value)

    def differentiate(
        self,
        call: Callable[..., Any],
        arrays: Sequence[Any],
        variables: Sequence[Any],
        upstream: Callable[[int, tuple[int, ...]], np.ndarray],
    ) -> tuple[list[np.ndarray], list[np.ndarray | None], list[np.ndarray]]:
        if keras.backend.backend() == "torch":
            assert not variables, "with PyTorch, gradients of inputs alone"
            return (*_by_torch(call, arrays, upstream), [])
        import jax
        import jax.numpy as jnp

        leaves = [jnp.asarray(a) for a in flat(list(arrays))]
        real = [i for i, a in enumerate(leaves) if jnp.issubdtype(a.dtype, jnp.floating)]

        def total(inputs: list[Any], values: list[Any]) -> Any:
            everything = list(leaves)
            for i, value in zip(real, inputs, strict=True):
                everything[i] = value
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                outputs = [jnp.asarray(o) for o in flat(call(*packed_as(list(arrays), iter(everything))))]
            parts = [
                jnp.sum(output * upstream(i, output.shape))
                for i, output in enumerate(outputs)
                if jnp.issubdtype(output.dtype, jnp.floating)
            ]
            return sum(parts, jnp.zeros(())), outputs

        values = [v.value for v in variables]
        (_, outputs), (inputs, weights) = jax.value_and_grad(total, (0, 1), has_aux=True)(
            [leaves[i] for i in real], values
        )
        by_input = dict(zip(real, inputs, strict=True))
        return (
            [np.asarray(o) for o in outputs],
            [np.asarray(by_input[i]) if i in by_input else None for i in range(len(leaves))],
            [np.asarray(w) for w in weights],
        )


def _by_torch(
    call: Callable[..., Any], arrays: Sequence[Any], upstream: Callable[[int, tuple[int, ...]], np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
    import torch

    leaves = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in flat(list(arrays))]
    outputs = [keras.ops.convert_to_tensor(o) for o in flat(call(*packed_as(list(arrays), iter(leaves))))]
    parts = [
        (output * torch.as_tensor(np.asarray(upstream(i, tuple(output.shape)))).to(output.dtype)).sum()
        for i, output in enumerate(outputs)
        if output.requires_grad
    ]
    if parts:
        sum(parts[1:], parts[0]).backward()
    slopes = [np.zeros(x.shape, "float32") if x.grad is None else x.grad.numpy() for x in leaves]
    return (
        [output.detach().numpy() for output in outputs],
        [slope if x.requires_grad else None for x, slope in zip(leaves, slopes, strict=True)],
    )

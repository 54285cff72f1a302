"""SpectralNormalization: a layer whose kernel is kept to the largest singular value 1."""

from __future__ import annotations

from typing import Any

from gputrain import initializers, ops
from gputrain.errors import explain
from gputrain.ir import is_float
from gputrain.layers.base import InputSpec, arguments, declared, registry
from gputrain.layers.wrappers.wrapper import Wrapper

_SHORTEST = 1e-12  # a length, so that vectors of zeros stay


@registry.add()
class SpectralNormalization(Wrapper):
    """A layer whose kernel is divided by its largest singular value in each training step.

    The value is found by power iteration, which goes on from step to step. So the layer stretches no
    difference of inputs, which keeps the training of a discriminator stable.

    Args:
        layer: with a kernel or embeddings.
        power_iterations: iterations in a step.

    Shapes:
        those of the layer; vector_u (1, last size of the kernel), not trained.

    Raises:
        ValueError: a layer without kernel and embeddings, or power_iterations below 1.

    Source:
        Miyato et al. 2018, Spectral Normalization for Generative Adversarial Networks.

    Example:
        >>> layer = SpectralNormalization(Dense(2, kernel_initializer="ones"), power_iterations=3)
        >>> y = layer(numpy.ones((1, 2), "float32"), training=True)
        >>> layer.kernel.numpy().round(4).tolist()
        [[0.5, 0.5], [0.5, 0.5]]
    """

    power_iterations: int = declared.argument(arguments.positive_int, 1, after="layer")

    def build(self, input_shape: Any = None) -> None:
        """Build the layer, and make the vector that goes on from step to step."""
        super().build(input_shape)
        kernel = getattr(self.layer, "kernel", None)
        kernel = getattr(self.layer, "embeddings", None) if kernel is None else kernel
        if kernel is None:
            rule = "SpectralNormalization divides a kernel, or embeddings."
            raise ValueError(explain(rule, received=f"{type(self.layer).__name__} without them"))
        self.kernel = kernel
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        self.vector_u = self.add_weight(
            (1, kernel.shape[-1]),
            initializers.TruncatedNormal(stddev=0.02),
            dtype=kernel.dtype,
            trainable=False,
            name="vector_u",
        )

    def call(self, inputs: Any, training: bool | None = False) -> Any:
        """What the layer makes of the inputs, its kernel divided first where `training`."""
        if training:
            self._divide_kernel()
        outputs = self.layer(inputs)
        return ops.cast(outputs, inputs.dtype) if is_float(inputs.dtype) else outputs

    def _divide_kernel(self) -> None:
        """Divide the kernel by its largest singular value, as far as it is known; one of zeros stays."""
        kernel, u = ops.stop_gradient(self.kernel), ops.stop_gradient(self.vector_u)
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))  # (inputs, outputs)
        v = u
        for _ in range(self.power_iterations):
            v = ops.normalize(ops.matmul(u, ops.transpose(matrix)), (0, 1), epsilon=_SHORTEST)
            u = ops.normalize(ops.matmul(v, matrix), (0, 1), epsilon=_SHORTEST)
        largest = ops.sum(ops.multiply(ops.matmul(v, matrix), u))
        is_zero = ops.all(ops.equal(kernel, 0.0))
        self.vector_u.assign(ops.where(is_zero, ops.stop_gradient(self.vector_u), u))
        self.kernel.assign(ops.divide(kernel, ops.where(is_zero, 1.0, largest)))

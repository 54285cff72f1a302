"""LSTMs over sequences of images, whose products are convolutions."""

from __future__ import annotations

from typing import Any, ClassVar

from gputrain import ops
from gputrain.errors import explain
from gputrain.ir import Shape, Spec, Value
from gputrain.layers.base import arguments, declared, registry
from gputrain.layers.base.steps import with_steps, without_steps
from gputrain.layers.recurrent.cell import Step, masked, zeros
from gputrain.layers.recurrent.long_short_term import ForgettingCell
from gputrain.layers.recurrent.sequences import UnitsRNN


class ConvLSTMCell(ForgettingCell):
    """One step of a ConvLSTM. `project` and `step` work channels last.

    Args:
        filters: number of filters, the channels of the output and of each state.
        kernel_size: size of the filters along each axis, one int or one for each.
        strides: steps of the filters over the inputs, one int or one for each axis.
        padding: "valid" or "same", for the inputs; that for the state is "same".
        data_format: "channels_last" or "channels_first"; None means `config.image_data_format()`.
        dilation_rate: distance between the taps of a filter over the inputs.
    """

    filters: int = declared.argument(arguments.positive_int)
    kernel_size: Any = declared.argument(arguments.positive_sizes, per_axis=True)
    strides: Any = declared.argument(arguments.positive_sizes, 1, per_axis=True)
    padding: str = declared.argument(arguments.padding, "valid")
    data_format: str = declared.argument(arguments.data_format, None)
    dilation_rate: Any = declared.argument(arguments.positive_sizes, 1, per_axis=True)
    rank: ClassVar[int]

    @property
    def output_size(self) -> int:
        """The channels of the output, and of each state."""
        return self.filters

    @property
    def channels_first(self) -> bool:
        """Whether images come with their channels first."""
        return self.data_format == "channels_first"

    def build(self, input_shape: Shape) -> None:
        """Make the kernels, for images of known sizes."""
        axes = range(2, self.rank + 2) if self.channels_first else range(1, self.rank + 1)
        sizes = [arguments.known_size(input_shape, axis, f"ConvLSTM{self.rank}D") for axis in axes]
        channels = arguments.known_size(
            input_shape, 1 if self.channels_first else -1, f"ConvLSTM{self.rank}D"
        )
        gates = self.gates * self.filters
        kernel = (*self.kernel_size, channels, gates)
        images, filters = Value(Spec((None, *sizes, channels))), Value(Spec(kernel))
        self.state_sizes = self._conv(images, filters).shape[1:-1]
        self.add_weights(kernel, (*self.kernel_size, self.filters, gates))

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """The states before the first step: zeros.

        Args:
            batch_size: number of samples.
        """
        first = self.channels_first
        shape = (self.filters, *self.state_sizes) if first else (*self.state_sizes, self.filters)
        return [zeros((batch_size, *shape), self.compute_dtype) for _ in range(2)]

    def _conv(self, x: Any, kernel: Any) -> Any:
        return ops.conv(x, kernel, self.strides, self.padding, dilation_rate=self.dilation_rate)

    def project(self, inputs: Any) -> Any:
        """What sequences (N, T, *sizes, channels) add to the gates."""
        self.require_features(inputs)
        product = with_steps(self._conv(without_steps(inputs), self.kernel), inputs.shape[:2])
        return product if self.bias is None else ops.add(product, self.bias)

    def step(self, projected: Any, states: list[Any], kept: Any) -> tuple[Any, list[Any]]:
        h, c = states
        product = ops.conv(masked(h, kept), self.recurrent_kernel, padding="same")
        return self.gated(ops.add(projected, product), c)

    def step_of(self, like: Any, states: Any, training: bool) -> Step:
        raise NotImplementedError("A ConvLSTM's cell works in its layer.")


class ConvLSTM(UnitsRNN):
    """Base of the LSTMs over sequences of images.

    Args:
        activity_regularizer: a penalty on the outputs, added to the loss.

    Raises:
        ValueError: an argument that is not as above, or strides and dilation_rate both above 1.
        ShapeError: inputs of another rank, or of unknown sizes other than samples and steps.

    Source:
        Shi et al. 2015, Convolutional LSTM Network.
    """

    unroll: bool = declared.flag(False, shown=False)

    def check_arguments(self) -> None:
        """Check that strides and dilation_rate are not both above 1."""
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            rule = f"{type(self).__name__}: strides and dilation_rate cannot both be above 1."
            raise ValueError(explain(rule, received=f"{self.strides} and {self.dilation_rate}"))

    def run(self, sequences: Any, states: list[Any], mask: Any, training: bool) -> tuple[Any, Any, list[Any]]:
        if not self.cell.channels_first:
            return super().run(sequences, states, mask, training)
        outputs, last, states = super().run(
            _to_last(sequences, 2), [_to_last(s) for s in states], mask, training
        )
        outputs = None if outputs is None else _from_last(outputs, 2)
        return outputs, None if last is None else _from_last(last), [_from_last(s) for s in states]


def _to_last(x: Any, axis: int = 1) -> Any:
    """The channels at `axis` moved to the end."""
    return ops.moveaxis(x, axis, -1)


def _from_last(x: Any, axis: int = 1) -> Any:
    """The channels at the end moved to `axis`."""
    return ops.moveaxis(x, -1, axis)


class ConvLSTMCell1D(ConvLSTMCell):
    """One step of `ConvLSTM1D`."""

    rank = 1


class ConvLSTMCell2D(ConvLSTMCell):
    """One step of `ConvLSTM2D`."""

    rank = 2


class ConvLSTMCell3D(ConvLSTMCell):
    """One step of `ConvLSTM3D`."""

    rank = 3


@registry.add()
class ConvLSTM1D(ConvLSTM):
    """An LSTM over sequences of rows, whose products are convolutions.

    Shapes:
        (N, T, W, C) to (N, OW, filters), or (N, T, OW, filters) with `return_sequences`; kernel
        (K, C, 4 * filters), recurrent_kernel (K, filters, 4 * filters), bias (4 * filters,).

    Example:
        >>> ConvLSTM1D(4, 3)(numpy.ones((2, 5, 8, 1), "float32")).shape
        (2, 6, 4)
    """

    cell: ConvLSTMCell1D = declared.part(ConvLSTMCell1D)
    activity_regularizer: Any = declared.regularizer(after="bias_regularizer")
    input_rank = 4


@registry.add()
class ConvLSTM2D(ConvLSTM):
    """An LSTM over sequences of images, whose products are convolutions.

    Shapes:
        (N, T, H, W, C) to (N, OH, OW, filters), or (N, T, OH, OW, filters) with `return_sequences`; kernel
        (KH, KW, C, 4 * filters), recurrent_kernel (KH, KW, filters, 4 * filters), bias (4 * filters,).

    Example:
        >>> ConvLSTM2D(4, 3, padding="same")(numpy.ones((2, 5, 8, 8, 1), "float32")).shape
        (2, 8, 8, 4)
    """

    cell: ConvLSTMCell2D = declared.part(ConvLSTMCell2D)
    activity_regularizer: Any = declared.regularizer(after="bias_regularizer")
    input_rank = 5


@registry.add()
class ConvLSTM3D(ConvLSTM):
    """An LSTM over sequences of volumes, whose products are convolutions.

    Shapes:
        (N, T, D, H, W, C) to (N, OD, OH, OW, filters), or (N, T, OD, OH, OW, filters) with
        `return_sequences`; kernel (KD, KH, KW, C, 4 * filters), recurrent_kernel
        (KD, KH, KW, filters, 4 * filters), bias (4 * filters,).

    Example:
        >>> ConvLSTM3D(2, 2)(numpy.ones((1, 3, 4, 4, 4, 1), "float32")).shape
        (1, 3, 3, 3, 2)
    """

    cell: ConvLSTMCell3D = declared.part(ConvLSTMCell3D)
    activity_regularizer: Any = declared.regularizer(after="bias_regularizer")
    input_rank = 6

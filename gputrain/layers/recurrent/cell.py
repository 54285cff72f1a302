"""What the cells of gputrain's own recurrent layers share: weights, dropout, and the work before a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from gputrain import activations, ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape, Spec, Value
from gputrain.layers.base import Layer, arguments, declared
from gputrain.runtime import Variable

Step = Callable[[Any, Any], tuple[Any, Any]]  # (inputs of one step, states) to (output, new states)


class Stepping(Layer):
    """Base of cells that do what they can before a loop, for all steps at once."""

    def steps_over(self, sequences: Any, states: Any, training: bool) -> tuple[Any, Step]:
        """What a loop goes through, (N, T, ...), and its step.

        Args:
            sequences: (N, T, ...).
            states: before the first step.
            training: whether to drop something.
        """
        raise NotImplementedError

    def step_of(self, like: Any, states: Any, training: bool) -> Step:
        """A step on inputs as they are, with one draw of what is dropped however often it is called.

        Args:
            like: a value with the shape and dtype of the inputs.
            states: before the first step.
            training: whether to drop something.
        """
        raise NotImplementedError


class Cell(Stepping):
    """Base of the cells: one step of a loop, `call(inputs, states)` to (output, new states).

    What does not depend on the states is `project`: a loop computes it once for all steps. The rest of a
    step is `step`.

    Args:
        activation: of the output; a name, a function or None.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: what the weights begin with.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on the weights.
        kernel_constraint, recurrent_constraint, bias_constraint: what the weights keep to after each update.
        dropout: share of the inputs' elements to drop in training, the same ones in all steps.
        recurrent_dropout: share of the state's elements to drop in training, the same ones in all steps.
        seed: an int or SeedGenerator for what is dropped; None means the configured seed.

    Raises:
        ValueError: an argument that is not as above.
        ShapeError: inputs whose last axis has an unknown size.
    """

    activation: Any = declared.activation("tanh")
    use_bias: bool = declared.flag(True)
    kernel_initializer: Any = declared.initializer("glorot_uniform")
    recurrent_initializer: Any = declared.initializer("orthogonal")
    bias_initializer: Any = declared.initializer("zeros")
    kernel_regularizer: Any = declared.regularizer()
    recurrent_regularizer: Any = declared.regularizer()
    bias_regularizer: Any = declared.regularizer()
    kernel_constraint: Any = declared.constraint()
    recurrent_constraint: Any = declared.constraint()
    bias_constraint: Any = declared.constraint()
    dropout: float = declared.argument(arguments.share, 0.0)
    recurrent_dropout: float = declared.argument(arguments.share, 0.0)
    seed: Any = declared.argument(arguments.seed, None, plain=arguments.plain_seed)

    gates: ClassVar[int] = 1
    has_all_steps: ClassVar[bool] = False  # whether `all_steps` is there for the usual functions
    units: int
    bias: Variable | None = None

    @property
    def output_size(self) -> int:
        """The size of the output."""
        return self.units

    @property
    def state_size(self) -> Any:
        """The size of the state, or a list of sizes."""
        return self.output_size

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """The shape of the bias."""
        return (self.gates * self.output_size,)

    def check_arguments(self, implementation: int = 2) -> None:
        """Nothing depends on `implementation`, which some cells take."""

    def build(self, input_shape: Shape) -> None:
        """Make the kernel (features, gates * units), the recurrent kernel and the bias."""
        features, size = arguments.known_size(input_shape, -1, type(self).__name__), self.output_size
        self.add_weights((features, self.gates * size), (size, self.gates * size))

    def add_weights(self, kernel: tuple[int, ...], recurrent: tuple[int, ...]) -> None:
        """Make the weights of these shapes."""
        self.kernel = self.add_declared_weight("kernel", kernel)
        self.recurrent_kernel = self.add_weight(
            recurrent,
            self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
            name="recurrent_kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(
                self.bias_shape,
                self.first_bias,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )

    def first_bias(self, shape: Any, dtype: Any = None) -> Any:
        """What the bias begins with."""
        return self.bias_initializer(shape, dtype=dtype)

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """The states before the first step: zeros.

        Args:
            batch_size: number of samples.
        """
        sizes = self.state_size if isinstance(self.state_size, list) else [self.state_size]
        return [zeros((batch_size, size), self.compute_dtype) for size in sizes]

    def require_features(self, inputs: Any) -> None:
        """Refuse inputs of another width than the kernel is made for."""
        built, came = self.kernel.shape[-2], inputs.shape[-1]
        if came != built:
            rule = f"{type(self).__name__} was built for inputs of {built} features."
            fix = "Make another layer for inputs of another width."
            raise ShapeError(explain(rule, received=f"{came} features", fix=fix))

    # ----------------------------------------------------------------------------------------------- one step

    def project(self, inputs: Any) -> Any:
        """What the inputs (..., features) add to the gates, (..., gates * units)."""
        self.require_features(inputs)
        product = ops.matmul(inputs, self.kernel)
        return product if self.bias is None else ops.add(product, self.bias)

    def step(self, projected: Any, states: list[Any], kept: Any) -> tuple[Any, list[Any]]:
        """(output, new states).

        Args:
            projected: what `project` gave for the inputs of this step.
            states: before the step.
            kept: what the state is multiplied by where it enters products; None for nothing.
        """
        raise NotImplementedError

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, Any]:
        """One step: (N, features) and the states to (output, new states)."""
        output, new = self.step_of(inputs, listed(states), training)(inputs, listed(states))
        return output, new if isinstance(states, list | tuple) else new[0]

    # ----------------------------------------------------------------------------------- before all the steps

    def steps_over(self, sequences: Any, states: Any, training: bool) -> tuple[Any, Step]:
        x = self.cast_inputs(sequences)
        if training and self.dropout:
            noise = (None, 1, *(None for _ in x.shape[2:]))
            x = ops.dropout(x, self.dropout, noise_shape=noise, seed=self.seed)
        kept = self._kept(states, training)
        return self.project(x), lambda projected, states: self.step(projected, listed(states), kept)

    def runs_as_one(self, training: bool) -> bool:
        """Whether `all_steps` does what this cell does."""
        gates = getattr(self, "recurrent_activation", activations.sigmoid)
        usual = self.activation is activations.tanh and gates is activations.sigmoid
        return self.has_all_steps and usual and not (training and self.recurrent_dropout)

    def all_steps(self, projected: Any, states: list[Any], mask: Any, reverse: bool) -> tuple[Any, ...]:
        """(outputs at their own steps, *states after the last one), as one operation.

        Args:
            projected: (N, T, gates * units), what `project` gave.
            states: before the first step.
            mask: (N, T), or None.
            reverse: whether to begin with the last step.
        """
        raise NotImplementedError

    def step_of(self, like: Any, states: Any, training: bool) -> Step:
        kept, drops = self._kept(states, training), training and self.dropout
        inputs_kept = ops.dropout(ops.ones_like(like), self.dropout, seed=self.seed) if drops else None

        def step(inputs: Any, states: Any) -> tuple[Any, Any]:
            x = inputs if inputs_kept is None else ops.multiply(inputs, inputs_kept)
            return self.step(self.project(x), listed(states), kept)

        return step

    def _kept(self, states: Any, training: bool) -> Any:
        """What the state is multiplied by in training; None for nothing."""
        if not training or not self.recurrent_dropout:
            return None
        return ops.dropout(ops.ones_like(listed(states)[0]), self.recurrent_dropout, seed=self.seed)


def listed(states: Any) -> list[Any]:
    """States as a list, also a single one."""
    return list(states) if isinstance(states, list | tuple) else [states]


def masked(state: Any, kept: Any) -> Any:
    """A state where it enters products."""
    return state if kept is None else ops.multiply(state, kept)


def zeros(shape: Shape, dtype: str) -> Any:
    """Zeros of a shape; of unknown sizes, as they are while only shapes matter, a value of this shape."""
    spec = Spec(shape, dtype)
    return ops.zeros(spec.dims, dtype) if spec.static else Value(spec)

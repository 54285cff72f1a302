"""RNN: a cell that is carried through sequences, and the layers whose cell is made from their arguments."""

from __future__ import annotations

from typing import Any, ClassVar

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape, Spec, Trace, Value, current_trace
from gputrain.layers.base import Layer, declared, registry
from gputrain.layers.base.symbolic import shape_of
from gputrain.layers.recurrent import any_cell
from gputrain.layers.recurrent.cell import Step, Stepping, listed, zeros
from gputrain.layers.recurrent.stacked import StackedRNNCells
from gputrain.names import snake_case
from gputrain.ops.base import spec_of
from gputrain.runtime import Variable
from gputrain.utils import tree
from gputrain.utils.signatures import on_or_off

_OF_TWO_AXES = (
    "A recurrent layer before it needs return_sequences=True, and a single feature an axis of its own: "
    "x[..., None]."
)


def _cell(value: Any, where: str) -> Any:
    """A cell; several are stacked."""
    return StackedRNNCells(value) if isinstance(value, list | tuple) else any_cell.as_cell(value, where)


class Memory:
    """The states that a layer keeps between batches; they are no weights, and not among the layer's.

    Args:
        states: what they begin with, in their structure.
        dtype: of the variables.
        path: of the layer.
    """

    def __init__(self, states: Any, dtype: str, path: str) -> None:
        def variable(state: Any) -> Variable:
            first = ops.convert_to_numpy(state)
            return Variable(first, dtype=dtype, trainable=False, name="rnn_state", path=f"{path}/rnn_state")

        self.states = tree.map_leaves(variable, states)

    def write(self, new: Any) -> None:
        """Keep the states after a batch."""
        for variable, value in zip(tree.flatten(self.states), tree.flatten(new), strict=True):
            variable.assign(ops.cast(value, variable.dtype))


@registry.add()
class RNN(Layer):
    """A recurrent layer: it goes through sequences step by step and carries the states of its cell.

    A cell is a layer, or an object, with `state_size` (an int, or a list with one for each state) and
    `call(inputs, states)`, which returns (output, new states). It may have `output_size` and
    `get_initial_state(batch_size)`. Masked steps leave the states as they are.

    Args:
        cell: a cell, or a list of cells, which are stacked.
        return_sequences: whether to return the outputs of all steps, or the last one.
        return_state: whether to return the states after the last step too: (outputs, *states).
        go_backwards: whether to begin with the last step; outputs are in the order of the computation.
        stateful: whether a batch begins with the states that the one before ended with, row by row.
            `reset_state` sets them to 0.
        unroll: whether the steps of a cell of your own are traced one by one, as one needs that draws random
            numbers. Others give the same either way.
        zero_output_for_mask: whether the output of a masked step is 0, or that of the step before.

    Shapes:
        (N, T, ...) to (N, output_size), or (N, T, output_size) with `return_sequences`.

    Raises:
        ValueError: a cell that is none; a stateful layer without a fixed batch.
        ShapeError: initial states or a mask that do not fit, or a batch of another size than a stateful layer
            has states for.

    Example:
        >>> class Sum(Layer):
        ...     state_size = 3
        ...     def call(self, inputs, states):
        ...         total = states[0] + inputs
        ...         return total, [total]
        >>> RNN(Sum())(numpy.ones((1, 5, 3), "float32")).tolist()
        [[5.0, 5.0, 5.0]]
    """

    supports_masking = True
    cell: Any = declared.argument(_cell, plain=registry.serialize)
    return_sequences: bool = declared.flag(False)
    return_state: bool = declared.flag(False)
    go_backwards: bool = declared.flag(False)
    stateful: bool = declared.flag(False)
    unroll: bool = declared.flag(False)
    zero_output_for_mask: bool = declared.flag(False)
    use_cudnn: Any = True
    input_rank: ClassVar[int | None] = None
    _memory: Memory | None = None

    # ------------------------------------------------------------------------------------------------- states

    @property
    def state_size(self) -> list[Any]:
        """The sizes of the states."""
        return listed(self.cell.state_size)

    @property
    def has_several_states(self) -> bool:
        """Whether the cell has a list of states."""
        return isinstance(self.cell.state_size, list | tuple)

    @property
    def output_size(self) -> int:
        """The size of an output."""
        return any_cell.output_size(self.cell)

    @property
    def states(self) -> list[Any] | None:
        """The variables with the states of a stateful layer, once it is built; None otherwise."""
        return None if self._memory is None else self._memory.states

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """The states before the first step.

        Args:
            batch_size: number of samples.
        """
        return listed(any_cell.first_states(self.cell, batch_size, self.compute_dtype))

    def _kept_states(self) -> list[Variable]:
        return tree.flatten(self.states or [])

    def reset_state(self) -> None:
        """Set the states of a stateful layer to 0, as before a new sequence."""
        for variable in self._kept_states():
            variable.assign(ops.zeros(variable.shape, variable.dtype))

    def reset_states(self) -> None:
        """The same as `reset_state`."""
        self.reset_state()

    # -------------------------------------------------------------------------------------------------- build

    def _has_known_call(self) -> bool:
        """Whether no user code runs in this layer's call; a cell that is no layer is user code."""
        return isinstance(self.cell, Layer) and super()._has_known_call()

    def build(self, sequences_shape: Shape, initial_state_shape: Any = None) -> None:
        """Build the cell for the inputs of one step, and make the states of a stateful layer."""
        self._require_sequences(sequences_shape)
        if isinstance(self.cell, Layer) and not self.cell.built:
            self.cell.build((sequences_shape[0], *sequences_shape[2:]))
        if self.stateful and self._memory is None:
            batch = sequences_shape[0]
            if batch is None:
                rule = f"{type(self).__name__}: stateful=True needs a fixed size of the batch."
                fix = "Begin the model with Input(batch_shape=(32, 10, 8)), or give Input a batch_size."
                raise ValueError(explain(rule, received=f"input shape {sequences_shape}", fix=fix))
            self._memory = Memory(self.get_initial_state(batch), self.variable_dtype, self.path or self.name)

    def _require_sequences(self, shape: Any) -> None:
        known = self.input_rank
        if any(isinstance(size, list | tuple) for size in shape):
            rule = f"{type(self).__name__} takes one tensor, and states by name."
            fix = "Call it as layer(x, initial_state=states)."
            raise ShapeError(explain(rule, received=f"{len(shape)} tensors", fix=fix))
        if len(shape) >= 2 if known is None else len(shape) == known:
            return
        expected = {None: "(N, T, ...)", 3: "(N, T, features)"}.get(known, f"{known} dimensions")
        raise ShapeError(
            explain(
                f"{type(self).__name__} takes sequences, samples by steps by features.",
                expected=expected,
                received=shape,
                fix=_OF_TWO_AXES if len(shape) == 2 else None,
            )
        )

    # --------------------------------------------------------------------------------------------------- call

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """(N, T, ...) to the outputs; (outputs, *states) with `return_state`."""
        self._require_sequences(_shape(sequences))
        if self.unroll and shape_of(sequences)[1] is None:
            rule = f"{type(self).__name__}: unroll=True needs a known number of steps."
            raise ValueError(explain(rule, received=shape_of(sequences), fix="Leave unroll out."))
        states = self._first_states(sequences, initial_state)
        mask = self._checked_mask(sequences, mask)
        outputs, last, states = self.run(sequences, states, mask, training)
        if self._memory is not None:
            self._memory.write(states)
        output = ops.cast(outputs if self.return_sequences else last, self.compute_dtype)
        if not self.return_state:
            return output
        return (output, *tree.map_leaves(lambda state: ops.cast(state, self.compute_dtype), states))

    def run(self, sequences: Any, states: list[Any], mask: Any, training: bool) -> tuple[Any, Any, list[Any]]:
        """(outputs of all steps or None, the last output, states after the last step).

        Args:
            sequences: (N, T, ...).
            states: before the first step.
            mask: (N, T), or None.
            training: whether to drop something.
        """
        own = states if self.has_several_states else states[0]
        xs, step = any_cell.steps_over(self.cell, sequences, own, training)
        if self.use_cudnn and any_cell.runs_as_one(self.cell, training):
            return self._as_one(xs, states, mask)
        loop = _Loop(self, step, states)
        traced_one_by_one = self.unroll and not isinstance(self.cell, Stepping)
        go = loop.unrolled if traced_one_by_one else loop.run
        outputs, last, states = go(time_major(xs), None if mask is None else time_major(mask))
        return None if outputs is None else time_major(outputs), last, states

    def _as_one(self, xs: Any, states: list[Any], mask: Any) -> tuple[Any, Any, list[Any]]:
        """What `run` returns, by the cell's one operation for all steps."""
        backwards = self.go_backwards
        outputs, *states = self.cell.all_steps(xs, states, mask, backwards)
        if mask is not None and self.zero_output_for_mask:
            outputs = ops.where(ops.expand_dims(mask, -1), outputs, ops.zeros_like(outputs))
        last = states[0] if mask is None else outputs[:, 0 if backwards else -1]
        return ops.flip(outputs, 1) if backwards and self.return_sequences else outputs, last, states

    def symbolic_results(self, results: Any) -> Any:
        """The results, with the state itself where a cell of a stack has one, and data gives a list of it."""
        if not self.return_state or type(self).call is not RNN.call:
            return results
        output, *states = results
        return (output, *tree.pack(self.state_size, tree.flatten(states)))

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the inputs for outputs of all steps; none for a single output and for states."""
        mask = listed(previous_mask)[0] if self.return_sequences else None
        return [mask, *(None for _ in self.state_size)] if self.return_state else mask

    def _first_states(self, sequences: Any, given: Any) -> list[Any]:
        """The states before the first step, in the dtype of the cell."""
        batch = sequences.shape[0]
        self._require_batch(batch)
        if given is None and self._memory is not None:
            given = self._memory.states
        known = self.get_initial_state(batch)
        return self._as_states(known if given is None else given, known)

    def _require_batch(self, batch: int | None) -> None:
        """Refuse a batch of another size than the kept states have."""
        expected = None if self.states is None else tree.flatten(self.states)[0].shape[0]
        if expected is not None and batch is not None and batch != expected:
            rule = f"{type(self).__name__}: a stateful layer keeps a state for each row of the batch."
            fix = (
                f"Pass batch_size={expected} and a number of samples that it divides, or make the model "
                "again for the other size, with these weights: set_weights()."
            )
            raise ShapeError(explain(rule, expected=f"batches of {expected}", received=batch, fix=fix))

    def _as_states(self, given: Any, known: list[Any]) -> list[Any]:
        """States that were given, in the structure and dtypes of the known ones."""
        leaves, like = tree.flatten(given), tree.flatten(known)
        specs = [spec_of(leaf) for leaf in like]
        if len(leaves) != len(like):
            rule = f"{type(self).__name__}: initial_state has one tensor for each state of the cell."
            raise ShapeError(explain(rule, expected=[s.shape for s in specs], received=f"{len(leaves)}"))
        found = [ops.convert_to_tensor(leaf) if not isinstance(leaf, Value) else leaf for leaf in leaves]
        for value, spec in zip(found, specs, strict=True):
            if not _fits(value.shape, spec.shape):
                rule = f"{type(self).__name__}: initial_state has another shape than the state."
                raise ShapeError(explain(rule, expected=spec.shape, received=tuple(value.shape)))
        dtype = getattr(self.cell, "compute_dtype", self.compute_dtype)
        return tree.pack(known, [ops.cast(value, dtype) for value in found])

    def _checked_mask(self, sequences: Any, mask: Any) -> Any:
        """The mask (N, T) as booleans, or None; of no steps it masks none."""
        mask = tree.flatten(mask)[0]
        if mask is None:
            return None
        if not _fits(mask.shape, sequences.shape[:2]):
            rule = f"{type(self).__name__}: the mask has one value for each step of each sample."
            raise ShapeError(explain(rule, expected=sequences.shape[:2], received=tuple(mask.shape)))
        return None if sequences.shape[1] == 0 else ops.cast(mask, "bool")


def _shape(given: Any) -> Any:
    """The shape of a tensor, or a list of shapes."""
    return given.shape if hasattr(given, "shape") else [tuple(one.shape) for one in tree.flatten(given)]


def _fits(shape: Any, expected: Any) -> bool:
    """Whether a shape is the expected one, as far as both are known."""
    return len(shape) == len(expected) and all(
        None in (m, n) or m == n for m, n in zip(shape, expected, strict=True)
    )


def time_major(x: Any) -> Any:
    """The first two axes exchanged: (N, T, ...) to (T, N, ...), and back."""
    return ops.transpose(x, (1, 0, *range(2, x.ndim)))


class _Loop:
    """The loop of a layer over steps.

    Args:
        layer: whose settings it follows.
        step: of its cell.
        states: before the first step.
    """

    def __init__(self, layer: RNN, step: Step, states: list[Any]) -> None:
        self.layer, self.step, self.states = layer, step, states

    def run(self, xs: Any, mask: Any) -> tuple[Any, Any, list[Any]]:
        """(outputs (T, N, ...) or None, the last or None, states) of xs (T, N, ...) and a mask (T, N)."""
        backwards, all_outputs = self.layer.go_backwards, self.layer.return_sequences
        spec, state = self._output(xs)
        if mask is None:
            carried = state is None and not all_outputs
        else:
            carried = not (self.layer.zero_output_for_mask and all_outputs)
        first = zeros(spec.shape, spec.dtype) if carried else None
        (last, states), outputs = ops.scan(self._body, (first, self.states), (xs, mask), reverse=backwards)
        if outputs is not None and backwards:
            outputs = ops.flip(outputs, 0)
        return outputs, tree.flatten(states)[state] if last is None and state is not None else last, states

    def _body(self, carry: Any, x: Any) -> tuple[Any, Any]:
        (before, states), (inputs, keep) = carry, x
        output, states = self._one(inputs, keep, before, states)
        return (None if before is None else output, states), output if self.layer.return_sequences else None

    def _one(self, inputs: Any, keep: Any, before: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        """A step that leaves the rows alone that `keep` does not name; `before` is the output before it."""
        output, new = self.step(inputs, states if self.layer.has_several_states else states[0])
        new = any_cell.after_step(states, new, self.layer.cell)
        if keep is None:
            return output, new
        if before is None or self.layer.zero_output_for_mask:
            before = ops.zeros_like(output)
        pairs = zip(tree.flatten(new), tree.flatten(states), strict=True)
        return _chosen(keep, output, before), tree.pack(new, [_chosen(keep, *pair) for pair in pairs])

    def _output(self, xs: Any) -> tuple[Spec, int | None]:
        """Shape and dtype of an output, and which of the states it is."""
        outer = current_trace()
        trace = Trace(training=outer.training if outer else None, parent=outer, repeats=True)
        inputs = Value(spec_of(xs).with_shape(xs.shape[1:]))
        states = tree.map_leaves(lambda state: Value(spec_of(state)), self.states)
        with trace.active():
            output, new = self._one(inputs, None, None, states)
        self._require_sizes(states, new)
        place = (i for i, state in enumerate(tree.flatten(new)) if state is output)
        return spec_of(output), next(place, None)

    def _require_sizes(self, before: Any, after: Any) -> None:
        """Refuse states that come out of a step with another size than they went in."""
        cell = self.layer.cell
        for old, new in zip(tree.flatten(before), tree.flatten(after), strict=True):
            if not _fits(new.shape, old.shape):
                rule = f"{type(cell).__name__}: call() returns states of the sizes that state_size says."
                wanted, found = (f"(N, {', '.join(map(str, x.shape[1:]))})" for x in (old, new))
                expected = f"state_size {cell.state_size}, a state {wanted}"
                fix = "Set state_size to the size that call() returns."
                raise ShapeError(explain(rule, expected=expected, received=found, fix=fix))

    def unrolled(self, xs: Any, mask: Any) -> tuple[Any, Any, list[Any]]:
        """As `run`, each step traced by itself."""
        outputs, output, states = [], None, self.states
        steps = range(xs.shape[0])
        for t in reversed(steps) if self.layer.go_backwards else steps:
            output, states = self._one(xs[t], None if mask is None else mask[t], output, states)
            outputs.append(output)
        return ops.stack(outputs, 0), output, states


def _chosen(keep: Any, new: Any, old: Any) -> Any:
    """The rows of `new` where `keep` (N,) holds, else those of `old`."""
    return ops.where(ops.expand_dims(keep, tuple(range(1, len(new.shape)))), new, old)


class UnitsRNN(RNN):
    """Base of the layers that make their cell from their own arguments.

    Args:
        unroll: of Keras; the results are the same.

    Raises:
        ValueError: an argument that is not as above; a stateful layer without a fixed batch.
        ShapeError: inputs that are no sequences, initial states or a mask that do not fit, or a batch of
            another size than a stateful layer has states for.
    """

    zero_output_for_mask: bool = declared.flag(False, shown=False)
    input_rank = 3

    def made_part(self, name: str, made_by: Any, values: dict[str, Any]) -> Any:
        """The cell, named as its class, without a number of axes."""
        name = snake_case(made_by.__name__).rstrip("123d")
        return made_by(**values, name=name, dtype=self.dtype, trainable=self.trainable)


def _use_cudnn(value: Any, where: str) -> Any:
    return value if value == "auto" else on_or_off(value, where)


class GatedRNN(UnitsRNN):
    """Base of the layers whose whole loop may be one operation.

    Args:
        use_cudnn: False for a loop step by step, whose gradient can be differentiated again. Otherwise the
            whole loop is one operation where the functions of the cell are the usual ones.
    """

    use_cudnn: Any = declared.argument(_use_cudnn, "auto", after="unroll", kept=False)

    def check_arguments(self, use_cudnn: Any) -> None:  # type: ignore[override]  # what is not kept is passed
        """Keep `use_cudnn`, which is not part of the config, as in Keras."""
        self.use_cudnn = use_cudnn

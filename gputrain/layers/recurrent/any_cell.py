"""What is asked of any cell, also one of a user's own: an object with `call` and `state_size`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from gputrain import ops
from gputrain.errors import explain
from gputrain.ir import current_trace
from gputrain.layers.base import Layer, registry
from gputrain.layers.base.arguments import is_int
from gputrain.layers.recurrent.cell import Cell, Step, Stepping, listed, zeros
from gputrain.utils import tree


def as_cell(value: Any, where: str) -> Any:
    """Return a cell, or the one that a config describes.

    Raises:
        ValueError: no `call`, or no `state_size` of ints.
    """
    cell = registry.deserialize(value) if isinstance(value, Mapping) else value
    rule = f"{where} must be a cell, with a method call and an attribute state_size."
    if hasattr(cell, "return_sequences"):
        fix = "It goes through sequences itself; a cell is one step, as LSTMCell."
        raise ValueError(explain(rule, received=f"the layer {cell!r}", fix=fix))
    for name in ("call", "state_size"):
        if not hasattr(cell, name):
            fix = "Write call(inputs, states), which returns (output, new states), and state_size."
            raise ValueError(explain(rule, received=f"{cell!r} without {name}", fix=fix))
    sizes = tree.flatten(cell.state_size)
    if isinstance(cell.state_size, Mapping) or not sizes or not all(map(is_int, sizes)):
        rule = f"{where}: state_size is an int, or a list with one for each state."
        raise ValueError(explain(rule, received=f"{cell.state_size!r} of {cell!r}"))
    return cell


def output_size(cell: Any) -> int:
    """The size of a cell's output: `output_size`, or else its first state's."""
    size = getattr(cell, "output_size", None)
    return tree.flatten(cell.state_size)[0] if size is None else size


def first_states(cell: Any, batch_size: int | None, dtype: str) -> Any:
    """The states of a cell before the first step: what `get_initial_state` gives, or zeros.

    Args:
        cell: the cell.
        batch_size: number of samples.
        dtype: of zeros.
    """
    own = getattr(cell, "get_initial_state", None)
    if own is not None:
        return own(batch_size=batch_size)
    return tree.map_leaves(lambda size: zeros((batch_size, size), dtype), cell.state_size)


def steps_over(cell: Any, sequences: Any, states: Any, training: bool) -> tuple[Any, Step]:
    """What a loop goes through, (N, T, ...), and its step; see `Stepping`."""
    if _prepares(cell):
        xs, step = cell.steps_over(sequences, states, training)
        return xs, _regularized(cell, step)
    return sequences, _each(cell, training)


def step_of(cell: Any, like: Any, states: Any, training: bool) -> Step:
    """A step on inputs as they are; see `Stepping`."""
    if _prepares(cell):
        return _regularized(cell, cell.step_of(like, states, training))
    return _each(cell, training)


def runs_as_one(cell: Any, training: bool) -> bool:
    """Whether a cell has one operation for a whole loop; see `Cell`."""
    whole = isinstance(cell, Cell) and cell.activity_regularizer is None and _prepares(cell)
    return whole and cell.runs_as_one(training)


def _regularized(cell: Layer, step: Step) -> Step:
    """A step of a cell that is not called itself, with the penalty on what it returns."""
    if cell.activity_regularizer is None:
        return step

    def one(inputs: Any, states: Any) -> tuple[Any, Any]:
        results, trace = step(inputs, states), current_trace()
        if trace is not None:
            cell._regularize_activity(trace, results)
        return results

    return one


def _prepares(cell: Any) -> bool:
    """Whether all that a cell does is known here; a subclass of a user's may have a `call` of its own."""
    return isinstance(cell, Stepping) and type(cell).call.__module__.startswith(f"{__package__}.")


def _each(cell: Any, training: bool) -> Step:
    """A step that calls the cell."""
    call = cell if callable(cell) else cell.call
    takes_training = "training" in inspect.signature(cell.call).parameters
    told = {"training": training} if takes_training else {}

    def step(inputs: Any, states: Any) -> tuple[Any, Any]:
        made = call(inputs, listed(states), **told)
        if not isinstance(made, list | tuple) or len(made) != 2:
            rule = f"{type(cell).__name__}: call(inputs, states) returns (output, new states)."
            raise ValueError(explain(rule, received=repr(made)))
        output, new = made
        return output, new

    return step


def like_output(cell: Any, inputs: Any, dtype: str) -> Any:
    """A value of the shape of a cell's output for these inputs, (N, ...)."""
    return zeros((inputs.shape[0], output_size(cell)), dtype)


def after_step(states: Any, new: Any, cell: Any) -> Any:
    """New states in the structure of those before.

    Raises:
        ValueError: another number of them.
    """
    leaves, known = tree.flatten(new), tree.flatten(states)
    if len(leaves) != len(known):
        rule = f"{type(cell).__name__}: call() returns as many states as it gets."
        raise ValueError(explain(rule, expected=len(known), received=len(leaves)))
    return tree.pack(
        states,
        [ops.cast(ops.convert_to_tensor(leaf), old.dtype) for leaf, old in zip(leaves, known, strict=True)],
    )

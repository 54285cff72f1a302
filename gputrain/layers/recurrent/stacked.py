"""Cells on top of each other, as one cell."""

from __future__ import annotations

from typing import Any

from gputrain.errors import explain
from gputrain.ir import Shape
from gputrain.layers.base import Layer, declared, registry
from gputrain.layers.recurrent import any_cell
from gputrain.layers.recurrent.cell import Step, Stepping


def _cells(value: Any, where: str) -> list[Any]:
    given = list(value) if isinstance(value, list | tuple) else [value]
    if not given:
        raise ValueError(explain(f"{where} needs at least one cell.", received=repr(value)))
    return [any_cell.as_cell(cell, where) for cell in given]


def _plain(cells: list[Any]) -> list[Any]:
    return [registry.serialize(cell) for cell in cells]


@registry.add()
class StackedRNNCells(Stepping):
    """A stack of cells that acts as one: each step goes through all of them.

    Args:
        cells: cells, the one that gets the inputs first.

    Raises:
        ValueError: something without `call` or `state_size`.

    Example:
        >>> stack = StackedRNNCells([LSTMCell(4), GRUCell(3)])
        >>> RNN(stack)(numpy.ones((2, 5, 3), "float32")).shape
        (2, 3)
    """

    cells: list[Any] = declared.argument(_cells, plain=_plain)

    @property
    def state_size(self) -> list[Any]:
        """What the cells have, in order."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        """That of the last cell."""
        return any_cell.output_size(self.cells[-1])

    def build(self, input_shape: Shape) -> None:
        """Build each cell for the outputs of the one before."""
        for cell in self.cells:
            if isinstance(cell, Layer) and not cell.built:
                cell.build(input_shape)
            input_shape = (input_shape[0], any_cell.output_size(cell))

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """The states of each cell before the first step.

        Args:
            batch_size: number of samples.
        """
        return [any_cell.first_states(cell, batch_size, self.compute_dtype) for cell in self.cells]

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        """One step of all cells: (N, features) and a list of their states to (output, new states)."""
        return self.step_of(inputs, states, training)(inputs, states)

    def steps_over(self, sequences: Any, states: Any, training: bool) -> tuple[Any, Step]:
        first, own = self.cells[0], states[0]
        xs, step = any_cell.steps_over(first, sequences, own, training)
        return xs, self._step([step, *self._later_steps(sequences, states, training)])

    def step_of(self, like: Any, states: Any, training: bool) -> Step:
        step = any_cell.step_of(self.cells[0], like, states[0], training)
        return self._step([step, *self._later_steps(like, states, training)])

    def _later_steps(self, inputs: Any, states: Any, training: bool) -> list[Step]:
        """The steps of all cells but the first."""
        found = []
        for below, cell, own in zip(self.cells, self.cells[1:], states[1:], strict=False):
            like = any_cell.like_output(below, inputs, self.compute_dtype)
            found.append(any_cell.step_of(cell, like, own, training))
        return found

    def _step(self, steps: list[Step]) -> Step:
        def step(inputs: Any, states: Any) -> tuple[Any, Any]:
            after = []
            for cell, one, own in zip(self.cells, steps, states, strict=True):
                inputs, new = one(inputs, own)
                after.append(any_cell.after_step(own, new, cell))
            return inputs, after

        return step

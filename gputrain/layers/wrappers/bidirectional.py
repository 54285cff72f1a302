"""Bidirectional: a recurrent layer that goes through sequences in both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gputrain import ops
from gputrain.errors import ShapeError, explain
from gputrain.ir import Shape
from gputrain.layers.base import Layer, arguments, registry
from gputrain.layers.recurrent.cell import listed
from gputrain.layers.wrappers.wrapper import as_layer
from gputrain.utils import tree

_MERGED: dict[str, Callable[[Any, Any], Any]] = {
    "concat": lambda y, reverse: ops.concatenate([y, reverse], -1),
    "sum": ops.add,
    "ave": lambda y, reverse: ops.divide(ops.add(y, reverse), 2.0),
    "mul": ops.multiply,
}
_SAME = ("stateful", "return_sequences", "return_state")  # in which both directions agree
_NEEDED = ("go_backwards", *_SAME)


@registry.add()
class Bidirectional(Layer):
    """Two recurrent layers, one from the first step to the last and one back; their outputs are merged.

    Outputs of all steps stand at their own steps, in both directions. Those of masked steps are 0.

    Args:
        layer: a recurrent layer. The two layers are made from its config, so that it stays as it is.
        merge_mode: "concat" (along the last axis), "sum", "mul", "ave", or None for both outputs.
        weights: first weights of both layers, those of the one that goes forward first; default None.
        backward_layer: the layer that goes back, with `go_backwards=True`; default one like `layer`.

    Shapes:
        (N, T, features) to (N, 2 * units), or (N, T, 2 * units) with `return_sequences`; (N, ..., units)
        with a merge mode other than "concat", twice with None. With `return_state` the states of both follow.

    Raises:
        ValueError: a layer that is not recurrent, an unknown merge mode, directions that do not fit together.
        ShapeError: another number of initial states, or of weights, than both layers have.

    Source:
        Schuster & Paliwal 1997, Bidirectional Recurrent Neural Networks.

    Example:
        >>> Bidirectional(LSTM(4))(numpy.ones((2, 5, 3), "float32")).shape
        (2, 8)
    """

    supports_masking = True

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if merge_mode is not None:
            merge_mode = arguments.one_of(merge_mode, list(_MERGED), "Bidirectional: merge_mode")
        self.merge_mode = merge_mode
        given = _recurrent(layer, "Bidirectional: layer")
        name = given.name.removeprefix("forward_")
        self.forward_layer = _again(given, name=f"forward_{name}")
        if backward_layer is None:
            self.backward_layer = _again(given, name=f"backward_{name}", go_backwards=True)
        else:
            self.backward_layer = _recurrent(backward_layer, "Bidirectional: backward_layer")
        self._require_a_pair()
        for one in (self.forward_layer, self.backward_layer):
            one.zero_output_for_mask = one.return_sequences
        self._first_weights = None if weights is None else list(weights)

    def _require_a_pair(self) -> None:
        """Refuse two layers that do not fit together."""
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            rule = "Bidirectional: one of the layers goes forward and the other one back."
            came = f"go_backwards={forward.go_backwards} of both"
            raise ValueError(explain(rule, received=came, fix="Leave backward_layer out: it is made."))
        for name in _SAME:
            both = getattr(forward, name), getattr(backward, name)
            if both[0] != both[1]:
                rule = f"Bidirectional: both layers have the same {name}."
                raise ValueError(explain(rule, received=f"{both[0]} and {both[1]}"))

    @property
    def stateful(self) -> bool:
        """Whether states are kept from batch to batch."""
        return self.forward_layer.stateful

    @property
    def return_sequences(self) -> bool:
        """Whether the outputs of all steps are returned."""
        return self.forward_layer.return_sequences

    @property
    def return_state(self) -> bool:
        """Whether the states are returned."""
        return self.forward_layer.return_state

    @property
    def states(self) -> tuple[Any, ...] | None:
        """The kept states of both layers, or None."""
        forward, backward = self.forward_layer.states, self.backward_layer.states
        return None if forward is None or backward is None else (*forward, *backward)

    def reset_state(self) -> None:
        """Set the kept states to 0.

        Raises:
            AttributeError: none are kept.
        """
        if not self.stateful:
            raise AttributeError(f"{self.name}: only a stateful layer has states to reset.")
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def reset_states(self) -> None:
        """The same as `reset_state`."""
        self.reset_state()

    def build(self, sequences_shape: Shape, initial_state_shape: Any = None) -> None:
        """Build both layers, and give them the weights that the constructor was given."""
        for one in (self.forward_layer, self.backward_layer):
            if not one.built:
                one.build(sequences_shape)
        if self._first_weights is not None:
            self.set_weights(self._first_weights)

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        """(N, T, ...) to the merged outputs, and the states of both with `return_state`."""
        begin = self._divided(initial_state)
        told = {} if training is None else {"training": training}
        layers = (self.forward_layer, self.backward_layer)
        pairs = zip(layers, begin, strict=True)
        made = [one(sequences, initial_state=own, mask=mask, **told) for one, own in pairs]
        states = [state for results in made for state in results[1:]] if self.return_state else []
        y, reverse = (results[0] for results in made) if self.return_state else made
        if self.return_sequences:
            reverse = ops.flip(reverse, 1)
        merged = (y, reverse) if self.merge_mode is None else (_MERGED[self.merge_mode](y, reverse),)
        return (*merged, *states) if len(merged) + len(states) > 1 else merged[0]

    def _divided(self, initial_state: Any) -> tuple[Any, Any]:
        """The initial states of both layers.

        Raises:
            ShapeError: another number of them than both layers have.
        """
        if initial_state is None:
            return None, None
        states = list(initial_state) if isinstance(initial_state, list | tuple) else [initial_state]
        first, second = (
            len(tree.flatten(one.state_size)) if hasattr(one, "state_size") else len(states) // 2
            for one in (self.forward_layer, self.backward_layer)
        )
        if len(states) != first + second:
            rule = "Bidirectional: initial_state has the states of the forward layer, then the other's."
            each = f"{first} for each direction" if first == second else f"{first} and {second}"
            raise ShapeError(explain(rule, expected=f"{first + second} states, {each}", received=len(states)))
        return states[:first], states[first:]

    def symbolic_results(self, results: Any) -> Any:
        """The results, with the states as those of both layers are in such calls."""
        if not self.return_state:
            return results
        merged = 2 if self.merge_mode is None else 1
        states = results[merged:]
        forward, backward = self.forward_layer, self.backward_layer
        first = len(listed(forward.state_size)) if hasattr(forward, "state_size") else len(states) // 2
        pairs = (forward, states[:first]), (backward, states[first:])
        own = (state for one, given in pairs for state in one.symbolic_results((None, *given))[1:])
        return (*results[:merged], *own)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the inputs for outputs of all steps; none for single outputs and for states."""
        mask = tree.flatten(previous_mask)[0] if self.return_sequences else None
        return [mask, mask] if self.merge_mode is None else mask

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, but for weights."""
        return self.plain_settings() | {
            "merge_mode": self.merge_mode,
            "layer": registry.serialize(self.forward_layer),
            "backward_layer": registry.serialize(self.backward_layer),
        }


def _again(layer: Any, **changes: Any) -> Any:
    """A layer of the same config, and the same way to compute."""
    made = layer.made_again(**changes)
    if hasattr(layer, "use_cudnn"):
        made.use_cudnn = layer.use_cudnn
    return made


def _recurrent(value: Any, where: str) -> Any:
    """A recurrent layer, or the one that a config describes.

    Raises:
        ValueError: anything else.
    """
    layer = as_layer(value, where)
    missing = [name for name in _NEEDED if not hasattr(layer, name)]
    if missing:
        rule = f"{where} must be a recurrent layer, such as LSTM, GRU or RNN(cell)."
        raise ValueError(explain(rule, received=f"{type(layer).__name__}, without {missing[0]}"))
    return layer

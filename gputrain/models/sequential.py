"""Sequential: a plain stack of layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from gputrain import tree
from gputrain.errors import ShapeError, explain
from gputrain.ir import Value
from gputrain.layers.base import Layer
from gputrain.layers.base.naming import inside
from gputrain.layers.core.input_layer import InputLayer
from gputrain.models.configs import as_nested_model, sequential_config, sequential_from_config
from gputrain.models.model import Functional, Model


@as_nested_model
class Sequential(Functional):
    """A stack of layers, each fed by the one before.

    The shapes are known, and weights exist, once the stack has an input: an `Input` at its start, or a first
    layer with `input_shape` (or `input_dim`). Without one it is built on the first data it sees.

    Args:
        layers: list of layers.
        trainable: whether an optimizer may change the weights.
        name: default "sequential", numbered.

    Example:
        >>> model = Sequential([Input(shape=(784,)), layers.Dense(10, activation="softmax")])
        >>> model.output_shape
        (None, 10)
    """

    heads_paths = True
    shows_calls = False
    keras_room: ClassVar[str] = "keras"

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None) -> None:
        Model.__init__(self, trainable=trainable, name=name)
        self.graph: Any = None
        self._stack: list[Layer] = []
        self._connected = (
            1  # layers of the stack that the graph has, once it is there; the first is the input
        )
        for layer in [layers] if isinstance(layers, Layer | Value) else layers or []:
            self.add(layer)

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer on top.

        Args:
            layer: a layer, or at first an Input.
            rebuild: whether to make its weights at once, where the input is known; else at the next call.

        Raises:
            TypeError: not a layer or an Input.
            ValueError: an Input that is not the first, or a name that is taken.
        """
        layer = layer.origin if isinstance(layer, Value) and layer.origin is not None else layer
        self._check_layer(layer)
        if not self._stack and not isinstance(layer, InputLayer):
            self._add_input_of(layer)
        self._stack.append(layer)
        if rebuild:
            self._connect()
        else:
            self.built = False

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the top layer off.

        Args:
            rebuild: whether the model counts as built at once; else at the next call.

        Raises:
            ValueError: there is none.
        """
        if not self.layers:
            raise ValueError(f"{self.name}: there is no layer to pop.")
        if self._has_graph():
            last = self.graph.output_values[0].node
            self._stack[-1].symbolic_calls.remove(last)
            self._connected -= 1
            self.graph = None
            if self._connected > 1:
                self._set_graph(self._stack[0].output, last.inputs[0])
        layer = self._stack.pop()
        self.built = rebuild and self._has_graph()
        return layer

    def build(self, input_shape: Any = None) -> None:
        """Create the weights for batches of this shape; those of another size are taken, too.

        Args:
            input_shape: with the batch; may be left out where the model begins with an Input.

        Raises:
            ValueError: there are no layers.
            ShapeError: the model begins with an Input of another shape.
        """
        if not self.layers:
            if input_shape is None:
                return
            raise ValueError(
                explain(f"{self.name} has no layers.", fix="Add one: model.add(layers.Dense(10)).")
            )
        first = self._stack[0]
        if isinstance(first, InputLayer):
            _require_like(first, input_shape, self.name)
        elif input_shape is not None:
            self._stack.insert(0, InputLayer(batch_shape=input_shape, dtype=_input_dtype(first)))
        if not self._has_graph():
            self._connect()

    def _has_graph(self) -> bool:
        return super()._has_graph() and self._connected == len(self._stack)

    def _check_layer(self, layer: Any) -> None:
        if not isinstance(layer, Layer):
            raise TypeError(
                explain(
                    f"{self.name}.add() takes a layer.", received=f"{layer!r} of type {type(layer).__name__}"
                )
            )
        if isinstance(layer, InputLayer) and self._stack:
            raise ValueError(f"{self.name}: an Input can only be the first layer.")
        if layer.name in [x.name for x in self._stack]:
            raise ValueError(
                explain(
                    f"{self.name}: layer names must be unique.",
                    received=f"{layer.name!r} a second time",
                    fix="Pass name= to one of them.",
                )
            )

    def _add_input_of(self, layer: Layer) -> None:
        """Begin with the input that the first layer asks for, if it does."""
        shape = layer.batch_input_shape
        if (
            shape is None
            and isinstance(layer, Functional)
            and len(getattr(layer.graph, "input_values", ())) == 1
        ):
            shape = layer.input_shape
        if shape is not None:
            self._stack.append(InputLayer(batch_shape=shape, dtype=_input_dtype(layer)))

    def _connect(self) -> None:
        """Call the layers that the graph lacks, if the stack has an input."""
        if len(self._stack) < 2 or not isinstance(self._stack[0], InputLayer):
            return
        inputs = self._stack[0].value
        value: Any = self.graph.outputs if self.graph is not None else inputs
        with inside(self):
            for layer in self._stack[self._connected :]:
                value = layer(value)
        self._connected = len(self._stack)
        self._set_graph(inputs, value)

    @property
    def layers(self) -> list[Layer]:
        """The layers without the input."""
        return [layer for layer in self._stack if not isinstance(layer, InputLayer)]

    @layers.setter
    def layers(self, value: Any) -> None:
        rule = f"{self.name}: `layers` cannot be set."
        raise AttributeError(explain(rule, fix="Use add() and pop() to change the layers of this model."))

    def get_config(self) -> dict[str, Any]:
        """The layers as plain data, with the input layer if there is one."""
        return sequential_config(self, self._stack)

    def get_build_config(self) -> dict[str, Any]:
        """The shape of the input that the model was built for."""
        return {"input_shape": self._stack[0].batch_shape if self._has_graph() else None}

    def describes_calls(self) -> bool:
        """Whether `get_config` says all there is: it does, built or not."""
        return True

    def with_layers(
        self, layer_of: Callable[[Layer], Any], inputs: Any = None, call: Callable[..., Any] | None = None
    ) -> Any:
        """A Sequential of other layers, in the places of these.

        Args:
            layer_of: returns the new layer in the place of one; the input is made anew.
            inputs: a symbolic value in place of the input.
            call: of functional models; it is not used.
        """
        stack: list[Any] = [layer_of(layer) for layer in self.layers]
        if inputs is not None:
            (value,) = tree.flatten(inputs)
            own = InputLayer(batch_shape=value.shape, dtype=value.dtype, name=value.name or None)
            stack.insert(0, value.origin or own)
        elif isinstance(self._stack[0] if self._stack else None, InputLayer):
            stack.insert(0, self._stack[0].renewed())
        return type(self)(stack, self.trainable, self.name)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """A Sequential from `get_config()`, with new weights."""
        return sequential_from_config(cls, config, custom_objects)


def _require_like(first: InputLayer, shape: Any, name: str) -> None:
    """Refuse to be built for other samples than the input's; the size of the batch does not count."""
    given = first.batch_shape if shape is None else tuple(shape)
    sizes = zip(first.batch_shape[1:], given[1:], strict=False)
    if len(given) != len(first.batch_shape) or any(None not in pair and pair[0] != pair[1] for pair in sizes):
        rule = f"{name}: the model begins with an Input, so it is built for that shape."
        raise ShapeError(explain(rule, expected=first.batch_shape, received=given))


def _input_dtype(layer: Layer) -> str:
    """Floats for most layers; layers that read indices say so, and models within."""
    if isinstance(layer, Functional) and getattr(layer, "graph", None) is not None:
        return layer.inputs[0].dtype
    return getattr(layer, "input_dtype", None) or layer.compute_dtype

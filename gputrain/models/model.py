"""Model: layers grouped into one object that can be trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import explain
from ..ir import Value, Variable
from ..layers.base import Layer
from ..utils import tree
from ..utils.names import did_you_mean
from .functional import FunctionalGraph
from .summary import summary_text
from .training import Trainer


class Model(Trainer, Layer):
    """A model: functional, from symbolic inputs and outputs, or subclassed, with a `call` of its own.

    Args:
        inputs: symbolic input(s) from `Input`: one, a list or a dict.
        outputs: what layers returned for them: one, a list or a dict.
        name: default is the class name in snake case, numbered.

    Example:
        >>> inputs = Input(shape=(4,))
        >>> outputs = layers.Dense(2)(inputs)
        >>> model = Model(inputs, outputs)

        >>> class Twice(Model):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.dense = layers.Dense(2)
        ...     def call(self, x, training=False):
        ...         return self.dense(self.dense(x))
    """

    supports_masking = True

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        functional = cls is Model and (len(args) >= 2 or "outputs" in kwargs)
        return super().__new__(Functional) if functional else super().__new__(cls)

    def __init__(self, *, trainable: bool = True, name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(trainable=trainable, name=name, dtype=dtype, **kwargs)
        self._start_training_state()

    @property
    def layers(self) -> list[Layer]:
        """The layers the model calls, in order."""
        return self.sublayers()

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by its name or number.

        Raises:
            ValueError: no such layer.
        """
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(explain(f"{self.name}: no layer has this number.", expected=f"0..{len(layers) - 1}", received=index))
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(f"{self.name}: no layer is named {name!r}. {did_you_mean(str(name), [x.name for x in layers])}")

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Print the layers with output shapes and numbers of weights."""
        text = summary_text(self, line_length, expand_nested, show_trainable)
        (print_fn or print)(text)

    def memory_plan(self, batch_size: int = 32, kind: str = "train") -> Any:
        """What a step needs in memory, known before anything runs.

        Args:
            batch_size: samples per batch.
            kind: "train", "test" or "predict"; the model must be compiled for the first two.

        Returns:
            a `MemoryPlan`: bytes by purpose; printing it gives a table.
        """
        from .memory import memory_plan

        return memory_plan(self, batch_size, kind)

    def build(self, input_shape: Any = None) -> None:
        """Create the weights of a subclassed model for inputs of this shape."""
        if input_shape is not None and not self.built and type(self).build is Model.build:
            self.compute_output_shape(tuple(input_shape))


class Functional(Model):
    """A model given by symbolic inputs and outputs; made by `Model(inputs, outputs)`."""

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, trainable: bool = True, **kwargs: Any) -> None:
        super().__init__(name=name or _functional_name(), trainable=trainable, **kwargs)
        self._set_graph(inputs, outputs)

    def _set_graph(self, inputs: Any, outputs: Any) -> None:
        self.graph = FunctionalGraph(inputs, outputs, self.name)
        self.input_names = list(inputs) if isinstance(inputs, dict) else [v.name for v in self.graph.input_values]
        self.output_names = _output_names(outputs, self.graph)
        self.built = True

    @property
    def inputs(self) -> list[Value]:
        """Symbolic inputs, flat."""
        return self.graph.input_values

    @property
    def outputs(self) -> list[Value]:
        """Symbolic outputs, flat."""
        return self.graph.output_values

    @property
    def input(self) -> Any:
        return self.graph.inputs

    @property
    def output(self) -> Any:
        return self.graph.outputs

    @property
    def input_shape(self) -> Any:
        shapes = [v.shape for v in self.inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        shapes = [v.shape for v in self.outputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def layers(self) -> list[Layer]:
        return self.graph.layers

    def sublayers(self) -> list[Layer]:
        return list(dict.fromkeys([*self.layers, *super().sublayers()]))

    def child_key(self, child: Layer) -> str:
        """Number of the layer, so that random streams do not depend on names."""
        for i, layer in enumerate(self.layers):
            if layer is child:
                return str(i)
        return super().child_key(child)

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        return self.graph.run(inputs)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return None  # masks travel with the values inside the model

    def get_config(self) -> dict[str, Any]:
        from .configs import functional_config

        return functional_config(self)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        from .configs import functional_from_config

        return functional_from_config(config, custom_objects)


def _functional_name() -> str:
    from ..layers.naming import auto_name

    return auto_name("Functional")


def _output_names(outputs: Any, graph: FunctionalGraph) -> list[str]:
    """Dict keys, or the names of the layers that make the outputs, each once."""
    if isinstance(outputs, dict):
        return list(outputs)
    names: list[str] = []
    for i, value in enumerate(graph.output_values):
        name = value.name or f"output_{i}"
        names.append(name if name not in names else f"{name}_{names.count(name)}")
    return names


def weight_numbers(variables: list[Variable]) -> int:
    """How many numbers the variables hold."""
    return int(sum(np.prod(v.shape, dtype=np.int64) for v in variables))


def flat_values(structure: Any) -> list[Value]:
    """The values of a structure, flat."""
    return [v for v in tree.flatten(structure) if isinstance(v, Value)]

"""Model: layers grouped into one object that can be trained."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from gputrain import tree
from gputrain.errors import ShapeError, explain
from gputrain.ir import Spec, Value
from gputrain.layers import serialize
from gputrain.layers.base import Layer, masking
from gputrain.layers.base.naming import make_paths_unique
from gputrain.layers.base.symbolic import LayerCall
from gputrain.layers.core.input_layer import InputLayer
from gputrain.models.configs import (
    as_nested_model,
    functional_config,
    functional_from_config,
    functional_settings,
)
from gputrain.models.functional import FunctionalGraph
from gputrain.models.training import checks
from gputrain.models.training.objectives import takes_indices
from gputrain.models.training.trainer import Trainer
from gputrain.names import did_you_mean
from gputrain.ops.calls import call_kept


class Model(Trainer, Layer):
    """A model: functional, from symbolic inputs and outputs, or subclassed, with a `call` of its own.

    A subclass may be functional too: it hands `inputs` and `outputs` to `super().__init__`.

    Args:
        inputs: symbolic input(s) from `Input`: one, a list or a dict.
        outputs: what layers returned for them: one, a list or a dict.
        name: default is the class name in snake case, numbered.
        trainable: whether an optimizer may change the weights.
        dtype: dtype of the model's own weights and of what its inputs are cast to; its layers have their own.
        kwargs: autocast and activity_regularizer, as of a layer.

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
    shows_calls: ClassVar[bool] = False  # in its summary
    known_as = "Model"
    _taken_beside = ("inputs", "outputs")

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        functional = cls is Model and _is_functional(args, kwargs)
        return super().__new__(Functional) if functional else super().__new__(cls)

    def __init__(
        self, *args: Any, trainable: bool = True, name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        if _is_functional(args, kwargs):
            self.__class__ = _functional_class(type(self))
            make: Any = Functional.__init__
            make(self, *args, trainable=trainable, name=name, dtype=dtype, **kwargs)
            return
        if args:
            raise TypeError(
                explain(
                    f"{type(self).__name__}: a model takes inputs and outputs, or neither.",
                    received=f"{len(args)} positional argument(s)",
                    fix="Pass Model(inputs, outputs), or only keywords to super().__init__().",
                )
            )
        super().__init__(trainable=trainable, name=name, dtype=dtype, **kwargs)
        self._start_training_state()

    def __reduce_ex__(self, protocol: Any) -> Any:
        """As of any object; a functional subclass goes by the class that was written."""
        written = vars(type(self)).get("written_as")
        if written is None:
            return super().__reduce_ex__(protocol)
        return _empty_functional, (written,), self.__getstate__()

    @property
    def layers(self) -> list[Layer]:
        """The layers the model calls, in order."""
        return self.sublayers()

    @layers.setter
    def layers(self, value: Any) -> None:
        rule = f"{type(self).__name__}: `layers` is the list of the model's layers and cannot be set."
        raise AttributeError(explain(rule, fix="Give the attribute another name."))

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by its name or number.

        Raises:
            ValueError: no such layer.
        """
        layers = self.layers
        if (name is None) == (index is None):
            raise ValueError(
                explain("get_layer() needs either a name or an index.", received=f"{name}, {index}")
            )
        if index is not None:
            if not -len(layers) <= index < len(layers):
                rule = f"{self.name}: no layer has this number."
                raise ValueError(explain(rule, expected=f"0..{len(layers) - 1}", received=index))
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        hint = did_you_mean(str(name), [x.name for x in layers], "summary()")
        raise ValueError(f"{self.name}: no layer is named {name!r}. {hint}")

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Print the layers with output shapes and numbers of weights.

        Of a functional model the inputs and the bare operations of `keras.ops` are listed, too. Where it is
        no chain, the table says what each of them reads: `dense[1][0]` is the first value that the second
        call of the layer dense returned. The totals count what the optimizer keeps, once it is built.

        Args:
            line_length: least width of the table.
            positions: where each column ends, as parts of the line or in characters; default as narrow as the
                contents allow, which no column is narrower than. The column of show_trainable comes behind.
            print_fn: called once with the whole text; default `print`.
            expand_nested: whether to list the layers of models within the model.
            show_trainable: whether to say which layers are trainable: Y, N, or - where there are no weights.
            layer_range: names of the first and the last layer to list, or patterns that match how they begin.

        Raises:
            ValueError: layer_range names no layer; another argument that is not as above.
        """
        line_length = checks.count("summary: line_length", line_length)
        from gputrain.models.summary import summary_text

        text = summary_text(self, line_length, positions, expand_nested, show_trainable, layer_range)
        (print_fn or print)(text)

    def to_json(self, **kwargs: Any) -> str:
        """The layers and the calls between them, without weights, as text for `models.model_from_json`.

        Args:
            kwargs: for `json.dumps`, such as indent=2.
        """
        import json

        return json.dumps(serialize(self), **kwargs)

    def save(
        self, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any
    ) -> None:
        """Save the model as a whole, for `models.load_model` or Keras 3; see `saving.save_model`.

        Args:
            filepath: ends in ".keras"; with zipped=False the name of a folder.
            overwrite: whether a file that is there may be replaced.
            zipped: False writes the parts into a folder.
            kwargs: include_optimizer=False leaves out the optimizer's state and what `compile` was given.

        Raises:
            ValueError: another ending, or an unknown argument.
            FileExistsError: a file is there, and overwrite=False.
            OSError: the file cannot be written.
        """
        from gputrain.saving import save_model

        save_model(self, filepath, overwrite, zipped, **kwargs)

    def save_weights(
        self, filepath: Any, overwrite: bool = True, max_shard_size: Any = None, **kwargs: Any
    ) -> None:
        """Save the weights, and the optimizer's state, without the layers; see `saving.save_weights`.

        Args:
            filepath: ends in ".weights.h5" (Keras 3's format), ".safetensors" or ".npz".
            overwrite: whether a file that is there may be replaced.
            max_shard_size: of Keras; the file is always one, so only None is taken.
            kwargs: objects_to_skip: layers that are left out.

        Raises:
            ValueError: another ending, a model that is not built, or an unknown argument.
            FileExistsError: a file is there, and overwrite=False.
            OSError: the file cannot be written.
        """
        from gputrain.saving import save_weights

        save_weights(self, filepath, overwrite, max_shard_size, **kwargs)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
        """Load weights, and the optimizer's state, into this model; see `saving.load_weights`.

        Args:
            filepath: a file of `save_weights`, of Keras's, or a whole model in a `.keras` or `.h5` file.
            skip_mismatch: warn about what does not fit and leave it as it is.
            kwargs: objects_to_skip: layers that are left as they are; by_name=True, for a `.h5` file of
                Keras 2: layers are found by their names, and others left as they are.

        Raises:
            ValueError: weights are missing, too many or of other shapes; a model that is not built.
            CorruptFileError: the file is damaged or of another kind.
            OSError: it cannot be opened.
        """
        from gputrain.saving import load_weights

        load_weights(self, filepath, skip_mismatch, **kwargs)

    def memory_plan(self, batch_size: int = 32, kind: str = "train") -> Any:
        """What a step needs in memory, known before anything runs.

        Args:
            batch_size: samples per batch.
            kind: "train", "test" or "predict"; the model must be compiled for the first two.

        Returns:
            a `MemoryPlan`: bytes by purpose; printing it gives a table.
        """
        from gputrain.models.memory import memory_plan

        return memory_plan(self, batch_size, kind)

    def step_specs(self) -> tuple[list[Spec], list[Spec]]:
        """Specs of the inputs and of the targets of a step, flat.

        Raises:
            ShapeError: the model's inputs are not known.
        """
        raise ShapeError(
            f"{self.name}: memory_plan() needs a model with known inputs (functional or Sequential)."
        )

    def build(self, input_shape: Any = None) -> None:
        """Create the weights of a subclassed model for inputs of this shape, or list or dict of shapes."""
        if input_shape is not None and not self.built:
            self.built = True
            self.compute_output_shape(input_shape)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """A model from `get_config()`, with new weights; a functional class keeps `Model`'s constructor."""
        if "input_layers" not in config and "calls" not in config:
            return super().from_config(config)
        _require_graph_constructor(cls)
        return functional_from_config(cls, config, custom_objects)

    def _ensure_built(self, given: dict[str, Any]) -> None:
        """A `call` builds the layers it calls, unless the class has a `build` of its own."""
        if type(self).build is Model.build and not self.built:
            self.built, self._build_shapes = True, self._shapes_for_build(given)
        super()._ensure_built(given)


@as_nested_model
class Functional(Model):
    """A model given by symbolic inputs and outputs; made by `Model(inputs, outputs)`.

    Args:
        inputs: symbolic input(s) from `Input`: one, a list or a dict.
        outputs: what layers returned for them: one, a list or a dict.
        name: default is the class name in snake case, numbered.
        trainable: whether an optimizer may change the weights.
        kwargs: dtype, autocast and activity_regularizer, as of a layer.
    """

    begins_models = False
    shows_calls = True
    heads_paths = False  # its layers may be built before it is there
    keras_room: ClassVar[str] = "keras.src.models.functional"

    def __init__(
        self, inputs: Any, outputs: Any, name: str | None = None, trainable: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(trainable=trainable, name=name, **kwargs)
        self._set_graph(inputs, outputs)

    def _set_graph(self, inputs: Any, outputs: Any) -> None:
        self.graph = FunctionalGraph(inputs, outputs, self.name)
        self._path = self._path or self.name
        make_paths_unique(self.variables)
        self.input_names = self.graph.names or [v.name for v in self.graph.input_values]
        self.output_names = _output_names(outputs, self.graph)
        self.built = True

    def _has_graph(self) -> bool:
        return isinstance(getattr(self, "graph", None), FunctionalGraph)

    @property
    def _known_graph(self) -> FunctionalGraph:
        if getattr(self, "graph", None) is None:
            rule = f"{self.name} has no inputs and outputs before it is built."
            raise AttributeError(
                explain(rule, fix="Begin it with keras.Input(shape), or call build(input_shape).")
            )
        return self.graph

    @property
    def inputs(self) -> list[Value]:
        """Symbolic inputs, flat."""
        return self._known_graph.input_values

    @property
    def outputs(self) -> list[Value]:
        """Symbolic outputs, flat."""
        return self._known_graph.output_values

    @property
    def input(self) -> Any:
        """Symbolic input(s), in the structure that was given."""
        return self._known_graph.inputs

    @property
    def output(self) -> Any:
        """Symbolic output(s), in the structure that was given."""
        return self._known_graph.outputs

    @property
    def input_shape(self) -> Any:
        """Shape of the input, or a list of shapes."""
        shapes = [v.shape for v in self.inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        """Shape of the output, or a list of shapes."""
        shapes = [v.shape for v in self.outputs]
        return shapes[0] if len(shapes) == 1 else shapes

    def known_values(self) -> tuple[list[Value], list[Value]] | None:
        """Symbolic inputs and outputs, once the model has them."""
        return (self.inputs, self.outputs) if self._has_graph() else None

    def names_of_inputs(self) -> list[str] | None:
        """The keys of a dict of inputs, where they are not nested deeper."""
        return self.graph.names if self._has_graph() and self.describes_calls() else None

    def step_specs(self) -> tuple[list[Spec], list[Spec]]:
        """Specs of the inputs and of the targets of a step, flat."""
        if not self._has_graph():
            return super().step_specs()
        return [v.spec for v in self.inputs], self.target_specs()

    def target_specs(self) -> list[Spec]:
        """Specs of the targets that the compiled losses take, flat: class indices, or the outputs' own."""
        outputs = [v.spec for v in self.outputs]
        losses = self._compile_loss
        chosen = losses.per_output(self.output_names, self.output) if losses is not None else []
        sparse = [takes_indices(loss) for loss in chosen] or [False] * len(outputs)
        return [
            Spec(spec.shape[:-1], "int32") if indices else spec
            for spec, indices in zip(outputs, sparse, strict=True)
        ]

    @property
    def layers(self) -> list[Layer]:
        return list(self.graph.layers)

    @layers.setter
    def layers(self, value: Any) -> None:
        rule = f"{self.name}: `layers` follows from the inputs and outputs of the model and cannot be set."
        raise AttributeError(explain(rule, fix="Make a new Model(inputs, outputs)."))

    def _held_attributes(self) -> list[Any]:
        return [*self.layers, *super()._held_attributes()]

    def child_key(self, child: Any) -> str:
        """Number of the layer, so that random streams do not depend on names."""
        for i, layer in enumerate(self.layers):
            if layer is child:
                return str(i)
        return super().child_key(child)

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        with masking.carried(inputs, mask):
            return self.graph.run(inputs)

    def symbolic_results(self, results: Any) -> Any:
        """The outputs in their structure: of a list of one, a call on symbolic values returns the list."""
        if not self._has_graph() or type(self).call is not Functional.call:
            return results
        return tree.pack_sequence_as(self.graph.outputs, tree.flatten(results))

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return None  # masks travel with the values inside the model

    def get_config(self) -> dict[str, Any]:
        """Layers, calls between them, inputs and outputs, as plain data."""
        return functional_config(self, self.graph)

    def get_build_config(self) -> dict[str, Any]:
        """As Keras writes it: a functional model is built when it is made."""
        return {"input_shape": None}

    def describes_calls(self) -> bool:
        """Whether `get_config` says all there is, as where the class has no `call` of its own."""
        return type(self).call is Functional.call

    def with_layers(
        self, layer_of: Callable[[Layer], Any], inputs: Any = None, call: Callable[..., Any] | None = None
    ) -> Any:
        """A model of the same calls of other layers.

        Args:
            layer_of: returns the new layer in the place of one; inputs are made anew.
            inputs: symbolic values in the structure of the inputs, in place of new ones.
            call: calls a new layer with the arguments that follow it.
        """
        graph = self.graph
        if inputs is None:
            new_inputs = [layer.renewed().value for layer in graph.input_layers]
            inputs = tree.pack_sequence_as(graph.inputs, new_inputs)
        layers = {layer: layer_of(layer) for layer in graph.layers if not isinstance(layer, InputLayer)}

        def repeated(op: Any, values: list[Any]) -> list[Any]:
            args, kwargs = op.given(values)
            if isinstance(op, LayerCall):
                new = layers[op.layer]
                return op.flat(new(*args, **kwargs) if call is None else call(new, *args, **kwargs))
            return tree.flatten(call_kept(op.function, args, kwargs, op.name))

        known = dict(zip(graph.input_values, tree.flatten(inputs), strict=True))
        outputs = graph.repeat(known, repeated)
        return type(self)(inputs=inputs, outputs=outputs, **functional_settings(self))


def _is_functional(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether these arguments of a model are its symbolic inputs and outputs."""
    return len(args) >= 2 or "outputs" in kwargs or "inputs" in kwargs


def _functional_class(cls: type[Model]) -> type[Model]:
    """A subclass of `cls` that is Functional too; `cls` itself where it is. One for each class."""
    if issubclass(cls, Functional):
        return cls
    if "_functional" not in vars(cls):
        names: dict[str, Any] = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
        names |= {"__doc__": cls.__doc__, "written_as": cls}
        cls._functional = type(cls.__name__, (cls, Functional), names)  # type: ignore[attr-defined]
    return cls._functional  # type: ignore[attr-defined]


def _empty_functional(cls: type[Model]) -> Model:
    """A model of the functional class of `cls`, before its attributes are set."""
    return object.__new__(_functional_class(cls))


def _require_graph_constructor(cls: type[Model]) -> None:
    """Refuse a class that a config cannot remake: its constructor is not that of a functional model."""
    names = list(inspect.signature(cls.__init__).parameters)[1:3]
    if names != ["inputs", "outputs"] and cls.__init__ is not Model.__init__:
        raise TypeError(
            explain(
                f"{cls.__name__}.from_config() hands inputs and outputs to the constructor.",
                expected="__init__(self, inputs, outputs, ...)",
                received=f"{cls.__name__}.__init__ with other arguments",
                fix="Override get_config and from_config in the class.",
            )
        )


def _output_names(outputs: Any, graph: FunctionalGraph) -> list[str]:
    """Dict keys, or the names of the layers that make the outputs, each once."""
    if isinstance(outputs, dict) and not any(map(tree.is_nested, outputs.values())):
        return [path[0] for path, _ in tree.flatten_with_path(outputs)]
    names: list[str] = []
    for i, value in enumerate(graph.output_values):
        base = name = value.name or f"output_{i}"
        while name in names:
            name = f"{base}_{len(names)}" if base == name else f"{name}_"
        names.append(name)
    return names

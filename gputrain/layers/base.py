"""Layer: weights, a `call` written in operations, and the state that goes with them."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from .. import config, constraints, initializers, regularizers
from ..errors import DTypeError, ShapeError, explain
from ..ir import Node, Shape, Trace, Value, Variable, current_trace, dtype_name, is_float
from ..ops.base import cast, convert
from ..utils import tree
from .naming import auto_name
from .symbolic import eager_call, functional_call

_REPORTED = (ShapeError, DTypeError)


class Layer:
    """Base of all layers and models.

    Subclasses create weights in `build(input_shape)` with `add_weight` and compute in `call(inputs, ...)`,
    written in `gputrain.ops`. `call` may take `training` (bool) and `mask`.

    Args:
        activity_regularizer: function of the output whose value is added to the loss.
        trainable: whether an optimizer may change the weights.
        dtype: dtype of weights and computation; default `config.floatx()`.
        autocast: cast floating inputs to `dtype`.
        name: default is the class name in snake case, numbered.

    Example:
        >>> class Scale(Layer):
        ...     def build(self, input_shape):
        ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")
        ...     def call(self, inputs):
        ...         return inputs * self.factor
    """

    supports_masking = False

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.name = name if name is not None else auto_name(type(self).__name__)
        self.batch_input_shape = _input_shape_argument(type(self).__name__, kwargs)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.dtype = dtype_name(dtype) if dtype is not None else config.floatx()
        self.autocast = autocast
        self.built = False
        self.calls: list[Node] = []
        self._trainable = bool(trainable)
        self._weights: list[Variable] = []
        self._build_shapes: Any = None

    # ------------------------------------------------------------------------------------- to be overridden

    def build(self, input_shape: Any) -> None:
        """Create the weights for inputs of this shape (unknown sizes None)."""

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs, in operations of `gputrain.ops`."""
        raise NotImplementedError(f"{type(self).__name__} must define call(inputs).")

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Mask of the outputs; by default the inputs' mask, where the layer supports masking."""
        return previous_mask

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data, so that `from_config` makes an equal layer."""
        config_ = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype}
        if self.batch_input_shape is not None:
            config_["batch_input_shape"] = list(self.batch_input_shape)
        return config_

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer from `get_config()`; unbuilt."""
        return cls(**config)

    # ---------------------------------------------------------------------------------------------- weights

    def add_weight(
        self,
        shape: tuple[int, ...] | None = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        name: str | None = None,
    ) -> Variable:
        """A new weight of this layer.

        Args:
            shape: default ().
            initializer: name, config, Initializer or function; default "glorot_uniform" for floats, else zeros.
            dtype: default the layer's.
            trainable: whether an optimizer may change it.
            regularizer: function of the weight whose value is added to the loss.
            constraint: function applied to the weight after each update.
            name: last part of its path.
        """
        kind = dtype_name(dtype) if dtype is not None else self.dtype
        default = "glorot_uniform" if is_float(kind) else "zeros"
        name = name or f"variable_{len(self._weights)}" if self._weights else name or "variable"
        variable = Variable(
            initializers.get(initializer or default),
            tuple(shape or ()),
            kind,
            trainable,
            name,
            f"{self.name}/{name}",
        )
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        self._weights.append(variable)
        return variable

    def add_loss(self, loss: Any) -> None:
        """Add a scalar to the loss of the model being traced; call it inside `call`."""
        trace = current_trace()
        if trace is not None:
            trace.losses.extend(convert(x) for x in tree.flatten(loss))

    def _attributes(self) -> Iterator[Any]:
        """Everything assigned to the layer's attributes, lists and dicts opened."""
        for key, value in vars(self).items():
            if key not in ("calls", "_weights") and isinstance(value, list | tuple | dict | Layer | Variable):
                yield from tree.flatten(value)

    def sublayers(self) -> list[Layer]:
        """Layers that are attributes of this one, in order of assignment, each once."""
        return list(dict.fromkeys(v for v in self._attributes() if isinstance(v, Layer)))

    def all_layers(self) -> list[Layer]:
        """This layer and all below it, each once."""
        found: dict[Layer, None] = {self: None}
        for child in self.sublayers():
            found.update(dict.fromkeys(child.all_layers()))
        return list(found)

    def own_variables(self) -> list[Variable]:
        """Weights and variables of this layer itself, trainable ones first."""
        own = dict.fromkeys([*self._weights, *(v for v in self._attributes() if isinstance(v, Variable))])
        return sorted(own, key=lambda v: not v.trainable)

    @property
    def variables(self) -> list[Variable]:
        """All weights, of this layer and of those below it."""
        return list(dict.fromkeys(v for layer in self.all_layers() for v in layer.own_variables()))

    @property
    def weights(self) -> list[Variable]:
        return self.variables

    @property
    def trainable_variables(self) -> list[Variable]:
        """Weights an optimizer may change: trainable ones of trainable layers."""
        if not self.trainable:
            return []
        own = [v for v in self.own_variables() if v.trainable]
        below = [v for child in self.sublayers() for v in child.trainable_variables]
        return list(dict.fromkeys(own + below))

    @property
    def trainable_weights(self) -> list[Variable]:
        return self.trainable_variables

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """All other weights."""
        trainable = set(self.trainable_variables)
        return [v for v in self.variables if v not in trainable]

    @property
    def non_trainable_weights(self) -> list[Variable]:
        return self.non_trainable_variables

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self.all_layers():
            layer._trainable = bool(value)

    def get_weights(self) -> list[Any]:
        """Copies of all weights as NumPy arrays, in the order of `weights`."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: list[Any]) -> None:
        """Set all weights from arrays in the order of `weights`; nothing is changed unless all fit.

        Raises:
            ShapeError: the number of arrays or a shape differs.
        """
        variables = self.weights
        if len(weights) != len(variables):
            raise ShapeError(
                explain(
                    f"{self.name}: set_weights() needs one array per weight.",
                    expected=f"{len(variables)} arrays ({[v.path for v in variables]})",
                    received=f"{len(weights)} arrays",
                    fix="" if variables else "Build the layer first: call it, or give it an input shape.",
                )
            )
        for variable, array in zip(variables, weights, strict=True):
            if tuple(getattr(array, "shape", ())) != variable.shape:
                raise ShapeError(
                    explain(
                        f"{variable.path}: the array has another shape than the weight.",
                        expected=variable.shape,
                        received=getattr(array, "shape", ()),
                    )
                )
        for variable, array in zip(variables, weights, strict=True):
            variable.assign(array)

    def count_params(self) -> int:
        """Number of numbers in the weights."""
        if not self.built and not self.weights:
            raise ValueError(
                explain(f"{self.name}: count_params() needs a built layer.", fix="Call it once, or give an input shape.")
            )
        return sum(v.spec.size for v in self.weights)

    # ---------------------------------------------------------------------------------------------- calling

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        trace = current_trace()
        if trace is not None:
            return self._inline(trace, args, kwargs)
        if any(isinstance(leaf, Value) for leaf in tree.flatten((args, kwargs))):
            return functional_call(self, args, kwargs)
        return eager_call(self, args, kwargs)

    def _inline(self, trace: Trace, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Record `call` in the trace, with what surrounds it: build, casts, training, masks, the path."""
        args, kwargs = tree.map_leaves(self._cast_input, (args, kwargs))
        training = kwargs.pop("training", None)
        if training is None:
            training = trace.training
        masks = [v.mask for v in tree.flatten(args) if isinstance(v, Value)]
        if "training" in self._call_arguments:
            kwargs["training"] = training
        if "mask" in self._call_arguments and "mask" not in kwargs and args:
            kwargs["mask"] = tree.map_leaves(lambda v: getattr(v, "mask", None), args[0])
        with trace.scope(self.name, _place(trace, self), training):
            trace.callers.append(self)
            try:
                self._ensure_built(args, kwargs)
                outputs = self.call(*args, **kwargs)
            except _REPORTED as error:
                raise _with_path(error, trace.path) from error
            finally:
                trace.callers.pop()
            self._after_call(trace, args, outputs, masks)
        return outputs

    def _after_call(self, trace: Trace, args: tuple[Any, ...], outputs: Any, masks: list[Any]) -> None:
        """Activity regularization, and the mask of the outputs."""
        if self.activity_regularizer is not None:
            trace.losses.extend(self.activity_regularizer(v) for v in tree.flatten(outputs))
        if all(mask is None for mask in masks):
            return
        if not self.supports_masking:
            warnings.warn(
                f"{trace.path}: {type(self).__name__} does not support masks; the mask of its input stops here.",
                stacklevel=2,
            )
            return
        previous = tree.map_leaves(lambda v: getattr(v, "mask", None), args[0])
        mask = self.compute_mask(args[0], previous)
        leaves = tree.flatten(outputs)
        for value, m in zip(leaves, tree.flatten(mask), strict=False):
            if isinstance(value, Value) and value.mask is None:
                value.mask = m

    def _cast_input(self, leaf: Any) -> Any:
        """Floats to the layer's dtype; masks kept."""
        if isinstance(leaf, Value) and self.autocast and is_float(leaf.dtype) and leaf.dtype != self.dtype:
            value = cast(leaf, self.dtype)
            value.mask = leaf.mask
            return value
        return leaf

    def _ensure_built(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self.built:
            return
        first = args[0] if args else next((v for v in kwargs.values() if isinstance(v, Value)), None)
        shapes = _shapes(first)
        self.build(shapes)
        self._build_shapes = shapes
        self.built = True

    @cached_property
    def _call_arguments(self) -> frozenset[str]:
        return frozenset(inspect.signature(self.call).parameters)

    @property
    def is_own(self) -> bool:
        """Whether no user code runs in this layer's call, so that unknown sizes may pass through it."""
        package = __name__.partition(".")[0] + "."
        return all(type(layer).call.__module__.startswith(package) for layer in self.all_layers())

    @property
    def compute_dtype(self) -> str:
        return self.dtype

    @property
    def variable_dtype(self) -> str:
        return self.dtype

    def child_key(self, child: Layer) -> str:
        """Where `child` stands in this layer: the attribute that holds it. Random streams are named by it."""
        for key, value in vars(self).items():
            if value is child:
                return key
            if key != "calls" and isinstance(value, list | tuple | dict):
                for i, leaf in enumerate(tree.flatten(value)):
                    if leaf is child:
                        return f"{key}.{i}"
        return child.name

    # ------------------------------------------------------------------------------- what a call looked like

    @property
    def input(self) -> Any:
        """Symbolic input(s) of the layer's only call in a functional model."""
        values = list(self._only_call().inputs)
        return values[0] if len(values) == 1 else values

    @property
    def output(self) -> Any:
        """Symbolic output(s) of the layer's only call in a functional model."""
        node = self._only_call()
        return tree.pack(node.op.structure, node.outputs)  # type: ignore[attr-defined]

    def _only_call(self) -> Node:
        if len(self.calls) != 1:
            raise AttributeError(
                f"{self.name} was called {len(self.calls)} times on symbolic inputs; input and output need exactly "
                f"one call. {'Give the model an input shape first.' if not self.calls else 'Keep the values the calls returned.'}"
            )
        return self.calls[0]

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """Shape of the output for inputs of this shape; nothing is computed. Builds the layer."""
        from ..ir import Spec
        from .symbolic import output_specs

        is_one = all(d is None or isinstance(d, int) for d in input_shape)
        given = Value(Spec(tuple(input_shape), self.dtype)) if is_one else [
            Value(Spec(tuple(s), self.dtype)) for s in input_shape  # type: ignore[arg-type]
        ]
        structure, specs, _ = output_specs(self, (given,), {})
        return tree.pack(structure, [s.shape for s in specs]) if len(specs) > 1 else specs[0].shape

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _place(trace: Trace, layer: Layer) -> str:
    """The layer's place inside the layer that calls it; the outermost one needs no place."""
    return trace.callers[-1].child_key(layer) if trace.callers else ""


def _with_path(error: Exception, path: str) -> Exception:
    """The same error with the layer's path in front, once."""
    text = str(error)
    return error if text.startswith("In layer ") else type(error)(f"In layer {path}: {text}")


def _shapes(inputs: Any) -> Any:
    """Shapes of a value, or of a list or dict of them."""
    if isinstance(inputs, Value):
        return inputs.shape
    if isinstance(inputs, list | tuple):
        return [_shapes(v) for v in inputs]
    if isinstance(inputs, dict):
        return {key: _shapes(v) for key, v in inputs.items()}
    return tuple(getattr(inputs, "shape", ()))


def _input_shape_argument(class_name: str, kwargs: dict[str, Any]) -> Shape | None:
    """(None, ...) from the arguments input_shape, input_dim, batch_input_shape and batch_size."""
    batch = kwargs.pop("batch_size", None)
    full = kwargs.pop("batch_input_shape", None) or kwargs.pop("batch_shape", None)
    shape = kwargs.pop("input_shape", None)
    if "input_dim" in kwargs:
        shape = (kwargs.pop("input_dim"),)
    if kwargs:
        raise TypeError(
            explain(
                f"{class_name}: unknown argument.",
                received=", ".join(sorted(kwargs)),
                fix="Check the spelling against the class's documentation.",
            )
        )
    if full is not None:
        return tuple(full)
    if shape is None:
        return None
    return (batch, *((shape,) if isinstance(shape, int) else tuple(shape)))

"""Layer: weights, a `call` written in operations, and the state that goes with them."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from functools import cached_property, wraps
from typing import Any

from gputrain import config, constraints, initializers, regularizers
from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.ir import Node, Shape, Spec, Trace, Value, current_trace, dtype_name, is_float, suspended
from gputrain.layers.base.naming import auto_name
from gputrain.layers.base.symbolic import eager_call, functional_call, output_specs
from gputrain.names import did_you_mean
from gputrain.ops import divide
from gputrain.ops.base import cast, convert
from gputrain.runtime import Variable
from gputrain.utils import tree

_REPORTED = (ShapeError, DTypeError)
_BASE_ARGUMENTS = frozenset(("self", "activity_regularizer", "trainable", "dtype", "autocast", "name"))


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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = _building(cls.build)  # type: ignore[method-assign]

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
        self.batch_input_shape = _input_shape_argument(type(self), kwargs)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.dtype = dtype_name(dtype) if dtype is not None else config.floatx()
        self.autocast = autocast
        self.built = False
        self.calls: list[Node] = []
        self._trainable = bool(trainable)
        self._weights: list[Variable] = []

    def __getattr__(self, name: str) -> Any:
        """Only reached for attributes that are missing: says so, and why everything may be missing."""
        if "_weights" not in vars(self):
            raise AttributeError(
                f"{type(self).__name__}.__init__ must call super().__init__() before anything else "
                f"({name!r} was asked for)."
            )
        return object.__getattribute__(self, name)  # raises, with a property's own words where it has any

    # ------------------------------------------------------------------------------------- to be overridden

    def build(self, input_shape: Any) -> None:
        """Create the weights for inputs of this shape (unknown sizes None)."""
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs, in operations of `gputrain.ops`."""
        raise NotImplementedError(f"{type(self).__name__} must define call(inputs).")

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Mask of the outputs; by default the inputs' mask, where the layer supports masking."""
        return previous_mask

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data, so that `from_config` makes an equal layer.

        Raises:
            NotImplementedError: a class whose constructor has arguments of its own must add them.
        """
        _require_own_config(type(self))
        config_: dict[str, Any] = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype}
        if self.batch_input_shape is not None:
            config_["batch_input_shape"] = list(self.batch_input_shape)
        if self.activity_regularizer is not None:
            config_["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return config_

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer from `get_config()`; unbuilt.

        Raises:
            TypeError: the constructor does not take the config's entries.
        """
        try:
            return cls(**config)
        except TypeError as error:
            raise TypeError(
                explain(
                    f"{cls.__name__}.from_config() passes the config to the constructor.",
                    received=f"{config} ({error})",
                    fix="Let __init__ hand **kwargs to super().__init__, or override from_config.",
                )
            ) from error

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
            initializer: name, config, Initializer or function; default "glorot_uniform", zeros for integers.
            dtype: default the layer's.
            trainable: whether an optimizer may change it.
            regularizer: function of the weight whose value is added to the loss.
            constraint: function applied to the weight after each update.
            name: last part of its path.
        """
        kind = dtype_name(dtype) if dtype is not None else self.dtype
        default = "glorot_uniform" if is_float(kind) else "zeros"
        name = name or (f"variable_{len(self._weights)}" if self._weights else "variable")
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
            trace.losses.extend((self, convert(x)) for x in tree.flatten(loss))

    @property
    def losses(self) -> list[Any]:
        """Regularizers' penalties on the trainable weights; in a traced step also what `add_loss` added."""
        penalties = [v.regularizer(v) for v in self.trainable_variables if v.regularizer is not None]
        trace = current_trace()
        if trace is None:
            return penalties
        below = set(self.all_layers())
        return penalties + [loss for layer, loss in trace.losses if layer in below]

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
        found: dict[Layer, None] = {}
        pending: list[Layer] = [self]
        while pending:
            layer = pending.pop()
            if layer not in found:
                found[layer] = None
                pending.extend(reversed(layer.sublayers()))
        return list(found)

    def own_variables(self) -> list[Variable]:
        """Weights and variables of this layer itself, trainable ones first."""
        own = dict.fromkeys([*self._weights, *(v for v in self._attributes() if isinstance(v, Variable))])
        return sorted(own, key=lambda v: not v.made_trainable)

    @property
    def variables(self) -> list[Variable]:
        """All weights, of this layer and of those below it."""
        return list(dict.fromkeys(v for layer in self.all_layers() for v in layer.own_variables()))

    @property
    def weights(self) -> list[Variable]:
        """The same as `variables`."""
        return self.variables

    @property
    def trainable_variables(self) -> list[Variable]:
        """Weights an optimizer may change: trainable ones of trainable layers."""
        found: dict[Layer, None] = {}
        pending: list[Layer] = [self]
        while pending:
            layer = pending.pop()
            if layer.trainable and layer not in found:
                found[layer] = None
                pending.extend(reversed(layer.sublayers()))
        return list(dict.fromkeys(v for layer in found for v in layer.own_variables() if v.trainable))

    @property
    def trainable_weights(self) -> list[Variable]:
        """The same as `trainable_variables`."""
        return self.trainable_variables

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """All other weights."""
        trainable = set(self.trainable_variables)
        return [v for v in self.variables if v not in trainable]

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The same as `non_trainable_variables`."""
        return self.non_trainable_variables

    @property
    def trainable(self) -> bool:
        """Whether an optimizer may change the weights; setting it sets it for all layers inside."""
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
                explain(
                    f"{self.name}: count_params() needs a built layer.",
                    fix="Call it once, or give an input shape.",
                )
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
        args, kwargs = tree.map_leaves(self._cast_input, self._named_training(args, kwargs))
        training = kwargs.pop("training", None)
        if training is None:
            training = trace.training
        first = args[0] if args else next(iter(kwargs.values()), None)
        masks = tree.map_leaves(lambda v: getattr(v, "mask", None), first)
        if "training" in self._call_arguments:
            kwargs["training"] = training
        if "mask" in self._call_arguments and "mask" not in kwargs and args:
            kwargs["mask"] = masks
        with trace.scope(self.name, _place(trace, self), training):
            trace.callers.append(self)
            try:
                self._ensure_built(first)
                outputs = self.call(*args, **kwargs)
            except _REPORTED as error:
                raise _with_path(error, trace.path) from error
            finally:
                trace.callers.pop()
            self._regularize_activity(trace, outputs)
            self._set_masks(trace, first, masks, outputs)
        return outputs

    def _named_training(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The arguments with `training` by its name, wherever it was given."""
        names = self._call_arguments
        place = names.index("training") if "training" in names else len(args)
        if place >= len(args):
            return args, dict(kwargs)
        return args[:place], {**kwargs, **dict(zip(names[place:], args[place:], strict=False))}

    def _regularize_activity(self, trace: Trace, outputs: Any) -> None:
        """Add the activity regularizer's penalty of a sample, the mean over the batch."""
        if self.activity_regularizer is None:
            return
        for value in tree.flatten(outputs):
            penalty = self.activity_regularizer(value)
            size = value.shape[0] if value.ndim else None
            trace.losses.append((self, divide(penalty, float(size)) if size else penalty))

    def _set_masks(self, trace: Trace, inputs: Any, masks: Any, outputs: Any) -> None:
        """The outputs' masks; a layer that does not support masks says that it drops them."""
        makes_masks = type(self).compute_mask is not Layer.compute_mask
        if not any(mask is not None for mask in tree.flatten(masks)) and not makes_masks:
            return
        if not self.supports_masking and not makes_masks:
            warnings.warn(
                f"{trace.path}: {type(self).__name__} does not support masks; its input's mask stops here.",
                stacklevel=2,
            )
            return
        found = tree.flatten(self.compute_mask(inputs, masks))
        for value, mask in zip(tree.flatten(outputs), found, strict=False):
            if isinstance(value, Value) and value.mask is None:
                value.mask = mask

    def _cast_input(self, leaf: Any) -> Any:
        """Floats to the layer's dtype; masks kept."""
        if isinstance(leaf, Value) and self.autocast and is_float(leaf.dtype) and leaf.dtype != self.dtype:
            value = cast(leaf, self.dtype)
            value.mask = leaf.mask
            return value
        return leaf

    def _ensure_built(self, inputs: Any) -> None:
        if not self.built:
            self.build(_shapes(inputs))
            self.built = True

    @cached_property
    def _call_arguments(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self.call).parameters)

    @property
    def is_own(self) -> bool:
        """Whether no user code runs in this layer's call, so that unknown sizes may pass through it."""
        package = __name__.partition(".")[0] + "."
        return all(type(layer).call.__module__.startswith(package) for layer in self.all_layers())

    @property
    def compute_dtype(self) -> str:
        """The dtype that is computed in."""
        return self.dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of the weights."""
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
        return tree.pack(node.op.structure, node.outputs)

    def _only_call(self) -> Node:
        if len(self.calls) != 1:
            fix = (
                "Keep the values that the calls returned."
                if self.calls
                else "Give the model an input shape first."
            )
            raise AttributeError(
                f"{self.name} was called {len(self.calls)} times on symbolic inputs; input and output need "
                f"exactly one call. {fix}"
            )
        return self.calls[0]

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """Shape of the output for inputs of this shape; nothing is computed. Builds the layer.

        Args:
            input_shape: a tuple with the batch (None where unknown), or a list or dict of them.
        """
        structure, specs, _ = output_specs(self, (_stand_ins(input_shape, self.dtype),), {})
        return tree.pack(structure, [s.shape for s in specs])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _building(build: Callable[..., None]) -> Callable[..., None]:
    """A layer's `build`, run outside of any trace (weights are drawn at once), which marks it as built."""

    @wraps(build)
    def wrapped(self: Layer, *args: Any, **kwargs: Any) -> None:
        with suspended():
            build(self, *args, **kwargs)
        self.built = True

    return wrapped


def _require_own_config(cls: type[Layer]) -> None:
    """Refuse to describe a layer whose constructor's own arguments nobody saves."""
    if cls.get_config is not Layer.get_config:
        return
    parameters = inspect.signature(cls.__init__).parameters.values()
    named = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    own = [name for name in named if name not in _BASE_ARGUMENTS]
    if own:
        raise NotImplementedError(
            explain(
                f"{cls.__name__}.get_config() must hold the constructor's arguments.",
                expected=", ".join(own),
                received="no get_config() in the class",
                fix='Define it: return {**super().get_config(), "argument": self.argument, ...}.',
            )
        )


def _place(trace: Trace, layer: Layer) -> str:
    """The layer's place inside the layer that calls it; the outermost one needs no place."""
    return trace.callers[-1].child_key(layer) if trace.callers else ""


def _with_path(error: Exception, path: str) -> Exception:
    """The same error with the layer's path in front, once."""
    text = str(error)
    return error if text.startswith("In layer ") else type(error)(f"In layer {path}: {text}")


def _stand_ins(shape: Any, dtype: str) -> Any:
    """A value of this shape, or a list or dict of values for a list or dict of shapes."""
    if isinstance(shape, dict):
        return {key: _stand_ins(item, dtype) for key, item in shape.items()}
    if all(size is None or isinstance(size, int) for size in shape):
        return Value(Spec(tuple(shape), dtype))
    return [_stand_ins(item, dtype) for item in shape]


def _shapes(inputs: Any) -> Any:
    """Shapes of a value, or of a list or dict of them."""
    if isinstance(inputs, Value):
        return inputs.shape
    if isinstance(inputs, list | tuple):
        return [_shapes(v) for v in inputs]
    if isinstance(inputs, dict):
        return {key: _shapes(v) for key, v in inputs.items()}
    return tuple(getattr(inputs, "shape", ()))


def _argument_names(cls: type) -> list[str]:
    """Names that the constructors of a layer class and its bases take."""
    found = [n for base in cls.__mro__ for n in inspect.signature(base.__init__).parameters]  # type: ignore[misc]
    return sorted({*found, "input_shape", "input_dim", "batch_size"} - {"self", "args", "kwargs"})


def _input_shape_argument(cls: type, kwargs: dict[str, Any]) -> Shape | None:
    """(None, ...) from the arguments input_shape, input_dim, batch_input_shape and batch_size."""
    batch = kwargs.pop("batch_size", None)
    full = kwargs.pop("batch_input_shape", None) or kwargs.pop("batch_shape", None)
    shape = kwargs.pop("input_shape", None)
    if "input_dim" in kwargs:
        shape = (kwargs.pop("input_dim"),)
    if kwargs:
        raise TypeError(
            explain(
                f"{cls.__name__}: unknown argument.",
                received=", ".join(sorted(kwargs)),
                fix=did_you_mean(next(iter(kwargs)), _argument_names(cls)),
            )
        )
    if full is not None:
        return tuple(full)
    if shape is None:
        return None
    return (batch, *((shape,) if isinstance(shape, int) else tuple(shape)))

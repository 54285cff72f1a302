"""What a layer holds: weights, other layers, and what is assigned to its attributes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np

from gputrain import constraints, initializers, regularizers
from gputrain.errors import ShapeError, explain
from gputrain.initializers.drawn import zeros_in_no_memory
from gputrain.ir import Node, Stored, Trace, Value, current_trace, dtype_name, is_float
from gputrain.layers.base.naming import path_of
from gputrain.layers.base.policy import Typed, is_array
from gputrain.metrics.base import Metric
from gputrain.ops.base import as_value, convert, is_number
from gputrain.runtime import Variable
from gputrain.utils import states, tree
from gputrain.utils.budget import FROM_FILE
from gputrain.utils.signatures import only_taken


class Tracked(Typed):
    """What holds weights and further objects of its kind.

    Attributes:
        name: for people, and for the paths of weights.
        built: whether the weights exist.
        begins_models: whether it takes the shape of the data, as the first layer of a Sequential.
        heads_paths: whether paths of weights below begin with its name where it is the outermost layer.
    """

    begins_models = heads_paths = True
    _revision = 0  # how often changed what traced steps hold of it as constants, such as a vocabulary
    _taken_beside: ClassVar[tuple[str, ...]] = ()  # arguments of constructors beside those in signatures
    saved_names: ClassVar[Mapping[str, str]] = {}  # of attributes whose names in files of Keras are others
    _derived_attributes: ClassVar[tuple[str, ...]] = ("symbolic_calls", "_losses")

    name: str
    built: bool
    _trainable: bool
    _path: str | None
    _added_weights: list[Variable]

    @cached_property
    def symbolic_calls(self) -> list[Node]:
        """The calls on symbolic values outside of a trace."""
        return []

    @cached_property
    def _losses(self) -> list[Any]:
        """What the last call on arrays added, or `add_loss` outside of calls did since."""
        return []

    def add_weight(
        self,
        shape: tuple[int, ...] | None = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str | None = "none",
        overwrite_with_gradient: bool = False,
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
            autocast, aggregation: see `Variable`.
            overwrite_with_gradient: of Keras; only False is taken.
            name: last part of its path.

        Raises:
            ShapeError: a size of the shape is unknown.
        """
        only_taken("overwrite_with_gradient", overwrite_with_gradient, f"{self.name}: add_weight")
        kind = dtype_name(dtype) if dtype is not None else self.variable_dtype
        default = "glorot_uniform" if is_float(kind) else "zeros"
        if FROM_FILE.get() is not None and not self.keeps_its_own_variables():
            initializer = zeros_in_no_memory
        name = name or (f"variable_{len(self._added_weights)}" if self._added_weights else "variable")
        variable = Variable(
            initializers.get(default if initializer is None else initializer),
            () if shape is None else shape,
            kind,
            trainable,
            autocast,
            aggregation,
            name=name,
            path=path_of(self, name),
        )
        variable.trainable = trainable and self._trainable
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        self._added_weights.append(variable)
        return variable

    def add_variable(
        self,
        shape: tuple[int, ...],
        initializer: Any,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Variable:
        """A new weight of this layer; see `add_weight`.

        Args:
            shape, initializer, dtype, trainable, autocast, regularizer, constraint, name: as there.
        """
        settings = {"autocast": autocast, "regularizer": regularizer, "constraint": constraint, "name": name}
        return self.add_weight(shape, initializer, dtype, trainable, **settings)

    def add_loss(self, loss: Any) -> None:
        """Add to the loss of the model, usually inside `call`; it counts until the layer is called again.

        Args:
            loss: a scalar, or lists of them; what has axes is summed when it is added to the loss.

        Raises:
            ValueError: something that is no number or tensor, or a symbolic value outside of `call`.
        """
        trace = current_trace()
        for value in tree.flatten(loss):
            if not (isinstance(value, Value | Stored) or is_number(value) or is_array(value)):
                rule = f"{self.name}: add_loss() takes a tensor or a number."
                fix = "Call a function yourself, inside call()." if callable(value) else ""
                raise ValueError(explain(rule, received=repr(value), fix=fix))
            if trace is not None:
                trace.losses.append((self, as_value(value)))
            elif isinstance(value, Value):
                rule = f"{self.name}: add_loss() of a symbolic value belongs inside of a call()."
                raise ValueError(explain(rule, received=value, fix="Write a layer that adds it."))
            else:
                self._losses.append(convert(value))

    @property
    def losses(self) -> list[Any]:
        """What `add_loss` and activity regularizers added, here and below, then penalties on weights.

        Inside a traced step they are what the calls of this step added; outside, what the last call on arrays
        did. Only trainable weights have penalties.
        """
        trace = current_trace()
        layers = self._layers_with_losses()
        if trace is None:
            added = [loss for layer in layers for loss in layer._losses]
        else:
            added = [loss for layer in layers for owner, loss in trace.losses if owner is layer]
        return added + [v.regularizer(v) for v in self.trainable_variables if v.regularizer is not None]

    def _layers_with_losses(self) -> list[Any]:
        """This layer and all below it in Keras's order: layers within layers within it come reversed."""
        found: dict[Any, None] = {self: None}
        pending = self.sublayers()
        while pending:
            layer = pending.pop(0)
            if layer not in found:
                found[layer] = None
                pending = [*reversed(layer.sublayers()), *pending]
        return list(found)

    def _keep_losses(self, added: Iterable[tuple[Any, Any]]) -> None:
        """Forget what was added here and below, and keep what a call on arrays added: (layer, loss)."""
        for layer in self.all_layers():
            layer._losses.clear()
        for layer, loss in added:
            layer._losses.append(loss)

    def _forget_losses(self, trace: Trace) -> None:
        """Let a call that begins in a trace count in place of what earlier ones of this layer added."""
        if trace.losses:
            below = set(self.all_layers())
            trace.losses[:] = [(layer, loss) for layer, loss in trace.losses if layer not in below]

    # ------------------------------------------------------------------------------------- layers and weights

    @property
    def path(self) -> str | None:
        """The names of the layers around it and its own, as "encoder/dense"; None until it is built."""
        return self._path

    def _held_attributes(self) -> list[Any]:
        """Layers, variables and metrics among the attributes, and all that lists and dicts hold."""
        held: list[Any] = []
        for key, value in vars(self).items():
            role = _role(value.__class__)
            if role == "held":
                held.append(value)
            elif role == "opened" and key not in _NOT_OPENED:
                held += tree.flatten(value)
        return held

    def sublayers(self) -> list[Any]:
        """Layers that are attributes of this one, in order of assignment, each once."""
        return list(dict.fromkeys(v for v in self._held_attributes() if isinstance(v, Tracked)))

    def all_layers(self) -> list[Any]:
        """This layer and all below it, each once."""
        return list(self._held_below())

    def _held_below(self, wanted: Any = None) -> dict[Any, list[Any]]:
        """What each layer holds: this one and those below it for which `wanted` holds, and for all around."""
        found: dict[Any, list[Any]] = {}
        pending: list[Any] = [self]
        while pending:
            layer = pending.pop()
            if layer not in found and (wanted is None or wanted(layer)):
                found[layer] = held = layer._held_attributes()
                pending += [value for value in reversed(held) if isinstance(value, Tracked)]
        return found

    def child_key(self, child: Any) -> str:
        """Where `child` stands in this layer: the attribute that holds it. Random streams are named by it."""
        for key, value in vars(self).items():
            if value is child:
                return key
            if key != "symbolic_calls" and isinstance(value, list | tuple | dict):
                for i, leaf in enumerate(tree.flatten(value)):
                    if leaf is child:
                        return f"{key}.{i}"
        return child.name

    def own_variables(self) -> list[Variable]:
        """Weights and variables of this layer itself, trainable ones first."""
        own = dict.fromkeys(
            [*self._added_weights, *(v for v in self._held_attributes() if isinstance(v, Variable))]
        )
        return sorted(own, key=lambda v: not v.made_trainable)

    def _kept_states(self) -> list[Variable]:
        """Variables of this layer itself that are no weights, with which a resumed training goes on."""
        return []

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
        layers = self._held_below(lambda layer: layer.trainable)
        return list(dict.fromkeys(v for layer in layers for v in layer.own_variables() if v.trainable))

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

    def own_metrics(self) -> list[Metric]:
        """Metrics that are attributes of this layer, in order of assignment."""
        return [value for value in self._held_attributes() if isinstance(value, Metric)]

    @property
    def metrics(self) -> list[Metric]:
        """Metrics of this layer and of those below it; a model that holds them reports and resets them."""
        return list(dict.fromkeys(m for layer in self.all_layers() for m in layer.own_metrics()))

    @property
    def metrics_variables(self) -> list[Variable]:
        """Variables of the metrics."""
        return list(dict.fromkeys(v for metric in self.metrics for v in metric.variables))

    @property
    def trainable(self) -> bool:
        """Whether an optimizer may change the weights; setting it sets it for all inside."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self.all_layers():
            layer._trainable = bool(value)
            for variable in layer.own_variables():
                variable.trainable = layer._trainable and variable.made_trainable

    # ----------------------------------------------------------------------------------------- their contents

    def get_weights(self) -> list[Any]:
        """Copies of all weights as NumPy arrays, in the order of `weights`."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: list[Any]) -> None:
        """Set all weights from arrays or lists in the order of `weights`; nothing is changed unless all fit.

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
            if np.shape(array) != variable.shape:
                raise ShapeError(
                    explain(
                        f"{variable.path}: the array has another shape than the weight.",
                        expected=variable.shape,
                        received=np.shape(array),
                    )
                )
        for variable, array in zip(variables, weights, strict=True):
            variable.assign(array)

    def named_variables(self) -> dict[str, Variable]:
        """All weights by their place in the layer, in the order of `weights`; equal models have equal places.

        Example:
            >>> list(Sequential([Input(shape=(4,)), Dense(2)]).named_variables())
            ['0/kernel', '0/bias']
        """
        from gputrain.layers.base import places

        return places.named_variables(self)

    def state(self) -> dict[str, Any]:
        """Copies of all weights as NumPy arrays, by their place in the layer."""
        return states.of_variables(self.named_variables())

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Set all weights to what `state` gave; nothing is changed unless all fit.

        Raises:
            ValueError: a weight is missing or unknown.
            ShapeError: an array has another shape than its weight.
        """
        variables = self.named_variables()
        if state and not variables and not self.built:
            rule = f"{self.name}: the weights must exist before their state is set."
            raise ValueError(explain(rule, fix="Call it once, or give an input shape."))
        states.assign(self.name, variables, state)

    @classmethod
    def keeps_its_own_variables(cls) -> bool:
        """Whether the class overrides how its variables are saved and loaded."""
        both = cls.save_own_variables, cls.load_own_variables
        return both != (Tracked.save_own_variables, Tracked.load_own_variables)

    def save_own_variables(self, store: Any) -> None:
        """Put the weights of this layer itself into a store, by "0", "1" ...: what model files hold of it.

        A class may override it, together with `load_own_variables`, to keep something else.

        Args:
            store: a dict, which takes arrays and variables.
        """
        store.update({str(i): variable for i, variable in enumerate(self.own_variables())})

    def load_own_variables(self, store: Any) -> None:
        """Take what `save_own_variables` put into a store.

        Args:
            store: a dict of arrays.

        Raises:
            ValueError: there are more weights or fewer.
            ShapeError: a weight has another shape.
        """
        variables = {str(i): variable for i, variable in enumerate(self.own_variables())}
        states.assign(self.name, variables, store)

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


_NOT_OPENED = frozenset(("symbolic_calls", "_added_weights", "_losses"))


@lru_cache(maxsize=1024)
def _role(kind: Any) -> str | None:
    """What an attribute of this type is to its layer; kept, as each step by hand asks for all of them."""
    if issubclass(kind, Tracked | Variable | Metric):
        return "held"
    return "opened" if issubclass(kind, list | tuple | dict) else None

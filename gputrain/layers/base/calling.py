"""The call of a layer: what surrounds `call` while it is recorded."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property, wraps
from typing import Any, ClassVar

from gputrain.errors import DTypeError, ShapeError, explain
from gputrain.ir import Trace, Value, current_trace, suspended
from gputrain.layers.base.input_spec import check_inputs
from gputrain.layers.base.masking import any_mask, asked_for, attach, masks_of, warn_of_dropped
from gputrain.layers.base.naming import inside, place_of
from gputrain.layers.base.symbolic import (
    SymbolicCalls,
    eager_call,
    functional_call,
    shape_of,
    shapes_returned,
)
from gputrain.ops import divide
from gputrain.ops.base import as_value
from gputrain.utils import tree
from gputrain.utils.signatures import on_or_off

_OF_LISTS = " A list is taken as several inputs: pass numpy.array(x)."
_REPORTED = (ShapeError, DTypeError)
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Called(SymbolicCalls):
    """What is built at its first call, and called on values and arrays.

    Attributes:
        supports_masking: whether the outputs carry the mask of the inputs.
        activity_regularizer: function of the output whose value is added to the loss.
        input_spec: what the first argument of `call` must be, an InputSpec or nested ones; None for anything.
    """

    supports_masking = False
    _build_shapes: Mapping[str, Any] | None = None  # what `build` was told, by its arguments
    _derived_attributes: ClassVar[tuple[str, ...]] = (
        "_call_arguments",
        "_needed_arguments",
        "_usual_training",
    )
    activity_regularizer: Any
    input_spec: Any = None

    # ------------------------------------------------------------------------------------- to be overridden

    def build(self, input_shape: Any) -> None:
        """Create the weights for inputs of this shape (unknown sizes None)."""
        self.built, self._build_shapes = True, {"input_shape": input_shape}

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs, in operations of `gputrain.ops`."""
        raise NotImplementedError(f"{type(self).__name__} must define call(inputs).")

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Mask of the outputs; by default that of the inputs.

        It is called where the layer supports masks, or defines this method. A layer whose `call` has a
        further argument x may ask for its mask: `x_mask`, after these two.

        Args:
            inputs: the first argument of `call`: a value, or a list or dict of them.
            previous_mask: its mask, in the same structure, or what was given as `mask`.
        """
        return previous_mask

    # ---------------------------------------------------------------------------------------------- calling

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        trace = current_trace()
        if trace is not None:
            return self._record_call(trace, args, kwargs)
        if any(isinstance(leaf, Value) for leaf in tree.flatten((args, kwargs))):
            return functional_call(self, args, kwargs)
        return eager_call(self, args, kwargs)

    def _record_call(self, trace: Trace, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Record `call` in the trace, with what surrounds it: build, casts, training, masks, the path."""
        args, kwargs = tree.map_leaves(self.cast_inputs, self._named_training(args, kwargs))
        training = kwargs.pop("training", self._usual_training if trace.training is None else None)
        if training is not None:
            training = on_or_off(training, f"{self.name}: training", also=(0, 1))
        else:
            training = trace.training
        placed, given = self._call_arguments[: len(args)], self._arguments_by_name(args, kwargs)
        self._require_all(given)
        masks = {name: masks_of(value) for name, value in given.items()}
        asked = asked_for(self._call_arguments, masks)
        kwargs |= {
            name: mask for name, mask in asked.items() if given.get(name) is None and name not in placed
        }
        if "training" in self._call_arguments:
            kwargs["training"] = training
        if not trace.callers and trace.parent is None:
            self._forget_losses(trace)
        with inside(self), trace.scope(self.name, _place(trace, self), training):
            trace.callers.append(self)
            try:
                self._ensure_built(given)
                if self.input_spec is not None:
                    check_inputs(self.input_spec, next(iter(given.values()), None), self.name)
                outputs = self.call(*args, **kwargs)
            except _REPORTED as error:
                raise _with_path(error, trace.path, given) from error
            except TypeError as error:
                inherited, own = f"{self.call.__qualname__}()", f"{type(self).__name__}.call()"
                if inherited == own or not str(error).startswith(inherited):
                    raise
                raise TypeError(f"{own}{str(error).removeprefix(inherited)}") from None
            finally:
                trace.callers.pop()
            self._regularize_activity(trace, outputs)
            return self._with_masks(trace, {**kwargs, **given}, masks, outputs)

    def _named_training(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The arguments with `training` by its name, wherever it was given."""
        names = self._call_arguments
        place = names.index("training") if "training" in names else len(args)
        if place >= len(args):
            return args, dict(kwargs)
        return args[:place], {**kwargs, **dict(zip(names[place:], args[place:], strict=False))}

    def _arguments_by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The arguments of `call` by their names, in order; those that have none by their numbers."""
        names = [*self._call_arguments, *map(str, range(len(self._call_arguments), len(args)))]
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        return {name: given[name] for name in (*names, *kwargs) if name in given}

    def _require_all(self, given: dict[str, Any]) -> None:
        """Refuse a call of a layer of several inputs without one of them."""
        needed = self._needed_arguments
        missing = [name for name in needed if name not in given]
        if given and missing and len(needed) > 1:
            call = ", ".join(needed)
            rule = f"{type(self).__name__} is called with {call}; {missing[0]} is missing."
            raise TypeError(explain(rule, received=", ".join(given), fix=f"Call it as layer({call})."))

    def _regularize_activity(self, trace: Trace, outputs: Any) -> None:
        """Add the activity regularizer's penalty of a sample, the mean over the batch."""
        if self.activity_regularizer is None:
            return
        for value in tree.flatten(outputs):
            if isinstance(value, Value):
                penalty = as_value(self.activity_regularizer(value))
                size = value.shape[0] if value.ndim else None
                trace.losses.append((self, divide(penalty, float(size)) if size else penalty))

    def _with_masks(self, trace: Trace, given: Any, masks: dict[str, Any], outputs: Any) -> Any:
        """The outputs with their masks; a layer that does not support masks says that it drops them."""
        makes_masks = type(self).compute_mask is not Called.compute_mask
        first, *later = masks or ("",)
        previous = given.get("mask") if given.get("mask") is not None else masks.get(first)
        if makes_masks or (self.supports_masking and any_mask(previous)):
            names = tuple(inspect.signature(self.compute_mask).parameters)[2:]
            further = asked_for(names, masks)
            return attach(outputs, self.compute_mask(given.get(first), previous, **further), given)
        if not self.supports_masking:
            untaken = [masks[name] for name in later if f"{name}_mask" not in self._call_arguments]
            if any_mask([previous, untaken]):
                warn_of_dropped(self, trace.path)
        return outputs

    def _ensure_built(self, given: dict[str, Any]) -> None:
        """Build the layer at its first call, for the shapes of these arguments."""
        if self._path is None:
            self._path = place_of(self)
        if not self.built:
            shapes = self._shapes_for_build(given)
            self.build(**shapes)
            self.built, self._build_shapes = True, shapes

    def _shapes_for_build(self, given: dict[str, Any]) -> dict[str, Any]:
        """The arguments of `build`: the shape of the first tensor, or by its name `x_shape` that of each `x`.

        Raises:
            ValueError: `build` has several arguments, and one that is no argument of `call` with "_shape".
        """
        names = [p.name for p in inspect.signature(self.build).parameters.values() if p.kind not in _VARIADIC]
        tensors = {name: value for name, value in given.items() if name != "mask" and _holds_tensors(value)}
        if len(names) == 1:
            return {names[0]: _shapes(next(iter(tensors.values()), None))}
        known = {f"{name}_shape": name for name in self._call_arguments}
        strange = [name for name in names if name not in known]
        if strange:
            who = type(self).__name__
            rule = f"{who}: build() takes one shape, or one for each argument x of call(), as x_shape."
            raise ValueError(explain(rule, expected=f"some of {list(known)}", received=repr(strange[0])))
        return {name: _shapes(tensors[known[name]]) for name in names if known[name] in tensors}

    @cached_property
    def _call_arguments(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self.call).parameters)

    @cached_property
    def _needed_arguments(self) -> tuple[str, ...]:
        """Those of `call` that have no default; what a layer is told anyway is not among them."""
        known = inspect.signature(self.call).parameters.values()
        needed = [p.name for p in known if p.default is p.empty and p.kind not in _VARIADIC]
        return tuple(name for name in needed if name not in ("training", "mask") and name[-5:] != "_mask")

    @cached_property
    def _usual_training(self) -> bool | None:
        """What `call` has as `training` when nobody says."""
        parameter = inspect.signature(self.call).parameters.get("training")
        return None if parameter is None or parameter.default is parameter.empty else parameter.default


def building(build: Callable[..., None]) -> Callable[..., None]:
    """A layer's `build`, run outside of any trace (weights are drawn at once), which marks it as built."""

    @wraps(build)
    def wrapped(self: Called, *args: Any, **kwargs: Any) -> None:
        before = self.built
        try:
            with suspended(), inside(self):
                self._path = self._path or place_of(self)
                build(self, *args, **kwargs)
        except BaseException:
            self.built = before  # whatever a base's `build` has said
            raise
        self.built = True
        names = list(inspect.signature(build).parameters)[1:]
        self._build_shapes = {**dict(zip(names, args, strict=False)), **kwargs}

    return wrapped


def shape_once_built(layer: Any) -> Any:
    """Shape of a layer's output, or nested ones, for what it was built for; None where that is not told.

    No `call` of a user's own is run for it; `compute_output_shape` of a user's own is.
    """
    shapes = layer._build_shapes or {}
    if not shapes or None in shapes.values():
        return None
    one = tuple(shapes.values()) if len(shapes) == 1 else ()
    named = {} if one else shapes
    if type(layer).compute_output_shape is not SymbolicCalls.compute_output_shape:
        return layer.compute_output_shape(*one, **named)
    if not layer.is_own or len(layer._needed_arguments) > len(shapes):
        return None
    return shapes_returned(layer, one, {name.removesuffix("_shape"): x for name, x in named.items()})


def _place(trace: Trace, layer: Called) -> str:
    """The layer's place inside the layer that calls it; the outermost one needs no place."""
    return trace.callers[-1].child_key(layer) if trace.callers else ""


def _with_path(error: Exception, path: str, given: dict[str, Any]) -> Exception:
    """The same error with the layer's path in front, once, and what to do where lists of numbers came."""
    text = str(error)
    if text.startswith("In layer "):
        return error
    own = text.removeprefix(f"{path.rpartition('/')[2]}: ")
    return type(error)(f"In layer {path}: {own}{_OF_LISTS if _holds_lists(given) else ''}")


def _holds_lists(given: dict[str, Any]) -> bool:
    """Whether an argument is a list with numbers of Python in it, each of which is taken as an input."""
    lists = [value for value in given.values() if isinstance(value, list | tuple)]
    return any(isinstance(leaf, int | float) for leaf in tree.flatten(lists))


def _holds_tensors(value: Any) -> bool:
    """Whether an argument is a tensor, or a list or dict of them."""
    leaves = [leaf for leaf in tree.flatten(value) if leaf is not None]
    return bool(leaves) and all(isinstance(leaf, Value) for leaf in leaves)


def _shapes(inputs: Any) -> Any:
    """Shapes of a value, or of a list or dict of them."""
    if isinstance(inputs, Value):
        return shape_of(inputs)
    if isinstance(inputs, list | tuple):
        return [_shapes(v) for v in inputs]
    if isinstance(inputs, dict):
        return {key: _shapes(v) for key, v in inputs.items()}
    return tuple(getattr(inputs, "shape", ()))

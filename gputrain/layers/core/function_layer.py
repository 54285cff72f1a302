"""Lambda: a function as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from gputrain.errors import ShapeError, explain
from gputrain.ir import Value, current_trace
from gputrain.layers.base import Layer, declared, registry
from gputrain.layers.base.arguments import is_int
from gputrain.layers.base.masking import any_mask, warn_of_dropped
from gputrain.layers.base.symbolic import shape_of
from gputrain.ops.base import convert
from gputrain.utils import tree
from gputrain.utils.custom_objects import deserialize_keras_object, serialize_keras_object
from gputrain.utils.signatures import takes

_CODE = "__lambda__"  # what Keras calls a function that it writes down as code


def _function(value: Any, where: str) -> Callable[..., Any]:
    if not callable(value):
        raise TypeError(explain(f"{where} is a function of the inputs.", received=repr(value)))
    return value


def _shape(value: Any, where: str) -> Any:
    """A function, or sizes, maybe those of several outputs; or None."""
    sizes = [] if value is None or callable(value) else tree.flatten(value)
    if not all(size is None or is_int(size) for size in sizes) or is_int(value):
        expected = "a tuple of ints and None, without the batch, or a function of the input's shape"
        raise TypeError(explain(f"{where} is a shape.", expected=expected, received=repr(value)))
    return value


def _mask(value: Any, where: str) -> Any:
    """A function, or numbers; or None."""
    if not (value is None or callable(value) or hasattr(value, "shape") or isinstance(value, list | tuple)):
        raise TypeError(explain(f"{where} is a mask, or a function that makes it.", received=repr(value)))
    return value


def _arguments(value: Any, where: str) -> dict[str, Any]:
    """A dict by names, empty for None."""
    if value is not None and not (isinstance(value, Mapping) and all(isinstance(key, str) for key in value)):
        raise TypeError(explain(f"{where} is a dict by names, or None.", received=repr(value)))
    return dict(value or {})


def _plain(value: Any) -> Any:
    """A function or what stands in its place, as configs have it; code is not written down."""
    if inspect.isfunction(value) and value.__name__ == "<lambda>":
        rule = "Lambda: a function without a name has no config, for code is neither written down nor run."
        fix = "Define it with def, and register it with keras.saving.register_keras_serializable()."
        raise TypeError(explain(rule, received=repr(value), fix=fix))
    return value if isinstance(value, list | tuple) else serialize_keras_object(value)


def _found(value: Any, custom_objects: Mapping[str, Any] | None) -> Any:
    """The function that a config names."""
    if isinstance(value, Mapping) and value.get("class_name") == _CODE:
        raise ValueError(
            explain(
                "Lambda: a config that holds code is refused, for code from a file may do anything.",
                expected="the name of a registered function",
                received=f"class_name={_CODE!r}",
                fix="Define the function with def, register it with "
                "keras.saving.register_keras_serializable(), and save the model again.",
            )
        )
    return deserialize_keras_object(value, custom_objects)


def _is_several(value: Any) -> bool:
    return isinstance(value, list | tuple)


@registry.add()
class Lambda(Layer):
    """A function as a layer. A Layer of your own is better where it has weights or is saved.

    Args:
        function: of the inputs, written in `keras.ops`; it is also given `mask` and `training` where it has
            arguments of these names.
        output_shape: the shape of a sample of the output, or a function from the shape of the inputs to that
            of the output; checked, for it is found by itself.
        mask: the mask of the output, or a function of (inputs, mask); None for none.
        arguments: further arguments of the function, by name.

    Shapes:
        as the function makes them.

    Raises:
        TypeError: function is none, or arguments is no dict.
        ShapeError: outputs of another shape than output_shape.
        ValueError: from a config that holds code.

    Example:
        >>> Lambda(lambda x: x ** 2)(numpy.array([[1.0, 3.0]], "float32"))
        array([[1., 9.]], dtype=float32)
    """

    function: Callable[..., Any] = declared.argument(_function, plain=_plain)
    output_shape: Any = declared.argument(_shape, None, plain=_plain)
    mask: Any = declared.argument(_mask, None, plain=_plain)
    arguments: dict[str, Any] = declared.argument(_arguments, None, plain=serialize_keras_object)

    def check_arguments(self) -> None:
        """Masks are supported where the layer is told what becomes of them."""
        self.supports_masking = self.mask is not None

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """What the function makes of the inputs."""
        more = {"mask": mask, "training": training}
        more = {name: value for name, value in more.items() if takes(self.function, name)}
        outputs = self.function(inputs, **{**self.arguments, **more})
        if self.output_shape is not None:
            self._check_shape(inputs, outputs)
        return outputs

    def _check_shape(self, inputs: Any, outputs: Any) -> None:
        """Refuse an output of another shape than was said; nested ones are left alone."""
        nested = isinstance(self.output_shape, list | tuple) and any(map(_is_several, self.output_shape))
        if nested or not isinstance(outputs, Value):
            return
        found = shape_of(outputs)
        if callable(self.output_shape):
            shapes = tree.map_leaves(lambda leaf: leaf.shape if isinstance(leaf, Value) else leaf, inputs)
            said = tuple(self.output_shape(shapes))
        else:
            said = (None, *self.output_shape)
        fits = len(said) == len(found) and all(
            None in sizes or sizes[0] == sizes[1] for sizes in zip(said, found, strict=True)
        )
        if not fits:
            rule = "Lambda: the function makes what output_shape says."
            raise ShapeError(explain(rule, expected=said, received=found))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """What `mask` says; None without, with a note where the inputs have one."""
        if self.mask is None and any_mask(previous_mask):
            trace = current_trace()
            warn_of_dropped(self, self.name if trace is None else trace.path)
        if callable(self.mask):
            return self.mask(inputs, previous_mask)
        return None if self.mask is None else convert(self.mask)

    def _has_known_call(self) -> bool:
        """False: the function is the user's."""
        return False

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """A Lambda from `get_config()`, whose functions are found by name; code is refused.

        Args:
            config: plain data.
            custom_objects: functions by the names in it.
        """
        config = dict(config)
        for name in ("function", "output_shape", "mask", "arguments"):
            if name in config:
                config[name] = _found(config[name], custom_objects)
        return cls(**config)

"""Layer: weights, a `call` written in operations, and the state that goes with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gputrain import config, regularizers
from gputrain.ir import dtype_name
from gputrain.layers.base.calling import Called, building
from gputrain.layers.base.config import Configured, input_shape_argument, is_undescribed, remembering
from gputrain.layers.base.declared import complete
from gputrain.names import attribute_instead, auto_name, checked_name, lacking
from gputrain.utils.registry import Registry
from gputrain.utils.signatures import on_or_off
from gputrain.utils.states import Copied


class Layer(Called, Configured, Copied):
    """Base of all layers and models.

    Subclasses create weights in `build(input_shape)` with `add_weight` and compute in `call(inputs, ...)`,
    written in `gputrain.ops`. `call` may take `training` (bool) and `mask`, or `x_mask` for its argument `x`.

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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        complete(cls, Layer)
        if "__init__" in vars(cls) and is_undescribed(cls):
            cls.__init__ = remembering(cls.__init__)  # type: ignore[method-assign]
        if "build" in vars(cls):
            cls.build = building(cls.build)  # type: ignore[method-assign]

    known_as = "layers.Layer"  # Keras's class whose attributes are asked for

    if TYPE_CHECKING:  # constructors of subclasses are made of their declared arguments

        def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    else:

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
            kind = type(self).__name__
            self.name = auto_name(kind) if name is None else checked_name(name, kind)
            self.batch_input_shape = input_shape_argument(type(self), kwargs)
            self.activity_regularizer = regularizers.get(activity_regularizer)
            self._dtype = dtype_name(dtype) if dtype is not None else config.floatx()
            self.autocast = on_or_off(autocast, f"{kind}: autocast")
            self.built = False
            self._trainable = on_or_off(trainable, f"{kind}: trainable")
            self._added_weights = []
            self._path = None

    def __getattr__(self, name: str) -> Any:
        """Only reached for attributes that are missing: says so, and why everything may be missing."""
        if "_added_weights" not in vars(self):
            raise AttributeError(
                f"{type(self).__name__}.__init__ must call super().__init__() before anything else "
                f"({name!r} was asked for)."
            )
        try:
            return object.__getattribute__(self, name)  # raises, with a property's own words where it has any
        except AttributeError as error:
            instead = attribute_instead(self.known_as, name)
            if not instead:
                raise
            raise lacking(self, name, str(error), instead) from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


registry: Registry[Layer] = Registry("layer")  # the closed list of what a name in a config may stand for

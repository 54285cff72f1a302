"""Bare operations of functional models as Keras 3 writes them: {"module", "class_name", "config", ...}.

Keras has a class for each operation. Its constructor takes the settings, which are the config; its call takes
the tensors. Here both are arguments of one function, whose names are the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from inspect import Parameter
from typing import Any

from gputrain import ops
from gputrain.names import did_you_mean
from gputrain.ops import image
from gputrain.ops.calls import FunctionCall, call_kept, class_name

_MODULE = "keras.src.ops."
# Arguments that Keras's classes take at the call; all others are settings.
_OF_CALLS = frozenset(
    [
        "a",
        "array",
        "b",
        "bias",
        "bins",
        "condition",
        "condlist",
        "choicelist",
        "constant_values",
        "data",
        "default",
        "depthwise_kernel",
        "elements",
        "fill_value",
        "indices",
        "inputs",
        "kernel",
        "key",
        "mask",
        "operands",
        "output",
        "pattern",
        "pointwise_kernel",
        "predictions",
        "query",
        "scale",
        "sorted_sequence",
        "start",
        "start_indices",
        "step",
        "stop",
        "target",
        "targets",
        "tensor",
        "test_elements",
        "updates",
        "value",
        "values",
        "variable",
        "weights",
        "x",
        "x1",
        "x2",
        "xs",
        "y",
        "gamma",
        "beta",
        "mean",
        "variance",
        "coordinates",
        "end_points",
        "image1",
        "image2",
        "images",
        "output_shape",
        "start_points",
        "transform",
        "translation",
    ]
)
_FILLING = ("affine_transform", "elastic_transform", "map_coordinates", "perspective_transform", "resize")
_SETTINGS_OF = {
    "bincount": ("weights",),
    "squareplus": ("b",),
    "trapezoid": ("x",),
    **dict.fromkeys(_FILLING, ("fill_value",)),
}
_ALSO_OF_CALL = {"isclose": ("rtol", "atol"), "batch_normalization": ("offset",)}
_OF_CORE = (
    "cast convert_to_tensor saturate_cast scatter scatter_update slice slice_update stop_gradient unstack"
)
_OF_MATH = (
    "cdist erf erfc erfinv extract_sequences fft fft2 ifft2 in_top_k irfft istft logdet "
    "logsumexp rfft rsqrt segment_max segment_min segment_prod segment_sum stft top_k "
    "view_as_complex view_as_real"
)
_OF_LINALG = (
    "cholesky cholesky_inverse det eig eigh inv lstsq lu_factor matrix_rank norm pinv qr "
    "solve solve_triangular svd"
)
_OF_NN = (
    "adaptive_average_pool adaptive_max_pool average_pool batch_normalization "
    "binary_crossentropy categorical_crossentropy celu conv conv_transpose ctc_decode "
    "ctc_loss depth_to_space depthwise_conv dot_product_attention elu fold gelu glu "
    "hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh layer_normalization leaky_relu "
    "log_sigmoid log_softmax max_pool moments multi_hot normalize one_hot polar psnr relu "
    "relu6 rms_normalization selu separable_conv sigmoid silu soft_shrink softmax softplus "
    "softsign space_to_depth sparse_categorical_crossentropy sparse_plus sparse_sigmoid "
    "sparsemax squareplus swish tanh_shrink threshold unfold"
)
_HOMES = {
    name: module
    for module, names in (("core", _OF_CORE), ("math", _OF_MATH), ("linalg", _OF_LINALG), ("nn", _OF_NN))
    for name in names.split()
}


def describes_operation(item: Any) -> bool:
    """Whether plain data describes an operation, not a layer."""
    module = item.get("module") if isinstance(item, Mapping) else None
    return isinstance(module, str) and module.startswith(("keras.src.ops.", "keras.ops"))


def operation_config(call: FunctionCall, values: Any) -> tuple[dict[str, Any], list[Any]]:
    """What Keras writes for an operation, and the arguments of its call, with values in their slots."""
    name = call.function.__name__
    named, further = _bound(call, values)
    at_call = [key for key in named if _is_of_call(name, key)]
    settings = {key: value for key, value in named.items() if key not in at_call}
    known = class_name(name)
    home = "image" if name in image.__all__ else _HOMES.get(name, "numpy")
    plain: dict[str, Any] = {"module": _MODULE + home, "class_name": known}
    plain |= {"config": {"name": call.name, **settings}, "registered_name": known}
    return plain, [*(named[key] for key in at_call), *further]


def operation_from(item: Mapping[str, Any]) -> Callable[..., Any]:
    """What calls the operation that plain data describes.

    Raises:
        ValueError: an unknown one.
    """
    known = _by_class()
    kind = item.get("class_name")
    if not isinstance(kind, str) or kind not in known:
        hint = did_you_mean(str(kind), known, "dir(keras.ops)")
        raise ValueError(f"Unknown operation {kind!r} in a model. {hint}")
    settings = item.get("config", {})
    if not isinstance(settings, Mapping):
        raise ValueError(f"'config' of operation {kind!r} must be a dict. Received {repr(settings)[:200]}.")
    return _Described(known[kind], dict(settings))


class _Described:
    """A function of operations with its settings; called as Keras calls the operation."""

    def __init__(self, function: Callable[..., Any], settings: dict[str, Any]) -> None:
        self.function, self.name, self.settings = function, settings.pop("name", None), settings

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args, given = self._arguments(args)
        return call_kept(self.function, args, {**given, **kwargs}, self.name)

    def _arguments(self, args: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The function's arguments, of those of the call and of the settings."""
        name, parameters = self.function.__name__, inspect.signature(self.function).parameters
        if any(parameter.kind is Parameter.VAR_POSITIONAL for parameter in parameters.values()):
            before = [key for key in parameters if _is_first(parameters[key]) and key in self.settings]
            given = {key: value for key, value in self.settings.items() if key not in before}
            return (*(self.settings[key] for key in before), *args), given
        if class_name(name) == "GetItem":
            args = (args[0], tuple(args[1]) if isinstance(args[1], list) else args[1])
        places = [key for key in parameters if _is_of_call(name, key)]
        return (), {**dict(zip(places, args, strict=False)), **self.settings}


def _is_first(parameter: Parameter) -> bool:
    return parameter.kind is Parameter.POSITIONAL_OR_KEYWORD


def _is_of_call(function: str, argument: str) -> bool:
    if argument in _SETTINGS_OF.get(function, ()):
        return False
    return argument in _OF_CALLS or argument in _ALSO_OF_CALL.get(function, ())


def _bound(call: FunctionCall, values: Any) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """The arguments of a call by name, those left out too, and further ones of `*args`."""
    args, kwargs = call.given(values)
    signature = inspect.signature(call.function)
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    named, further = dict(bound.arguments), ()
    for key, parameter in signature.parameters.items():
        if parameter.kind is Parameter.VAR_POSITIONAL:
            further = named.pop(key)
        elif parameter.kind is Parameter.VAR_KEYWORD:
            named |= named.pop(key)
    return named, further


@lru_cache(maxsize=1)
def _by_class() -> dict[str, Callable[..., Any]]:
    """The functions by the names of Keras's classes."""
    found = [getattr(ops, name) for name in ops.__all__ if name.islower()]
    found += [getattr(image, name) for name in image.__all__]
    return {class_name(item.__name__): item for item in found if hasattr(item, "__wrapped__")}

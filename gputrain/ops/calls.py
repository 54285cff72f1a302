"""Calls of operations on what `Input` began: kept as they were written, for models to repeat and describe.

A functional model is made of calls, of layers and of functions of `gputrain.ops`. A call has the arguments it
was given, with a `Slot` where a symbolic value stood. What the function records when it runs in a trace is
nobody's business here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

from gputrain.ir import Node, Trace, Value, interpreter
from gputrain.names import auto_name
from gputrain.ops.base import Operation, as_value
from gputrain.utils import tree

# Those that trace a function of the user, do something beside, or tell of a value without computing.
_NOT_KEPT = frozenset(
    (
        *("apply", "cond", "constant", "convert", "convert_to_numpy", "custom_gradient", "dropout", "dtype"),
        *("fori_loop", "is_tensor", "map", "ndim", "print", "random_normal", "random_uniform", "register_op"),
        *("scan", "shape", "size", "sum_to", "switch", "vectorized_map"),
    )
)
# Functions whose class in Keras has a name that does not follow from theirs.
_CLASSES = {
    "abs": "Absolute",
    "allclose": "AllClose",
    "batch_normalization": "BatchNorm",
    "cdist": "CDist",
    "conj": "Conjugate",
    "ctc_decode": "CTCDecode",
    "ctc_loss": "CTCLoss",
    "fft": "FFT",
    "fft2": "FFT2",
    "getitem": "GetItem",
    "hard_swish": "HardSilu",
    "hsv_to_rgb": "HSVToRGB",
    "ifft2": "IFFT2",
    "irfft": "IRFFT",
    "isin": "IsIn",
    "istft": "ISTFT",
    "layer_normalization": "LayerNorm",
    "psnr": "PSNR",
    "rfft": "RFFT",
    "rgb_to_grayscale": "RGBToGrayscale",
    "rgb_to_hsv": "RGBToHSV",
    "rms_normalization": "RMSNorm",
    "searchsorted": "SearchSorted",
    "ssim": "SSIM",
    "stft": "STFT",
    "svd": "SVD",
    "swish": "Silu",
}


def class_name(function: str) -> str:
    """The name of Keras's class of the operation that a function stands for: "expand_dims" is ExpandDims."""
    return _CLASSES.get(function) or "".join(word[:1].upper() + word[1:] for word in function.split("_"))


class Slot:
    """Where an input value goes in the arguments of a call."""

    def __init__(self, index: int) -> None:
        self.index = index


class _Call(Operation, eq=False):
    """A node of a functional model. `arguments` is (args, kwargs) with a `Slot` for each input value."""

    arguments: Any

    def given(self, values: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with values in the slots."""
        args, kwargs = tree.map_leaves(
            lambda leaf: values[leaf.index] if isinstance(leaf, Slot) else leaf, self.arguments
        )
        return args, kwargs

    def call(self, values: Sequence[Any]) -> list[Any]:
        """Call it on other values; what corresponds to the outputs of the node."""
        raise NotImplementedError

    def packed(self, outputs: Sequence[Value]) -> Any:
        """What the call returned, of the outputs of the node."""
        raise NotImplementedError


Call = _Call  # no operation of a device: classes of a public name are registered as such


class _FunctionCall(_Call, eq=False):
    """A call of a function of `gputrain.ops`.

    Attributes:
        function: what was called.
        name: numbered, as Keras names its operations.
        structure: of what it returned.
        count: how many values that has.
    """

    function: Any
    name: str
    structure: Any
    count: int

    @property
    def n_outputs(self) -> int:
        return self.count

    def packed(self, outputs: Sequence[Value]) -> Any:
        return tree.pack(self.structure, outputs)

    def call(self, values: Sequence[Any]) -> list[Any]:
        args, kwargs = self.given(values)
        return [as_value(leaf) for leaf in tree.flatten(self.function(*args, **kwargs))]

    def __str__(self) -> str:
        return self.name


FunctionCall = _FunctionCall


def with_slots(arguments: Any) -> tuple[Any, list[Value]]:
    """Arguments with slots in place of their symbolic values, and these."""
    values = [leaf for leaf in tree.flatten(arguments) if isinstance(leaf, Value)]
    numbers = iter(range(len(values)))
    slots = tree.map_leaves(lambda leaf: Slot(next(numbers)) if isinstance(leaf, Value) else leaf, arguments)
    return slots, values


def kept(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of operations whose calls on what `Input` began are kept; a decorator."""

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        if not isinstance(interpreter.current(), Trace) and any(
            _is_of_model(leaf) for leaf in tree.flatten((args, kwargs))
        ):
            return call_kept(called, args, kwargs)
        return function(*args, **kwargs)

    return called


def keep_calls(namespace: dict[str, Any], names: Iterable[str]) -> None:
    """Let the functions of these names be `kept`, in a namespace and in the modules that they come from."""
    made: dict[Callable[..., Any], Callable[..., Any]] = {}  # a function has one, whatever its names
    for name in names:
        function = namespace[name]
        if not isinstance(function, type) and name not in _NOT_KEPT:
            if function not in made:
                made[function] = kept(function)
            vars(sys.modules[function.__module__])[name] = namespace[name] = made[function]


def _is_of_model(leaf: Any) -> bool:
    """Whether a leaf is an input of a functional model, or what a call made of some."""
    if not isinstance(leaf, Value):
        return False
    return leaf.origin is not None or (leaf.node is not None and isinstance(leaf.node.op, _Call))


def call_kept(function: Callable[..., Any], args: Any, kwargs: Any, name: str | None = None) -> Any:
    """Find what a function returns for symbolic values, and record the call.

    Args:
        function: one of `gputrain.ops`, as it is `kept`.
        args, kwargs: its arguments.
        name: of the operation; default that of its class in snake case, numbered.
    """
    slots, values = with_slots((args, kwargs))
    new_args, new_kwargs = tree.map_leaves(
        lambda leaf: Value(leaf.spec) if isinstance(leaf, Value) else leaf, (args, kwargs)
    )
    made = function(*new_args, **new_kwargs)
    leaves = tree.flatten(made)
    if not any(isinstance(leaf, Value) for leaf in leaves):
        return made
    specs = tuple(as_value(leaf).spec for leaf in leaves)
    name = name or auto_name(class_name(function.__name__))
    op = FunctionCall(slots, function, name, tree.map_leaves(lambda _: None, made), len(leaves))
    node = Node(op, tuple(values), specs)
    for value in node.outputs:
        value.name = name
    return op.packed(node.outputs)

"""Which dtype a layer computes in, and which its variables have."""

from __future__ import annotations

from typing import Any

import numpy as np

from gputrain.errors import explain
from gputrain.ir import Stored, Value, is_float
from gputrain.ops.base import as_value, cast


def is_array(leaf: Any) -> bool:
    """Arrays of any library; numbers, NumPy's too, strings, shapes and None are plain arguments."""
    shaped = hasattr(leaf, "shape") and hasattr(leaf, "dtype")
    return shaped and not isinstance(leaf, Value | Stored | np.generic)


def policy(dtype: str) -> dict[str, Any]:
    """A dtype as Keras writes it into configs of layers."""
    own = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": dtype}}
    return {**own, "registered_name": None}


class Typed:
    """What has dtypes: of its computation and of its variables.

    Attributes:
        autocast: whether floating inputs are cast to the dtype of the computation.
    """

    _dtype: str
    autocast: bool

    @property
    def dtype(self) -> str:
        """The dtype of weights and computation."""
        return self._dtype

    @dtype.setter
    def dtype(self, value: Any) -> None:
        rule = f"{type(self).__name__}: the dtype of a layer is set when it is made."
        raise AttributeError(explain(rule, received=repr(value), fix="Pass dtype= to the constructor."))

    @property
    def compute_dtype(self) -> str:
        """The dtype that is computed in."""
        return self.dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of the weights."""
        return self.dtype

    def cast_inputs(self, leaf: Any) -> Any:
        """A variable or an array as a value; a floating value in the dtype of the computation, its mask kept.

        Anything else, as numbers and None, stays as it is.
        """
        leaf = as_value(leaf) if isinstance(leaf, Stored) or is_array(leaf) else leaf
        floating = isinstance(leaf, Value) and self.autocast and is_float(leaf.dtype)
        if not floating or leaf.dtype == self.compute_dtype:
            return leaf
        value = cast(leaf, self.compute_dtype)
        value.mask = leaf.mask
        return value

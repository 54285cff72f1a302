"""Operations, under the names of `keras.ops`: recorded on values while a model is traced, computed at once on arrays."""

# ruff: noqa: E501, F401, F403

from __future__ import annotations

from typing import TYPE_CHECKING

from gputrain.ir import Value
from gputrain.names import public, stands_above
from gputrain.ops import calls
from gputrain.ops.activation import *
from gputrain.ops.angles import *
from gputrain.ops.attending import *
from gputrain.ops.base import REGISTRY, Operation, Sample, apply, cast, constant, convert
from gputrain.ops.choice import *
from gputrain.ops.comparison import *
from gputrain.ops.conv_pool import *
from gputrain.ops.conversion import *
from gputrain.ops.convolution import *
from gputrain.ops.creation import *
from gputrain.ops.crossentropy import *
from gputrain.ops.custom import *
from gputrain.ops.elementwise import *
from gputrain.ops.indexing import *
from gputrain.ops.loop import *
from gputrain.ops.movement import *
from gputrain.ops.normalization import *
from gputrain.ops.optim import *
from gputrain.ops.pool import *
from gputrain.ops.products import *
from gputrain.ops.random import *
from gputrain.ops.recurrence import *
from gputrain.ops.reduction import *
from gputrain.ops.register import *
from gputrain.ops.sequences import *
from gputrain.ops.special import *

# What the modules have in their lists of public names; a new module needs the line above alone.
__all__ = [name for name, item in globals().items() if getattr(item, "__module__", "").startswith(f"{__name__}.")]

calls.keep_calls(globals(), (name for name in __all__ if name.islower()))
Value.operators.update({name: globals()[name] for name in __all__})

# Activations that Keras has among its operations, too; they are composed of these, in a room above.
_ACTIVATIONS = (
    *("celu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "leaky_relu"),
    *("log_sigmoid", "relu6", "selu", "soft_shrink", "softsign", "sparse_plus", "sparse_sigmoid"),
    *("sparsemax", "squareplus", "swish", "tanh_shrink", "threshold"),
)
# Short compositions of other operations, by the module that has them; imported when one is asked for.
_DERIVED = {
    "contraction": "einsum",
    "derived_math": (
        "allclose arccosh arcsinh arctanh conj conjugate copy cosh deg2rad divide_no_nan exp2 fabs "
        "fmax fmin fmod heaviside hypot isclose isinf isnan isneginf isposinf isreal log2 log10 "
        "logaddexp logaddexp2 logical_xor nan_to_num rad2deg real reciprocal saturate_cast select "
        "sinc sinh tan trunc"
    ),
    "derived_pool": "adaptive_average_pool adaptive_max_pool",
    "derived_shapes": (
        "append array_split depth_to_space diag diagflat diagonal dsplit dstack dtype empty "
        "empty_like fliplr flipud fori_loop geomspace get_item hsplit hstack is_tensor linspace "
        "logspace map meshgrid multi_hot ndim rot90 shape size slice_update space_to_depth switch "
        "trace tri tril triu vectorized_map vsplit vstack"
    ),
    "derived_sums": (
        "average bincount cross cumprod cumsum diff digitize dot_product_attention in_top_k "
        "inner isin kron moments nancumprod nancumsum nanmax nanmean nanmin nanprod nanstd nansum "
        "nanvar norm outer ptp rms_normalization searchsorted tensordot trapezoid vander vdot"
    ),
    "derived_spectra": "fft fft2 ifft2 irfft istft rfft stft",
}
# Keras's groups of the same operations; they are imported when they are asked for.
_GROUPS = tuple(f"{__name__}.{group}" for group in ("image", "linalg", "nn", "numpy"))

stands_above(__name__, _ACTIVATIONS, "gputrain.activations")
for _module, _names in _DERIVED.items():
    stands_above(__name__, _names.split(), f"{__name__}.{_module}")
    __all__ += _names.split()
__all__ += _ACTIVATIONS

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("operation", __name__, __all__, rooms=_GROUPS)

"""The operations that Keras has in `keras.ops.numpy`."""

from typing import TYPE_CHECKING

from gputrain.names import public, stands_above

_NAMES = (
    "abs absolute add all allclose amax amin any append arange arccosh arcsinh arctan2 arctanh argmax "
    "argmin array array_split average bincount broadcast_to ceil clip concatenate conj conjugate copy cos "
    "cosh count_nonzero cross cumprod cumsum deg2rad diag diagflat diagonal diff digitize divide "
    "divide_no_nan dot dsplit dstack einsum empty empty_like equal exp exp2 expand_dims expm1 eye fabs flip "
    "fliplr flipud floor floor_divide fmax fmin fmod full full_like geomspace get_item greater greater_equal "
    "heaviside hsplit hstack hypot identity inner isclose isfinite isin isinf isnan isneginf isposinf "
    "isreal kron less less_equal linspace log log10 log1p log2 logaddexp logaddexp2 logical_and "
    "logical_not logical_or logical_xor logspace matmul max maximum mean meshgrid min minimum mod "
    "moveaxis multiply nan_to_num nancumprod nancumsum nanmax nanmean nanmin nanprod nanstd nansum nanvar "
    "ndim negative not_equal ones ones_like outer pad power prod ptp rad2deg ravel real reciprocal repeat "
    "reshape roll rot90 round searchsorted select sign sin sinc sinh size split sqrt square squeeze stack "
    "std subtract sum swapaxes take take_along_axis tan tanh tensordot tile trace transpose trapezoid tri "
    "tril triu true_divide trunc vander var vdot vsplit vstack where zeros zeros_like"
)
__all__ = _NAMES.split()

stands_above(__name__, __all__, "gputrain.ops")

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("operation", __name__, __all__)

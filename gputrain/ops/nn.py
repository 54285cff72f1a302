"""The operations that Keras has in `keras.ops.nn`."""

from typing import TYPE_CHECKING

from gputrain.names import public, stands_above

_NAMES = (
    "adaptive_average_pool adaptive_max_pool average_pool batch_normalization binary_crossentropy "
    "categorical_crossentropy celu conv "
    "conv_transpose depth_to_space depthwise_conv dot_product_attention elu gelu glu hard_shrink "
    "hard_sigmoid hard_silu hard_swish hard_tanh layer_normalization leaky_relu log_sigmoid log_softmax "
    "max_pool moments multi_hot normalize one_hot relu relu6 rms_normalization selu separable_conv "
    "sigmoid silu soft_shrink softmax softplus softsign space_to_depth sparse_categorical_crossentropy "
    "sparse_plus sparse_sigmoid sparsemax squareplus swish tanh_shrink threshold"
)
__all__ = _NAMES.split()

stands_above(__name__, __all__, "gputrain.ops")

if not TYPE_CHECKING:  # for a type checker a name that is not there is an error
    __getattr__, __dir__ = public("operation", __name__, __all__)

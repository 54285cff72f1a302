"""Activations, operations, initializers, regularizers, constraints, helpers."""

from __future__ import annotations

from typing import Any

from tests.parity.table import Case, bits, given, positive, real, whole


def activation(name: str, *inputs: Any, **arguments: Any) -> Case:
    """An activation function, on numbers on both sides of all kinks."""
    return Case("function", f"activations.{name}", inputs or (real(4, 6, low=-4, high=8),), arguments)


def op(name: str, *inputs: Any, **arguments: Any) -> Case:
    """An operation and its gradients; arguments that are no arrays by name."""
    return Case("function", f"ops.{name}", inputs, arguments)


PLAIN = (
    "celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu linear log_sigmoid "
    "log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus "
    "sparse_sigmoid sparsemax squareplus tanh tanh_shrink glu"
)
ACTIVATIONS = [
    *(activation(name) for name in PLAIN.split()),
    activation("relu", max_value=2.0),
    activation("relu", negative_slope=0.1),
    activation("relu", threshold=1.0),
    activation("relu", negative_slope=0.5, max_value=2.0, threshold=1.0),
    activation("leaky_relu", negative_slope=0.3),
    activation("softmax", axis=0),
    activation("softmax", real(2, 3, 4), axis=1),
    activation("log_softmax", axis=0),
    activation("elu", alpha=0.3),
    activation("gelu", approximate=True),
    activation("celu", alpha=0.4),
    activation("glu", axis=0),
    activation("hard_shrink", threshold=1.0),
    activation("soft_shrink", threshold=1.0),
    activation("threshold", threshold=1.0, default_value=0.3),
    activation("squareplus", b=0.2),
    activation("sparsemax", axis=0),
    activation("sparsemax", given([[1.0, 2.0, 3.5], [4.0, 1.0, 2.5], [-1.0, 0.5, -2.0]])),
]

# ------------------------------------------------------------------------------------------------- operations

X, OTHER, CUBE, UNIT = real(3, 4), real(3, 4), real(3, 4, 5), real(3, 4, low=-0.95, high=0.95)
ANY = (
    "abs absolute ceil cos elu erf erfc exp expm1 floor gelu isfinite log_softmax negative relu round "
    "sigmoid sign silu sin softmax softplus square tanh zeros_like ones_like ravel transpose stop_gradient"
)
ABOVE_ZERO = "log log1p sqrt rsqrt"
TWO = (
    "add subtract multiply divide true_divide maximum minimum equal not_equal greater greater_equal less "
    "less_equal"
)
BINARY = [op(name, X, inputs) for name in TWO.split() for inputs in (OTHER, real(4), real(3, 1))]
REDUCTIONS = "sum mean max min amax amin prod var std logsumexp"
AXES: tuple[dict[str, Any], ...] = (
    {},
    {"axis": 1},
    {"axis": (0, -1), "keepdims": True},
)
IMAGE, KERNEL = real(2, 6, 7, 3), real(3, 2, 3, 4)
LABELS = whole(5, below=4)

OPERATIONS = [
    *(op(name, X) for name in ANY.split()),
    *(op(name, positive(3, 4)) for name in ABOVE_ZERO.split()),
    op("erfinv", UNIT),
    op("isfinite", given([1.0, float("inf"), float("nan"), -float("inf")])),
    op("round", X, decimals=1),
    op("gelu", X, approximate=False),
    op("elu", X, alpha=0.3),
    op("clip", X, x_min=-0.5, x_max=0.75),
    *BINARY,
    op("power", positive(3, 4), OTHER),
    op("power", X, given([2.0])),
    op("mod", X, positive(3, 4)),
    op("mod", whole(3, 4, below=50), given([7], "int32")),
    op("floor_divide", X, positive(3, 4)),
    op("floor_divide", whole(3, 4, below=50), given([7], "int32")),
    op("add", whole(3, 4, below=9), whole(4, below=9)),
    op("multiply", whole(3, 4, below=9), X),
    op("divide", whole(3, 4, below=9), given([2], "int32")),
    op("logical_and", bits(3, 4, dtype="bool"), bits(3, 4, dtype="bool")),
    op("logical_or", bits(3, 4, dtype="bool"), bits(3, 4, dtype="bool")),
    op("logical_not", bits(3, 4, dtype="bool")),
    op("where", bits(3, 4, dtype="bool"), X, OTHER),
    op("where", bits(3, 1, dtype="bool"), X, real(4)),
    *(op(name, CUBE, **axes) for name in REDUCTIONS.split() for axes in AXES),
    op("sum", whole(3, 4, below=9), axis=0),
    op("max", whole(3, 4, below=9), axis=1),
    op("max", X, axis=1, initial=1.0),
    op("min", X, axis=0, initial=-1.0),
    op("sum", bits(3, 4, dtype="bool"), axis=0),
    op("mean", whole(3, 4, below=9), axis=0),
    op("prod", X, axis=1, dtype="float32"),
    *(op(name, bits(3, 4, dtype="bool"), **axes) for name in ("all", "any") for axes in AXES),
    *(op(name, X, **axes) for name in ("argmax", "argmin") for axes in AXES[:2]),
    op("argmax", X, axis=0, keepdims=True),
    op("count_nonzero", bits(3, 4)),
    op("count_nonzero", bits(3, 4), axis=1),
    op("softmax", CUBE, axis=1),
    op("log_softmax", CUBE, axis=0),
    # shapes
    op("reshape", X, newshape=(2, -1)),
    op("reshape", X, newshape=12),
    op("broadcast_to", real(3, 1), shape=(2, 3, 4)),
    op("expand_dims", X, axis=1),
    op("expand_dims", X, axis=(0, -1)),
    op("squeeze", real(3, 1, 4)),
    op("squeeze", real(1, 3, 1), axis=0),
    op("transpose", CUBE, axes=(2, 0, 1)),
    op("moveaxis", CUBE, source=0, destination=-1),
    op("moveaxis", CUBE, source=(0, 1), destination=(1, 2)),
    op("swapaxes", CUBE, axis1=0, axis2=2),
    op("flip", X),
    op("flip", CUBE, axis=1),
    op("flip", CUBE, axis=(0, 2)),
    op("roll", X, shift=2),
    op("roll", CUBE, shift=-1, axis=1),
    op("roll", CUBE, shift=(1, 2), axis=(0, 2)),
    op("tile", X, repeats=2),
    op("tile", X, repeats=(2, 1, 3)),
    op("repeat", X, repeats=2),
    op("repeat", X, repeats=3, axis=0),
    op("pad", X, pad_width=1),
    op("pad", X, pad_width=((0, 1), (2, 0)), constant_values=0.5),
    op("concatenate", [X, real(2, 4)]),
    op("concatenate", [X, real(3, 2), real(3, 1)], axis=-1),
    op("stack", [X, OTHER]),
    op("stack", [X, OTHER], axis=-1),
    op("split", X, indices_or_sections=2, axis=1),
    op("split", real(7, 2), indices_or_sections=[2, 5]),
    op("unstack", X),
    op("unstack", X, axis=1),
    op("slice", CUBE, start_indices=(1, 0, 2), shape=(2, 3, 2)),
    op("take", X, whole(5, below=12)),
    op("take", X, whole(2, 3, below=4), axis=1),
    op("take", X, given([-1, 0, -3], "int32"), axis=0),
    op("take_along_axis", X, whole(3, 2, below=4), axis=1),
    op("take_along_axis", X, whole(1, 4, below=3), axis=0),
    op("one_hot", LABELS, num_classes=4),
    op("one_hot", LABELS, num_classes=6, axis=0),
    op("one_hot", LABELS, num_classes=4, dtype="int32"),
    op("cast", X, dtype="int32"),
    op("cast", X, dtype="bool"),
    op("cast", whole(3, 4, below=9), dtype="float32"),
    op("full_like", X, fill_value=0.5),
    op("zeros_like", X, dtype="int32"),
    # products
    op("matmul", X, real(4, 5)),
    op("matmul", real(2, 3, 4), real(2, 4, 5)),
    op("matmul", real(2, 1, 3, 4), real(5, 4, 2)),
    op("matmul", real(4), real(4, 5)),
    op("matmul", X, real(4)),
    op("dot", X, real(4, 5)),
    op("dot", real(4), real(4)),
    op("dot", CUBE, real(5, 2)),
    # networks
    op("conv", IMAGE, KERNEL),
    op("conv", IMAGE, KERNEL, strides=2, padding="same"),
    op("conv", IMAGE, KERNEL, dilation_rate=2),
    op("conv", IMAGE, KERNEL, strides=(1, 2)),
    op("max_pool", IMAGE, pool_size=2, strides=2),
    op("max_pool", IMAGE, pool_size=(3, 2), strides=1, padding="same"),
    op("max_pool", IMAGE, pool_size=(3, 2), strides=(2, 1)),
    op("average_pool", IMAGE, pool_size=2, strides=2),
    op("average_pool", IMAGE, pool_size=3, strides=2, padding="same"),
    op("average_pool", IMAGE, pool_size=(2, 3), strides=(2, 3)),
    op("batch_normalization", X, real(4), positive(4), axis=-1),
    op("batch_normalization", CUBE, real(4), positive(4), axis=1, epsilon=0.1),
    op("layer_normalization", X),
    op("layer_normalization", X, real(4), real(4), epsilon=0.01),
    op("layer_normalization", CUBE, axis=-1),
    op("normalize", X),
    op("normalize", CUBE, axis=(0, 2)),
    op("binary_crossentropy", bits(3, 4), real(3, 4, low=0.05, high=0.95)),
    op("binary_crossentropy", bits(3, 4), X, from_logits=True),
    op("categorical_crossentropy", positive(3, 4), positive(3, 4)),
    op("categorical_crossentropy", positive(3, 4), X, from_logits=True),
    op("categorical_crossentropy", positive(3, 4), positive(3, 4), axis=0),
    op("sparse_categorical_crossentropy", whole(3, below=4), positive(3, 4)),
    op("sparse_categorical_crossentropy", whole(3, below=4), X, from_logits=True),
]


def plain(path: str, *inputs: Any, **arguments: Any) -> Case:
    """A function of the host, or one that makes arrays."""
    return Case("plain function", path, inputs, arguments)


CREATION = [
    plain("ops.arange", start=5),
    plain("ops.arange", start=1, stop=8, step=3),
    plain("ops.arange", start=0.5, stop=3.0),
    plain("ops.arange", start=2, stop=6, dtype="float32"),
    plain("ops.eye", N=3),
    plain("ops.eye", N=3, M=4, k=1, dtype="int32"),
    plain("ops.identity", n=4),
    plain("ops.zeros", shape=(2, 3)),
    plain("ops.ones", shape=(2,), dtype="int32"),
    plain("ops.full", shape=(2, 3), fill_value=0.5),
    plain("ops.array", x=[[1.0, 2.0], [3.0, 4.0]]),
    plain("ops.convert_to_tensor", x=[1, 2, 3]),
    plain("ops.convert_to_tensor", x=[1.5, 2.0], dtype="float32"),
    plain("ops.convert_to_numpy", real(3)),
    plain("utils.to_categorical", whole(5, below=3)),
    plain("utils.to_categorical", whole(5, below=3), num_classes=6),
    plain("utils.normalize", real(3, 4)),
    plain("utils.normalize", real(3, 4), order=1),
]

# ---------------------------------------------------------------------------- initializers, penalties, bounds


def initializer(
    name: str, *shape: int, orthogonal: bool = False, drawn: bool = True, **arguments: Any
) -> Case:
    """The first values of a weight; as a distribution where they are drawn."""
    told = {"drawn": drawn, "orthogonal": orthogonal}
    settings = {"shape": shape, **{key: True for key, value in told.items() if value}}
    return Case("initializer", f"initializers.{name}", (), arguments, settings)


SCALED = "GlorotUniform GlorotNormal HeUniform HeNormal LecunUniform LecunNormal"
INITIALIZERS = [
    initializer("Zeros", 3, 4, drawn=False),
    initializer("Ones", 3, 4, drawn=False),
    initializer("Constant", 2, 3, drawn=False, value=0.3),
    initializer("Identity", 4, 4, drawn=False),
    initializer("Identity", 4, 6, drawn=False, gain=2.0),
    initializer("RandomNormal", 200, 300, seed=1),
    initializer("RandomNormal", 200, 300, mean=0.5, stddev=0.2, seed=1),
    initializer("RandomUniform", 200, 300, seed=1),
    initializer("RandomUniform", 200, 300, minval=1.0, maxval=3.0, seed=1),
    initializer("TruncatedNormal", 200, 300, seed=1),
    initializer("TruncatedNormal", 200, 300, mean=1.0, stddev=0.5, seed=1),
    *(initializer(name, 200, 300, seed=1) for name in SCALED.split()),
    *(initializer(name, 3, 5, 40, 100, seed=1) for name in SCALED.split()),
    initializer("VarianceScaling", 200, 300, seed=1),
    initializer("VarianceScaling", 200, 300, scale=2.0, mode="fan_out", distribution="uniform", seed=1),
    initializer("VarianceScaling", 200, 300, mode="fan_avg", distribution="untruncated_normal", seed=1),
    initializer("Orthogonal", 200, 30, orthogonal=True, seed=1),
    initializer("Orthogonal", 5, 5, 8, 20, orthogonal=True, gain=0.5, seed=1),
]


def called(path: str, *inputs: Any, **arguments: Any) -> Case:
    """An object that is called on an array."""
    return Case("object", path, inputs, arguments)


OBJECTS = [
    called("regularizers.L1", X),
    called("regularizers.L1", CUBE, l1=0.3),
    called("regularizers.L2", X),
    called("regularizers.L2", CUBE, l2=0.3),
    called("regularizers.L1L2", X),
    called("regularizers.L1L2", X, l1=0.1, l2=0.2),
    called("constraints.MaxNorm", X),
    called("constraints.MaxNorm", X, max_value=0.5, axis=1),
    called("constraints.MaxNorm", real(3, 3, 2, 4), max_value=1.0, axis=[0, 1, 2]),
    called("constraints.NonNeg", X),
    called("constraints.UnitNorm", X),
    called("constraints.UnitNorm", real(3, 3, 2, 4), axis=[0, 1, 2]),
]

NAMES = {
    "activations": PLAIN.replace("glu", "glu swish hard_swish"),
    "constraints": "max_norm MaxNorm non_neg unit_norm UnitNorm",
    "initializers": "zeros ones glorot_uniform GlorotUniform he_normal lecun_normal orthogonal random_normal",
    "losses": "mse MSE mae MAE mape msle bce BCE kld categorical_crossentropy MeanSquaredError huber Huber",
    "metrics": "mse MAE mape bce categorical_accuracy CategoricalAccuracy MeanSquaredError AUC",
    "optimizers": "sgd SGD adam Adam adamw rmsprop RMSprop",
    "regularizers": "l1 l2 L1 L2",
}
LOOKUPS = [
    Case("lookup", room, settings={"identifier": name}) for room in NAMES for name in NAMES[room].split()
]

CASES = [*ACTIVATIONS, *OPERATIONS, *CREATION, *INITIALIZERS, *OBJECTS, *LOOKUPS]

"""Functions, losses, penalties and constraints at their edges: kinks, ties, zeros, infinities.

Keras's backends disagree about some gradients there. EDGES are those where ours is that of JAX, and
AGREED_WITH_TORCH those where it is that of PyTorch instead, mostly because JAX has NaN.
"""

from __future__ import annotations

import math
from typing import Any

from tests.parity.cases_functions import activation, called, op
from tests.parity.table import Case, given

INF, NAN = math.inf, math.nan


def loss(name: str, targets: Any, predictions: Any, **arguments: Any) -> Case:
    """A loss function and its gradients, one loss for each row."""
    return Case("function", f"losses.{name}", (given(targets), given(predictions)), arguments)


KINKS = given([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 3.0, -3.0, 6.0, 2.0])
FAR = given([20.0, -20.0, 100.0, -100.0, 1e4, -1e4])
BEYOND = given([INF, -INF, NAN, 1.0])
ENDLESS = given([INF, -INF])
POSITIVE = given([0.0, 1.0, 1e-30, 1e30, INF])
ROWS = given(
    [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [2.0, -2.0, 2.0], [5.0, 5.0, 5.0], [-INF, 0.0, 0.0], [1e4, -1e4, 0.0]]
)
FINITE_ROWS = given([[0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [2.0, -2.0, 2.0], [5.0, 5.0, 5.0], [0.0, 1.0, -1.0]])
BASES = given([0.0, 0.0, 0.0, 1.0, 2.0, 2.0, INF, 0.5])
EXPONENTS = given([1.0, 2.0, 3.0, 0.0, 0.0, -1.0, 1.0, INF])
LEFT = given([0.0, 1.0, -1.0, 2.0, INF, 0.0])
RIGHT = given([0.0, 1.0, 1.0, -2.0, 1.0, -0.0])
ZERO_ONE = given([[0.0], [1.0], [0.0], [1.0], [0.5]])
CERTAIN = given([[0.0], [1.0], [1.0], [0.0], [0.5]])
ONE_HOT = [[1.0, 0.0, 0.0]] * 4
FIRST = given([0, 0, 0, 0], "int32")
SHARES = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.5, 0.5], [2.0, 0.0, 0.0]]
LOGITS = [[0.0, 0.0, 0.0], [1e4, 0.0, 0.0], [-1e4, 0.0, 0.0], [0.0, -INF, -INF]]
MASKED = given([[-INF, 0.0, 1.0], [-INF, -INF, 0.0]])
EQUAL = [[0.0, 0.0], [1.0, 1.0], [1.0, -1.0], [2.0, 3.0]]
BITS, SURE = [[0.0], [1.0], [0.0], [1.0]], [[0.0], [1.0], [1.0], [0.0]]
SMALL, NEGATIVE = given([0.0, -0.0, 1.0, 2.0]), given([-2.0, -1.0])
NOTHING = given([[0.0, 0.0], [-0.0, 0.0]])

AS_IN_JAX = (
    "celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_tanh linear log_sigmoid mish relu "
    "relu6 selu sigmoid silu soft_shrink softplus softsign sparse_plus squareplus tanh tanh_shrink"
)
SMOOTH = (
    "ceil cos elu erf erfc exp expm1 floor negative relu round sigmoid sign silu sin softplus square tanh"
)
PAIRED = "add subtract multiply divide maximum minimum floor_divide"
REDUCED = "max min amax amin sum mean prod var logsumexp"
DISTANCES = "mean_squared_error mean_squared_logarithmic_error huber log_cosh poisson"
DIFFERENT_AT_INFINITY = {"celu", "hard_tanh", "sparse_plus", "soft_shrink"}

ACTIVATIONS = [
    *(activation(name, inputs) for name in AS_IN_JAX.split() for inputs in (KINKS, FAR)),
    *(activation(name, BEYOND) for name in AS_IN_JAX.split() if name not in DIFFERENT_AT_INFINITY),
    *(activation(name, ENDLESS) for name in ("celu", "hard_tanh", "soft_shrink", "leaky_relu")),
    *(activation(name, inputs) for name in ("softmax", "log_softmax") for inputs in (ROWS, FINITE_ROWS)),
    activation("relu", KINKS, max_value=6.0),
    activation("relu", KINKS, threshold=1.0),
    activation("relu", KINKS, negative_slope=0.1, threshold=1.0),
    activation("relu", KINKS, negative_slope=0.1, max_value=6.0, threshold=1.0),
    activation("threshold", KINKS, threshold=1.0, default_value=0.3),
    activation("leaky_relu", FAR),
    activation("sparse_sigmoid", FAR),
    activation("gelu", FAR, approximate=True),
    activation("glu", given([[0.0, 0.0], [1e4, -1e4], [-1e4, 1e4]])),
]

OPERATIONS = [
    *(op(name, inputs) for name in SMOOTH.split() for inputs in (KINKS, BEYOND)),
    op("abs", ENDLESS),
    op("gelu", KINKS),
    *(
        op(name, inputs)
        for name in ("log", "sqrt", "rsqrt", "log1p")
        for inputs in (given([0.0]), POSITIVE, BEYOND)
    ),
    op("log1p", given([0.0, -1.0, 1e-30])),
    op("erfinv", given([0.0, 1.0, -1.0])),
    *(op(name, LEFT, RIGHT) for name in PAIRED.split()),
    op("maximum", KINKS, given([0.0])),
    op("minimum", KINKS, given([1.0])),
    op("maximum", FINITE_ROWS, FINITE_ROWS),
    op("divide", given([1.0, 0.0, -1.0]), given([0.0, 1.0, 0.0])),
    *(op("power", SMALL, x2=exponent) for exponent in (0, 1, 3, -2, 1.0, 2.0, 3.0, 0.5, 1.5, -1.0)),
    *(op("power", NEGATIVE, x2=exponent) for exponent in (0, 3, -2, 0.0, 1.0, 2.0, 3.0, 0.5, -1.0)),
    op("power", BASES, EXPONENTS),
    op("power", given([0.0]), given([0.5])),
    op("where", given([1, 0, 1, 0], "bool"), given([1.0, NAN, INF, 2.0]), given([NAN, 1.0, 2.0, INF])),
    op("where", given([1, 0], "bool"), given([1.0, 2.0]), given([INF])),
    *(op(name, FINITE_ROWS, axis=1) for name in REDUCED.split()),
    *(op(name, given([[1.5]]), axis=1) for name in REDUCED.split()),
    *(op(name, given([0.0, 0.0])) for name in REDUCED.split()),
    op("max", given([[0.0, 1.0]]), axis=1, initial=1.0),
    op("min", given([[0.0, 1.0]]), axis=1, initial=0.0),
    op("logsumexp", given([[-INF, 0.0], [1e4, 1e4]]), axis=1),
    op("logsumexp", given([[-INF, -INF]]), axis=1),
    *(op(name, FINITE_ROWS, axis=1) for name in ("argmax", "argmin")),
    *(op(name, inputs) for name in ("softmax", "log_softmax") for inputs in (MASKED, FINITE_ROWS)),
    op("normalize", given([[3.0, 4.0, 0.0], [0.0, 0.0, 2.0]])),
    op("layer_normalization", given([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [1e4, 1e4, 1e4]])),
    op("layer_normalization", given([[1.0], [2.0]])),
    op("batch_normalization", given([[0.0, 0.0], [1.0, 1.0]]), given([0.0, 1.0]), given([0.0, 0.0]), axis=-1),
    op("binary_crossentropy", ZERO_ONE, CERTAIN),
    op("binary_crossentropy", ZERO_ONE, given([[0.0], [1e4], [1e4], [-1e4], [100.0]]), from_logits=True),
    op("categorical_crossentropy", given(ONE_HOT), given(SHARES)),
    op("categorical_crossentropy", given(ONE_HOT[:3]), given(LOGITS[:3]), from_logits=True),
    op("sparse_categorical_crossentropy", FIRST, given(SHARES)),
    op(
        "max_pool",
        given([[[0.0], [0.0], [1.0], [1.0], [-INF], [-INF], [2.0], [INF]]]),
        pool_size=2,
        strides=2,
    ),
    op("max_pool", given([[[0.0], [0.0], [-1.0], [-1.0], [-1.0]]]), pool_size=3, strides=1, padding="same"),
    op("average_pool", given([[[0.0], [INF], [1.0], [1.0]]]), pool_size=2, strides=2),
    op("matmul", given([[0.0, 1.0], [1e30, 1.0]]), given([[0.0, 0.0], [1.0, 0.0]])),
    op("take", given([0.0, NAN, 2.0]), given([0, 2], "int32")),
    op("stop_gradient", BEYOND),
    op("isfinite", BEYOND),
]

LOSSES = [
    *(loss(name, EQUAL, EQUAL) for name in DISTANCES.split()),
    *(loss(name, [[0.0, 0.0], [1.0, 1.0]], [[1e4, -1e4], [0.0, 2.0]]) for name in DISTANCES.split()[:-1]),
    loss("mean_absolute_error", [[0.0, 0.0], [1.0, 1.0]], [[1e4, -1e4], [0.0, 2.0]]),
    loss("mean_absolute_percentage_error", [[0.0, 1.0]], [[1.0, 0.0]]),
    loss("poisson", [[0.0, 1.0], [1.0, 0.0]], [[0.0, 0.0], [1e4, 1e4]]),
    loss("huber", [[0.0, 0.0, 0.0]], [[1.0, -1.0, 0.0]]),
    loss("huber", [[0.0, 0.0, 0.0]], [[2.0, -2.0, 0.0]], delta=2.0),
    *(loss(name, [[1.0, -1.0, 1.0, -1.0]], [[1.0, -1.0, 0.0, 1.0]]) for name in ("hinge", "squared_hinge")),
    loss("categorical_hinge", [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
    loss("kl_divergence", [[0.0, 0.5], [0.3, 0.5]], [[0.5, 0.0], [0.3, 0.5]]),
    loss("cosine_similarity", [[3.0, 4.0], [1.0, 0.0]], [[3.0, 4.0], [0.0, 2.0]]),
    loss("binary_crossentropy", BITS, SURE),
    loss("binary_crossentropy", BITS, SURE, label_smoothing=0.1),
    *(loss("binary_focal_crossentropy", BITS, SURE, gamma=gamma) for gamma in (2.0, 1.0)),
    *(loss("categorical_focal_crossentropy", ONE_HOT, SHARES, gamma=gamma) for gamma in (2.0, 1.0, 0.5, 0.0)),
    loss("categorical_focal_crossentropy", ONE_HOT[:3], LOGITS[:3], from_logits=True),
    loss("categorical_crossentropy", ONE_HOT, SHARES, label_smoothing=0.1),
    loss("categorical_crossentropy", ONE_HOT[:3], LOGITS[:3], from_logits=True, label_smoothing=0.1),
    called("regularizers.L2", NOTHING),
    called("constraints.NonNeg", given([[3.0, 0.5, 0.0], [4.0, 0.5, 0.0]])),
    called("constraints.MaxNorm", given([[3.0, 0.5], [4.0, 0.5]])),
    called("constraints.UnitNorm", given([[3.0, 0.5], [4.0, 0.5]])),
]

CURVES = "exp2 reciprocal tan sinh cosh arcsinh trunc"
PAIRS = "logaddexp logaddexp2 fmax fmin fmod heaviside divide_no_nan"
GAPS = given([[NAN, 1.0, 1.0], [2.0, 0.0, NAN]])
SOME_ZEROS, ORDERS = given([1.0, 0.0, 2.0, 0.0, 3.0]), (None, 1, 2, 3, INF, -INF, 0.5)
NAN_SKIPPED = ("sum", "prod", "max", "min", "mean", "var", "std", "cumsum", "cumprod")
ZERO_ROW, UNIT_ROW = given([[0.0, 0.0]]), given([[3.0, 0.0]])
DERIVED = [
    *(op(name, given([0.0, -0.0, 1.0, -1.0, 0.5])) for name in CURVES.split()),
    *(op(name, given([0.0, 1.0, 4.0])) for name in ("log2", "log10")),
    *(op(name, given([0.0, 1.0, -1.0, 2.0]), given([0.0, 1.0, 2.0, 0.0])) for name in PAIRS.split()),
    op("arccosh", given([1.0, 2.0])),
    op("arctanh", given([0.0, 1.0, -1.0, 0.5])),
    op("arcsinh", given([-100.0, 1e4, 1e30])),
    op("sinh", given([20.0, -20.0, 1e-4])),
    op("nan_to_num", given([NAN, INF, -INF, 1.0])),
    *(
        op(name, inputs)
        for name in ("cumsum", "cumprod")
        for inputs in (given([1.0, 0.0, 2.0, 0.0, 3.0]), ZERO_ROW)
    ),
    op("ptp", FINITE_ROWS, axis=1),
    *(
        op("norm", given([[3.0, -4.0], [1.0, 2.0]]), ord=ord, axis=1)
        for ord in (None, 1, 2, 3, INF, -INF, 0.5)
    ),
    *(op("norm", UNIT_ROW, ord=ord, axis=1) for ord in (None, 2, 3, INF)),
    *(
        op(f"nan{name}", GAPS, axis=1)
        for name in ["sum", "prod", "max", "min", "mean", "var", "std", "cumsum", "cumprod"]
    ),
    op("rms_normalization", given([[0.0, 0.0], [1.0, 1.0]]), given([1.0, 1.0])),
]

EDGES = [*ACTIVATIONS, *OPERATIONS, *DERIVED, *LOSSES]

AGREED_WITH_TORCH = [
    op("fabs", given([0.0, -0.0, 1.0])),
    *(op("norm", ZERO_ROW, ord=ord, axis=1) for ord in ORDERS),
    *(op("norm", UNIT_ROW, ord=ord, axis=1) for ord in (1, -INF, 0.5)),
    *(op("norm", NOTHING, ord=ord) for ord in (None, "fro")),
    op("normalize", ZERO_ROW, order=3),
    op("normalize", given([[3.0, 4.0], [0.0, 2.0]]), order=1),
    activation("leaky_relu", KINKS),
    activation("soft_shrink", BEYOND),
    activation("relu", KINKS, negative_slope=0.1),
    op("abs", KINKS),
    op("clip", KINKS, x_min=-1.0, x_max=1.0),
    op("clip", BEYOND, x_min=-1.0, x_max=1.0),
    op("mod", LEFT, RIGHT),
    op("power", SMALL, x2=0.0),
    op("power", given([0.0, 1.0]), given([0.0, 0.0])),
    *(op("std", inputs, axis=-1) for inputs in (FINITE_ROWS, given([[1.5]]), given([0.0, 0.0]))),
    op("sparse_categorical_crossentropy", FIRST, given(LOGITS), from_logits=True),
    *(loss(f"mean_absolute_{kind}", EQUAL, EQUAL) for kind in ("error", "percentage_error")),
    loss("kl_divergence", [[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]]),
    loss("binary_focal_crossentropy", BITS, SURE, gamma=0.0),
    called("regularizers.L1", NOTHING),
    called("regularizers.L1", given([[0.0, 1.0], [-2.0, 0.0]])),
    called("regularizers.L1L2", NOTHING, l1=0.1, l2=0.2),
]

"""Losses and metrics: a row is a class or function, targets and predictions, arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.parity.table import Case, Input, bits, given, one_hot, positive, real, shares, whole

N, C = 6, 4
Y, Z, BITS, SCORES = real(N, C), real(N, C), bits(N, C), real(N, C, low=0.05, high=0.95)
COUNTS, RATES, SIGNS = whole(N, C, below=6, dtype="float32"), positive(N, C), bits(N, C)
LABELS, ROWS, SHARES = whole(N, below=C), one_hot(N, C), shares(N, C)

# class, function, targets, predictions, arguments of both
PAIRS: list[tuple[str, str, Input, Input, Mapping[str, Any]]] = [
    ("MeanSquaredError", "mean_squared_error", Y, Z, {}),
    ("MeanSquaredError", "mean_squared_error", real(N, 3, C), real(N, 3, C), {}),
    ("MeanAbsoluteError", "mean_absolute_error", Y, Z, {}),
    ("MeanAbsolutePercentageError", "mean_absolute_percentage_error", RATES, Z, {}),
    ("MeanSquaredLogarithmicError", "mean_squared_logarithmic_error", COUNTS, RATES, {}),
    ("Huber", "huber", Y, Z, {}),
    ("Huber", "huber", Y, Z, {"delta": 0.3}),
    ("LogCosh", "log_cosh", Y, Z, {}),
    ("Poisson", "poisson", COUNTS, RATES, {}),
    ("KLDivergence", "kl_divergence", SHARES, shares(N, C), {}),
    ("CosineSimilarity", "cosine_similarity", Y, Z, {}),
    ("CosineSimilarity", "cosine_similarity", Y, Z, {"axis": 0}),
    ("Hinge", "hinge", BITS, Z, {}),
    ("Hinge", "hinge", given([[-1, 1], [1, 1], [-1, -1], [1, -1]]), real(4, 2), {}),
    ("SquaredHinge", "squared_hinge", BITS, Z, {}),
    ("CategoricalHinge", "categorical_hinge", ROWS, Z, {}),
    ("BinaryFocalCrossentropy", "binary_focal_crossentropy", BITS, SCORES, {}),
    (
        "BinaryFocalCrossentropy",
        "binary_focal_crossentropy",
        BITS,
        SCORES,
        {"apply_class_balancing": True, "alpha": 0.3, "gamma": 1.5},
    ),
    ("BinaryFocalCrossentropy", "binary_focal_crossentropy", BITS, SCORES, {"gamma": 0.0}),
    ("BinaryFocalCrossentropy", "binary_focal_crossentropy", BITS, Z, {"gamma": 3, "from_logits": True}),
    ("BinaryFocalCrossentropy", "binary_focal_crossentropy", BITS, SCORES, {"label_smoothing": 0.2}),
    ("CategoricalFocalCrossentropy", "categorical_focal_crossentropy", ROWS, SHARES, {}),
    (
        "CategoricalFocalCrossentropy",
        "categorical_focal_crossentropy",
        ROWS,
        SHARES,
        {"alpha": [0.1, 0.2, 0.3, 0.4], "gamma": 1},
    ),
    (
        "CategoricalFocalCrossentropy",
        "categorical_focal_crossentropy",
        ROWS,
        Z,
        {"from_logits": True, "label_smoothing": 0.1},
    ),
    ("BinaryCrossentropy", "binary_crossentropy", BITS, SCORES, {}),
    ("BinaryCrossentropy", "binary_crossentropy", BITS, Z, {"from_logits": True}),
    ("BinaryCrossentropy", "binary_crossentropy", BITS, SCORES, {"label_smoothing": 0.2}),
    ("BinaryCrossentropy", "binary_crossentropy", BITS, SCORES, {"axis": 0}),
    ("CategoricalCrossentropy", "categorical_crossentropy", ROWS, SHARES, {}),
    ("CategoricalCrossentropy", "categorical_crossentropy", ROWS, positive(N, C), {}),
    ("CategoricalCrossentropy", "categorical_crossentropy", SHARES, Z, {"from_logits": True}),
    ("CategoricalCrossentropy", "categorical_crossentropy", ROWS, SHARES, {"label_smoothing": 0.1}),
    ("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy", LABELS, SHARES, {}),
    ("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy", LABELS, positive(N, C), {}),
    ("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy", LABELS, Z, {"from_logits": True}),
    (
        "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy",
        whole(N, 1, below=C, dtype="float32"),
        SHARES,
        {},
    ),
    (
        "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy",
        whole(N, 3, below=C),
        real(N, 3, C),
        {"from_logits": True},
    ),
    (
        "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy",
        given([0, 255, 1, 3, 255, 2], "int32"),
        SHARES,
        {"ignore_class": 255},
    ),
]


def _losses() -> list[Case]:
    """Each class without weights and with weights of two shapes, each function on its own."""
    cases = []
    for cls, function, y_true, y_pred, arguments in PAIRS:
        rows = y_pred.shape[1] if arguments.get("axis") == 0 else y_pred.shape[0]
        inputs = [(), (positive(rows, 1),)] + [(positive(rows),)] * (len(y_pred.shape) == 2)
        cases += [Case("loss", f"losses.{cls}", (y_true, y_pred, *weights), arguments) for weights in inputs]
        cases.append(Case("function", f"losses.{function}", (y_true, y_pred), arguments))
    return cases


# ---------------------------------------------------------------------------------------------------- metrics


def metric(name: str, *inputs: Any, **arguments: Any) -> list[Case]:
    """A metric over three batches, the last one shorter, without weights and with them."""
    weighted = (*inputs, positive(inputs[0].shape[0]))
    return [Case("metric", f"metrics.{name}", each, arguments) for each in (inputs, weighted)]


M = 53
M_LABELS, M_ROWS, M_SHARES = whole(M, below=C), one_hot(M, C), shares(M, C)
M_BITS, M_SCORES = bits(M, 3), real(M, 3, low=0.02, high=0.98)
BIT, SCORE = bits(M, 1), real(M, 1, low=0.02, high=0.98)
M_Y, M_Z = real(M, C), real(M, C)
M_COUNTS, M_RATES = whole(M, C, below=6, dtype="float32"), positive(M, C)
CONFUSIONS = ("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives")

METRICS = [
    *metric("Accuracy", M_LABELS, whole(M, below=C)),
    *metric("BinaryAccuracy", M_BITS, M_SCORES),
    *metric("BinaryAccuracy", BIT, SCORE, threshold=0.3),
    *metric("CategoricalAccuracy", M_ROWS, M_SHARES),
    *metric("SparseCategoricalAccuracy", M_LABELS, M_SHARES),
    *metric("SparseCategoricalAccuracy", whole(M, 1, below=C, dtype="float32"), M_SHARES),
    *metric("TopKCategoricalAccuracy", one_hot(M, 9), shares(M, 9)),
    *metric("TopKCategoricalAccuracy", M_ROWS, M_SHARES, k=2),
    *metric("SparseTopKCategoricalAccuracy", M_LABELS, M_SHARES, k=3),
    *metric("MeanSquaredError", M_Y, M_Z),
    *metric("RootMeanSquaredError", M_Y, M_Z),
    *metric("MeanAbsoluteError", M_Y, M_Z),
    *metric("MeanAbsolutePercentageError", M_RATES, M_Z),
    *metric("MeanSquaredLogarithmicError", M_COUNTS, M_RATES),
    *metric("LogCoshError", M_Y, M_Z),
    *metric("Poisson", M_COUNTS, M_RATES),
    *metric("KLDivergence", M_SHARES, shares(M, C)),
    *metric("CosineSimilarity", M_Y, M_Z),
    *metric("CosineSimilarity", M_Y, M_Z, axis=1),
    *metric("Hinge", M_BITS, real(M, 3)),
    *metric("SquaredHinge", M_BITS, real(M, 3)),
    *metric("CategoricalHinge", M_ROWS, M_SHARES),
    *metric("BinaryCrossentropy", M_BITS, M_SCORES),
    *metric("BinaryCrossentropy", M_BITS, real(M, 3), from_logits=True, label_smoothing=0.1),
    *metric("CategoricalCrossentropy", M_ROWS, M_SHARES),
    *metric("CategoricalCrossentropy", M_ROWS, M_Z, from_logits=True),
    *metric("SparseCategoricalCrossentropy", M_LABELS, M_SHARES),
    *metric("SparseCategoricalCrossentropy", M_LABELS, M_Z, from_logits=True),
    *metric("Precision", M_BITS, M_SCORES),
    *metric("Precision", BIT, SCORE, thresholds=[0.2, 0.5, 0.8]),
    *metric("Precision", M_ROWS, M_SHARES, top_k=2),
    *metric("Precision", M_ROWS, M_SHARES, class_id=1, thresholds=0.2),
    *metric("Recall", M_BITS, M_SCORES),
    *metric("Recall", BIT, SCORE, thresholds=[0.2, 0.5, 0.8]),
    *metric("Recall", M_ROWS, M_SHARES, top_k=2),
    *metric("Recall", M_ROWS, M_SHARES, class_id=2, thresholds=0.2),
    *(case for name in CONFUSIONS for case in metric(name, M_BITS, M_SCORES)),
    *(case for name in CONFUSIONS for case in metric(name, BIT, SCORE, thresholds=[0.25, 0.75])),
    *metric("AUC", BIT, SCORE),
    *metric("AUC", BIT, SCORE, curve="PR"),
    *metric("AUC", BIT, SCORE, num_thresholds=20, summation_method="minoring"),
    *metric("AUC", BIT, SCORE, num_thresholds=20, summation_method="majoring"),
    *metric("AUC", BIT, SCORE, thresholds=[0.25, 0.5, 0.75]),
    *metric("AUC", BIT, real(M, 1), from_logits=True),
    *metric("F1Score", M_ROWS, M_SHARES),
    *metric("F1Score", M_ROWS, M_SHARES, average="macro"),
    *metric("F1Score", M_BITS, M_SCORES, average="micro", threshold=0.4),
    *metric("F1Score", M_ROWS, M_SHARES, average="weighted"),
    *metric("FBetaScore", M_ROWS, M_SHARES, beta=2.0),
    *metric("FBetaScore", M_BITS, M_SCORES, beta=0.5, average="macro", threshold=0.6),
    *metric("R2Score", M_Y, M_Z),
    *metric("R2Score", M_Y, M_Z, class_aggregation=None),
    *metric("R2Score", M_Y, M_Z, class_aggregation="variance_weighted_average"),
    *metric("R2Score", real(M, 1), real(M, 1), num_regressors=2),
    *metric("R2Score", M_Y, M_Z, num_regressors=2),
    *metric("Mean", real(M)),
    *metric("Mean", real(M, 3)),
    *metric("Sum", real(M)),
    *metric("Sum", real(M, 3)),
]

# Functions of the room of metrics, which losses do not have.
FUNCTIONS = [
    Case("function", f"metrics.{name}", inputs, arguments)
    for name, inputs, arguments in (
        ("binary_accuracy", (M_BITS, M_SCORES), {}),
        ("binary_accuracy", (M_BITS, M_SCORES), {"threshold": 0.3}),
        ("categorical_accuracy", (M_ROWS, M_SHARES), {}),
        ("sparse_categorical_accuracy", (M_LABELS, M_SHARES), {}),
        ("top_k_categorical_accuracy", (M_ROWS, M_SHARES), {"k": 2}),
        ("sparse_top_k_categorical_accuracy", (M_LABELS, M_SHARES), {"k": 2}),
    )
]

CASES = [*_losses(), *METRICS, *FUNCTIONS]

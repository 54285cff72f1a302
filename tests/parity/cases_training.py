"""Optimizers, schedules and whole models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.parity.compare import LONG
from tests.parity.table import Case, bits, of, one_hot, real, whole

# -------------------------------------------------------------------------------------------------- schedules


def _schedules(*rows: tuple[str, dict[str, Any]]) -> list[Case]:
    return [Case("schedule", f"optimizers.schedules.{name}", (), arguments) for name, arguments in rows]


def _decay(**more: Any) -> dict[str, Any]:
    return {"initial_learning_rate": 0.1, **more}


SCHEDULES = _schedules(
    ("ExponentialDecay", _decay(decay_steps=10, decay_rate=0.5)),
    ("ExponentialDecay", _decay(decay_steps=10, decay_rate=0.5, staircase=True)),
    ("InverseTimeDecay", _decay(decay_steps=10, decay_rate=0.5)),
    ("InverseTimeDecay", _decay(decay_steps=10, decay_rate=0.5, staircase=True)),
    ("PolynomialDecay", _decay(decay_steps=100)),
    ("PolynomialDecay", _decay(decay_steps=100, end_learning_rate=0.01, power=2.0)),
    ("PolynomialDecay", _decay(decay_steps=10, end_learning_rate=0.01, cycle=True)),
    ("PiecewiseConstantDecay", {"boundaries": [10, 30], "values": [1.0, 0.5, 0.1]}),
    ("CosineDecay", _decay(decay_steps=100)),
    ("CosineDecay", _decay(decay_steps=100, alpha=0.1)),
    ("CosineDecay", _decay(decay_steps=100, warmup_target=0.4, warmup_steps=10)),
    ("CosineDecayRestarts", _decay(first_decay_steps=10, t_mul=2.0, m_mul=0.5)),
    ("CosineDecayRestarts", _decay(first_decay_steps=10, t_mul=1.0)),
    ("CosineDecayRestarts", _decay(first_decay_steps=40, m_mul=0.9, alpha=0.1)),
)

# ------------------------------------------------------------------------------------------------- optimizers


def optimizer(name: str, **arguments: Any) -> Case:
    """Fifty steps of a small network."""
    return Case("optimizer", f"optimizers.{name}", (), arguments, tolerances={"weight": 1e-4})


RATE = of("optimizers.schedules.ExponentialDecay", initial_learning_rate=0.05, decay_steps=5, decay_rate=0.5)
OPTIMIZERS = [
    optimizer("SGD"),
    optimizer("SGD", learning_rate=0.05, momentum=0.9),
    optimizer("SGD", learning_rate=0.05, momentum=0.9, nesterov=True),
    optimizer("SGD", learning_rate=0.05, weight_decay=0.1),
    optimizer("SGD", learning_rate=0.1, clipnorm=0.2),
    optimizer("SGD", learning_rate=0.1, clipvalue=0.05),
    optimizer("SGD", learning_rate=0.1, global_clipnorm=0.3),
    optimizer("SGD", learning_rate=RATE, momentum=0.5),
    optimizer("Adam"),
    optimizer("Adam", learning_rate=0.02),
    optimizer("Adam", learning_rate=0.02, beta_1=0.7, beta_2=0.9, epsilon=1e-3),
    optimizer("Adam", learning_rate=0.02, amsgrad=True),
    optimizer("Adam", learning_rate=0.02, weight_decay=0.05),
    optimizer("Adam", learning_rate=RATE, global_clipnorm=0.5),
    optimizer("AdamW", learning_rate=0.02),
    optimizer("AdamW", learning_rate=0.02, weight_decay=0.1, amsgrad=True),
    optimizer("RMSprop"),
    optimizer("RMSprop", learning_rate=0.003, rho=0.8, momentum=0.5),
    optimizer("RMSprop", learning_rate=0.01, centered=True),
    optimizer("RMSprop", learning_rate=0.01, weight_decay=0.05, clipnorm=0.5),
]

# ----------------------------------------------------------------------------------------------- whole models


def perceptron(k: Any) -> Any:
    """Two hidden layers."""
    layers = k.layers
    return k.Sequential(
        [
            k.Input((6,)),
            layers.Dense(8, activation="relu"),
            layers.Dense(5, activation="tanh", kernel_regularizer="l2"),
            layers.Dense(3, activation="softmax"),
        ]
    )


def regressor(k: Any) -> Any:
    """One number for a sample."""
    layers = k.layers
    return k.Sequential([k.Input((6,)), layers.Dense(7, activation="gelu"), layers.Dense(1)])


def detector(k: Any) -> Any:
    """Several yes-or-no answers."""
    return k.Sequential([k.Input((6,)), k.layers.Dense(4, "silu"), k.layers.Dense(2, activation="sigmoid")])


def reference_network(k: Any) -> Any:
    """The reference CNN without its dropouts, small."""
    layers = k.layers
    return k.Sequential(
        [
            k.Input((10, 10, 1)),
            layers.Conv2D(6, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(12, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )


def normalized_network(k: Any) -> Any:
    """Convolution, batch normalization, a frozen layer, pooling over all positions."""
    layers = k.layers
    return k.Sequential(
        [
            k.Input((8, 8, 2)),
            layers.Conv2D(4, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.8),
            layers.Activation("relu"),
            layers.AveragePooling2D(2),
            layers.Conv2D(4, 3, trainable=False),
            layers.GlobalAveragePooling2D(),
            layers.LayerNormalization(),
            layers.Dense(3),
        ]
    )


def branches(k: Any) -> Any:
    """Two inputs, a shared layer, a sum around a block, two outputs."""
    layers = k.layers
    a, b = k.Input((6,), name="a"), k.Input((6,), name="b")
    shared = layers.Dense(5, activation="tanh")
    left, right = shared(a), shared(b)
    joined = layers.Concatenate()([left, layers.Multiply()([left, right])])
    block = layers.Dense(10, activation="elu")(joined)
    out = layers.Add()([joined, block])
    return k.Model([a, b], [layers.Dense(1, name="value")(out), layers.Dense(3, name="kind")(out)])


def model(build: Callable[[Any], Any], x: Any, y: Any, fit: dict[str, Any], **compiled: Any) -> Case:
    """A whole fit: history, evaluation, predictions, weights."""
    settings = {"build": build, "compile": compiled, "fit": fit}
    return Case("model", "Model", (x, y), settings=settings, tolerances={**LONG, "weight": 1e-4})


ROWS, KINDS = real(70, 6), whole(70, below=3)
THREE = {"epochs": 3, "batch_size": 16}
CROSSENTROPY = "sparse_categorical_crossentropy"
PLATEAU = of("callbacks.ReduceLROnPlateau", monitor="loss", patience=1, min_delta=0.05)
LOGITS = of("losses.SparseCategoricalCrossentropy", from_logits=True)
MODELS = [
    model(perceptron, ROWS, KINDS, THREE, optimizer="adam", loss=CROSSENTROPY, metrics=["accuracy"]),
    model(
        perceptron,
        ROWS,
        KINDS,
        {**THREE, "validation_split": 0.2},
        optimizer=of("optimizers.SGD", learning_rate=0.05, momentum=0.9),
        loss=CROSSENTROPY,
        metrics=["accuracy"],
        weighted_metrics=[of("metrics.SparseCategoricalAccuracy", name="weighted")],
    ),
    model(
        perceptron,
        ROWS,
        KINDS,
        {**THREE, "class_weight": {0: 1.0, 1: 2.0, 2: 0.5}},
        optimizer=of("optimizers.RMSprop", learning_rate=0.01),
        loss=CROSSENTROPY,
        metrics=["accuracy"],
    ),
    model(
        perceptron,
        ROWS,
        one_hot(70, 3),
        THREE,
        optimizer=of("optimizers.AdamW", learning_rate=0.01),
        loss=of("losses.CategoricalCrossentropy", label_smoothing=0.1),
        metrics=[
            "accuracy",
            of("metrics.TopKCategoricalAccuracy", k=2),
            of("metrics.F1Score", average="macro"),
        ],
    ),
    model(regressor, ROWS, real(70, 1), THREE, optimizer="rmsprop", loss="mse", metrics=["mae", "mse"]),
    model(
        regressor,
        ROWS,
        real(70, 1),
        {**THREE, "epochs": 8, "callbacks": [PLATEAU]},
        optimizer=of("optimizers.SGD", learning_rate=0.1),
        loss="huber",
        metrics=[of("metrics.R2Score")],
    ),
    model(
        regressor,
        ROWS,
        real(70, 1),
        {
            **THREE,
            "epochs": 12,
            "validation_split": 0.3,
            "callbacks": [of("callbacks.EarlyStopping", patience=2, restore_best_weights=True)],
        },
        optimizer=of("optimizers.Adam", learning_rate=0.1),
        loss="mae",
    ),
    model(
        detector,
        ROWS,
        bits(70, 2),
        THREE,
        optimizer=of("optimizers.Adam", learning_rate=0.02, clipnorm=0.5),
        loss="binary_crossentropy",
        # "accuracy" of several yes-or-no answers is BinaryAccuracy here, CategoricalAccuracy in Keras.
        metrics=[of(f"metrics.{name}") for name in ("BinaryAccuracy", "AUC", "Precision", "Recall")],
    ),
    model(
        detector,
        ROWS,
        bits(70, 2),
        {**THREE, "initial_epoch": 1},
        optimizer="sgd",
        loss=of("losses.BinaryFocalCrossentropy", gamma=1.5),
    ),
    model(
        reference_network,
        real(48, 10, 10, 1),
        whole(48, below=4),
        {"epochs": 3, "batch_size": 16, "validation_split": 0.25},
        optimizer="adam",
        loss=CROSSENTROPY,
        metrics=["accuracy"],
    ),
    model(
        normalized_network,
        real(40, 8, 8, 2),
        whole(40, below=3),
        {"epochs": 2, "batch_size": 16},
        optimizer=of("optimizers.SGD", learning_rate=0.02, momentum=0.9, nesterov=True),
        loss=LOGITS,
        metrics=["accuracy"],
    ),
    model(
        branches,
        [real(40, 6), real(40, 6)],
        [real(40, 1), whole(40, below=3)],
        THREE,
        optimizer=of("optimizers.Adam", learning_rate=0.01),
        loss=["mse", LOGITS],
        loss_weights=[1.0, 0.3],
        metrics=[["mae"], ["accuracy"]],
    ),
]

CASES = [*SCHEDULES, *OPTIMIZERS, *MODELS]

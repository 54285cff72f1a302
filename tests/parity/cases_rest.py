"""Normalization, regularization, activations and the rest of the layers."""

from __future__ import annotations

from tests.parity.cases_layers import FIRST, IMAGE, L2, MANY, ROWS, SEQUENCE, drawn, layer
from tests.parity.table import Case, bits, of, real, whole

CUBE = real(2, 3, 5, 4)

CASES: list[Case] = [
    # ----------------------------------------------------------------------------------------- EinsumDense
    layer("EinsumDense", ROWS, equation="ab,bc->ac", output_shape=6),
    layer("EinsumDense", ROWS, equation="ab,bc->ac", output_shape=6, bias_axes="c", activation="relu"),
    layer("EinsumDense", SEQUENCE, equation="abc,cd->abd", output_shape=(None, 6), bias_axes="d"),
    layer("EinsumDense", SEQUENCE, equation="abc,cde->abde", output_shape=(5, 2, 3), bias_axes="de"),
    layer("EinsumDense", SEQUENCE, equation="abc,cde->abed", output_shape=(5, 3, 2), bias_axes="d"),
    layer("EinsumDense", CUBE, equation="abcd,cde->abe", output_shape=(3, 6), bias_axes="e"),
    layer("EinsumDense", CUBE, equation="abcd,dbe->acbe", output_shape=(5, 3, 2), bias_axes="be"),
    layer("EinsumDense", SEQUENCE, equation="abc,bd->adc", output_shape=(6, 4), bias_axes="d"),
    layer("EinsumDense", SEQUENCE, equation="abc,dc->adb", output_shape=(2, 5), bias_axes="db"),
    layer("EinsumDense", SEQUENCE, equation="abc,b->abc", output_shape=(5, 4)),
    layer("EinsumDense", CUBE, equation="...x,xy->...y", output_shape=3, bias_axes="y"),
    layer("EinsumDense", CUBE, equation="...xy,xyz->...z", output_shape=3, bias_axes="z"),
    layer("EinsumDense", CUBE, equation="ab...,bc->ac...", output_shape=(6,), bias_axes="c"),
    layer(
        "EinsumDense",
        SEQUENCE,
        equation="abc,cd->abd",
        output_shape=(5, 2),
        bias_axes="d",
        kernel_regularizer=L2,
        bias_regularizer=L2,
        activity_regularizer=L2,
        kernel_constraint=of("constraints.NonNeg"),
        bias_constraint="unit_norm",
        kernel_initializer="he_normal",
        bias_initializer="ones",
    ),
    # ------------------------------------------------------------------------------- embeddings, masked steps
    layer("Embedding", whole(3, 5, below=7), input_dim=7, output_dim=4),
    layer("Embedding", whole(6, below=7), input_dim=7, output_dim=1, embeddings_initializer="ones"),
    layer("Embedding", whole(2, 3, 4, below=7, dtype="int64"), input_dim=7, output_dim=3, mask_zero=True),
    layer("Embedding", whole(40, 9, below=3), input_dim=3, output_dim=5, embeddings_regularizer=L2),
    layer("Embedding", real(3, 5, low=0, high=7), input_dim=7, output_dim=4, activity_regularizer=L2),
    layer("Embedding", whole(3, 5, below=7), input_dim=7, output_dim=4, embeddings_constraint="unit_norm"),
    layer("ReversibleEmbedding", whole(3, 5, below=7), input_dim=7, output_dim=4),
    layer("ReversibleEmbedding", whole(3, 5, below=7), input_dim=7, output_dim=4, reverse_dtype="float32"),
    layer("Masking", SEQUENCE),
    layer("Masking", bits(3, 5, 2), mask_value=1),
    layer("Masking", bits(2, 3, 5, 2)),
    # -------------------------------------------------------------------------------------- normalization
    *(
        layer("GroupNormalization", inputs, **arguments)
        for inputs, arguments in (
            (IMAGE, {"groups": 2}),
            (IMAGE, {"groups": -1, "epsilon": 0.1}),
            (IMAGE, {"groups": 1, "scale": False}),
            (IMAGE, {"groups": 4, "center": False, "scale": False}),
            (FIRST, {"groups": 2, "axis": 1, "gamma_regularizer": L2}),
            (real(2, 3, 6, 4), {"groups": 3, "axis": 2}),
            (ROWS, {"groups": 2, "beta_initializer": "ones", "gamma_constraint": of("constraints.NonNeg")}),
            (SEQUENCE, {"groups": 2, "gamma_initializer": "zeros", "beta_regularizer": L2}),
            (real(2, 3, 2, 3, 4), {"groups": 2, "center": False}),
        )
    ),
    layer("RMSNormalization", ROWS),
    layer("RMSNormalization", SEQUENCE, epsilon=0.5),
    layer("RMSNormalization", ROWS, axis=[1]),
    layer("RMSNormalization", IMAGE, axis=[-2, -1]),
    layer("LayerNormalization", IMAGE, axis=[1, -1]),
    layer("LayerNormalization", IMAGE, axis=[-1, -3], center=False, epsilon=0.1),
    layer("LayerNormalization", SEQUENCE, gamma_constraint="unit_norm", beta_regularizer=L2),
    layer("UnitNormalization", IMAGE, axis=(1, -1)),
    layer("BatchNormalization", SEQUENCE, axis=-2, training=True),
    layer("BatchNormalization", real(2, 3, 2, 3, 4), training=True, momentum=0.9),
    layer("BatchNormalization", SEQUENCE, trainable=False, training=True),
    # -------------------------------------------------------------------- regularization and activations
    layer("AlphaDropout", ROWS, rate=0.5),
    layer("AlphaDropout", ROWS, rate=0.3, seed=7, noise_shape=[None, 1]),
    drawn("AlphaDropout", real(MANY, 3, low=1, high=2), rate=0.3),
    drawn("AlphaDropout", real(MANY, 3, 2, low=1, high=2), rate=0.15, noise_shape=(None, 1, 2)),
    layer("Dropout", SEQUENCE, rate=0.2, noise_shape=(None, 1, None), seed=3),
    layer("Dropout", ROWS, rate=1.0),
    drawn("Dropout", real(MANY, 3, 2, low=1, high=2), rate=0.8, noise_shape=(None, 3, 1)),
    drawn("GaussianDropout", real(MANY, 3, low=1, high=2), rate=0.8),
    layer("ActivityRegularization", SEQUENCE, l2=0.3),
    layer("Activation", SEQUENCE, activation="hard_silu"),
    layer("Activation", SEQUENCE, activation="log_softmax"),
    layer("ReLU", SEQUENCE, max_value=1.0),
    layer("ReLU", SEQUENCE, threshold=0.5),
    layer("LeakyReLU", SEQUENCE, negative_slope=0),
    layer("ELU", SEQUENCE, alpha=2),
    layer("PReLU", SEQUENCE, shared_axes=[1], alpha_initializer="he_normal", alpha_constraint="unit_norm"),
    layer("PReLU", SEQUENCE, shared_axes=2),
    layer("PReLU", FIRST, shared_axes=(2, 3), alpha_regularizer=L2),
    layer("Softmax", IMAGE, axis=[-1, -2]),
    layer("Softmax", IMAGE, axis=2),
    # -------------------------------------------------------------------------------------------- products
    *(
        layer("Dot", [real(*first), real(*second)], axes=axes, normalize=normalize)
        for first, second, axes in (
            ((3, 4), (3, 4), -1),
            ((3, 4), (3, 5, 4), (1, 2)),
            ((3, 5, 4), (3, 4), (-1, -1)),
            ((3, 5, 4), (3, 5, 2), 1),
            ((3, 5, 4), (3, 2, 4), (-1, 2)),
            ((2, 3, 4, 5), (2, 4, 6), (2, 1)),
            ((2, 3, 4, 5), (2, 6, 3, 2), (1, 2)),
        )
        for normalize in (False, True)
    ),
]

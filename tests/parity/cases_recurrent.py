"""Recurrent layers: sequences (N, T, features), then initial states or a mask (N, T)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.parity.cases_layers import L2, ROWS, SEQUENCE, layer
from tests.parity.table import Case, bits, given, of, real

STATE = real(3, 3, low=-1.0, high=1.0)
MASK = bits(3, 5, dtype="bool")  # anywhere: before, between and after the steps that count
# A first step that counts: on JAX the output before it is the initial state, elsewhere 0, as here.
BEGUN = given([[1, 1, 0, 1, 0], [1, 0, 0, 1, 1], [1, 0, 0, 0, 0]], "bool")
NAMES = {"SimpleRNN": 1, "LSTM": 2, "GRU": 1}  # how many states each has


def masked(row: Case) -> Case:
    """The row whose last input is the mask. Keras masks the loss where a mask is passed by name."""
    return replace(row, settings={"named": ["mask"]})


def each(*inputs: Any, after: bool = False, mask: Any = None, **arguments: Any) -> list[Case]:
    """A row for each kind of layer of three units.

    Args:
        inputs: the sequences, or nothing for usual ones.
        after: whether the layer begins with states that are given.
        mask: the mask that it is given.
        arguments: of the layers.
    """
    rows = []
    for name, count in NAMES.items():
        more = [[STATE] * count] if after else []
        more += [] if mask is None else [mask]
        row = layer(name, *(inputs or (SEQUENCE,)), *more, units=3, **arguments)
        rows.append(row if mask is None else masked(row))
    return rows


def cell(name: str, **arguments: Any) -> Any:
    """A cell, as an argument."""
    return of(f"layers.{name}Cell", name=name.lower(), **arguments)


def both(layer_: Any, *inputs: Any, **arguments: Any) -> Case:
    """A Bidirectional row."""
    return layer("Bidirectional", *(inputs or (SEQUENCE,)), layer=layer_, **arguments)


def one(name: str, **arguments: Any) -> Any:
    """A recurrent layer of three units, as an argument."""
    return of(f"layers.{name}", units=3, name="inner", **arguments)


def timed(layer_: Any, *inputs: Any, training: bool | None = None) -> Case:
    """A TimeDistributed row."""
    return layer("TimeDistributed", *inputs, training=training, layer=layer_)


def inner(name: str, **arguments: Any) -> Any:
    """A layer, as an argument."""
    return of(f"layers.{name}", name="inner", **arguments)


FRAMES = real(2, 3, 5, 4, 2)  # five axes: samples, steps, rows, columns, channels
FRAMES_FIRST = real(2, 3, 2, 5, 4)
MAP = real(2, 2, 3, 3, low=-1.0, high=1.0)  # a state of ConvLSTM2D with three filters of 4 x 2
STACK = [cell("LSTM", units=3), cell("GRU", units=2), cell("SimpleRNN", units=4)]

WHOLE = of("layers.StackedRNNCells", cells=STACK, name="stack")

CASES: list[Case] = [
    # -------------------------------------------------------------------------------------------- all kinds
    *each(),
    *each(return_sequences=True),
    *each(return_state=True, return_sequences=True),
    *each(return_state=True),
    *each(go_backwards=True, return_sequences=True),
    *each(go_backwards=True, return_state=True),
    *each(after=True),
    *each(after=True, return_sequences=True, return_state=True),
    *each(mask=MASK),
    *each(mask=MASK, return_sequences=True, return_state=True),
    *each(mask=MASK, go_backwards=True, return_sequences=True),
    *each(mask=MASK, go_backwards=True),
    *each(mask=MASK, return_sequences=True, zero_output_for_mask=True),
    *each(use_bias=False, return_sequences=True),
    *each(mask=BEGUN, after=True, return_sequences=True, return_state=True),
    *each(mask=BEGUN, after=True),
    *each(unroll=True, return_sequences=True),
    *each(unroll=True, mask=MASK),
    *each(activation="relu"),
    *each(activation=None, return_sequences=True),
    *each(kernel_regularizer=L2, recurrent_regularizer=L2, bias_regularizer=L2),
    layer("LSTM", SEQUENCE, units=3, activity_regularizer=L2),
    layer("GRU", SEQUENCE, units=3, activity_regularizer=L2, return_sequences=True),
    *each(kernel_constraint="unit_norm", recurrent_constraint="unit_norm", bias_constraint="non_neg"),
    *each(kernel_initializer="he_normal", recurrent_initializer="glorot_uniform", bias_initializer="ones"),
    *each(real(1, 1, 1)),
    *each(real(2, 40, 2), return_sequences=True),
    # ---------------------------------------------------------------------------------------------- each kind
    layer("LSTM", SEQUENCE, units=3, recurrent_activation="hard_sigmoid", return_sequences=True),
    masked(layer("LSTM", SEQUENCE, MASK, units=3, recurrent_activation="hard_sigmoid")),
    layer("LSTM", SEQUENCE, units=3, unit_forget_bias=False, bias_initializer="ones", seed=3),
    layer("GRU", SEQUENCE, units=3, recurrent_activation="hard_sigmoid", return_sequences=True),
    layer("GRU", SEQUENCE, units=3, reset_after=False),
    layer("GRU", SEQUENCE, units=3, reset_after=False, return_sequences=True, go_backwards=True),
    masked(layer("GRU", SEQUENCE, MASK, units=3, reset_after=False, return_sequences=True)),
    layer("GRU", SEQUENCE, [STATE], units=3, reset_after=False, use_bias=False, return_state=True),
    layer("GRU", SEQUENCE, units=3, reset_after=False, activation="relu", use_cudnn=False),
    # ------------------------------------------------------------------------------------------------- cells
    layer("SimpleRNNCell", ROWS, [STATE], units=3),
    layer("SimpleRNNCell", ROWS, [STATE], units=3, activation="relu", use_bias=False, seed=2),
    layer("LSTMCell", ROWS, [STATE, STATE], units=3),
    layer("LSTMCell", ROWS, [STATE, STATE], units=3, recurrent_activation=None, unit_forget_bias=False),
    layer("GRUCell", ROWS, [STATE], units=3),
    layer("GRUCell", ROWS, [STATE], units=3, reset_after=False),
    layer("RNN", SEQUENCE, cell=cell("LSTM", units=3), return_sequences=True),
    layer("RNN", SEQUENCE, cell=cell("GRU", units=3), return_state=True),
    layer("RNN", SEQUENCE, [STATE], MASK, cell=cell("SimpleRNN", units=3), zero_output_for_mask=True),
    layer("RNN", SEQUENCE, cell=WHOLE),
    layer("RNN", SEQUENCE, cell=WHOLE, return_sequences=True, return_state=True),
    layer("RNN", SEQUENCE, cell=WHOLE, go_backwards=True, return_sequences=True),
    layer("RNN", SEQUENCE, cell=of("layers.StackedRNNCells", cells=STACK[:2], name="stack"), unroll=True),
    # ------------------------------------------------------------------------------------ sequences of images
    layer("ConvLSTM1D", real(2, 3, 6, 2), filters=3, kernel_size=3),
    layer("ConvLSTM1D", real(2, 3, 6, 2), filters=3, kernel_size=3, padding="same", return_sequences=True),
    layer("ConvLSTM1D", real(2, 3, 7, 2), filters=2, kernel_size=2, strides=2, return_state=True),
    layer("ConvLSTM1D", real(2, 3, 2, 6), filters=3, kernel_size=3, data_format="channels_first"),
    layer("ConvLSTM1D", real(2, 3, 7, 2), filters=2, kernel_size=2, dilation_rate=2, go_backwards=True),
    layer("ConvLSTM2D", FRAMES, filters=3, kernel_size=3),
    layer("ConvLSTM2D", FRAMES, filters=3, kernel_size=(2, 3), padding="same", return_sequences=True),
    layer("ConvLSTM2D", FRAMES, filters=2, kernel_size=2, strides=(2, 1), use_bias=False),
    layer("ConvLSTM2D", FRAMES, [MAP, MAP], filters=3, kernel_size=(4, 2), return_state=True),
    layer("ConvLSTM2D", FRAMES, filters=2, kernel_size=3, return_sequences=True, return_state=True, seed=1),
    layer("ConvLSTM2D", FRAMES, filters=2, kernel_size=3, activation="relu", recurrent_activation="tanh"),
    layer("ConvLSTM2D", FRAMES, filters=2, kernel_size=3, unit_forget_bias=False, kernel_regularizer=L2),
    layer(
        "ConvLSTM2D",
        FRAMES_FIRST,
        filters=2,
        kernel_size=3,
        data_format="channels_first",
        return_sequences=True,
        return_state=True,
        go_backwards=True,
    ),
    layer("ConvLSTM3D", real(2, 2, 3, 4, 3, 2), filters=2, kernel_size=2),
    layer(
        "ConvLSTM3D", real(2, 2, 3, 4, 3, 1), filters=2, kernel_size=3, padding="same", return_sequences=True
    ),
    # ---------------------------------------------------------------------------------------- both directions
    *(both(one(name)) for name in NAMES),
    *(both(one(name, return_sequences=True)) for name in NAMES),
    *(both(one("LSTM", return_sequences=True), merge_mode=mode) for mode in ("sum", "mul", "ave", None)),
    both(one("LSTM", return_sequences=True, return_state=True)),
    both(one("GRU", return_state=True), merge_mode=None),
    both(one("GRU", return_state=True), SEQUENCE, [STATE, STATE], merge_mode="sum"),
    both(one("LSTM", return_sequences=True), SEQUENCE, [STATE] * 4),
    *(masked(both(one(name), SEQUENCE, MASK)) for name in ("LSTM", "GRU")),
    *(masked(both(one(name, return_sequences=True), SEQUENCE, MASK)) for name in ("LSTM", "GRU")),
    both(
        one("LSTM", return_sequences=True),
        backward_layer=of("layers.GRU", units=2, go_backwards=True, return_sequences=True, name="other"),
    ),
    both(of("layers.RNN", cell=cell("GRU", units=2), name="inner", return_sequences=True)),
    # ---------------------------------------------------------------------------------------------- each step
    timed(inner("Dense", units=3), SEQUENCE),
    timed(inner("Dense", units=3, activation="tanh"), real(2, 3, 4, 2)),
    timed(inner("Conv2D", filters=3, kernel_size=2, padding="same"), FRAMES),
    timed(inner("Flatten"), FRAMES),
    timed(inner("GlobalAveragePooling2D"), FRAMES),
    timed(inner("LayerNormalization"), real(2, 3, 4, 2)),
    timed(inner("BatchNormalization"), SEQUENCE),
    timed(inner("BatchNormalization", momentum=0.8), real(6, 3, 4), training=True),
    timed(inner("BatchNormalization", momentum=0.8), real(2, 3, 4, 2), training=True),
    timed(inner("LSTM", units=3), real(2, 3, 4, 2)),
    timed(inner("GRU", units=3, return_sequences=True), real(2, 3, 4, 2)),
    timed(inner("TimeDistributed", layer=of("layers.Dense", units=2, name="innermost")), real(2, 3, 4, 2)),
    timed(inner("Dropout", rate=0.4), SEQUENCE),
]

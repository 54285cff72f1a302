"""What scripts keep their data in: tables of pandas, lists, and arrays of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tests.parity.means import numbers, refusal

X = numbers(12, 3)
Y = (X.sum(axis=1, keepdims=True) > 0).astype("float32")
FRAME = pd.DataFrame(X, columns=list("abc"))
TARGET = pd.Series(Y[:, 0], name="target")
CLASSES = pd.Series([0, 1, 2] * 4)
QUIET = {"verbose": 0, "shuffle": False}


def _binary(keras: Any, width: int = 3) -> Any:
    model = keras.Sequential(
        [keras.Input((width,)), keras.layers.Dense(1, activation="sigmoid", kernel_initializer="ones")]
    )
    model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy")
    return model


def _classifier(keras: Any, loss: str = "sparse_categorical_crossentropy") -> Any:
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(3, activation="softmax", kernel_initializer="ones")]
    )
    model.compile(keras.optimizers.SGD(0.5), loss)
    return model


def _fitted(keras: Any, x: Any, y: Any, width: int = 3, **arguments: Any) -> list[Any]:
    """Loss and weights after two epochs."""
    model = _binary(keras, width)
    logs = model.fit(x, y, epochs=2, **QUIET, **arguments).history
    return [dict(sorted(logs.items())), model.get_weights()]


def a_frame_and_a_series(keras: Any) -> dict[str, Any]:
    model = _binary(keras)
    return {
        "fit": _fitted(keras, FRAME, TARGET),
        "frame": _fitted(keras, FRAME, TARGET.to_frame()),
        "predict": model.predict(FRAME, verbose=0),
        "evaluate": model.evaluate(FRAME, TARGET, verbose=0),
        "batch": [np.asarray(model.predict_on_batch(FRAME.to_numpy()))],
    }


def odd_indexes_do_not_count(keras: Any) -> dict[str, Any]:
    letters = FRAME.set_index(pd.Index(list("abcdefghijkl")))
    shuffled = TARGET.set_axis(range(111, 99, -1))
    kept = FRAME["a"] > -0.5
    levels = pd.MultiIndex.from_product([["q"], list("abc")])
    return {
        "fit": _fitted(keras, letters, shuffled),
        "filtered": _fitted(keras, FRAME[kept], TARGET[kept]),
        "strided": _fitted(keras, FRAME.iloc[::2], TARGET.iloc[::2]),
        "backwards": _fitted(keras, FRAME.iloc[::-1], TARGET.iloc[::-1]),
        "numbered": _fitted(keras, pd.DataFrame(X), TARGET),
        "levels": _fitted(keras, FRAME.set_axis(levels, axis=1), TARGET),
    }


def series_as_weights_and_validation(keras: Any) -> dict[str, Any]:
    weights = pd.Series(np.arange(12.0), index=range(50, 62))
    return {
        "weights": _fitted(keras, FRAME, TARGET, sample_weight=weights),
        "whole": _fitted(keras, FRAME, TARGET, sample_weight=weights.astype(int)),
        "validation": _fitted(keras, FRAME, TARGET, validation_data=(FRAME, TARGET)),
        "split": _fitted(keras, FRAME, TARGET, validation_split=0.25),
        "weighted": _fitted(keras, FRAME, TARGET, validation_data=(FRAME, TARGET, weights)),
    }


def a_dict_of_series(keras: Any) -> dict[str, Any]:
    inputs = [keras.Input((1,), name=name) for name in "ab"]
    joined = keras.layers.Concatenate()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1, kernel_initializer="ones")(joined))
    model.compile("sgd", "mse")
    seen = []
    for x in (
        {"a": FRAME["a"], "b": FRAME["b"]},
        dict(FRAME[["a", "b"]]),
        [FRAME["a"], FRAME["b"]],
        [FRAME[["a"]], FRAME[["b"]]],
        {name: FRAME[name].to_numpy() for name in "ab"},
    ):
        seen.append(model.fit(x, TARGET, **QUIET).history["loss"][0])
    return {"losses": seen, "predicted": model.predict({"b": FRAME["b"], "a": FRAME["a"]}, verbose=0)}


def plain_dtypes_of_columns(keras: Any) -> dict[str, Any]:
    return {
        "float64": _fitted(keras, FRAME.astype("float64"), TARGET.astype("float64")),
        "whole": _fitted(keras, (FRAME * 2).round().astype(int), TARGET.astype(int)),
        "flags": _fitted(keras, FRAME > 0, TARGET.astype(bool)),
        "small": _fitted(keras, (FRAME * 10).astype("int8"), TARGET.astype("uint8")),
        "half": _fitted(keras, FRAME.astype("float16"), TARGET),
        "dummies": _fitted(keras, pd.get_dummies(pd.Series(list("uvw") * 4)), TARGET),
        "one": _fitted(keras, FRAME["a"], TARGET, width=1),
    }


def classes_of_a_series(keras: Any) -> dict[str, Any]:
    codes = pd.Series(list("uvw") * 4).astype("category").cat.codes
    seen = {}
    for name, y in (("whole", CLASSES), ("codes", codes), ("uint8", CLASSES.astype("uint8"))):
        seen[name] = _classifier(keras).fit(FRAME, y, **QUIET).history["loss"]
    model = _classifier(keras, "categorical_crossentropy")
    seen["dummies"] = model.fit(FRAME, pd.get_dummies(CLASSES), **QUIET).history["loss"]
    return {**seen, "one-hot": keras.utils.to_categorical(CLASSES)}


def class_weights_of_all_kinds_of_keys(keras: Any) -> dict[str, Any]:
    found, weights = np.unique(CLASSES), [1.0, 2.0, 0.5]
    counts = CLASSES.iloc[:11].value_counts()
    seen = {}
    for name, given in (
        ("numpy", dict(zip(found, weights, strict=True))),
        ("enumerated", dict(enumerate(np.array(weights)))),
        ("series", (1 / counts).to_dict()),
        ("python", {0: 1, 1: 2, 2: np.float32(0.5)}),
    ):
        seen[name] = _classifier(keras).fit(FRAME, CLASSES, class_weight=given, **QUIET).history["loss"]
    return seen


def batches_of_a_generator_are_frames(keras: Any) -> dict[str, Any]:
    def batches() -> Any:
        for start in range(0, 12, 4):
            part = slice(start, start + 4)
            yield FRAME.iloc[part].to_numpy(), TARGET.iloc[part].to_numpy()

    model = _binary(keras)
    return {"loss": model.fit(batches(), verbose=0).history["loss"], "weights": model.get_weights()}


def strange_memory(keras: Any) -> dict[str, Any]:
    """Order, strides, byte order and flags of an array change nothing."""
    fixed = X.copy()
    fixed.flags.writeable = False
    swapped = X.astype(X.dtype.newbyteorder()).astype(X.dtype)
    arrays = {
        "fortran": np.asfortranarray(X),
        "strided": np.repeat(X, 2, axis=1)[:, ::2],
        "backwards": X[::-1][::-1],
        "read only": fixed,
        "swapped": swapped,
        "broadcast": np.broadcast_to(X[:1], X.shape),
        "matrix": np.asmatrix(X),
    }
    found = {name: _fitted(keras, x, Y) for name, x in arrays.items()}
    return {**found, "targets": _fitted(keras, X, np.asfortranarray(np.hstack([Y, Y]))[:, :1])}


def dtypes_of_arrays(keras: Any) -> dict[str, Any]:
    found = {}
    for name in ("float16", "float64", "int8", "uint8", "int16", "int64", "bool"):
        found[name] = _fitted(keras, np.abs(X * 3).astype(name), Y.astype(name))
    found[">f8"] = _fitted(keras, X.astype(">f8"), Y)
    return found


def other_containers_of_arrays(keras: Any) -> dict[str, Any]:
    from scipy import sparse

    class Wrapped:
        def __init__(self, array: Any) -> None:
            self.array, self.shape, self.dtype, self.ndim = array, array.shape, array.dtype, array.ndim

        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return np.asarray(self.array, dtype)

        def __len__(self) -> int:
            return len(self.array)

    class Sub(np.ndarray):
        pass

    return {
        "csr": _fitted(keras, sparse.csr_matrix(X), Y),
        "coo": _fitted(keras, sparse.coo_matrix(X), sparse.csr_array(Y)),
        "dense": _fitted(keras, sparse.csr_matrix(X).todense(), Y),
        "wrapped": _fitted(keras, Wrapped(X), Wrapped(Y)),
        "subclass": _fitted(keras, X.view(Sub), Y),
        "unmasked": _fitted(keras, np.ma.masked_array(X), Y),
        "predict": _binary(keras).predict(sparse.csr_matrix(X), verbose=0),
    }


def what_holds_no_numbers_is_refused(keras: Any) -> dict[str, Any]:
    days = np.array(["2020-01-01"] * 36, dtype="M8[D]").reshape(12, 3)
    given = {
        "days": days,
        "durations": days - days[0],
        "text": np.full((12, 3), "a"),
        "bytes": np.full((12, 3), b"a"),
        "records": np.zeros(12, dtype=[("a", "f4"), ("b", "f4")]),
        "objects": np.array([[1, "b", None]] * 12, dtype=object),
        "dates of a frame": FRAME.assign(c=pd.date_range("2020", periods=12)),
        "words of a frame": FRAME.assign(c=list("uvw") * 4),
        "categories": FRAME.assign(c=pd.Categorical(list("uvw") * 4)),
        "nothing": None,
        "a path": "data.csv",
        "ragged": [[1.0, 2.0], [3.0]],
    }
    found = {name: refusal(lambda x=x: _binary(keras).fit(x, Y, verbose=0)) for name, x in given.items()}
    words = pd.Series(list("uvw") * 4)
    return {
        "x": {name: word is not None for name, word in found.items()},
        "y": refusal(lambda: _classifier(keras).fit(FRAME, words, verbose=0)),
        "lengths": refusal(lambda: _binary(keras).fit(FRAME, TARGET.iloc[:5], verbose=0)),
        "empty": refusal(lambda: _binary(keras).fit(FRAME.iloc[:0], TARGET.iloc[:0], verbose=0)),
    }


def normalization_learns_from_a_table(keras: Any) -> dict[str, Any]:
    layer = keras.layers.Normalization()
    layer.adapt(FRAME.to_numpy())
    model = keras.Sequential([keras.Input((3,)), layer, keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    logs = model.fit(FRAME, TARGET, **QUIET).history
    return {"loss": logs["loss"], "predicted": model.predict(FRAME.head(3), verbose=0)}


def a_table_is_split_scaled_and_trained_on(keras: Any) -> dict[str, Any]:
    """The way of a tutorial: sample, drop, describe, scale, fit, and results back into a frame."""
    table = FRAME.assign(target=TARGET)
    train, test = table.iloc[:9].copy(), table.drop(table.index[:9])
    y_train, y_test = train.pop("target"), test.pop("target")
    stats = train.describe().transpose()
    scaled = [(part - stats["mean"]) / stats["std"] for part in (train, test)]
    model = _binary(keras)
    history = model.fit(scaled[0], y_train, epochs=3, validation_split=0.2, **QUIET)
    logs = pd.DataFrame(history.history)
    logs["epoch"] = history.epoch
    predicted = model.predict(scaled[1], verbose=0).flatten()
    return {
        "logs": dict(sorted((name, logs[name].tolist()) for name in logs)),
        "predicted": predicted,
        "errors": (y_test - predicted).abs().mean(),
        "results": model.evaluate(scaled[1], y_test, verbose=0),
        "answers": pd.Series(predicted > 0.5).astype(int).tolist(),
    }


PASSENGERS = pd.DataFrame(
    {
        "age": [22, 38, 26, 35, np.nan, 54, 2, 27],
        "sex": ["m", "f", "f", "f", "m", "m", "m", "f"],
        "fare": [7.25, 71.28, 7.92, 53.1, 8.05, 51.86, 21.07, 11.13],
        "port": list("SCSSSQCS"),
        "survived": [0, 1, 1, 1, 0, 0, 0, 1],
    }
)


def passengers_of_a_ship(keras: Any) -> dict[str, Any]:
    """Fill, map, dummies, cast: the table that every course begins with."""
    table = PASSENGERS.copy()
    table["age"] = table["age"].fillna(table["age"].median()) / 100
    table["sex"] = table["sex"].map({"m": 0, "f": 1})
    table["fare"] = table["fare"] / table["fare"].max()
    table = pd.get_dummies(table, columns=["port"])
    y = table.pop("survived")
    found = {
        "cast": _fitted(keras, table.astype("float32"), y, width=6),
        "values": _fitted(keras, table.values.astype("float32"), y.values, width=6),
        "numpy": _fitted(keras, table.to_numpy(dtype="float64"), y.to_numpy(), width=6),
    }
    predicted = _binary(keras, 6).predict(table.astype("float32"), verbose=0).ravel()
    by_sex = PASSENGERS[["sex"]].assign(p=predicted).groupby("sex")["p"].mean().to_dict()
    return {**found, "means": by_sex, "confusion": pd.crosstab(y, predicted > 0.95).to_numpy()}


def columns_made_of_columns(keras: Any) -> dict[str, Any]:
    table, y = PASSENGERS, PASSENGERS["survived"]
    codes = table[["sex", "port"]].apply(lambda column: column.astype("category").cat.codes)
    lagged = (table[["fare"]] / 80).assign(lag=lambda t: t["fare"].shift()).dropna()
    windows = np.lib.stride_tricks.sliding_window_view(table["fare"].to_numpy("float32") / 80, 3)
    return {
        "codes": _fitted(keras, codes, y, width=2),
        "bins": _fitted(keras, pd.qcut(table["fare"], 3, labels=False).to_frame(), y, width=1),
        "lagged": _fitted(keras, lagged[["lag"]], lagged["fare"] > 0.2, width=1),
        "windows": _fitted(keras, windows[:-1], y[3:], width=3),
        "known": _fitted(
            keras, table.loc[table["age"].notna(), ["age"]] / 99, y[table["age"].notna()], width=1
        ),
        "months": _fitted(keras, pd.DataFrame({"m": pd.date_range("2020", periods=8).day / 31}), y, width=1),
        "factors": _classifier(keras).fit(FRAME.iloc[:8], pd.factorize(table["port"])[0], **QUIET).history,
    }


def a_sequence_gives_frames(keras: Any) -> dict[str, Any]:
    class Frames(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, number: int) -> Any:
            part = slice(4 * number, 4 * number + 4)
            return FRAME.iloc[part], TARGET.iloc[part]

    model = _binary(keras)
    logs = model.fit(Frames(), epochs=2, **QUIET).history
    return {
        "loss": logs["loss"],
        "weights": model.get_weights(),
        "evaluated": model.evaluate(Frames(), verbose=0),
    }


def several_outputs_of_a_frame(keras: Any) -> dict[str, Any]:
    inputs = {name: keras.Input((1,), name=name) for name in ("a", "b")}
    joined = keras.layers.Concatenate()(list(inputs.values()))
    outputs = {
        "flag": keras.layers.Dense(1, activation="sigmoid", kernel_initializer="ones", name="flag")(joined),
        "number": keras.layers.Dense(1, kernel_initializer="ones", name="number")(joined),
    }
    model = keras.Model(inputs, outputs)
    model.compile("sgd", {"flag": "binary_crossentropy", "number": "mse"})
    x, y = dict(FRAME[["a", "b"]]), {"flag": TARGET, "number": FRAME["c"]}
    logs = model.fit(x, y, validation_data=(x, y), **QUIET).history
    predicted = model.predict(dict(FRAME[["a", "b"]].head(2)), verbose=0)
    return {"logs": dict(sorted(logs.items())), "predicted": [predicted[name] for name in sorted(predicted)]}


def classes_written_as_text(keras: Any) -> dict[str, Any]:
    to_categorical = keras.utils.to_categorical
    return {
        "text": [to_categorical(["0", "2", "1"]), to_categorical(np.array(["1", "0"]))],
        "series": to_categorical(pd.Series(["0", "2"])),
        "objects": to_categorical(np.array([1, 0, 2], dtype=object)),
        "refused": refusal(lambda: to_categorical(["a", "b"])),
    }

"""Files of Keras 2, made by hand in its layouts: loaded as they were meant, or refused with a clear error."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import layers
from gputrain.data.io.errors import CorruptFileError
from tests.saving import keras2

h5py = pytest.importorskip("h5py")
R = np.random.default_rng(11)
FER = [
    [8.8329607e-06, 6.6437190e-15, 7.5704900e-09, 6.6195580e-06, 9.2365332e-07, 9.9998367e-01, 2.7723726e-08],
    [1.4583221e-05, 1.2977244e-14, 1.0294976e-08, 1.5059737e-05, 1.4643014e-06, 9.9996877e-01, 7.4921509e-08],
]
DEEPCUT = [6.637687632610884e-14, 0.8839030861854553, 1.5400573261104e-08, 0.9938285946846008]


def drawn(*shape: int) -> np.ndarray:
    return R.normal(size=shape).astype("float32") * np.float32(0.5)


def of_dense(name: str, before: int, units: int) -> dict[str, np.ndarray]:
    return {f"{name}/kernel:0": drawn(before, units), f"{name}/bias:0": drawn(units)}


def product(x: np.ndarray, arrays: dict[str, np.ndarray]) -> np.ndarray:
    kernel, bias = arrays.values()
    return np.asarray(x @ kernel + bias)


def close(found: Any, expected: Any) -> bool:
    return bool(np.linalg.norm(np.subtract(found, expected)) <= 1e-5 * np.linalg.norm(expected))


# ----------------------------------------------------------------------------------------------- whole models


def gru_before_reset_after(x: np.ndarray, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray) -> Any:
    """A plain loop: the reset gate stands before the product with the recurrent matrix."""
    sigmoid = lambda a: 1 / (1 + np.exp(-a))  # noqa: E731
    n = len(recurrent)
    h = np.zeros((len(x), n))
    for step in range(x.shape[1]):
        z, r, c = np.split(x[:, step] @ kernel + bias, 3, axis=1)
        z = sigmoid(z + h @ recurrent[:, :n])
        r = sigmoid(r + h @ recurrent[:, n : 2 * n])
        h = z * h + (1 - z) * np.tanh(c + (r * h) @ recurrent[:, 2 * n :])
    return h


def test_a_sequential_of_the_first_keras_2(tmp_path: Path) -> None:
    table, gru = drawn(9, 4), [drawn(4, 9), drawn(3, 9), drawn(9)]
    last = of_dense("dense_1", 3, 2)
    model = keras2.sequential(
        keras2.layer("Embedding", "embedding_1", input_dim=9, output_dim=4, input_length=5, dtype="int32",
                     batch_input_shape=[None, 5], mask_zero=False),
        keras2.layer("GRU", "gru_1", units=3, recurrent_activation="sigmoid", implementation=0,
                     return_sequences=False, recurrent_dropout=0.0, dropout=0.0, unroll=False),
        keras2.layer("Dropout", "dropout_1", rate=0.5, noise_shape=None, seed=None),
        keras2.dense("dense_1", 2),
    )  # fmt: skip
    weights = {
        "embedding_1": {"embedding_1/embeddings:0": table},
        "gru_1": dict(zip(("k:0", "r:0", "b:0"), gru, strict=True)),
        "dropout_1": {},
        "dense_1": last,
    }
    loaded = keras.models.load_model(keras2.write(tmp_path / "m.h5", weights, model))
    assert [layer.name for layer in loaded.layers] == list(weights)
    assert not loaded.compiled
    ids = R.integers(0, 9, (6, 5))
    expected = product(gru_before_reset_after(table[ids], *gru), last)
    assert close(loaded.predict(ids, verbose=0), expected)
    assert close(loaded.get_layer("dense_1").kernel_regularizer.l2, 0.0099)


def nested(kind: str) -> tuple[dict[str, Any], keras2.Weights]:
    """A model within a model that is called twice, and one more output; calls are counted from 1."""
    inner_layers = [keras2.dense("a", 3, batch_input_shape=[None, 3]), keras2.dense("b", 3)]
    if kind == "Sequential":
        inner = keras2.sequential(*inner_layers) | {"name": "inner"}
    else:
        start = keras2.layer("InputLayer", "in", batch_input_shape=[None, 3], dtype="float32", sparse=False)
        a, b = inner_layers
        a["inbound_nodes"], b["inbound_nodes"] = [[["in", 0, 0, {}]]], [[["a", 0, 0, {}]]]
        inner = keras2.functional("inner", [start, a, b], [["in", 0, 0]], [["b", 0, 0]]) | {"name": "inner"}
    inner["inbound_nodes"] = [[["input_1", 0, 0, {}]], [["inner", 1, 0, {}]]]
    rows = [
        keras2.layer("InputLayer", "input_1", batch_input_shape=[None, 3], dtype="float32", sparse=False),
        inner,
        keras2.layer("Concatenate", "c", [["inner", 1, 0, {}], ["inner", 2, 0, {}]], axis=-1),
        keras2.dense("d", 2, [["c", 0, 0, {}]]),
    ]
    model = keras2.functional("outer", rows, [["input_1", 0, 0]], [["d", 0, 0], ["inner", 2, 0]])
    a, b = of_dense("a", 3, 3), of_dense("b", 3, 3)
    return model, {"input_1": {}, "inner": {**a, **b}, "c": {}, "d": of_dense("d", 6, 2)}


@pytest.mark.parametrize("kind", ["Sequential", "Model"])
def test_a_model_within_a_model(kind: str, tmp_path: Path) -> None:
    model, weights = nested(kind)
    loaded = keras.models.load_model(keras2.write(tmp_path / "m.h5", weights, model))
    arrays = list(weights["inner"].items())
    inner = lambda x: product(product(x, dict(arrays[:2])), dict(arrays[2:]))  # noqa: E731
    x = drawn(5, 3)
    once = inner(x)
    twice = inner(once)
    expected = [product(np.concatenate([once, twice], 1), dict(weights["d"])), twice]
    found = loaded.predict(x, verbose=0)
    assert all(map(close, found, expected))


def test_arguments_that_were_dropped_since(tmp_path: Path) -> None:
    """As TensorFlow's Keras 2 wrote them: policies, groups, time_major, names of classes."""
    policy = {"class_name": "Policy", "config": {"name": "float32"}}
    shape = [None, 4, 4, 2]
    rows = [
        keras2.layer("InputLayer", "x", batch_input_shape=shape, dtype="float32", sparse=False, ragged=False),
        keras2.layer("DepthwiseConv2D", "depthwise", [["x", 0, 0, {}]], kernel_size=[1, 1], strides=[1, 1],
                     padding="valid", groups=1, dtype=policy, use_bias=False),
        keras2.layer("SeparableConv2D", "separable", [["depthwise", 0, 0, {}]], filters=3, kernel_size=[1, 1],
                     groups=1, kernel_initializer={"class_name": "GlorotUniform", "config": {"seed": None}},
                     kernel_regularizer=None, kernel_constraint=None, use_bias=False),
        keras2.layer("BatchNormalizationV1", "bn", [["separable", 0, 0, {}]], axis=[3], epsilon=0.0),
        keras2.layer("SpatialDropout2D", "drop", [["bn", 0, 0, {"training": None}]], rate=0.2,
                     noise_shape=None, seed=None),
        keras2.layer("LeakyReLU", "leaky", [["drop", 0, 0, {}]], alpha={"type": "ndarray", "value": 0.25}),
        keras2.layer("Reshape", "steps", [["leaky", 0, 0, {}]], target_shape=[16, 3]),
        keras2.layer("LSTM", "lstm", [["steps", 0, 0, {}]], units=2, time_major=False, implementation=2,
                     return_state=True, return_sequences=False),
        keras2.layer("LSTM", "first", [["steps", 0, 0, {}], ["lstm", 0, 1, {}], ["lstm", 0, 2, {}]], units=2),
        keras2.layer("LSTM", "second", [["steps", 0, 0, {"initial_state": [["lstm", 0, 1], ["lstm", 0, 2]]}]],
                     units=2),
    ]  # fmt: skip
    depth, point, deep = drawn(1, 1, 2, 1), drawn(1, 1, 2, 3), drawn(1, 1, 2, 1)
    gamma, beta, mean, variance = drawn(3), drawn(3), drawn(3), np.abs(drawn(3)) + np.float32(0.5)
    lstm = [drawn(3, 8), drawn(2, 8), drawn(8)]
    named = lambda arrays: {f"w{i}:0": array for i, array in enumerate(arrays)}  # noqa: E731
    weights = {
        "depthwise": named([depth]),
        "separable": named([deep, point]),
        "bn": named([gamma, beta, mean, variance]),
        "lstm": named(lstm),
        "first": named(lstm),
        "second": named(lstm),
    }
    outputs = [["leaky", 0, 0], ["first", 0, 0], ["second", 0, 0]]
    model = keras2.functional("m", rows, [["x", 0, 0]], outputs)
    loaded = keras.models.load_model(keras2.write(tmp_path / "m.h5", weights, model, version="2.4.0-tf"))
    x = drawn(2, 4, 4, 2)
    y = x * depth[0, 0, :, 0] * deep[0, 0, :, 0] @ point[0, 0]
    y = (y - mean) / np.sqrt(variance) * gamma + beta
    leaky, first, second = loaded.predict(x, verbose=0)
    assert close(leaky, np.where(y > 0, y, 0.25 * y))
    one = keras.layers.LSTM(2, return_state=True)
    one(leaky.reshape(2, 16, 3))
    one.set_weights(lstm)
    _, h, c = one(leaky.reshape(2, 16, 3))
    expected = one(leaky.reshape(2, 16, 3), initial_state=[h, c])[0]
    assert close(first, expected)
    assert close(second, expected)
    assert loaded.get_layer("depthwise").dtype == "float32"


def test_a_lambda_of_a_named_function(tmp_path: Path) -> None:
    function = keras2.layer("Lambda", "twice", function="double", function_type="function", arguments={},
                            output_shape=None, output_shape_type="raw", module="__main__")  # fmt: skip
    model = keras2.sequential(keras2.dense("d", 2, batch_input_shape=[None, 3]), function)
    weights = {"d": of_dense("d", 3, 2), "twice": {}}
    path = keras2.write(tmp_path / "m.h5", weights, model)
    loaded = keras.models.load_model(path, custom_objects={"double": lambda x: 2 * x})
    x = drawn(4, 3)
    assert close(loaded.predict(x, verbose=0), 2 * product(x, weights["d"]))
    with pytest.raises(ValueError, match="'double'"):
        keras.models.load_model(path)


def one_dense() -> dict[str, Any]:
    return keras2.sequential(keras2.dense("d", 2, batch_input_shape=[None, 3]))


def described(kind: str, **settings: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": settings}


def test_what_compile_was_given(tmp_path: Path) -> None:
    far = described("MeanMetricWrapper", name="far", dtype="float32", fn="mean_absolute_error")
    training = {
        "optimizer_config": described("SGD", lr=0.5, momentum=0.0, decay=0.1, nesterov=False),
        "loss": described("MeanSquaredError", reduction="auto", name="m", fn="mean_squared_error"),
        "metrics": [[far]],
        "sample_weight_mode": None,
        "loss_weights": None,
    }
    weights = {"d": of_dense("d", 3, 2)}
    path = keras2.write(tmp_path / "m.h5", weights, one_dense(), training, {"SGD/iterations:0": np.array(7)})
    loaded = keras.models.load_model(path)
    x, y = drawn(4, 3), drawn(4, 2)
    kernel, bias = weights["d"].values()
    for step in range(7, 10):
        error = x @ kernel + bias - y
        logs = loaded.train_on_batch(x, y, return_dict=True)
        assert close(logs["loss"], np.mean(error**2) + 0.0099 * float(np.sum(kernel**2)))
        assert close(logs["far"], np.mean(np.abs(error)))
        rate = 0.5 / (1 + 0.1 * step)
        slope = x.T @ error * 2 / error.size + 2 * 0.0099 * kernel
        kernel, bias = kernel - rate * slope, bias - rate * error.sum(0) * 2 / error.size
        lengths = np.sqrt(np.sum(kernel**2, axis=0, keepdims=True))
        kernel = kernel * np.clip(lengths, 0, 2) / (1e-7 + lengths)
    assert not keras.models.load_model(path, compile=False).compiled


def test_an_optimizer_of_keras_2_begins_anew(tmp_path: Path) -> None:
    """Its slots stood in another order, and none of them would show it."""
    adam = described("Adam", lr=0.25, beta_1=0.8, beta_2=0.9, decay=0.0, epsilon=1e-8)
    training = {"optimizer_config": adam, "loss": "mse", "metrics": ["acc"]}
    slots = [drawn(3, 2), drawn(2), drawn(3, 2), drawn(2)]
    state = {f"Variable_{i}:0": array for i, array in enumerate([np.array(7), *slots])}
    path = keras2.write(tmp_path / "m.h5", {"d": of_dense("d", 3, 2)}, one_dense(), training, state)
    with pytest.warns(UserWarning, match=r"state of optimizer 'adam' begins anew: the file has none in the"):
        optimizer = keras.models.load_model(path).optimizer
    assert int(optimizer.iterations) == 0
    assert float(optimizer.learning_rate) == 0.25
    assert all(not np.any(slot.numpy()) for slot in optimizer.saved_variables()[2:])


def test_a_loss_that_is_not_known(tmp_path: Path) -> None:
    training = {"optimizer_config": described("SGD", lr=0.5), "loss": "mine", "metrics": []}
    path = keras2.write(tmp_path / "m.h5", {"d": of_dense("d", 3, 2)}, one_dense(), training)
    with pytest.raises(ValueError, match="Unknown loss 'mine'"):
        keras.models.load_model(path)
    mine = lambda y, p: keras.ops.mean(p - y, axis=-1)  # noqa: E731
    assert keras.models.load_model(path, custom_objects={"mine": mine}).compiled


def test_hard_sigmoid_was_another_one(tmp_path: Path) -> None:
    model = one_dense()
    model["config"][0]["config"]["activation"] = "hard_sigmoid"
    weights = {"d": of_dense("d", 3, 2)}
    path = keras2.write(tmp_path / "m.h5", weights, model)
    with pytest.warns(UserWarning, match=r"m\.h5: hard_sigmoid was 0\.2 x \+ 0\.5 within"):
        loaded = keras.models.load_model(path)
    x = drawn(4, 3)
    assert close(loaded.predict(x, verbose=0), np.clip(product(x, weights["d"]) / 6 + 0.5, 0, 1))
    keras.models.load_model(keras2.write(tmp_path / "m.h5", weights, model, version="3.1.0"))


# --------------------------------------------------------------------------------------------- weights alone


def network(second: int = 3) -> keras.Sequential:
    made = [layers.Dense(4, name="first"), layers.Dropout(0.5), layers.BatchNormalization(name="bn")]
    return keras.Sequential([keras.Input((5,)), *made, layers.Dense(second, name="last")])


def of_network(names: tuple[str, ...] = ("first", "bn", "last"), second: int = 3) -> dict[str, Any]:
    bn = {f"bn/{name}:0": drawn(4) for name in ("gamma", "beta", "moving_mean", "moving_variance")}
    arrays = [of_dense("first", 5, 4), bn, of_dense("last", 4, second)]
    return dict(zip(names, arrays, strict=True))


def held(model: Any) -> dict[str, list[np.ndarray]]:
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def same(found: dict[str, list[np.ndarray]], weights: dict[str, Any]) -> bool:
    given = [array for arrays in weights.values() for array in arrays.values()]
    return all(map(np.array_equal, [array for arrays in found.values() for array in arrays], given))


@pytest.mark.parametrize("chunks", [1, 3])
def test_weights_by_their_order(chunks: int, tmp_path: Path) -> None:
    weights = of_network(("block/dense_7", "block/bn", "dense_8"))
    path = keras2.write(tmp_path / "w.h5", {"input_1": {}, **weights, "dropout_1": {}}, chunks=chunks)
    model = network()
    model.load_weights(path)
    assert same(held(model), weights)


def test_weights_out_of_a_whole_model(tmp_path: Path) -> None:
    weights = of_network()
    path = keras2.write(tmp_path / "m.h5", weights, {"class_name": "Mine", "config": {}})
    model = network()
    model.load_weights(path)
    assert same(held(model), weights)


def test_weights_by_name(tmp_path: Path) -> None:
    weights = of_network(("bn_of_another", "bn", "last"))
    given = {"last": weights["last"], "extra": of_dense("extra", 2, 2), "bn": weights["bn"]}
    path = keras2.write(tmp_path / "w.h5", given)
    model = network()
    before = held(model)
    model.load_weights(path, by_name=True)
    after = held(model)
    assert all(map(np.array_equal, after["first"], before["first"]))
    assert same({"bn": after["bn"], "last": after["last"]}, {"bn": weights["bn"], "last": weights["last"]})


def test_what_does_not_fit_is_left(tmp_path: Path) -> None:
    path = keras2.write(tmp_path / "w.h5", of_network(second=3))
    model = network(second=2)
    before = held(model)
    told = (
        r"w\.h5: 1 layer of 'sequential\S*' does not fit\.\n  'last': last/last/kernel:0 \(kernel\) has "
        r"shape \(4, 3\) in the file and \(4, 2\) here\n  .*bias.*\nload_weights\(.*skip_mismatch=True\) "
    )
    for by_name in (False, True):
        with pytest.raises(ValueError, match=told):
            model.load_weights(path, by_name=by_name)
    assert same(held(model), {k: dict(enumerate(v)) for k, v in before.items()})
    with pytest.warns(UserWarning, match="is left as it is"):
        model.load_weights(path, skip_mismatch=True)
    after = held(model)
    assert all(map(np.array_equal, after["last"], before["last"]))
    assert not np.array_equal(after["first"][0], before["first"][0])


def test_other_layers(tmp_path: Path) -> None:
    weights = of_network()
    del weights["bn"]
    path = keras2.write(tmp_path / "w.h5", weights)
    told = (
        r"w\.h5: the layers with weights are not those of 'sequential\S*'\. Expected: 3 layers: first, bn, "
        r"last\. Received: 2 layers: first, last\. load_weights\(\.\.\., by_name=True\) takes layers of the"
    )
    with pytest.raises(ValueError, match=told):
        network().load_weights(path)
    weights["bn"] = {"bn/gamma:0": drawn(4)}
    with pytest.raises(ValueError, match="'bn': 1 weights are in the file, and 4 here"):
        network().load_weights(keras2.write(tmp_path / "w.h5", weights), by_name=True)


class Own(keras.Model):
    """A model with a weight of its own, which stands beside those of its layers."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(2)

    def build(self, input_shape: Any = None) -> None:
        self.scale = self.add_weight(shape=(2,), name="scale")
        self.dense.build(input_shape)

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs) * self.scale


def test_weights_of_the_model_itself(tmp_path: Path) -> None:
    weights = {"dense": of_dense("dense", 3, 2), "top_level_model_weights": {"scale:0": drawn(2)}}
    path = keras2.write(tmp_path / "w.h5", weights)
    with h5py.File(path, "r+") as file:
        file.attrs["layer_names"] = [b"dense"]
    model = Own()
    model.build((None, 3))
    model.load_weights(path)
    assert np.array_equal(model.scale.numpy(), weights["top_level_model_weights"]["scale:0"])
    x = drawn(4, 3)
    expected = product(x, weights["dense"]) * weights["top_level_model_weights"]["scale:0"]
    assert close(model.predict(x, verbose=0), expected)


def test_by_name_is_for_files_of_keras_2(tmp_path: Path) -> None:
    model = network()
    model.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(ValueError, match=r"by_name.*layers have no names in it"):
        model.load_weights(tmp_path / "w.weights.h5", by_name=True)


# ------------------------------------------------------------------------------------------- what is refused


def _whole(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    model, weights = nested("Model")
    change(model)
    keras2.write(path, weights, model)


def _first(model: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = model["config"]["layers"][-1]
    return found


def _attribute(group: str, name: str, value: Any) -> Callable[[Path], None]:
    def attack(path: Path) -> None:
        keras2.write(path, *reversed(nested("Model")))
        with h5py.File(path, "r+") as file:
            file[group].attrs[name] = value

    return attack


ATTACKS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "weights alone": (
        lambda path: keras2.write(path, {"d": of_dense("d", 3, 2)}),
        r"saved as a whole\. Expected: a \.keras file, or a \.h5 file .* goes to model\.load_weights",
    ),
    "no JSON": (_attribute("/", "model_config", "{"), "model_config is a JSON object"),
    "no text": (_attribute("/", "model_config", 5), "model_config is text"),
    "deep JSON": (_attribute("/", "model_config", "[" * 60_000), "model_config is a JSON object"),
    "a list": (_attribute("/", "model_config", "[]"), r"is a JSON object\. Expected: one\. Received: list"),
    "many values": (_attribute("/", "model_config", "[" + "1," * 2_000_001), "config is of a usual size"),
    "long attributes": (
        _attribute("/", "note", "x" * (1 << 24)),
        r"an HDF5 file\. .* \(more than 16777216 bytes of attributes\)",
    ),
    "no class": (_attribute("/", "model_config", "{}"), "model_config is written as Keras writes it"),
    "layers that are no list": (
        lambda path: _whole(path, lambda model: model["config"].update(layers=5)),
        "model_config is written as Keras writes it",
    ),
    "a call of what is not there": (
        lambda path: _whole(path, lambda model: _first(model).update(inbound_nodes=[[["nowhere", 0, 0]]])),
        "model_config is written as Keras writes it",
    ),
    "a call that never was": (
        lambda path: _whole(path, lambda model: _first(model).update(inbound_nodes=[[["c", 7, 0]]])),
        "reads what no layer of the config makes",
    ),
    "a class that is not known": (
        lambda path: _whole(path, lambda model: _first(model).update(class_name="os.system")),
        r"Unknown .*'os\.system'",
    ),
    "a class of a running program": (
        lambda path: _whole(path, lambda model: _first(model).update(class_name="subprocess>Popen")),
        r"Unknown .*'subprocess>Popen'",
    ),
    "code": (
        lambda path: _whole(
            path,
            lambda model: _first(model).update(
                class_name="Lambda", config={"function": ["4wEAAA==", None, None], "function_type": "lambda"}
            ),
        ),
        r"Lambda: .*code",
    ),
    "weights larger than the file": (
        lambda path: _whole(path, lambda model: _first(model)["config"].update(units=10**8)),
        "the weights that the config describes are in the file",
    ),
    "names that are numbers": (
        _attribute("model_weights", "layer_names", [1, 2]),
        r"'layer_names' of 'model_weights' lists names\. Expected: a list of text",
    ),
    "one name": (_attribute("model_weights", "layer_names", "d"), r"lists names\. .* Received: str"),
    "weights that are not there": (
        _attribute("model_weights/d", "weight_names", [b"d/kernel:0", b"../../d"]),
        r"the file holds the weights that 'model_weights/d' names",
    ),
    "another layer": (
        _attribute("model_weights", "layer_names", [b"d", b"e"]),
        "the layers with weights are not those of 'outer'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_a_file_that_is_no_model(name: str, tmp_path: Path) -> None:
    attack, told = ATTACKS[name]
    path = tmp_path / "m.h5"
    attack(path)
    with pytest.raises(ValueError, match=told) as caught:
        keras.models.load_model(path)
    assert len(str(caught.value)) < 2000


def test_a_link_in_place_of_weights(tmp_path: Path) -> None:
    path = keras2.write(tmp_path / "w.h5", of_network())
    with h5py.File(path, "r+") as file:
        del file["last"]
        file["last"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(CorruptFileError, match="is a link to another place"):
        network().load_weights(path)


def test_safe_mode_stays(tmp_path: Path) -> None:
    model, weights = nested("Model")
    path = keras2.write(tmp_path / "m.h5", weights, model)
    with pytest.raises(ValueError, match="nothing unsafe is ever loaded"):
        keras.models.load_model(path, safe_mode=False)


# ---------------------------------------------------------------------------------- files that people have


def _file_of(package: str, inside: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"the package {package} is not installed")
    return Path(found.submodule_search_locations[0]) / inside


def _numbers(*shape: int) -> np.ndarray:
    count = int(np.prod(shape))
    return (np.arange(count) * 7919 % 1009).reshape(shape)


def test_the_model_of_fer() -> None:
    """A whole model by Keras 2.0.5; expected is what Keras 3.15 predicts after loading it itself."""
    path = _file_of("fer", "data/emotion_model.hdf5")
    with pytest.warns(UserWarning, match="begins anew"):
        model = keras.models.load_model(path)
    found = model.predict((_numbers(2, 64, 64, 1) / 1009).astype("float32"), verbose=0)
    assert model.loss == "categorical_crossentropy"
    assert np.allclose(found, FER, rtol=1e-4, atol=1e-7)


def test_the_weights_of_deepcut() -> None:
    """Weights by Keras 2.0.2 for twelve branches side by side; expected is what Keras 3.15 predicts."""
    path = _file_of("deepcut", "weight/cnn_without_ne_ab.h5")
    model = deepcut(keras)
    model.load_weights(path)
    found = model.predict([_numbers(4, 21) % 178, _numbers(4, 21) % 12], verbose=0)
    assert np.allclose(found[:, 0], DEEPCUT, rtol=1e-4, atol=1e-7)


def deepcut(package: Any) -> Any:
    """The architecture that these weights are for."""
    made = package.layers
    first, second = package.Input((21,)), package.Input((21,))
    a = made.SpatialDropout1D(0.15)(made.Embedding(178, 32)(first))
    a = made.BatchNormalization()(a)
    branches = []
    for window in range(1, 13):
        b = made.Conv1D(200 if window < 9 else 150 if window < 12 else 100, window, activation="relu")(a)
        b = made.TimeDistributed(made.Dense(5))(b)
        branches.append(made.ZeroPadding1D((0, window - 1))(b))
    c = made.SpatialDropout1D(0.15)(made.Embedding(12, 12)(second))
    x = made.Concatenate()([a, made.Maximum()(branches), c])
    x = made.Flatten()(made.BatchNormalization()(x))
    x = made.Dense(100, activation="relu")(x)
    return package.Model([first, second], made.Dense(1, activation="sigmoid")(x))

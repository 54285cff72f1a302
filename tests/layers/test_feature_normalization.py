"""Normalization: statistics against NumPy and scikit-learn, what it refuses, and what a model sees of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import config, layers
from gputrain.errors import DataError, ShapeError
from gputrain.layers.preprocessing.moments import Moments
from gputrain.utils import notes
from tests.layers.harness import run
from tests.on_device import put
from tests.tolerances import assert_close

RNG = np.random.default_rng(9)
X = (RNG.normal(size=(60, 3)) * [1, 10, 0.1] + [0, 5, -2]).astype("float32")
Y = RNG.normal(size=(60, 1)).astype("float32")


@pytest.fixture(autouse=True)
def _fresh_start() -> Iterator[None]:
    config.set_seed(1)
    notes.forget()
    yield
    config.reset()
    notes.forget()


def adapted(data: Any, **arguments: Any) -> layers.Normalization:
    layer = layers.Normalization(**arguments)
    layer.adapt(data)
    return layer


def model_of(layer: Any, **compiled: Any) -> keras.Sequential:
    model = keras.Sequential([keras.Input((3,)), layer, layers.Dense(1)])
    model.compile(**{"optimizer": "sgd", "loss": "mse", **compiled})
    return model


# ----------------------------------------------------------------------------------------------- statistics


@pytest.mark.parametrize(
    "axis, reduced",
    [(-1, (0, 1, 2)), (1, (0, 2, 3)), ((1, -1), (0, 2)), ([3, 2], (0, 1)), (None, (0, 1, 2, 3))],
)
def test_against_numpy(axis: Any, reduced: tuple[int, ...]) -> None:
    x = RNG.normal(3, 2, (10, 4, 5, 6)).astype("float32")
    layer = adapted(x, axis=axis)
    mean, variance = (f(x.astype("float64"), axis=reduced, keepdims=True) for f in (np.mean, np.var))
    assert_close(layer.mean.numpy(), mean.squeeze(), "float32")
    assert_close(layer.variance.numpy(), variance.squeeze(), "float32")
    assert int(layer.count) == x.size // mean.size
    assert_close(layer(x), (x - mean) / np.sqrt(variance), "float32")
    back = adapted(x, axis=axis, invert=True)
    assert_close(back(layer(x)), x, "float32")


def test_against_scikit_learn() -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    expected = preprocessing.StandardScaler().fit_transform(X.astype("float64"))
    assert_close(adapted(X)(X), expected, "float32")


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "float16", "float64"])
def test_any_numbers(dtype: str) -> None:
    x = RNG.integers(0, 2 if dtype == "bool" else 200, (50, 2)).astype(dtype)
    exact = x.astype("float64")
    result = adapted(x)(x)
    assert result.dtype == "float32"
    assert_close(result, (exact - exact.mean(0)) / exact.std(0), "float32")


def test_lists_and_batches_give_what_one_array_does() -> None:
    whole = adapted(X)
    batches = [X[:1], X[1:40], X[40:40], X[40:]]
    pairs = ((b, Y) for b in batches)
    for data in (X.tolist(), *put([X]), iter(batches), (b for b in batches), Rows(batches), pairs):
        layer = adapted(data)
        assert_close(layer.mean.numpy(), whole.mean.numpy(), "float32")
        assert_close(layer.variance.numpy(), whole.variance.numpy(), "float32")
        assert int(layer.count) == 60


class Rows:
    """A sequence of batches that knows its length and does not end by itself."""

    def __init__(self, batches: list[np.ndarray]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.batches[index % len(self.batches)]


def test_a_large_mean_does_not_swallow_the_variance() -> None:
    """In float64 the mean of the squares minus the square of the mean would leave nothing right here."""
    x = RNG.normal(size=(5000, 2))
    moments = Moments((2,))
    for part in np.array_split(x + 1e9, 7):
        moments.add(part, (0,))
    np.testing.assert_allclose(moments.variance, (x + 1e9 - 1e9).var(0), rtol=1e-7)
    np.testing.assert_allclose(moments.mean, (x + 1e9).mean(0), rtol=1e-14)
    assert moments.count == 5000


def test_long_arrays_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = adapted(X)
    sizes = []
    add = Moments.add
    monkeypatch.setattr("gputrain.layers.preprocessing.feature_normalization.BLOCK", 30)
    monkeypatch.setattr(
        Moments, "add", lambda self, part, axes: (sizes.append(part.size), add(self, part, axes))
    )
    parts = adapted(X)
    assert sizes == [30] * 6
    assert_close(parts.variance.numpy(), whole.variance.numpy(), "float32")


def test_state_by_hand() -> None:
    layer = layers.Normalization()
    layer.update_state(X[:20])
    layer.update_state(X[20:])
    layer.finalize_state()
    np.testing.assert_array_equal(layer(X), adapted(X)(X))
    layer.reset_state()
    with pytest.raises(ValueError, match="has no statistics yet"):
        layer(X)
    layer.update_state(X[:20])
    layer.finalize_state()
    assert_close(layer.mean.numpy(), X[:20].mean(0), "float32")


def test_given_statistics() -> None:
    assert_close(layers.Normalization(mean=3.0, variance=4.0)(X), (X - 3) / 2, "float32")
    layer = layers.Normalization(mean=[0, 5, -2], variance=(1.0, 100.0, 0.01))
    assert_close(layer(X), (X - [0, 5, -2]) / [1, 10, 0.1], "float32")
    assert layer.weights == []
    images = RNG.normal(size=(2, 3, 4)).astype("float32")
    layer = layers.Normalization(axis=1, mean=np.arange(3.0).reshape(1, 3, 1), variance=1.0)
    assert_close(layer(images), images - np.arange(3.0).reshape(1, 3, 1), "float32")
    layer.finalize_state()  # nothing to do


def test_float16_is_computed_in_float32() -> None:
    layer = layers.Normalization(mean=[60000.0], variance=[1e6], dtype="float16")
    result = layer(np.array([[61000.0]], "float16"))
    assert result.dtype == "float16"
    np.testing.assert_allclose(result, [[0.992]], rtol=1e-3)  # float16 holds 60992 for 61000
    assert adapted(X, dtype="float16").mean.dtype == "float32"


# ---------------------------------------------------------------------------------------------- what is told


def test_not_adapted_is_said_before_anything_runs() -> None:
    message = (
        r"ages: the layer has no statistics yet\. Expected: ages\.adapt\(data\) before training or "
        r"prediction\. Call adapt\(\) with the training inputs"
    )
    layer = layers.Normalization(name="ages")
    model = model_of(layer)  # building is allowed
    weights = model.get_weights()
    for use in (
        lambda: model.fit(X, Y, verbose=0),
        lambda: model.evaluate(X, Y, verbose=0),
        lambda: model.predict(X, verbose=0),
        lambda: model.train_on_batch(X, Y),
        lambda: model(X),
        lambda: layer(X),
        lambda: layers.Normalization(name="ages")(X),
    ):
        with pytest.raises(ValueError, match=message):
            use()
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    layer.adapt(X)
    assert model.predict(X, verbose=0).shape == (60, 1)
    layer.reset_state()
    with pytest.raises(ValueError, match=message):
        model.predict(X, verbose=0)


def test_constant_features_are_named_and_become_0(caplog: pytest.LogCaptureFixture) -> None:
    # Sums of 0.1 in float64 are off by a little, so that means of batches differ from it.
    x = np.concatenate([X, np.full((60, 1), 0.1), X[:, :1], np.zeros((60, 1))], 1)
    layer = adapted((x[i : i + 7] for i in range(0, 60, 7)), name="table")
    assert (
        "table: feature 3, feature 5 never changed in the data (variance 0), so the output is 0"
        in caplog.text
    )
    seen = layer(x + 1)  # another value than the data's
    assert np.isfinite(seen).all()
    np.testing.assert_array_equal(seen[:, [3, 5]], 0)
    back = adapted(x, invert=True)(np.full((1, 6), 2.0, "float32"))
    assert back[0, [3, 5]].tolist() == [np.float32(0.1), 0]
    assert "so the output is its mean there" in caplog.text


def test_constant_features_of_several_axes_and_of_none(caplog: pytest.LogCaptureFixture) -> None:
    x = RNG.normal(size=(5, 2, 3))
    x[:, 1, 2] = 7
    adapted(x, axis=(1, 2))
    assert "feature (1, 2) never changed" in caplog.text
    adapted(np.full((4, 2), 3.0), axis=None)
    assert "the data never changed" in caplog.text
    adapted(np.full((4, 12), 3.0), name="many")
    assert "feature 9 and 2 more never changed" in caplog.text
    layers.Normalization(mean=[0, 1, 2], variance=[1, 0, 1], name="given")(X)
    assert "given: feature 1 never changed" in caplog.text


def test_nan_is_counted_by_feature() -> None:
    x = X.copy()
    x[[3, 4, 9], 0] = np.nan
    x[5, 2] = np.inf
    x[6, 2] = np.nan
    message = (
        r"table: statistics need finite numbers\. Received: 3 NaN and 0 infinite in feature 0; 1 NaN and 1 "
        r"infinite in feature 2\. Drop or fill them before adapt\(\)\."
    )
    layer = layers.Normalization(name="table")
    with pytest.raises(DataError, match=message):
        layer.adapt(x)
    with pytest.raises(ValueError, match="no statistics yet"):
        layer(X)
    with pytest.raises(DataError, match="4 NaN and 1 infinite in the data"):
        layers.Normalization(axis=None).adapt(x)


@pytest.mark.parametrize(
    "use, error, message",
    [
        (lambda: adapted(np.zeros((0, 3)), name="n"), DataError, r"n: adapt\(\) needs at least one sample"),
        (lambda: adapted(iter([]), name="n"), DataError, r"n: adapt\(\) needs at least one sample"),
        (lambda: adapted(np.array([["a"]])), DataError, r"takes arrays of numbers whose first axis counts"),
        (lambda: adapted(3.0), DataError, r"takes arrays of numbers.*Received: dtype float64, shape \(\)"),
        (
            lambda: adapted(np.arange(4.0)),
            ShapeError,
            r"axis 0 counts the samples.*x\[:, None\], or pass axis=None",
        ),
        (lambda: adapted(X, axis=2), ShapeError, r"axis must name a dimension\. Expected: -2\.\.1"),
        (lambda: layers.Normalization(axis=1.5), ValueError, r"axis is an int, several, or None"),
        (lambda: layers.Normalization(mean=1.0), ValueError, r"mean and variance are given together"),
        (lambda: layers.Normalization(mean=1.0, variance=-1.0), ValueError, r"the variance not negative"),
        (lambda: layers.Normalization(mean=np.nan, variance=1.0), ValueError, r"are finite numbers"),
        (
            lambda: layers.Normalization(mean=[1, 2], variance=[1, 2])(X),
            ShapeError,
            r"mean needs a number for each feature, or one for all\. Expected: shape \(3,\)\. Received: "
            r"shape \(2,\)",
        ),
        (
            lambda: adapted(X, mean=0.0, variance=1.0),
            ValueError,
            r"was given its mean and variance and does not adapt\. Leave out mean= and variance=",
        ),
        (
            lambda: layers.Normalization()(keras.Input((None,))),
            ShapeError,
            r"Normalization makes its weights for a known size of axis -?1",
        ),
    ],
)
def test_errors(use: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        use()


def test_adapt_to_other_features() -> None:
    layer = adapted(X, name="n")
    with pytest.raises(ShapeError, match=r"n: the data must have the features.*sizes \(3,\) along axis -1"):
        layer.adapt(X[:, :2])


# ------------------------------------------------------------------------------------------------- in a model


def test_a_compiled_model_uses_new_statistics() -> None:
    layer = layers.Normalization()
    model = model_of(layer)
    layer.adapt(X)
    kernel, bias = model.get_weights()[-2:]
    first = model.predict(X, verbose=0)
    assert_close(first, ((X - X.mean(0)) / X.std(0)) @ kernel + bias, "float32")
    programs = list(model._traced_programs._programs.values())
    layer.adapt(2 * X + 1)
    again = model.predict(2 * X + 1, verbose=0)
    assert_close(again, first, "float32")
    assert list(model._traced_programs._programs.values()) == programs  # not traced again


def test_training_leaves_the_statistics_alone() -> None:
    layer = adapted(X)
    model = model_of(layer)
    before = [v.numpy() for v in layer.weights]
    model.fit(X, Y, epochs=2, verbose=0)
    for old, variable in zip(before, layer.weights, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)
    assert layer.trainable_variables == []
    assert [v.name for v in layer.non_trainable_variables] == ["mean", "variance", "count"]


def test_saved_statistics_count_as_adapted() -> None:
    layer = adapted(X, axis=-1, name="n")
    model = model_of(layer)
    config_ = json.loads(json.dumps(model.get_config()))
    loaded = keras.Sequential.from_config(config_)
    with pytest.raises(ValueError, match="n: the layer has no statistics yet"):
        loaded.predict(X, verbose=0)
    loaded.set_weights(model.get_weights())
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.parametrize("arguments", [{}, {"axis": None}, {"axis": (1, 2), "invert": True}])
def test_config(arguments: Any) -> None:
    layer = layers.Normalization(**arguments)
    saved = json.loads(json.dumps(layer.get_config()))
    other = layers.Normalization.from_config(saved)
    assert (other.axis, other.invert, other.input_mean) == (layer.axis, layer.invert, None)
    assert json.loads(json.dumps(other.get_config())) == saved


def test_masks_pass_through_and_gradients_flow() -> None:
    assert layers.Normalization.supports_masking
    upstream = RNG.normal(size=X.shape).astype("float32")
    layer = adapted(X)
    assert_close(run(layer, [X], upstream).inputs[0], upstream / X.astype("float64").std(0), "float32")


@pytest.mark.parametrize("ending", [".keras", ".safetensors"])
def test_statistics_from_a_file_are_in_use_without_adapt(tmp_path: Path, ending: str) -> None:
    """As those of an EfficientNet that Keras saved before it was trained: mean 0, variance 1, count 0."""

    def model() -> Any:
        return keras.Sequential([keras.Input((3,)), layers.Normalization()])

    first = model()
    if ending == ".keras":
        first.save(tmp_path / "m.keras")
        again = keras.models.load_model(tmp_path / "m.keras")
    else:
        first.save_weights(tmp_path / "m.safetensors")
        again = model()
        again.load_weights(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict(X, verbose=0), X)
    with pytest.raises(ValueError, match="the layer has no statistics yet"):
        first.predict(X, verbose=0)
    again.layers[0].reset_state()
    with pytest.raises(ValueError, match="the layer has no statistics yet"):
        again.predict(X, verbose=0)


def test_weights_that_are_set_are_in_use_though_they_count_nothing() -> None:
    model = keras.Sequential([keras.Input((3,)), layers.Normalization()])
    model.set_weights([np.ones(3), np.full(3, 4.0), np.array(0)])
    assert_close(model.predict(X, verbose=0), (X - 1) / 2, "float32")

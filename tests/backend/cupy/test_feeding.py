"""Data on its way to the GPU: resident, through pinned memory, and from arrays that lie there already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import gputrain as keras
from gputrain import config
from gputrain.backend.cupy import feeding
from tests.backend.cupy.world import World, emulated

RNG = np.random.default_rng(4)
X = RNG.random((70, 6)).astype("float32")
Y = (X.sum(1) > 3).astype("float32")[:, None]


@pytest.fixture
def world() -> Iterator[World]:
    with emulated() as found:
        yield found


def fitted(x: Any, y: Any, **how: Any) -> tuple[dict[str, Any], list[np.ndarray]]:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    history = model.fit(x, y, verbose=0, **{"batch_size": 16, "epochs": 3, **how}).history
    return history, model.get_weights()


def on_cpu(*args: Any, **how: Any) -> tuple[dict[str, Any], list[np.ndarray]]:
    chosen = config.backend()
    config.set_backend("numpy")
    try:
        return fitted(*args, **how)
    finally:
        config.set_backend(chosen)


def assert_equal_training(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found[0]["loss"], expected[0]["loss"], rtol=1e-5)
    for a, b in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "bool"])
def test_resident_data_trains_as_on_the_cpu(world: World, dtype: str) -> None:
    x = (X * 3).astype(dtype)
    assert_equal_training(fitted(x, Y), on_cpu(x, Y))


def test_steps_per_epoch_goes_on_where_it_stopped(world: World) -> None:
    how: dict[str, Any] = {"steps_per_epoch": 2, "epochs": 5}
    assert_equal_training(fitted(X, Y, **how), on_cpu(X, Y, **how))


def test_data_that_does_not_fit_goes_through_pinned_memory(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "SHARE", 0.0)
    with world.standin.statistics.record() as log:
        found = fitted(X, Y)
    assert_equal_training(found, on_cpu(X, Y))
    assert not [event for event in log if event.name.startswith("gather_rows")]
    assert [event for event in log if event.kind == "graph_launch"]


def test_generators_feed_through_pinned_memory(world: World) -> None:
    def batches() -> Iterator[Any]:
        while True:
            for start in range(0, 64, 16):
                yield X[start : start + 16], Y[start : start + 16]

    how: dict[str, Any] = {"batch_size": None, "steps_per_epoch": 4}
    assert_equal_training(fitted(batches(), None, **how), on_cpu(batches(), None, **how))


@pytest.mark.parametrize("share", [0.5, 0.0])
def test_bytes_become_scaled_floats_on_their_way(
    world: World, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    """Casting and rescaling images costs no launch: whoever brings them does it."""
    monkeypatch.setattr(feeding, "SHARE", share)
    images = RNG.integers(0, 256, (60, 6), dtype="uint8")

    def train() -> Any:
        keras.utils.set_random_seed(2)
        layers = [keras.layers.Rescaling(1 / 127.5, offset=-1.0), keras.layers.Dense(1)]
        model = keras.Sequential([keras.layers.Input((6,), dtype="uint8"), *layers])
        model.compile("sgd", "mse")
        history = model.fit(images, Y[:60], batch_size=16, epochs=2, verbose=0).history
        return model, (history, model.get_weights())

    model, found = train()
    program = next(p for p in model._traced_programs._programs.values() if p.kind == "train")
    assert [v.dtype for v in program.graph.inputs] == ["uint8", "float32"]
    assert [a.dtype.name for a in program.executable.inputs] == ["float32", "float32"]
    assert program.executable.scales[0] == pytest.approx((1 / 127.5, -1.0))
    config.set_backend("numpy")
    assert_equal_training(found, train()[1])


def test_other_data_of_the_same_shape_uses_the_same_memory(world: World) -> None:
    model = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=35, epochs=2, verbose=0)
    with world.standin.statistics.record() as log:
        model.fit(X[::-1], Y[::-1], batch_size=35, epochs=2, verbose=0)
    assert not [event for event in log if event.kind == "allocation" and event.nbytes >= X.nbytes]
    assert not [event for event in log if event.how == "capture"]


# ----------------------------------------------------------------------------------------- arrays of a device


def test_arrays_on_the_gpu_are_read_where_they_are(world: World) -> None:
    cp = world.standin.cupy
    host = RNG.random((700, 6)).astype("float32"), RNG.random((700, 1)).astype("float32")
    x, y = map(cp.asarray, host)
    expected = on_cpu(*host)
    with world.standin.statistics.record() as log:
        found = fitted(x, y)
    assert_equal_training(found, expected)
    moved = [event for event in log if event.kind in ("host_to_device", "device_to_host")]
    assert max(event.nbytes for event in moved) < host[1].nbytes * 2.1 < x.nbytes


def test_bad_values_on_the_gpu_are_found(world: World) -> None:
    bad = X.copy()
    bad[3, 1] = np.nan
    with pytest.raises(keras.errors.DataError, match=r"1 NaN and 0 infinite .* first at index \(3, 1\)"):
        fitted(world.standin.cupy.asarray(bad), Y)


def test_eager_results_are_where_their_inputs_were(world: World) -> None:
    cp = world.standin.cupy
    from_host = keras.ops.relu(X - 0.5)
    assert isinstance(from_host, np.ndarray)
    on_gpu = keras.ops.relu(cp.asarray(X) - 0.5)
    assert isinstance(on_gpu, cp.ndarray)
    np.testing.assert_array_equal(on_gpu.get(), from_host)
    model = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(2)])
    assert isinstance(model(X), np.ndarray)
    assert isinstance(model(cp.asarray(X)), cp.ndarray)
    np.testing.assert_array_equal(model(cp.asarray(X)).get(), model(X))


def test_a_changed_backend_is_refused(world: World) -> None:
    model = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    config.set_backend("numpy")
    with pytest.raises(keras.errors.DeviceError, match=r"stays on the device it was built on.*deepcopy"):
        model.fit(X, Y, verbose=0)


# ---------------------------------------------------------------------------------------- lifetimes and reuse


def test_a_generator_may_fill_its_buffers_again(world: World) -> None:
    """It is read ahead, so what it yielded is copied before it goes on."""

    def batches() -> Iterator[Any]:
        x, y = np.empty((4, 6), "float32"), np.empty((4, 1), "float32")
        for i in range(20):
            x[:], y[:] = X[i : i + 4], Y[i : i + 4]
            yield x, y

    how: dict[str, Any] = {"batch_size": None, "epochs": 1}
    assert_equal_training(fitted(batches(), None, **how), on_cpu(batches(), None, **how))


def test_batches_on_the_gpu_are_recorded_like_others(world: World) -> None:
    cp = world.standin.cupy

    def batches(move: Any) -> Iterator[Any]:
        for start in range(0, 64, 4):
            yield move(X[start : start + 4]), move(Y[start : start + 4])

    how: dict[str, Any] = {"batch_size": None, "epochs": 1}
    with world.standin.statistics.record() as log:
        found = fitted(batches(cp.asarray), None, **how)
    assert_equal_training(found, on_cpu(batches(np.array), None, **how))
    assert sum(event.kind == "graph_launch" for event in log) == 15


def test_data_sets_in_use_do_not_push_each_other_out(world: World) -> None:
    """Training and validation data of one shape, and a prediction in each epoch: each is uploaded once."""
    model = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = RNG.random((400, 6)).astype("float32"), RNG.random((400, 1)).astype("float32")
    predict = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: model.predict(x[:9], verbose=0))
    with world.standin.statistics.record() as log:
        how: dict[str, Any] = {"validation_data": (x[::-1], y), "callbacks": [predict], "verbose": 0}
        model.fit(x, y, batch_size=100, epochs=6, **how)
    uploads = [event for event in log if event.kind == "host_to_device" and event.nbytes == x.nbytes]
    assert len(uploads) == 2


def test_an_arena_that_grew_leaves_nothing_behind(world: World) -> None:
    model = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(500), keras.layers.Dense(1)])
    for size in (8, 64, 512):
        model.predict(np.ones((size, 6), "float32"), batch_size=size, verbose=0)
    pool = world.standin.cupy.get_default_memory_pool()
    held, arena = pool.used_bytes(), model._traced_programs.arena.memory.nbytes
    assert arena > 1_000_000
    assert held < 1.6 * arena + (33 << 20)  # cuBLAS's workspace, weights, and the last batches


def test_the_pool_has_a_limit(world: World) -> None:
    model = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(500), keras.layers.Dense(1)])
    model.predict(np.ones((2, 6), "float32"), verbose=0)  # cuBLAS has its workspace now
    world.standin.cupy.get_default_memory_pool().set_limit(size=40 << 20)
    with pytest.raises(keras.DeviceError, match=r"of 20000 do not fit.*Use batch_size=\d{3,4}, the largest"):
        model.predict(np.ones((20000, 6), "float32"), batch_size=20000, verbose=0)


def test_what_a_user_does_on_a_stream_of_their_own_is_waited_for(world: World) -> None:
    """The stand-in raises where one stream reads what another has not finished, as far as anybody waited."""
    cp = world.standin.cupy

    def batches() -> Iterator[Any]:
        for start in range(0, 64, 16):
            yield cp.asarray(X[start : start + 16]) * 1, cp.asarray(Y[start : start + 16])

    with cp.cuda.Stream(non_blocking=True):
        found = fitted(batches(), None, batch_size=None, epochs=1)
        assert_equal_training(found, on_cpu(*_as_batches(), epochs=1))
        x, y = cp.asarray(X), cp.asarray(Y)
        fitted(x, y)
        cp.multiply(x, 2, out=x)
        result = keras.ops.relu(x - 1)
        cp.add(result, 1, out=result)
        del x, y
        np.testing.assert_allclose(result.get(), np.maximum(X * 2 - 1, 0) + 1, rtol=1e-6)


def _as_batches() -> tuple[Any, Any]:
    return ((X[s : s + 16], Y[s : s + 16]) for s in range(0, 64, 16)), None


def test_staging_is_let_go_only_when_its_copies_are_done(world: World, monkeypatch: Any) -> None:
    """Batches of many sizes in turn: buffers of those that went before are used again."""
    monkeypatch.setattr(feeding, "KEPT", 1)
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    sizes = [4, 8, 16, 32, 4, 16, 8, 32] * 2

    def batches() -> Iterator[Any]:
        for size in sizes:
            yield X[:size], Y[:size]

    losses = model.fit(batches(), verbose=0).history["loss"]
    config.set_backend("numpy")
    keras.utils.set_random_seed(1)
    other = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(1)])
    other.compile(keras.optimizers.SGD(0.05), "mse")
    np.testing.assert_allclose(losses, other.fit(batches(), verbose=0).history["loss"], rtol=1e-5)
